"""Translating: two kinds of pictures, the networks, the task, the pool, use apart, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_mnist
import torch
from conftest import ganvas
from PIL import Image
from torch import Tensor, nn

import ganvas as package
from ganvas import api
from ganvas.api import RECIPES
from ganvas.core import model as models
from ganvas.core.errors import UserError
from ganvas.core.model import networks_of
from ganvas.core.run import Run
from ganvas.export import onnx as exporting
from ganvas.images import data, originals
from ganvas.images import tensors as im
from ganvas.images.decode import Shape
from ganvas.images.sheets import Sheet
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.restore import files as restore_files
from ganvas.tasks.translate import colours, network
from ganvas.tasks.translate import evaluate as translate_evaluate
from ganvas.tasks.translate import export as translate_export
from ganvas.tasks.translate import files as translate_files
from ganvas.tasks.translate import model as translate_model
from ganvas.tasks.translate import task as translate
from ganvas.tasks.translate.task import TranslateTask
from ganvas.training.batches import Batch, Batches
from ganvas.training.events import Evaluated, Logged, Sampled
from ganvas.training.experiment import Experiment
from ganvas.training.task import build
from ganvas.training.trainer import Trainer

pytestmark = pytest.mark.long

SMALL = network.Config(width=8, depth=1, blocks=1, colours=6, d_width=16, features=16)
SPEC = ImageSpec(3, 16)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def disc(seed: int, size: int = 16) -> np.ndarray:
    """A disc on a plain ground, both of any colour."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size]
    inside = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 3) ** 2
    ground, colour = random.integers(30, 225, (2, 3))
    return np.where(inside[:, :, None], colour, ground).astype(np.uint8)


