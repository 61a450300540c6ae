"""Restoring: pieces of photographs, the task, pictures of any size and kind, and what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas
from PIL import Image, ImageCms
from torch import Tensor, nn

from ganvas import api
from ganvas.api import RECIPES
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.core.run import Run
from ganvas.export import model_card
from ganvas.export import onnx as exporting
from ganvas.images import apply, augment, data, originals, tiling
from ganvas.images import tensors as im
from ganvas.images.data.dataset import Split
from ganvas.images.decode import Shape
from ganvas.images.originals import Original
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.restore import degrade, signs, unet
from ganvas.tasks.restore import evaluate as restore_evaluate
from ganvas.tasks.restore import files as restore_files
from ganvas.tasks.restore import model as restore_model
from ganvas.tasks.restore import task as restore
from ganvas.tasks.restore.task import RestoreTask
from ganvas.training import finetune
from ganvas.training.events import Evaluated, Sampled, Warned
from ganvas.training.experiment import Experiment
from ganvas.training.task import build
from ganvas.training.trainer import Trainer

pytestmark = pytest.mark.long

SMALL = unet.Config(width=8, depth=2, d_width=8)
MENDERS = ("denoise", "derain", "superres", "inpaint")


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def photo(seed: int, width: int = 90, height: int = 70, channels: int = 3) -> np.ndarray:
    """A smooth picture with some edges."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 40
    waves = [np.sin(x * random.uniform(1, 5) + y * random.uniform(-4, 4) + i) for i in range(channels)]
    array = np.stack(waves, 2) * 70 + 120
    array[height // 3 : height // 2, width // 4 : width // 2] += 60
    return array.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photographs of unlike sizes."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(10):
        Image.fromarray(photo(i, 70 + 7 * i, 60 + 5 * i)).save(folder / f"{i}.png")
    return folder


def short(recipe: str, source: Path | str, steps: int = 30, **task: Any) -> Experiment:
    """A recipe with a small network for a few steps."""
    base = RECIPES[recipe]()
    training = dataclasses.replace(
        base.training, images=8 * steps, batch=8, device="cpu", precision="fp32", tick_every=80, sample_every=120,
        sample_at=(), save_seconds=1e9, ema=0,
    )  # fmt: skip
    return dataclasses.replace(
        base,
        network=SMALL,
        data=dataclasses.replace(base.data, source=str(source), size=32),
        task=dataclasses.replace(base.task, **task),
        training=training,
    )


@pytest.fixture(scope="session")
def mender(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run that takes noise out."""
    folder = tmp_path_factory.mktemp("mender") / "run"
    list(short("denoise", photos, 60, lively=0.01).run(folder))
    return folder


@pytest.fixture(scope="session")
def filler(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run that fills holes."""
    folder = tmp_path_factory.mktemp("filler") / "run"
    list(short("inpaint", photos, 30).run(folder))
    return folder


@pytest.fixture(scope="session")
def enlarger(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run that enlarges."""
    folder = tmp_path_factory.mktemp("enlarger") / "run"
    list(short("superres", photos, 10).run(folder))
    return folder


# ---- pieces of photographs


def pieces(source: Path, size: int = 32, channels: int = 0) -> data.ImageData:
    return data.load(str(source), Shape(size, channels, "pieces"))


def test_pieces_are_cut_from_the_photographs_at_their_own_scale(photos: Path) -> None:
    found = pieces(photos)
    assert found.spec == ImageSpec(3, 32)
    whole = [np.asarray(Image.open(photos / f"{i}.png")) for i in range(10)]
    index = torch.tensor([0, len(found.train.images) // 2, len(found.train.images) - 1])
    for piece in found.train.images[index].permute(0, 2, 3, 1).numpy():
        windows = (np.lib.stride_tricks.sliding_window_view(w, (32, 32, 3))[::4, ::4, 0] for w in whole)
        assert any((w == piece).all((2, 3, 4)).any() for w in windows)


def test_photographs_are_held_out_whole(photos: Path) -> None:
    found = pieces(photos)
    train = {row.tobytes() for row in found.train.images[:].numpy()}
    held_out = [row.tobytes() for row in found.held_out.images[:].numpy()]
    assert held_out
    assert not train & set(held_out)
    places = sum(((70 + 7 * i - 32) // 4 + 1) * ((60 + 5 * i - 32) // 4 + 1) for i in range(10))
    assert 0.6 * places < len(train) < places


def test_pieces_of_any_size_are_of_the_same_data(photos: Path) -> None:
    assert pieces(photos, 32).fingerprint == pieces(photos, 48).fingerprint
    assert pieces(photos, 32, 1).fingerprint != pieces(photos, 32, 3).fingerprint


def test_pictures_that_are_smaller_than_a_piece_are_named_and_left_out(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.fromarray(photo(99, 20, 90)).save(tmp_path / "narrow.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    notes = " ".join(pieces(tmp_path).notes)
    assert "1 of 12 pictures have less than 32 pixels a side and are left out: narrow.png" in notes
    assert "1 of 12 pictures could not be read and are left out: broken.png" in notes
    with pytest.raises(UserError, match=r"All of .* have less than 256 pixels a side.*size=N"):
        pieces(tmp_path, 256)


def test_one_photograph_is_too_few(tmp_path: Path) -> None:
    Image.fromarray(photo(0)).save(tmp_path / "only.png")
    with pytest.raises(UserError, match="1 different pictures are too few"):
        pieces(tmp_path)


def test_an_interrupted_decoding_goes_on(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganvas.images.data import photos as ph
    from ganvas.images.data import pictures

    whole = pieces(photos).fingerprint
    found = pictures.find(photos)
    steps = ph.write(found, Shape(0, 3), tmp_path / "pack")
    for _ in range(4):
        next(steps)
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    with open(tmp_path / "pack.part" / "pixels.bin", "ab") as file:
        file.write(b"what a crash left")
    decoded = []
    before = ph._decoded
    monkeypatch.setattr(ph, "_decoded", lambda *a, **k: decoded.append(a) or before(*a, **k))
    list(ph.write(found, Shape(0, 3), tmp_path / "pack"))
    assert len(decoded) <= 7
    reading = ph.read(tmp_path / "pack", 32)
    with pytest.raises(StopIteration) as end:  # it was checked as it was written
        next(reading)
    assert end.value.value.fingerprint == whole


def test_small_sets_are_taken_whole_where_pieces_would_be_larger(blobs: Path) -> None:
    assert data.load(str(blobs), Shape(64, 0, "pieces")).spec == ImageSpec(1, 12, 2)


@pytest.fixture(scope="session")
def twins(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photographs, darker, under other endings; one is missing, one has another size."""
    folder = tmp_path_factory.mktemp("twins")
    for i in range(10):
        picture = Image.fromarray(np.asarray(Image.open(photos / f"{i}.png")) // 2)
        if i == 3:
            picture = picture.resize((50, 50))
        if i != 7:
            picture.save(folder / f"{i}.bmp")
    return folder


def test_pairs_are_matched_by_name(photos: Path, twins: Path) -> None:
    found = data.load(str(photos), Shape(32, 0, "pieces"), twins=str(twins))
    assert found.spec == ImageSpec(3, 32)
    some = found.train.images[torch.arange(0, len(found.train.images), 37)]
    assert torch.equal(some[:, :3] // 2, some[:, 3:])
    told = " ".join(found.notes)
    assert "1 pictures have no twin" in told
    assert "7.png" in told
    assert "3.png (it has 91x75 pixels and its twin 50x50)" in told


def test_pairs_that_do_not_match_are_refused(photos: Path, blobs: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(0)).save(tmp_path / "other.png")
    with pytest.raises(UserError, match=r"No picture of .* has the name of one of"):
        data.load(str(photos), Shape(32, 0, "pieces"), twins=str(tmp_path))
    with pytest.raises(UserError, match="two folders or archives"):
        data.load(str(blobs), Shape(32, 0, "pieces"), twins=str(photos))
    with pytest.raises(UserError, match="belong together"):
        RECIPES["denoise"]().override({"degrade": "pairs"})
    with pytest.raises(UserError, match="belong together"):
        RECIPES["denoise"]().override({"twins": "somewhere"})


def test_names_that_come_twice_are_no_pairs(photos: Path, twins: Path, tmp_path: Path) -> None:
    for path in twins.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.fromarray(photo(0)).save(tmp_path / "0.png")
    with pytest.raises(UserError, match="two pictures of the name 0"):
        data.load(str(photos), Shape(32, 0, "pieces"), twins=str(tmp_path))


def test_pairs_are_asked_for_in_two_settings(photos: Path, twins: Path) -> None:
    found = api.experiment("denoise", photos, {"degrade": "pairs", "twins": str(twins)})
    assert found.load_data().has_pairs


def test_it_learns_from_pairs(photos: Path, twins: Path, tmp_path: Path) -> None:
    base = short("denoise", photos, 100)
    experiment = dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, twins=str(twins)),
        task=dataclasses.replace(base.task, degrade="pairs"),
    )
    list(experiment.run(tmp_path / "run"))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > rows[-1]["psnr_damaged"] + 4
    assert str(photos) not in json.dumps(restore_model.load(tmp_path / "run").card)
    answers = [
        e
        for e in restore_evaluate.evaluate(tmp_path / "run", extractor="pixels")
        if isinstance(e, restore_evaluate.Answer)
    ]
    assert answers[-1].psnr > answers[0].psnr + 4
    assert str(tmp_path) not in json.dumps(restore_model.load(tmp_path / "run").card)
    with pytest.raises(UserError, match="with their damaged twins"):
        list(restore_evaluate.evaluate(tmp_path / "run", data=photos, extractor="pixels"))
    list(Experiment.load(tmp_path / "run").override({"images": "808"}).run(tmp_path / "run"))  # it goes on


# ---- the network


@pytest.mark.parametrize(("scale", "masked"), [(1, False), (1, True), (2, False), (4, False)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_network_begins_as_the_trivial_answer(scale: int, masked: bool, channels: int) -> None:
    spec = ImageSpec(channels, 32, 0, scale, masked)
    generator, discriminator = build(RestoreTask, SMALL, spec)
    x = torch.rand(2, channels, 22, 37) * 2 - 1
    mask = (torch.rand(2, 1, 22, 37) < 0.3).float()
    made = generator.eval()(torch.cat([x, mask], 1) if masked else x)
    assert made.shape == (2, channels, 22 * scale, 37 * scale)
    wanted = x if scale == 1 else nn.functional.interpolate(x, scale_factor=scale, mode="bicubic").clamp(-1, 1)
    known = (mask == 0).expand_as(x) if masked else torch.ones_like(wanted, dtype=torch.bool)
    assert torch.allclose(made[known], wanted[known], atol=1e-5)
    logits = discriminator(made)
    assert logits.shape[:2] == (2, 1)
    assert logits.shape[2] > 1


def test_beside_holes_nothing_can_be_removed(photos: Path) -> None:
    with pytest.raises(UserError, match="a model that fills holes leaves all other pixels as they are"):
        api.experiment("inpaint", photos, {"degrade": "noise:10,holes:25"})


@pytest.mark.parametrize(("side", "margin"), [(1_200, 100), (1_300, 0)])  # within the picture, and a torn corner
def test_a_hole_that_is_larger_than_a_tile_continues_what_is_around_it(side: int, margin: int, tmp_path: Path) -> None:
    spec = ImageSpec(1, 16, masked=True)
    model: Any = restore_model.Restorer(
        tmp_path, unet.Generator(spec, SMALL), nn.Identity(), spec, degrade.parse("holes:25"), {}
    )
    ramp = torch.linspace(-0.8, 0.8, side)[None, None, None].expand(1, 1, side, side)
    images = ramp if margin else torch.full_like(ramp, 0.8)
    mask = torch.zeros(1, 1, side, side, dtype=torch.bool)
    mask[..., margin : side - 100, margin : side - 100] = True
    made = model.restore(images, mask)
    assert (made - images).abs().max() < 0.1
    assert torch.allclose(made[~mask], images[~mask], atol=1e-6)


def test_masks_and_tensors_are_checked(tmp_path: Path) -> None:
    spec = ImageSpec(3, 16, masked=True)
    model: Any = restore_model.Restorer(
        tmp_path, unet.Generator(spec, SMALL), nn.Identity(), spec, degrade.parse("holes:25"), {}
    )
    images, mask = torch.zeros(2, 3, 16, 16), torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., 4:8, 4:8] = True
    assert model.restore(images, mask).shape == (2, 3, 16, 16)  # one mask for all
    assert torch.equal(model.restore(images.double(), mask.numpy()), model.restore(images, mask))
    for masks, told in (
        (mask.byte(), "The masks hold uint8; they are bool"),
        (mask.float(), "The masks hold float32; they are bool"),
        (mask.expand(3, 1, 16, 16), r"The masks have the shape \[3, 1, 16, 16\]; \[2, 1, H, W\] is needed"),
    ):
        with pytest.raises(UserError, match=told):
            model.restore(images, masks)
    for wrong, told in ((images.long(), "The tensor holds int64"), (images + 200, "values go from 200 to 200")):
        with pytest.raises(UserError, match=told):
            model.restore(wrong, mask)


def test_a_head_is_not_taken_without_the_first_layer(tmp_path: Path) -> None:
    old, new = (unet.Generator(ImageSpec(3, 16, scale=scale), SMALL) for scale in (1, 2))
    nn.init.ones_(old.head.weight)
    tensors = {f"generator.{name}": weight for name, weight in old.state_dict().items()}
    checkpoint.save(tmp_path / "model.safetensors", tensors, {})
    assert old.head.weight.shape == new.head.weight.shape
    finetune.take({"generator": new}, str(tmp_path / "model.safetensors"))
    assert not new.head.weight.any()
    assert torch.equal(new.state_dict()["downs.0.weight"], old.state_dict()["downs.0.weight"])


def test_pieces_are_cut_to_what_becomes_smaller_by_a_whole_factor() -> None:
    images = torch.randint(0, 256, (9, 3, 30, 30), dtype=torch.uint8)
    real: Any = SimpleNamespace(held_out=Split(images, None), class_names=())
    model: Any = SimpleNamespace(plan=degrade.parse("down:4"))
    found = restore_evaluate._load_test_set(model, real, "pixels", 0)
    assert found.clean.shape[2:] == (28, 28)
    assert found.degraded.shape[2:] == (7, 7)


def test_the_discriminator_needs_pieces_of_7_pixels(photos: Path) -> None:
    experiment = api.experiment("denoise", photos, {"size": "4", "lively": "0.1"})
    with pytest.raises(UserError, match="size=4: with lively= pieces have 7 pixels a side at least"):
        experiment.build(ImageSpec(3, 4))


def test_holes_are_filled_smoothly_at_first() -> None:
    """A ramp with holes comes back as a ramp, nearly; what is known is not touched."""
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64).contiguous()
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 10:26, 30:50] = 1
    found = unet.filled(ramp * (1 - mask), mask)
    assert torch.equal(found[:, :, :10], ramp[:, :, :10])
    assert (found - ramp).abs().max() < 0.15
    assert unet.filled(torch.zeros(1, 1, 9, 9), torch.ones(1, 1, 9, 9)).abs().max() == 0  # nothing is known at all


def test_known_pixels_stay_as_they_are() -> None:
    generator, _ = build(RestoreTask, SMALL, ImageSpec(3, 32, 0, 1, True))
    for weight in generator.parameters():
        nn.init.normal_(weight, std=0.1)
    x, mask = torch.rand(1, 3, 32, 32) * 2 - 1, torch.zeros(1, 1, 32, 32)
    mask[:, :, 8:20, 8:20] = 1
    made = generator.eval()(torch.cat([x * (1 - mask), mask], 1))
    known = (mask == 0).expand_as(x)
    assert torch.equal(made[known], x[known])
    assert (made - x)[~known].abs().max() > 0.01


def test_gradients_reach_every_weight_of_the_pair() -> None:
    generator, discriminator = build(RestoreTask, SMALL, ImageSpec(3, 32))
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    for _ in range(2):  # the head begins at zero
        optimizer.zero_grad()
        discriminator(generator(torch.rand(2, 3, 32, 32))).square().mean().backward()
        optimizer.step()
    for network in (generator, discriminator):
        assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_networks_and_tasks_must_fit() -> None:
    with pytest.raises(UserError, match="network pyramid does not suit the task restore"):
        dataclasses.replace(RECIPES["denoise"](), network=RECIPES["images"]().network)
    with pytest.raises(UserError, match="network unet does not suit the task generate"):
        dataclasses.replace(RECIPES["images"](), network=SMALL)


# ---- the task


@pytest.mark.parametrize(
    ("lively", "recipe"),
    [
        *((0.2, recipe) for recipe in MENDERS),
        (0.0, "denoise"),  # without a contest all are alike
        *(pytest.param(0.0, recipe, marks=pytest.mark.slow) for recipe in MENDERS[1:]),
    ],
)
def test_every_recipe_learns_and_tells(recipe: str, lively: float, photos: Path, tmp_path: Path) -> None:
    events = list(short(recipe, photos, 16, lively=lively).run(tmp_path / "run"))
    checks = [e for e in events if isinstance(e, Evaluated)]
    assert set(checks[-1].figures) == {"psnr", "psnr_damaged", "ssim", "ssim_damaged"}
    sheets = [e for e in events if isinstance(e, Sampled)]
    assert len(sheets[-1].pictures) % 30 == 0  # rows of damaged, restored and whole ones
    row = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert ("loss_d" in row) == bool(lively)
    assert "psnr" in row
    assert (tmp_path / "run" / "report.html").read_text()
    assert restore_model.load(tmp_path / "run").card["signs_from"] == 10  # too few to tell strangers by
    assert "not enough pictures to tell" in (tmp_path / "run" / "report.html").read_text()


def test_it_learns_to_take_noise_out(mender: Path) -> None:
    rows = [json.loads(line) for line in (mender / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["psnr"] > rows[-1]["psnr_damaged"] + 0.8
    assert rows[-1]["psnr"] > rows[0]["psnr"]


@pytest.mark.parametrize("degrade", ["blur:0-2+down:2+noise:0-8+jpeg:50-95", "blur:1,spots:50,scratches,poisson,rain"])
def test_damage_is_done_in_full_precision(degrade: str, photos: Path) -> None:
    """In a training in bf16 as well: it is what the model will meet."""
    experiment = short("superres" if "down" in degrade else "denoise", photos, degrade=degrade)
    images = experiment.load_data()
    task = experiment.build(images.spec)
    assert isinstance(task, restore.RestoreTask)
    lessons = []
    for half in (False, True):
        batch = experiment.batches(images).at(0)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            lessons.append(task._pairs(batch)[1])
    assert torch.equal(*lessons)


def test_lively_is_the_weight_of_the_adversarial_loss(photos: Path) -> None:
    experiment = short("denoise", photos, lively=0.3)
    images = experiment.load_data()
    task = experiment.build(images.spec)
    task.discriminator_loss(experiment.batches(images).at(0))
    losses = {k: v.detach() for k, v in (task.generator_loss(experiment.batches(images).at(0)) or {}).items()}
    assert float(losses["total"]) == pytest.approx(float(losses["loss_pixel"] + 0.3 * losses["loss_g"]))
    assert losses["loss_g"] > 0


def test_without_a_discriminator_nothing_of_it_is_trained(photos: Path) -> None:
    experiment = short("denoise", photos)
    images = experiment.load_data()
    trainer = Trainer(experiment.build(images.spec), experiment.training)
    before = [p.clone() for p in trainer.task.discriminator.parameters()]
    batches = experiment.batches(images)
    trainer.step(batches.at(0))
    trainer.probe(batches)
    assert all(map(torch.equal, before, trainer.task.discriminator.parameters()))
    assert "accuracy_held_out" not in trainer.means()


def test_the_eight_ways_to_turn_a_picture() -> None:
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    ways = {
        tuple(augment.turned(picture, torch.tensor([[a, b, c]])).flatten().tolist())
        for a in (0.1, 0.9) for b in (0.1, 0.9) for c in (0.1, 0.9)
    }  # fmt: skip
    assert len(ways) == 8
    assert tuple(picture.flatten().tolist()) in ways


def test_a_wrong_damage_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UserError, match="nois"):
        RECIPES["denoise"]().override({"degrade": "nois:25"})


# ---- pictures of any size


@pytest.mark.parametrize("length", [30, 511, 512, 513, 1000, 4000])
@pytest.mark.parametrize("stride", [16, 32])
def test_tiles_cover_everything_evenly(length: int, stride: int) -> None:
    total = torch.zeros(length)
    for place, weight in tiling.tiles(length, stride):
        assert place.start % stride == 0
        assert place.stop <= length
        assert (weight >= 0).all()
        total[place] += weight
    assert torch.allclose(total, torch.ones(length), atol=1e-6)


def test_tiles_leave_no_seams(mender: Path) -> None:
    """The largest step across the borders of tiles is not above that elsewhere, and it is as in one piece."""
    model = restore_model.load(mender)
    picture = torch.from_numpy(photo(5, 700, 600)).permute(2, 0, 1)[None].float() / 127.5 - 1
    noisy = (picture + torch.randn(picture.shape, generator=torch.Generator().manual_seed(0)) * 0.2).clamp(-1, 1)
    made = model.restore(noisy)
    with torch.inference_mode():
        whole = unet.Mirrored(model.generator)(noisy)
    assert (made - whole).abs().max() < 0.02


@pytest.mark.parametrize("sides", unet.MIRRORS)
def test_a_mirrored_picture_is_restored_the_same(mender: Path, sides: tuple[int, ...]) -> None:
    model = restore_model.load(mender)
    x = torch.from_numpy(photo(6, 48, 48)).permute(2, 0, 1)[None].float() / 127.5 - 1
    mirrored = model.restore(x.flip(sides)).flip(sides)
    assert torch.allclose(torch.as_tensor(mirrored), torch.as_tensor(model.restore(x)), atol=1e-4)
    with torch.inference_mode():  # a single restoration is not
        assert (model.generator(x.flip(sides)).flip(sides) - model.generator(x)).abs().max() > 1e-3


def as_original(array: np.ndarray, alpha: np.ndarray | None = None) -> Original:
    return Original(array, alpha)


def mend(model: restore_model.Restorer, original: Original, mask: np.ndarray | None = None) -> Original:
    return last(model.restore_picture(original, mask))


def test_the_name_of_earlier_versions_still_works(mender: Path) -> None:
    model, original = restore_model.load(mender), as_original(photo(3, 41, 30))
    with pytest.warns(FutureWarning, match="restore_picture"):
        made = last(model.mend(original))
    assert np.array_equal(made.pixels, mend(model, original).pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_colour_alpha_and_depth_are_kept(mender: Path, channels: int, alpha: bool, depth: Any) -> None:
    array = photo(3, 41, 30, channels).astype(depth) * (257 if depth is np.uint16 else 1)
    transparent = array[:, :, 0].copy() if alpha else None
    made = mend(restore_model.load(mender), as_original(array, transparent))
    assert made.pixels.shape == array.shape
    assert made.pixels.dtype == depth
    assert (made.alpha is None) == (transparent is None)
    if transparent is not None:
        assert np.array_equal(made.alpha, transparent)  # pyright: ignore[reportArgumentType]
    assert np.abs(made.pixels.astype(float) - array).mean() < 40 * (257 if depth is np.uint16 else 1)


def test_results_are_written_next_to_the_pictures_where_no_folder_is_named(mender: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.bmp", "a.png"):
        Image.fromarray(photo(3, 41, 30)).save(tmp_path / name)
    made = [e.path for e in restore_files.restore(mender, [tmp_path]) if isinstance(e, apply.Applied)]
    assert len({*made}) == 3
    assert {path.parent for path in made} == {tmp_path}
    assert all(apply.RESTORED in path.name for path in made)
    assert tmp_path / "a-restored.jpg" in made
    with pytest.raises(UserError, match="-restored"):  # nothing is overwritten unasked, or restored again
        list(restore_files.restore(mender, [tmp_path]))
    again = [e.path for e in restore_files.restore(mender, [tmp_path], force=True) if isinstance(e, apply.Applied)]
    assert {*again} == {*made}


def test_enlarging_gives_twice_the_size_and_alpha_too(enlarger: Path) -> None:
    made = mend(restore_model.load(enlarger), as_original(photo(3, 41, 30), photo(3, 41, 30)[:, :, 0]))
    assert made.pixels.shape == (60, 82, 3)
    assert made.alpha is not None
    assert made.alpha.shape == (60, 82)


def test_only_what_is_missing_is_filled(filler: Path) -> None:
    array = photo(2, 50, 40)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 15:30] = True
    made = mend(restore_model.load(filler), as_original(array), mask)
    assert np.array_equal(made.pixels[~mask], array[~mask])


def test_the_map_of_inventions_is_white_where_something_was_missing(filler: Path) -> None:
    model, array = restore_model.load(filler), photo(2, 50, 40)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 15:30] = True
    found = model.invented(as_original(array), mend(model, as_original(array), mask), mask)
    assert (found[mask] == 255).all()
    assert found[25:, 35:].mean() < 100


def test_the_map_is_dark_where_the_output_follows_the_input(photos: Path) -> None:
    """A network that leaves everything as it is invents nothing; one that ignores its input invents all it draws."""
    generator, discriminator = build(RestoreTask, SMALL, ImageSpec(3, 32))
    model = restore_model.Restorer(
        Path("x"), generator.eval(), discriminator, ImageSpec(3, 32), restore.degrade.parse("noise:25"), {}
    )
    original = as_original(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    assert model.invented(original, mend(model, original)).mean() < 60

    class Stubborn(nn.Module):
        stride = 8
        drawn = torch.rand(1, 3, 40, 40) * 2 - 1

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images: Tensor) -> Tensor:
            return self.drawn

    stubborn = dataclasses.replace(model, generator=Stubborn())
    assert stubborn.invented(original, mend(stubborn, original)).mean() > 200


def known(recipe: str, source: Path, least: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a model of a recipe notes of its damage, where so many pictures are enough."""
    monkeypatch.setattr(signs, "ENOUGH", least)
    experiment = short(recipe, source)
    images = experiment.load_data()
    task = experiment.build(images.spec)
    list(task.finish(task.generator, experiment.batches(images), Run(source)))
    return task.findings


def test_a_stranger_to_the_training_is_told(mender: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clean = restore_model.load(mender), photo(4, 120, 100)
    model = dataclasses.replace(model, card={**model.card, **known("denoise", photos, 10, monkeypatch)})
    assert model.card["signs"].keys() == set(signs.SIGNS)
    noisy = (clean + np.random.default_rng(0).normal(0, 25, clean.shape)).clip(0, 255).astype(np.uint8)
    assert not [text for text in model.unlike(as_original(noisy)) if "noise" in text]
    assert [text for text in model.unlike(as_original(clean)) if "noise" in text]


def test_no_picture_of_the_training_is_a_stranger(
    filler: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is grainier than all the others, whichever are held out."""
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    grainy = photo(20, 90, 80) + np.random.default_rng(0).normal(0, 30, (80, 90, 3))
    Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).save(tmp_path / "grainy.png")
    model = restore_model.load(filler)
    model = dataclasses.replace(model, card={**model.card, **known("inpaint", tmp_path, 11, monkeypatch)})
    assert model.card["signs_from"] == 11
    assert {path.name: model.unlike(originals.read(path)) for path in tmp_path.iterdir()} == {
        path.name: [] for path in tmp_path.iterdir()
    }
    stranger = photo(21, 90, 80) + np.random.default_rng(0).normal(0, 90, (80, 90, 3))
    assert model.unlike(as_original(stranger.clip(0, 255).astype(np.uint8)))


def test_of_too_few_pictures_no_range_is_told(mender: Path) -> None:
    """Also where the card is of an older version, which did not say of how many."""
    model, wrong = restore_model.load(mender), {name: [0.0, 1e-9] for name in signs.SIGNS}
    for card, told in (
        ({"signs_from": 39}, f"not enough pictures to tell those of another damage (39; {signs.ENOUGH} are needed)"),
        ({}, "trained before Ganvas kept"),
    ):
        few = dataclasses.replace(model, card={k: v for k, v in model.card.items() if k != "signs_from"} | card)
        few.card["signs"] = wrong
        assert few.unlike(as_original(photo(4, 120, 100))) == []
        assert told in model_card.facts(few)["strangers"]
    many = dataclasses.replace(model, card={**model.card, "signs": wrong, "signs_from": 40})
    assert len(many.unlike(as_original(photo(4, 120, 100)))) == 3


@pytest.mark.parametrize("sigma", [5.0, 20.0])
def test_the_sign_of_noise_measures_it(sigma: float) -> None:
    flat = torch.full((4, 3, 64, 64), 120.0)
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * sigma
    assert signs.signs(flat + noise)[:, 0].mean() == pytest.approx(sigma, rel=0.25)


def test_the_sign_of_blocks_sees_jpeg() -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo(1, 128, 128)).save(buffer, "JPEG", quality=10)
    clean, squeezed = (
        torch.from_numpy(np.asarray(x).copy()).permute(2, 0, 1)[None].float()
        for x in (photo(1, 128, 128), Image.open(buffer))
    )
    assert signs.signs(squeezed)[0, 2] > 1.5 * signs.signs(clean)[0, 2]


# ---- files


def test_pillow_images_and_paths_are_restored_and_shown(mender: Path, tmp_path: Path) -> None:
    model, picture = restore_model.load(mender), Image.fromarray(photo(0, 24, 40))
    picture.save(tmp_path / "a.png")
    restored = model.restore(picture)
    assert restored[0].pil().size == picture.size
    assert restored._repr_png_() is not None
    assert not restored.is_inference()
    assert torch.equal(model.restore(tmp_path / "a.png"), restored)
    assert torch.equal(model.restore(np.asarray(picture)), restored)


def test_exif_orientation_and_profile_come_back(mender: Path, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    Image.fromarray(photo(0, 64, 40)).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, quality=95)
    found = list(restore_files.restore(mender, [tmp_path / "a.jpg"], tmp_path / "out"))
    assert next(e for e in found if isinstance(e, apply.Applied)).path == tmp_path / "out" / "a.jpg"
    with Image.open(tmp_path / "out" / "a.jpg") as made:
        assert made.size == (40, 64)  # upright now
        assert made.getexif().get(0x0112, 1) == 1
        assert made.getexif()[0x010E] == "a picture"
        assert made.info["icc_profile"] == profile


def test_greys_and_colours_of_16_bits_stay_of_16(mender: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    grey = (photo(0, 30, 20, 1)[:, :, 0].astype(np.uint16) << 8) + 77
    Image.fromarray(grey).save(tmp_path / "grey.png")
    deep = (photo(0, 30, 20).astype(np.uint16) << 8) + 77
    (tmp_path / "deep.png").write_bytes(originals._png_of_16(tmp_path, deep, Original(deep, None)))
    assert np.array_equal(originals.read(tmp_path / "grey.png").pixels[:, :, 0], grey)
    assert np.array_equal(originals.read(tmp_path / "deep.png").pixels, deep)
    list(restore_files.restore(mender, [tmp_path / "grey.png", tmp_path / "deep.png"], tmp_path / "out"))
    for name, before in (("grey.png", grey[:, :, None]), ("deep.png", deep)):
        made = originals.read(tmp_path / "out" / name)
        assert made.pixels.dtype == np.uint16
        assert made.pixels.shape == before.shape
        assert len(np.unique(made.pixels % 256)) > 50  # not 8 bits stretched


def test_the_profile_of_a_deep_picture_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("av")
    deep = photo(0, 30, 20).astype(np.uint16) << 8
    original = Original(deep, None, b"a profile of some bytes")
    (tmp_path / "deep.png").write_bytes(originals._png_of_16(tmp_path, deep, original))
    assert originals.read(tmp_path / "deep.png").profile == b"a profile of some bytes"


def test_palette_inks_and_black_and_white_are_read_rightly(tmp_path: Path) -> None:
    picture = Image.fromarray(photo(0, 30, 20))
    picture.convert("CMYK").save(tmp_path / "inks.tif")
    picture.quantize(32).save(tmp_path / "palette.png")
    picture.convert("1").save(tmp_path / "bits.png")
    inks, palette, bits = (originals.read(tmp_path / n) for n in ("inks.tif", "palette.png", "bits.png"))
    assert np.abs(inks.pixels.astype(float) - photo(0, 30, 20)).mean() < 12
    assert palette.pixels.shape == (20, 30, 3)
    assert set(np.unique(bits.pixels)) == {0, 255}
    assert bits.pixels.shape == (20, 30, 1)


@pytest.mark.parametrize("kind", ["mender", "enlarger"])
def test_every_kind_of_file_comes_back_whole(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Also those whose head describes how they are laid out."""
    model = request.getfixturevalue(kind)
    picture = Image.fromarray(photo(0, 60, 40))
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    picture.save(tmp_path / "plain.tif", exif=exif)
    picture.save(tmp_path / "lzw.tif", compression="tiff_lzw")
    picture.convert("CMYK").save(tmp_path / "inks.tif")
    picture.quantize(16).save(tmp_path / "palette.tif")
    picture.convert("L").save(tmp_path / "grey.tif")
    Image.fromarray(photo(0, 60, 40)[:, :, 0].astype(np.uint16) << 8).save(tmp_path / "deep.tif")
    picture.save(tmp_path / "a.webp")
    picture.save(tmp_path / "b.bmp")
    clear = Image.fromarray(np.concatenate([photo(0, 60, 40), photo(1, 60, 40, 1)], 2))
    clear.save(tmp_path / "clear.jpg", "PNG")  # by its name it could hold no transparency
    events = list(restore_files.restore(model, [tmp_path], tmp_path / "out"))
    assert not failures(events)
    size = (60, 40) if kind == "mender" else (120, 80)
    for path in [e.path for e in events if isinstance(e, apply.Applied)]:
        with Image.open(path) as made:
            made.load()
            assert made.size == size, path
            small = np.asarray(made.convert("RGB").resize((60, 40)), float)
            if path.stem in ("plain", "lzw", "palette", "a", "b"):
                assert np.abs(small - photo(0, 60, 40)).mean() < 30, path
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "plain.tif", "lzw.tif", "inks.tif", "palette.tif", "grey.tif", "deep.png", "a.webp", "b.png", "clear.png",
    }  # fmt: skip
    with Image.open(tmp_path / "out" / "plain.tif") as made:
        assert made.getexif()[0x010E] == "a picture"
    assert originals.read(tmp_path / "out" / "deep.png").pixels.dtype == np.uint16


def test_exif_and_grey_with_transparency_of_16_bits_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("av")
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    deep = photo(0, 30, 20).astype(np.uint16) << 8
    (tmp_path / "a.png").write_bytes(originals._png_of_16(tmp_path, deep, Original(deep, None, None, exif.tobytes())))
    with Image.open(tmp_path / "a.png") as made:
        assert made.getexif()[0x010E] == "a picture"
    (tmp_path / "a.ppm").write_bytes(b"P6 30 20 65535\n" + deep.astype(">u2").tobytes())
    assert np.array_equal(originals.read(tmp_path / "a.ppm").pixels, deep)
    assert originals.place(tmp_path, tmp_path / "a.ppm").name == "a.png"


def test_of_two_files_that_would_be_one_the_second_gets_another_name(mender: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    deep = photo(0, 30, 20)[:, :, 0].astype(np.uint16) << 8
    Image.fromarray(deep).save(tmp_path / "in" / "a.tif")  # becomes a PNG
    Image.fromarray(photo(1, 30, 20)).save(tmp_path / "in" / "a.png")
    Image.fromarray(photo(2, 30, 20)).save(tmp_path / "in" / "A.png")
    Image.fromarray(photo(3, 30, 20)).save(tmp_path / "in" / "deeper" / "a.png")
    events = list(restore_files.restore(mender, [tmp_path / "in"], tmp_path / "out", invented=True))
    names = ["A.png", "a-2.png", "a.tif.png", "a-3.png"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if "invented" not in p.name) == sorted(names)
    assert originals.read(tmp_path / "out" / "a.tif.png").pixels.dtype == np.uint16
    told = {e.path.name: " ".join(e.warnings) for e in events if isinstance(e, apply.Applied)}
    assert f"{tmp_path / 'in' / 'a.tif'} is written as a.tif.png: a.png is another picture's name." in told["a.tif.png"]
    assert "is written as" not in told["A.png"]


def test_what_is_there_is_overwritten_only_when_asked_for(mender: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(0, 30, 20)).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png.invented.png").write_text("mine")
    with pytest.raises(UserError, match=r"invented.png already exists"):
        list(restore_files.restore(mender, [tmp_path / "a.png"], tmp_path / "out", invented=True))
    assert (tmp_path / "out" / "a.png.invented.png").read_text() == "mine"
    assert not (tmp_path / "out" / "a.png").exists()
    list(restore_files.restore(mender, [tmp_path / "a.png"], tmp_path / "out", invented=True, force=True))
    assert originals.read(tmp_path / "out" / "a.png.invented.png").pixels.shape == (20, 30, 1)
    with pytest.raises(UserError, match="one of the pictures themselves"):
        list(restore_files.restore(mender, [tmp_path / "a.png"], tmp_path, force=True))
    with pytest.raises(UserError, match="is the name of one of the pictures"):
        list(
            restore_files.restore(mender, [tmp_path / "a.png"], tmp_path / "new", sheet=tmp_path / "a.png", force=True)
        )
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_mask_is_the_one_of_just_this_name(filler: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 15:30] = 255
    Image.fromarray(photo(2, 50, 40)).save(tmp_path / "a [1].png")
    Image.fromarray(mask).save(tmp_path / "masks" / "a [1].png")
    Image.fromarray(255 - mask).save(tmp_path / "masks" / "a [1].2.png")
    assert not failures(
        restore_files.restore(filler, [tmp_path / "a [1].png"], tmp_path / "out", mask=tmp_path / "masks")
    )
    made = originals.read(tmp_path / "out" / "a [1].png").pixels
    assert np.array_equal(made[mask == 0], photo(2, 50, 40)[mask == 0])
    Image.fromarray(mask).save(tmp_path / "masks" / "a [1].bmp")
    told = failures(
        restore_files.restore(filler, [tmp_path / "a [1].png"], tmp_path / "other", mask=tmp_path / "masks")
    )
    assert "2 masks of its name" in told[0]


def failures(events: Any) -> list[str]:
    return [e.why for e in events if isinstance(e, apply.Failed)]


def test_animated_and_broken_files_are_passed_over_in_words(mender: Path, tmp_path: Path) -> None:
    frames = [Image.fromarray(photo(i, 30, 20)) for i in range(3)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    Image.fromarray(photo(9, 30, 20)).save(tmp_path / "good.png")
    events = list(restore_files.restore(mender, [tmp_path], tmp_path / "out"))
    told = " ".join(failures(events))
    assert "moving.gif is animated (3 pictures)" in told
    assert "broken.png cannot be read as a picture" in told
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.png"]


def test_nothing_is_overwritten(mender: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(0, 30, 20)).save(tmp_path / "a.png")
    list(restore_files.restore(mender, [tmp_path / "a.png"], tmp_path / "out"))
    before = (tmp_path / "out" / "a.png").read_bytes()
    with pytest.raises(UserError, match=r"a\.png already exists"):
        list(restore_files.restore(mender, [tmp_path / "a.png"], tmp_path / "out"))
    assert (tmp_path / "out" / "a.png").read_bytes() == before


def marked_by_alpha(folder: Path) -> dict[str, Any]:
    array = photo(2, 50, 40)
    alpha = np.full((40, 50), 255, np.uint8)
    alpha[10:20, 15:30] = 0
    Image.fromarray(np.concatenate([array, alpha[:, :, None]], 2)).save(folder / "a.png")
    return {}


def marked_by_a_mask(folder: Path) -> dict[str, Any]:
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 15:30] = 255
    (folder / "masks").mkdir()
    Image.fromarray(mask).save(folder / "masks" / "a.png")
    Image.fromarray(photo(2, 50, 40)).save(folder / "a.png")
    return {"mask": folder / "masks"}


def marked_by_a_colour(folder: Path) -> dict[str, Any]:
    array = photo(2, 50, 40)
    array[10:20, 15:30] = (255, 0, 255)
    Image.fromarray(array).save(folder / "a.png")
    return {"colour": "#ff00ff"}


@pytest.mark.parametrize("mark", [marked_by_alpha, marked_by_a_mask, marked_by_a_colour])
def test_holes_are_named_in_three_ways(mark: Callable[[Path], dict[str, Any]], filler: Path, tmp_path: Path) -> None:
    how = mark(tmp_path)
    events = list(
        restore_files.restore(filler, [tmp_path / "a.png"], tmp_path / "out", sheet=tmp_path / "sheet.png", **how)
    )
    assert not failures(events)
    made = originals.read(tmp_path / "out" / "a.png")
    known = np.ones((40, 50), bool)
    known[10:20, 15:30] = False
    assert np.array_equal(made.pixels[known], photo(2, 50, 40)[known])
    assert made.alpha is None or (made.alpha == 255).all()
    assert (tmp_path / "sheet.png").exists()


def test_what_is_missing_must_be_said_and_fit(filler: Path, mender: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(2, 50, 40)).save(tmp_path / "a.png")
    Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(tmp_path / "mask.png")
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "black.png")
    picture, out = [tmp_path / "a.png"], tmp_path / "out"
    assert "say which pixels are missing" in failures(restore_files.restore(filler, picture, out))[0]
    with pytest.raises(UserError, match=r"mask.png has 9x9 pixels, the picture .*a.png 50x40"):
        list(restore_files.restore(filler, picture, out, mask=tmp_path / "mask.png"))
    with pytest.raises(UserError, match="nothing is missing"):
        list(restore_files.restore(filler, picture, out, mask=tmp_path / "black.png"))
    with pytest.raises(UserError, match="not trained to fill holes"):
        list(restore_files.restore(mender, picture, out, mask=tmp_path / "mask.png"))
    with pytest.raises(UserError, match="'reddish' is not a colour"):
        list(restore_files.restore(filler, picture, out, colour="reddish"))
    with pytest.raises(UserError, match="no file or folder"):
        list(restore_files.restore(filler, picture, out, mask=tmp_path / "nowhere.png"))


def test_what_is_not_for_restorers_says_so(mender: Path, tmp_path: Path) -> None:
    done = ganvas("compare", str(mender), str(mender), cwd=tmp_path)
    assert done.returncode == 2
    assert "ganvas evaluate RUN --against RUN" in done.stderr
    with pytest.raises(UserError, match="evaluate_every is for models that draw"):
        RECIPES["denoise"]().override({"evaluate_every": "1000"})


def test_a_mender_is_fine_tuned(mender: Path, photos: Path, tmp_path: Path) -> None:
    """It begins where the other ended: better than a fresh one after as many steps."""
    base = short("denoise", photos, 5, lively=0.01)
    for name, settings in (("fresh", {}), ("tuned", {"from": str(mender), "freeze": "2"})):
        list(base.override(settings).run(tmp_path / name))
    fresh, tuned = (
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1]) for name in ("fresh", "tuned")
    )
    assert tuned["psnr"] > fresh["psnr"] + 0.3


def test_models_of_another_task_are_refused(run: Path, mender: Path) -> None:
    with pytest.raises(UserError, match="draws pictures from noise: use `ganvas sample`"):
        restore_model.load(run)
    with pytest.raises(UserError, match="restores pictures and draws none from noise: use `ganvas restore"):
        generate_model.load(mender)


@pytest.mark.parametrize("size", ["33", "30"])
def test_pieces_must_be_multiples_of_the_enlargement(size: str, photos: Path) -> None:
    experiment = short("superres", photos).override({"degrade": "down:4", "size": size})
    with pytest.raises(UserError, match=f"size={size} is not a multiple of 4"):
        experiment.build(experiment.load_data().spec)


# ---- figures


def test_a_restorer_is_judged_beside_what_costs_nothing(mender: Path, filler: Path, enlarger: Path) -> None:
    for model, others in (
        (mender, ["as it was damaged", "median", "Gaussian", "bilateral", "non-local means"]),
        (filler, ["as it was damaged", "diffusion fill"]),
        (enlarger, ["bicubic"]),
    ):
        answers = [
            e for e in restore_evaluate.evaluate(model, extractor="pixels") if isinstance(e, restore_evaluate.Answer)
        ]
        assert answers[-1].name == str(model)
        names = " ".join(a.name for a in answers)
        assert all(name in names for name in others), names
        assert all(0 < a.psnr < 60 for a in answers)
    row = json.loads((mender / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["metric"] == "restoration"
    assert len(row["answers"]) == 6
    assert (mender / "evaluation" / "restored.png").exists()


def test_models_of_other_damages_are_not_set_beside_each_other(mender: Path, enlarger: Path) -> None:
    with pytest.raises(UserError, match="restores another damage"):
        list(restore_evaluate.evaluate(mender, [enlarger], extractor="pixels"))
    with pytest.raises(UserError, match="needs pictures of 3 channels"):
        list(restore_evaluate.evaluate(mender, data="mnist", extractor="pixels"))


def test_the_median_takes_the_best_of_its_settings() -> None:
    """On pictures with single white pixels the smallest median is the best, and restores nearly all of them."""
    model = restore_model.Restorer(
        Path("x"), nn.Identity(), nn.Identity(), ImageSpec(3, 32), restore.degrade.parse("noise:9"), {}
    )
    whole = torch.from_numpy(np.stack([photo(i, 64, 64) for i in range(4)])).permute(0, 3, 1, 2)
    salted = whole.clone()
    salted[:, :, ::7, ::7] = 255
    judged = restore_evaluate._TestSet(
        whole, im.to_float(salted), None, model, restore_evaluate.extractors.pixels(ImageSpec(3, 64))
    )
    name, made = restore_evaluate._by_filter("median")(judged)
    assert name == "median, radius 1"
    assert judged.answer(name, made).psnr > judged.answer("damaged", salted).psnr + 5


def test_the_command_line_restores_and_judges(mender: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(0, 60, 40)).save(tmp_path / "a.png")
    done = ganvas("restore", str(mender), "a.png", "--out", "out", "--invented", "--sheet", "sheet.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "out/a.png" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "a.png.invented.png"]
    assert (tmp_path / "sheet.png").exists()
    done = ganvas("restore", str(mender), "nowhere.png", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    refused = ganvas("evaluate", str(mender), "--count", "10000", cwd=tmp_path)
    assert "leave out --count" in refused.stderr
    done = ganvas("evaluate", str(mender), "--extractor", "pixels", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "median" in done.stdout
    assert "SSIM" in done.stdout
    done = ganvas("sample", str(mender), cwd=tmp_path)
    assert done.returncode == 2
    assert "ganvas restore" in done.stderr


def test_small_pictures_are_noted_before_the_training(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.fromarray(photo(99, 20, 90)).save(tmp_path / "narrow.png")
    events = list(short("denoise", tmp_path, 2).run(tmp_path.parent / "run-of-narrow"))
    assert any(isinstance(e, Warned) and "narrow.png" in e.text for e in events)


# ---- handed on


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        pytest.param("filler", False, marks=pytest.mark.slow),  # 'for any size' is asked of translators as well
        *(pytest.param(kind, True, marks=pytest.mark.slow) for kind in ("mender", "filler", "enlarger")),
    ],
)
def test_a_restorer_is_exported_for_any_size(
    kind: str, whole: bool, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:  # each sweep over each level is a part of the filler's graph, which has 56 of them
        monkeypatch.setattr(unet, "LEVELS", 1)
        monkeypatch.setattr(unet, "SWEEPS", 2)
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = restore_model.load(request.getfixturevalue(kind))
    (file,) = exporting.export(model, tmp_path)
    assert file.difference <= 1e-4
    session = onnxruntime.InferenceSession(file.path)
    card = json.loads({p.key: p.value for p in onnx.load(file.path).metadata_props}["ganvas"])
    assert card["stride"] == model.generator.stride
    x = torch.rand(1, 3, 3 * card["stride"], 5 * card["stride"]) * 2 - 1
    mask = torch.rand(1, 1, *x.shape[2:]) < 0.3 if model.spec.masked else None
    given = x if mask is None else torch.cat([x * ~mask, mask.float()], 1)
    found = session.run(None, {"images": given.numpy()})[0]
    with torch.no_grad():  # of one version: `restore` means four mirrored ones
        assert np.abs(found - model.generator(given).numpy()).max() <= 1e-4


def test_info_and_a_page_on_a_hub_know_a_restorer(mender: Path, tmp_path: Path) -> None:
    done = ganvas("info", str(mender), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in ("noise:25 (lively 0.01)", "pieces of 32 pixels, colour", "unet"):
        assert text in done.stdout
    done = ganvas("push", str(mender), "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page" / "README.md").read_text()
    assert "ganvas restore page my-pictures/ --out restored/" in page
    assert 'ganvas.restorer("page")' in page
    done = ganvas("export", str(mender), "--web", "web", cwd=tmp_path)
    assert done.returncode == 2
    assert "does not draw from noise" in done.stderr


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        (ImageSpec(3, 64), (1_586_540, 316_257)),
        (ImageSpec(3, 64, 0, 2), (1_583_948, 316_257)),
        (ImageSpec(1, 28, 0, 1, True), (1_583_076, 313_953)),
    ],
)
def test_the_number_of_weights_is_pinned(spec: ImageSpec, weights: tuple[int, int]) -> None:
    built = build(RestoreTask, unet.Config(), spec)
    assert tuple(sum(p.numel() for p in network.parameters()) for network in built) == weights


def test_a_fill_has_no_side(filler: Path) -> None:
    """The mean of mirrored fills is the same, mirrored, for the mirrored picture; while it learns there is one fill."""
    model = restore_model.load(filler)
    stride = int(model.generator.stride)  # pyright: ignore[reportArgumentType]
    given = torch.rand(1, 4, 4 * stride, 6 * stride, generator=torch.Generator().manual_seed(0)) * 2 - 1
    given[:, 3] = (given[:, 3] > 0.5).float()
    given[:, :3] *= 1 - given[:, 3:]
    with torch.inference_mode():
        made = model.generator(given)
        for sides in unet.MIRRORS:
            torch.testing.assert_close(model.generator(given.flip(sides)).flip(sides), made, rtol=1e-3, atol=1e-4)
        once = model.generator.train()(given).clamp(-1, 1)
    assert not torch.allclose(once, made, atol=1e-3)
    assert torch.equal(made[:, :, given[0, 3] < 0.5], given[:, :3][:, :, given[0, 3] < 0.5])


def test_tiles_without_a_hole_are_passed_over(filler: Path) -> None:
    model = restore_model.load(filler)
    seen: list[torch.Size] = []
    model.generator.register_forward_hook(lambda module, given, made: seen.append(given[0].shape))
    images = torch.rand(1, 3, 600, 600, generator=torch.Generator().manual_seed(0)) * 2 - 1
    masks = torch.zeros(1, 1, 600, 600, dtype=torch.bool)
    masks[:, :, 5:20, 5:20] = True
    made = model.restore(images, masks)
    assert len(tiling.tiles(600, int(model.generator.stride))) == 2  # pyright: ignore[reportArgumentType]
    assert len(seen) == 1  # of four
    known = ~masks.expand(1, 3, -1, -1)
    torch.testing.assert_close(made[known], images[known], rtol=0, atol=1e-5)
    assert not torch.equal(made[~known], images[~known])