def square(seed: int, size: int = 16) -> np.ndarray:
    """A square with a dark frame, on a plain ground."""
    random = np.random.default_rng(1000 + seed)
    ground, colour = random.integers(30, 225, (2, 3))
    picture = np.tile(ground, (size, size, 1)).astype(np.uint8)
    low, high = size // 5, size - size // 5
    picture[low:high, low:high] = 0
    picture[low + 1 : high - 1, low + 1 : high - 1] = colour
    return picture


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of 120 discs and 100 squares."""
    place = tmp_path_factory.mktemp("kinds")
    for name, draw, count in (("discs", disc, 120), ("squares", square, 100)):
        (place / name).mkdir()
        for i in range(count):
            Image.fromarray(draw(i)).save(place / name / f"{i:03d}.png")
    return place / "discs", place / "squares"


def short(kinds: tuple[Path | str, Path | str], steps: int = 20, **task: Any) -> Experiment:
    """The recipe with small networks for a few steps."""
    base = RECIPES["translate"]()
    training = dataclasses.replace(
        base.training, images=8 * steps, batch=8, device="cpu", precision="fp32", tick_every=40, sample_every=80,
        sample_at=(), save_seconds=1e9,
    )  # fmt: skip
    return dataclasses.replace(
        base,
        network=SMALL,
        data=dataclasses.replace(base.data, source=str(kinds[0]), to=str(kinds[1])),
        task=dataclasses.replace(base.task, **task),
        training=training,
    )


@pytest.fixture(scope="session")
def run(kinds: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("translator") / "run"
    list(short(kinds, 20).run(folder))
    return folder


# ---- two kinds of pictures


def test_both_kinds_come_in_one_shape(kinds: tuple[Path, Path], tmp_path: Path) -> None:
    found = data.load(str(kinds[0]), to=str(kinds[1]))
    assert found.other is not None
    assert found.spec == found.other.spec == SPEC
    assert (len(found.train.images) + len(found.held_out.images), found.other.name) == (120, "squares")
    assert found.fingerprint not in (found.other.fingerprint, data.load(str(kinds[0])).fingerprint)
    for i in range(30):  # grey ones of another size
        Image.fromarray(disc(i, 40)[:, :, 0]).save(tmp_path / f"{i}.png")
    for first, second, size in ((tmp_path, kinds[1], 40), (kinds[1], tmp_path, 16)):
        both = data.load(str(first), to=str(second))
        assert both.other is not None
        assert both.spec == both.other.spec == ImageSpec(3, size)
    grey = data.load(str(kinds[0]), Shape(8, 1), to=str(tmp_path))
    assert grey.other is not None
    assert grey.spec == grey.other.spec == ImageSpec(1, 8)


def test_sets_by_name_are_a_kind_too(kinds: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DATASETS, "mnist", small_mnist.small)
    both = data.load("mnist", to=str(kinds[0]))
    assert both.other is not None
    assert both.spec == both.other.spec == ImageSpec(3, 28)
    assert both.licence == f"{data.mnist().licence} and not stated"


def test_one_kind_is_not_two(kinds: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="hold the same pictures; two sets are needed"):
        data.load(str(kinds[0]), to=str(kinds[0]))
    with pytest.raises(UserError, match="There is no file or folder /nowhere"):
        data.load(str(kinds[0]), to="/nowhere")


def test_partners_change_from_epoch_to_epoch(kinds: tuple[Path, Path]) -> None:
    experiment = short(kinds)
    images = data.load(str(kinds[0]), to=str(kinds[0].parent / "squares"))
    assert images.other is not None
    some = dataclasses.replace(images.train, images=images.train.images[:80])
    images = dataclasses.replace(
        images, train=some, other=dataclasses.replace(images.other, train=dataclasses.replace(images.other.train,
        images=images.other.train.images[:80]))
    )  # fmt: skip
    batches, met = experiment.batches(images), []
    for i in range(0, 160, 8):
        batch = batches.at(i)
        assert batch.other is not None
        assert batch.other.shape == batch.real.shape
        met += [(a.sum().item(), b.sum().item()) for a, b in zip(batch.real, batch.other, strict=True)]
    assert len(set(met)) > 150  # pairs, of 80 x 80 that there may be, in two epochs
    assert len({b for _, b in met}) == len({b for _, b in met[:80]}) <= 80


def test_ranks_share_the_other_kind_too(kinds: tuple[Path, Path]) -> None:
    images = data.load(str(kinds[0]), to=str(kinds[1]))
    whole = Batches(images, 8, 0, torch.device("cpu")).at(64).other
    parts = [Batches(images, 8, 0, torch.device("cpu"), rank, 2).at(64).other for rank in range(2)]
    assert whole is not None
    assert torch.equal(torch.cat([p for p in parts if p is not None]), whole)


@pytest.mark.parametrize("what", ["held_out", "seen"])
def test_fixed_pictures_come_in_two_kinds(kinds: tuple[Path, Path], what: str) -> None:
    batches = short(kinds).batches(data.load(str(kinds[0]), to=str(kinds[1])))
    first, again = (getattr(batches, what)(5).other for _ in range(2))
    assert first.shape == (5, 3, 16, 16)
    assert torch.equal(first, again)


def test_the_sheet_of_real_pictures_shows_both(kinds: tuple[Path, Path]) -> None:
    images = data.load(str(kinds[0]), to=str(kinds[1]))
    assert images.other is not None
    shown = images.some()
    assert shown.shape == (100, 3, 16, 16)
    assert torch.equal(shown[50:], images.other.some(rows=5))


# ---- the networks


def pictures(count: int = 3, height: int = 16, width: int = 16, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def built(spec: ImageSpec = SPEC, **knobs: Any) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return build(TranslateTask, dataclasses.replace(SMALL, **knobs), spec)


@pytest.mark.parametrize("colours", [0, 6])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(16, 16), (17, 30), (64, 9)])
def test_any_size_comes_back(colours: int, channels: int, size: tuple[int, int]) -> None:
    generator, _ = built(ImageSpec(channels, 16), colours=colours)
    given = pictures(2, *size, channels)
    made = [generator(given, kind) for kind in "ab"]
    for x in made:
        assert x.shape == given.shape
        assert x.abs().max() <= 1
    assert not torch.equal(*made)


def test_a_picture_is_judged_and_drawn_by_itself() -> None:
    generator, _ = built()
    x = pictures(4)
    for mode in (True, False):
        generator.train(mode)
        together, alone = generator(x, "b"), generator(x[2:3], "b")
        torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)


def test_colours_are_those_of_the_input() -> None:
    """Without a shift every pixel is a mixture of the input's colours."""
    generator, _ = built()
    nn.init.zeros_(generator.to_b.shift.weight)  # pyright: ignore
    nn.init.zeros_(generator.to_b.shift.bias)  # pyright: ignore
    plain = torch.tensor([0.5, -0.3, 0.9])[None, :, None, None].expand(1, 3, 16, 16)
    torch.testing.assert_close(generator(plain, "b"), plain * network.NEARLY, rtol=1e-4, atol=1e-4)
    half = plain.clone()
    half[:, :, :, 8:] = torch.tensor([-0.5, 0.3, 0.1])[None, :, None, None]
    made = generator(half, "b")
    low, high = half.amin((2, 3), keepdim=True), half.amax((2, 3), keepdim=True)
    assert ((made >= low - 0.02) & (made <= high + 0.02)).all()


def test_each_kind_has_its_own_expert() -> None:
    _, discriminator = built()
    x = pictures(4)
    a, b = (discriminator(x, kind) for kind in "ab")
    assert a.shape == b.shape == (4,)
    assert not torch.equal(a, b)
    layers, own = discriminator.features(x), discriminator.of_a.features(x)  # pyright: ignore
    assert [tuple(f.shape) for f in layers] == [(4, 2 * f.shape[1], *f.shape[2:]) for f in own]


@pytest.mark.parametrize("config", [network.Config(), SMALL])
def test_pictures_of_a_size_that_experts_cannot_judge_are_refused(config: network.Config) -> None:
    with pytest.raises(UserError, match="4, 5, 6 or 7 times a power of two"):
        build(TranslateTask, config, ImageSpec(3, 18))


# ---- the task


class Same(nn.Module):
    """A pair of generators that change nothing."""

    def forward(self, images: Tensor, kind: str) -> Tensor:
        return images


class Bright(nn.Module):
    """An expert pair whose logit is the mean of the picture, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor, kind: str) -> Tensor:
        return self.weight * images.mean((1, 2, 3)) * (1 if kind == "a" else 2)


def task_of(generator: nn.Module, discriminator: nn.Module, **knobs: Any) -> translate.TranslateTask:
    return translate.TranslateTask(generator, discriminator, SPEC, translate.Config(**knobs))


def batch(step: int = 0, seed: int = 0, count: int = 4) -> Batch:
    random = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(count, 3, 16, 16, generator=random) * 2 - 1 for _ in range(2))
    return Batch(a, None, step, other=b, random=random)


def test_what_changes_nothing_loses_nothing_on_the_way() -> None:
    task = task_of(Same(), Bright(), hide=0.0)
    task.discriminator_loss(batch())
    losses = task.generator_loss(batch())
    assert losses["loss_cycle"] == losses["loss_identity"] == 0
    assert losses["total"] == losses["loss_g"] > 0


def test_noise_is_laid_on_the_way_back_alone() -> None:
    task = task_of(Same(), Bright(), hide=0.1)
    task.discriminator_loss(batch())
    losses = task.generator_loss(batch())
    assert losses["loss_cycle"].item() == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.05)  # of a normal's size
    assert losses["loss_identity"] == 0


def test_losses_are_those_of_the_paper() -> None:
    """Each term once more, from the definition, on generators that brighten by unlike amounts."""

    class Brighten(nn.Module):
        def forward(self, images: Tensor, kind: str) -> Tensor:
            return images + (0.3 if kind == "b" else -0.1)

    given = batch(step=1)
    assert given.other is not None
    task = task_of(Brighten(), Bright(), hide=0.0, pool=0, loss="least-squares", cycle=10.0, identity=5.0)
    expert, forger = task.discriminator_loss(given), task.generator_loss(given)
    a, b = given.real.mean((1, 2, 3)), given.other.mean((1, 2, 3))
    judged = [a, 2 * b, b - 0.1, 2 * (a + 0.3)]  # D_A(a), D_B(b), D_A(to A of b), D_B(to B of a)
    real, fake = torch.cat(judged[:2]), torch.cat(judged[2:])
    torch.testing.assert_close(expert["loss_d"], 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean())
    torch.testing.assert_close(forger["loss_g"], 0.5 * (fake - 1).square().mean())
    assert forger["loss_cycle"].item() == pytest.approx(0.2, rel=1e-4)
    assert forger["loss_identity"].item() == pytest.approx((0.3 + 0.1) / 2, rel=1e-4)
    torch.testing.assert_close(
        forger["total"], forger["loss_g"] + 10 * 0.2 + 5 * forger["loss_identity"], rtol=1e-4, atol=0
    )


def test_penalties_are_those_of_both_experts_and_pause() -> None:
    """The gradient of a mean over n pixels, times w, has the squared norm w^2 / n."""
    task, pixels = task_of(Same(), Bright(), r1=2.0, r2=0.0, penalty_every=3), 3 * 16 * 16
    losses = task.discriminator_loss(batch(step=3))
    assert losses["r1"].item() == pytest.approx((1 + 4) / 2 / pixels, rel=1e-4)
    assert (losses["total"] - losses["loss_d"]).item() == pytest.approx(0.5 * 2 * 3 * losses["r1"].item(), rel=1e-3)
    assert "r2" not in losses
    assert "r1" not in task.discriminator_loss(batch(step=4))


def test_the_expert_does_not_move_the_forger() -> None:
    generator, discriminator = built()
    task = task_of(generator, discriminator)
    task.discriminator_loss(batch())["total"].backward()
    assert all(p.grad is None for p in generator.parameters())
    task.generator_loss(batch())["total"].backward()
    assert all(p.grad is not None for p in generator.parameters())


def test_the_expert_is_shown_pictures_of_the_pool() -> None:
    task = task_of(Same(), Bright(), pool=16)
    seen: list[Tensor] = []
    for step in range(40):
        given = batch(step, seed=step, count=8)
        shown = task._pooled("b", given.real, given)
        pool = task.state["pool_b"]
        assert pool.shape == (min(16, 8 * (step + 1)), 3, 16, 16)
        if step < 2:  # it is filled
            assert torch.equal(shown, given.real)
        else:
            same = (shown == given.real).flatten(1).all(1)
            old = {x.sum().item() for x in seen}
            assert all(x.sum().item() in old for x in shown[~same])
            kept = {x.sum().item() for x in pool}
            assert all(x.sum().item() in kept for x in given.real[~same]) or len(set(kept)) < 16 + (~same).sum()
        seen += list(given.real)
    swapped = sum(1 for step in range(50) for x in [batch(step, seed=step, count=8)]
                  if (task._pooled("b", x.real, x) != x.real).any())  # fmt: skip
    assert 45 <= swapped <= 50
    assert not len(task.state["pool_a"])


def test_of_two_pictures_that_go_to_one_place_of_the_pool_the_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(Same(), Bright(), pool=2)
    first, given = batch(0, seed=0, count=2), batch(1, seed=1, count=8)
    task._pooled("b", first.real, first)
    monkeypatch.setattr(Batch, "draw", lambda *_: torch.zeros(8, 2))  # all are exchanged for the first of the pool
    shown = task._pooled("b", given.real, given)
    assert all(torch.equal(one, first.real[0]) for one in shown)
    assert torch.equal(task.state["pool_b"], torch.stack([given.real[-1], first.real[1]]))


def test_without_a_pool_nothing_is_kept() -> None:
    task = task_of(Same(), Bright(), pool=0)
    given = batch()
    assert task._pooled("a", given.real, given) is given.real
    assert not task.state


def test_every_second_picture_is_mirrored_where_that_is_wished() -> None:
    given = batch(count=64)
    assert given.other is not None
    for kind, shown in zip((given.real, given.other), task_of(Same(), Bright(), mirror=True)._real(given), strict=True):
        turned = (shown == kind.flip(3)).flatten(1).all(1)
        assert ((shown == kind).flatten(1).all(1) ^ turned).all()
        assert 16 < turned.sum() < 48


def test_a_run_says_how_it_goes(kinds: tuple[Path, Path], run: Path) -> None:
    rows = Run(run).rows()
    assert {"loss_d", "loss_g", "loss_cycle", "loss_identity", "accuracy_real", "accuracy_held_out"} <= set(rows[-1])
    checks = [r for r in Run(run).rows(Run(run).metrics) if r["metric"] == "round-trip"]
    assert {"cycle_a", "cycle_b", "middle_a", "border_a"} <= set(checks[-1])
    assert {p.name for p in (run / "samples").iterdir()} >= {"reals.png", "fakes_init.png", "fakes_000000.png"}
    with Image.open(run / "samples" / "fakes_init.png") as sheet:
        assert sheet.size == (160, 16 * 12)


def test_the_preview_shows_inputs_translations_and_the_way_back(kinds: tuple[Path, Path]) -> None:
    experiment = short(kinds)
    images = experiment.load_data()
    task, batches = experiment.build(images.spec), experiment.batches(images)
    shown = task.preview(task.generator.eval(), batches)
    assert isinstance(shown, Sheet)
    sheet = shown.pictures.unflatten(0, (12, 10))
    held_out = batches.held_out(20)
    assert held_out.other is not None
    count = len(held_out.real)  # 12 or so of 120
    assert torch.equal(sheet[0], im.to_uint8(held_out.real[torch.arange(10) % count]))
    assert torch.equal(sheet[6], im.to_uint8(held_out.other[torch.arange(10) % len(held_out.other)]))
    with torch.no_grad():
        there = task.generator(held_out.real, "b")
        assert torch.equal(sheet[1], im.to_uint8(there[torch.arange(10) % count]))
        assert torch.equal(sheet[2], im.to_uint8(task.generator(there, "a")[torch.arange(10) % count]))


def test_a_resumed_run_is_the_same_bit_for_bit(kinds: tuple[Path, Path], tmp_path: Path) -> None:
    experiment = short(kinds, 14, pool=10)
    list(experiment.run(tmp_path / "whole"))
    events = experiment.run(tmp_path / "parts")
    for event in events:
        if isinstance(event, Logged) and event.images >= 80:
            break
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    list(experiment.run(tmp_path / "parts"))
    whole, parts = (Run(tmp_path / name).last_snapshot()[1] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert "dials.pool_a" in whole
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_it_learns_the_other_kind_and_keeps_the_colours(kinds: tuple[Path, Path]) -> None:
    """Discs become squares with a frame: 120 steps of the small networks."""
    experiment = short(kinds, 300).override({"lr_g": "2e-3", "ema": "400"})
    images = experiment.load_data()
    batches = experiment.batches(images)
    trainer = Trainer(experiment.build(images.spec), experiment.training)
    held_out = batches.held_out(10)
    assert held_out.other is not None

    def frame(x: Tensor) -> float:
        """How dark the ring is where squares have their frame: -1 is black."""
        ring = torch.zeros(16, 16, dtype=torch.bool)
        ring[3:13, 3:13] = True
        ring[4:12, 4:12] = False
        return float(x[:, :, ring].mean())

    for _ in range(120):
        trainer.step(batches.at(trainer.images))
    with torch.no_grad():
        made = trainer.average.eval()(held_out.real, "b")
    assert frame(held_out.other) < -0.95
    assert frame(held_out.real) > -0.3
    assert frame(made) < -0.6
    follow = colours.followed(im.levels(held_out.real), im.levels(made))
    assert follow["border"] > 0.6


# ---- figures


def test_rank_correlation_agrees_with_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional")
    random = torch.Generator().manual_seed(0)
    for ties in (1000, 5, 2):
        x = torch.randint(0, ties, (60,), generator=random).float()
        y = x + torch.randint(0, ties, (60,), generator=random)
        assert colours.spearman(x, y).item() == pytest.approx(functional.spearman_corrcoef(x, y).item(), abs=1e-5)
    assert colours.ranks(torch.tensor([3.0, 1.0, 3.0, 9.0])).tolist() == [2.5, 1, 2.5, 4]
    assert math.isnan(colours.spearman(torch.ones(5), torch.arange(5)).item())


def test_colours_are_followed_in_the_middle_and_at_the_border_apart() -> None:
    random = torch.Generator().manual_seed(0)
    middle, border, noise = (torch.rand(40, 3, 1, 1, generator=random) for _ in range(3))

    def drawn(inside: Tensor, outside: Tensor) -> Tensor:
        x = outside.expand(-1, -1, 32, 32).clone()
        x[:, :, 6:26, 6:26] = inside
        return x * 255

    found = colours.followed(drawn(middle, border), drawn(1 - middle.square(), noise))
    assert found["middle"] == pytest.approx(-1)
    assert abs(found["border"]) < 0.3
    assert colours.followed(drawn(middle, border), drawn(noise, border.sqrt()))["border"] == pytest.approx(1)
    plain = torch.ones(40, 3, 32, 32)
    assert math.isnan(colours.followed(plain, plain)["middle"])


# ---- used apart


def test_a_model_translates_both_ways(run: Path) -> None:
    model = package.translator(run)
    x = pictures(5)
    there = model.translate(x)
    assert torch.equal(there, model.translate(x, "B"))
    assert there._repr_png_() is not None
    assert torch.equal(there, model.translate(x, "squares"))
    assert torch.equal(model.translate(x, "a"), model.translate(x, "discs"))
    assert not torch.equal(there, model.translate(x, "a"))
    with pytest.raises(UserError, match=r"knows A \(discs\) and B \(squares\); choose"):
        model.translate(x, "circles")
    with pytest.raises(UserError, match=r"shape \(3, 20, 20\); \(3, 16, 16\) is needed"):
        model.translate(pictures(1, 20, 20))


def test_models_of_other_tasks_are_told_apart(run: Path) -> None:
    assert isinstance(models.load(run), translate_model.Translator)
    assert models.task_of(run) == "translate"
    assert models.task_of(run / "nothing") == ""
    with pytest.raises(UserError, match="use `ganvas translate MODEL FILES"):
        generate_model.load(run)
    with pytest.raises(UserError, match="use `ganvas translate MODEL FILES"):
        list(restore_files.restore(run, [run], run / "out"))


def test_files_of_any_kind_are_translated(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(disc(0)).save(folder / "same.png")
    wide = Image.fromarray(disc(1, 60)).resize((90, 60))
    wide.save(folder / "wide.jpg")
    Image.fromarray(disc(2)[:, :, 0]).save(folder / "grey.png")
    clear = np.dstack([disc(3), np.full((16, 16), 90, np.uint8)])
    Image.fromarray(clear).save(folder / "clear.png")
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    Image.new("RGB", (16, 16)).save(
        folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", (16, 16), "red")]
    )
    done = ganvas("translate", str(run), "in", "--to", "squares", "--out", "out", "--sheet", "sheet.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "broken.png cannot be read as a picture" in done.stderr
    assert "moving.gif is animated" in done.stderr
    assert "2 of 6 files were skipped" in done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"same.png", "wide.jpg", "grey.png", "clear.png"}
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            assert picture.size == (16, 16)
            assert picture.mode == "RGB"
    model = translate_model.load(run)
    wanted = im.to_uint8(model.translate(im.to_float(torch.from_numpy(disc(0)).permute(2, 0, 1)[None])))
    made = np.asarray(Image.open(tmp_path / "out" / "same.png"))
    assert np.array_equal(made, wanted[0].permute(1, 2, 0).numpy())
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 4 * 16
    again = ganvas("translate", str(run), "in", "--to", "squares", "--out", "out", cwd=tmp_path)
    assert again.returncode == 2
    assert "already exists" in again.stderr
    nobody = ganvas("translate", str(run), "in", "--to", "C", "--out", "other", cwd=tmp_path)
    assert nobody.returncode == 2
    assert "choose one of them" in nobody.stderr
    assert not (tmp_path / "other").exists()


def test_a_model_of_pieces_keeps_size_depth_and_transparency(tmp_path: Path) -> None:
    for name, draw in (("a", disc), ("b", square)):
        (tmp_path / name).mkdir()
        for i in range(8):
            Image.fromarray(draw(i, 40)).resize((56, 44)).save(tmp_path / name / f"{i}.png")
    experiment = short((tmp_path / "a", tmp_path / "b"), 4).override({"fit": "pieces", "size": "16", "colours": "0"})
    list(experiment.run(tmp_path / "run"))
    model = translate_model.load(tmp_path / "run")
    assert model.any_size
    assert model.translate(pictures(1, 30, 50)).shape == (1, 3, 30, 50)
    deep = np.asarray(Image.fromarray(disc(9, 50)).resize((70, 50)))[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    clear = np.dstack([disc(3, 33), np.arange(33 * 33, dtype=np.uint8).reshape(33, 33)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    list(
        translate_files.translate(
            tmp_path / "run", [tmp_path / "deep.png", tmp_path / "clear.png"], tmp_path / "out", "a"
        )
    )
    assert originals.read(tmp_path / "out" / "deep.png").pixels.shape == (50, 70, 1)
    assert originals.read(tmp_path / "out" / "deep.png").top == 65535
    assert np.array_equal(originals.read(tmp_path / "out" / "clear.png").alpha, clear[:, :, 3])  # pyright: ignore


@pytest.mark.parametrize("directions", ["b", pytest.param("ab", marks=pytest.mark.slow)])
def test_both_directions_are_exported(
    directions: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = pytest.importorskip("onnxruntime").InferenceSession
    model = translate_model.load(run)
    networks = model.exports().networks
    assert [n.file for n in networks] == ["to_a.onnx", "to_b.onnx"]
    x = pictures(2, 16, 16)
    with torch.no_grad():
        for kind, part in zip("ab", networks, strict=True):
            assert torch.equal(part.network(x), model.generator(x, kind))
    monkeypatch.setattr(translate_export, "KINDS", directions)  # seconds each
    written = exporting.export(model, tmp_path)
    assert [w.path.name for w in written] == [f"to_{kind}.onnx" for kind in directions]
    for kind in directions:
        for height, width in ((16, 16), (24, 40)):
            x = pictures(2, height, width)
            found = session(tmp_path / f"to_{kind}.onnx").run(None, {"images": x.numpy()})[0]
            with torch.no_grad():
                wanted = model.generator(x, kind)
            assert np.abs(found - wanted.numpy()).max() < 1e-4


def test_a_translator_is_measured(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = dataclasses.replace(translate_evaluate.METRICS["frechet"], least=5)
    monkeypatch.setitem(translate_evaluate.METRICS, "frechet", few)
    found = list(translate_evaluate.evaluate(run, extractor="pixels"))
    ways = [w for w in found if isinstance(w, translate_evaluate.Way)]
    assert [(w.to, w.name) for w in ways] == [
        ("squares", "discs unchanged"),
        ("squares", "translated"),
        ("squares", "real squares, trained on"),
        ("discs", "squares unchanged"),
        ("discs", "translated"),
        ("discs", "real discs, trained on"),
    ]
    assert ways[0].frechet == pytest.approx(ways[3].frechet, rel=1e-3)  # a distance is the same both ways
    for way in ways:
        assert way.frechet > 0
        assert math.isnan(way.cycle) == (way.name != "translated")
    model = translate_model.load(run)
    assert model.card["translation"]["ways"][1]["cycle"] == ways[1].cycle
    assert (run / "evaluation" / "translated.png").is_file()
    page = (run / "report.html").read_text()
    for text in (
        "From one kind to the other",
        "Is it the other kind",
        "real squares, trained on",
        "There and back, dB",
    ):
        assert text in page


def test_figures_agree_with_plain_ones(run: Path, kinds: tuple[Path, Path]) -> None:
    ways = [w for w in translate_evaluate.evaluate(run, extractor="pixels") if isinstance(w, translate_evaluate.Way)]
    model, images = translate_model.load(run), data.load(str(kinds[0]), to=str(kinds[1]))
    start = images.held_out.images[:]
    there = im.to_uint8(model.translate(im.to_float(start)))
    back = im.to_uint8(model.translate(im.to_float(there), "a"))
    error = (back.double() - start.double()).square().mean((1, 2, 3))
    assert ways[1].cycle == pytest.approx(float((10 * (255**2 / error).log10()).mean()), abs=1e-3)
    means = [x.double()[:, 0, 4:12, 4:12].mean((1, 2)) for x in (start, there)]
    assert -1 <= ways[1].middle <= 1
    assert colours.spearman(means[0], means[1]).isfinite()
    assert math.isnan(ways[0].frechet)  # some ten pictures are too few for a distance


def test_evaluate_and_info_tell_it(run: Path, kinds: tuple[Path, Path], tmp_path: Path) -> None:
    done = ganvas("evaluate", str(run), "--extractor", "pixels", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "to squares: translated" in done.stdout
    assert "there and back" in done.stdout
    named = ("--data", str(kinds[0]), "--to", str(kinds[1]))
    other = ganvas("evaluate", str(run), "--extractor", "pixels", *named, cwd=tmp_path)
    read, *lines = done.stdout.splitlines()
    assert read == f"Reading the data that {run} names: {kinds[0]} and {kinds[1]}"
    assert other.stdout.splitlines()[:6] == lines[:6]
    for wrong, told in (
        (("--data", str(kinds[0])), "pictures of two kinds"),
        (("--to", str(kinds[0])), "--to belongs to --data"),
        (("--metrics", "frechet"), "leave out --metrics"),
        (("--repeats", "3", "--split", "held-out"), "leave out --split, --repeats"),  # even as they are elsewhere
        (("--against", str(run)), "--against is for models that restore"),
    ):
        refused = ganvas("evaluate", str(run), *wrong, cwd=tmp_path)
        assert refused.returncode == 2
        assert told in refused.stderr
    info = ganvas("info", str(run), cwd=tmp_path)
    assert "A is discs, B is squares" in info.stdout
    assert "to squares, translated" in info.stdout
    assert "Not measured: Frechet distance (it needs 100 pictures of squares, and there are" in info.stdout
    page = ganvas("push", str(run), "page", cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    assert "ganvas translate page my-pictures/ --to B" in (tmp_path / "page" / "README.md").read_text()


# ---- started, and refused


def test_the_command_line_trains_and_says_what_is_next(kinds: tuple[Path, Path], tmp_path: Path) -> None:
    settings = ("batch=8", "width=8", "blocks=1", "d_width=16", "precision=fp32")
    named = ("translate", "--data", str(kinds[0]), "--to", str(kinds[1]))
    done = ganvas("train", *named, *settings, "--smoke", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in ("There and back:", "Cycle", "ganvas translate run my-pictures/ --to B --out translated/"):
        assert text in done.stdout
    forecast = ganvas("train", *named, *settings, "--dry-run", cwd=tmp_path)
    assert "held out\nAnd " in forecast.stdout
    assert "of squares" in forecast.stdout
    card = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert card["data"]["to"] == str(kinds[1])
    assert networks_of(tmp_path / "run", "translate").card["data"]["to"] == "squares"


def test_a_run_is_taken_up_where_its_pictures_lie_now(kinds: tuple[Path, Path], tmp_path: Path) -> None:
    experiment = short(kinds, 5)
    list(experiment.run(tmp_path / "run"))
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in kinds[1].iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    longer = experiment.override({"to": str(moved), "images": "48"})
    assert any(isinstance(event, Sampled) for event in longer.run(tmp_path / "run"))
    turned = dataclasses.replace(longer.data, source=str(kinds[1]), to=str(kinds[0]))
    with pytest.raises(UserError, match="was trained on other images"):
        list(dataclasses.replace(longer, data=turned).run(tmp_path / "run"))


def test_the_other_kind_must_be_named(kinds: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="name the other with --to FOLDER"):
        list(api.train("translate", data=kinds[0]))
    with pytest.raises(UserError, match=r"--to .* is only for translate"):
        list(api.train("mnist", to=kinds[1]))
    with pytest.raises(UserError, match="network unet does not suit the task translate: choose one of translator"):
        dataclasses.replace(RECIPES["translate"](), network=RECIPES["denoise"]().network)
    with pytest.raises(UserError, match="evaluate_every is for models that draw from noise"):
        RECIPES["translate"]().override({"evaluate_every": "100"})


def test_python_trains_it(kinds: tuple[Path, Path], tmp_path: Path) -> None:
    settings = {"images": 16, "batch": 8, "width": 8, "blocks": 1, "d_width": 16, "device": "cpu"}
    events = list(package.train("translate", data=kinds[0], to=kinds[1], run=tmp_path / "run", **settings))
    assert any(isinstance(event, Evaluated) for event in events)


def test_weights_of_another_run_are_taken(kinds: tuple[Path, Path], run: Path, tmp_path: Path) -> None:
    experiment = short(kinds, 1).override({"from": str(run), "freeze": "2"})
    assert not list((tmp_path).iterdir())
    list(experiment.run(tmp_path / "run"))
    old, new = (networks_of(path, "translate").parts["discriminator"].state_dict() for path in (run, tmp_path / "run"))
    frozen = [name for name in old if torch.equal(old[name], new[name])]
    assert {name.split(".")[1] for name in frozen} >= {"first", "downs"}
    assert all(not torch.equal(old[f"{kind}.head.weight"], new[f"{kind}.head.weight"]) for kind in ("of_a", "of_b"))
