"""Photographs: which networks are chosen, what the discriminator is taught first, and its several parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas import api, networks
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.images.data.glance import equal_neighbours, plain
from ganvas.images.spec import ImageSpec
from ganvas.networks import projected, pyramid
from ganvas.networks.backbone import Backbone
from ganvas.tasks.generate import data_check, data_use
from ganvas.tasks.generate.projected import ProjectedTask
from ganvas.tasks.generate.teach import Teacher, teach
from ganvas.training import finetune, forecast
from ganvas.training.batches import Batch
from ganvas.training.events import Noted, Saved, Stepped
from ganvas.training.forecast import Trial

SMALL = {"width": "16", "judges": "16", "pixels": "8", "backbone": "8"}
SPEC = ImageSpec(3, 16, 2)


def write(folder: Path, count: int, noisy: bool) -> Path:
    """Pictures of two classes, dark and light ones: of two plain halves, or with noise, as photographs have it."""
    random = np.random.default_rng(0)
    for number in range(count):
        level = 40 + 120 * (number % 2)
        pixels = np.full((16, 16, 3), level, np.uint8)
        pixels[:, random.integers(2, 14) :] += 30
        if noisy:
            pixels += random.integers(0, 30, pixels.shape).astype(np.uint8)
        place = folder / ("dark", "light")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("photographs"), 60, noisy=True)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("drawings"), 20, noisy=False)


def chosen(recipe: str, source: object, **settings: str) -> str:
    return networks.name_of(api.experiment(recipe, source, settings).network)


@pytest.mark.parametrize("recipe", ["images", "few"])
def test_the_data_chooses_the_networks_and_a_setting_overrides_it(
    recipe: str, photographs: Path, drawings: Path
) -> None:
    assert chosen(recipe, photographs) == "projected"
    assert chosen(recipe, drawings) == "pyramid"
    assert chosen(recipe, photographs, network="pyramid") == "pyramid"
    assert chosen(recipe, drawings, network="projected") == "projected"
    assert chosen(recipe, photographs, blocks="1") == "pyramid"  # which only this one has
    assert chosen(recipe, drawings, judges="32") == "projected"
    assert chosen(recipe, drawings, teach="0.5") == "projected"
    assert chosen(recipe, drawings, teach="0") == "pyramid"


def test_drawings_with_plain_areas_are_drawn_so(photographs: Path, drawings: Path, tmp_path: Path) -> None:
    square = tmp_path / "square"
    square.mkdir()
    pixels = np.full((16, 16, 3), 255, np.uint8)
    pixels[4:12, 4:12] = 90
    Image.fromarray(pixels).save(square / "one.png")
    assert plain(str(square)) == pytest.approx(7 / 9)  # in each row of the square; the background does not count
    on_black = tmp_path / "grain"  # as digits or clothes: plain beside what is drawn, but not in it
    on_black.mkdir()
    pixels = np.zeros((16, 16), np.uint8)
    pixels[4:12, 4:12] = np.arange(64).reshape(8, 8) + 1
    Image.fromarray(pixels).save(on_black / "one.png")
    assert plain(str(on_black)) == 0
    assert plain(str(photographs)) == pytest.approx(0, abs=0.1)
    assert plain(str(tmp_path / "missing")) is None
    for data, settings, flat in (
        (drawings, {}, True),
        (drawings, {"network": "pyramid"}, True),
        (drawings, {"flat": "false"}, False),
        (on_black, {}, False),
        (photographs, {"network": "pyramid"}, False),
    ):
        experiment = api.experiment("images", data, settings)
        assert isinstance(experiment.network, pyramid.Config)
        assert experiment.network.flat == flat
        assert any("plain areas" in text for text in experiment.kind.remarks(experiment)) == flat
    assert not isinstance(api.experiment("images", drawings, {"network": "projected"}).network, pyramid.Config)
    mine = api.experiment("images", drawings, {"flat": "false"})
    assert api.experiment(mine, drawings, {}).network == mine.network


def test_the_training_does_not_depend_on_plain_areas(drawings: Path, tmp_path: Path) -> None:
    settings = {"width": "16", "images": "96", "batch": "8", "tick_every": "16", "detect": "0", "device": "cpu"}
    runs = []
    for flat in ("true", "false"):
        for _ in api.experiment("few", drawings, {**settings, "flat": flat}).run(tmp_path / flat):
            pass
        runs.append(Run(tmp_path / flat, writes=False))
    logs = [[{k: v for k, v in row.items() if "second" not in k} for row in run.rows()] for run in runs]
    assert logs[0] == logs[1]
    assert any("augment" in row for row in logs[0])  # which adapts to what D says of drawings
    models = [checkpoint.load(tmp_path / flat / "model.safetensors") for flat in ("true", "false")]
    assert models[0][0].keys() == models[1][0].keys()
    assert all(torch.equal(models[0][0][name], weight) for name, weight in models[1][0].items())


def test_a_lesson_that_other_networks_do_not_have_is_said(drawings: Path) -> None:
    for recipe, given, text in (
        ("photos", {"network": "dcgan"}, "teach=0.3 changes nothing: only the discriminator of network=projected is"),
        ("classic-dcgan", {"teach": "0.3"}, "teach=0.3 changes nothing: only the discriminator of network=projected"),
        ("photos", {"teach": "0"}, "teach=0: a part of the discriminator keeps random features."),
        ("photos", {"joint": "true"}, "joint=true changes nothing with network=projected"),
        ("classic-dcgan", {"penalty_share": "0.1"}, "penalty_share=0.1 changes nothing without r1 or r2."),
    ):
        experiment = api.experiment(recipe, drawings, given)
        (remark,) = experiment.kind.remarks(experiment)
        assert remark.startswith(text)


def test_pictures_in_memory_choose_too() -> None:
    random = np.random.default_rng(0)
    assert chosen("images", random.integers(0, 256, (8, 16, 16, 3), np.uint8)) == "projected"
    assert chosen("images", np.zeros((8, 16, 16, 3), np.uint8)) == "pyramid"


def test_photographs_get_the_settings_of_photos(photographs: Path) -> None:
    images, photos = (api.experiment(name, photographs, {}) for name in ("images", "photos"))
    assert (images.network, images.task, images.training) == (photos.network, photos.task, photos.training)
    few = api.experiment("few", photographs, {"batch": "4"})
    assert (few.task.augment, few.task.teach, few.training.batch) == (0.8, photos.task.teach, 4)


def test_the_networks_come_with_their_settings_when_they_are_named(drawings: Path, photographs: Path) -> None:
    photos = api.experiment("photos", photographs, {})
    for data in (drawings, photographs):
        named = api.experiment("images", data, {"network": "projected", "lr_d": "0.002"})
        assert (named.network, named.task) == (photos.network, photos.task)
        assert named.training == dataclasses.replace(photos.training, lr_d=0.002)


@pytest.mark.parametrize("recipe", ["mnist", "classic-dcgan", "few"])
def test_they_come_with_any_recipe(recipe: str, drawings: Path) -> None:
    named, photos = api.experiment(recipe, drawings, {"network": "projected"}), api.experiment("photos", drawings, {})
    for name in ("loss", "r1", "r2", "teach", "penalty_share", "penalty_every"):
        assert getattr(named.task, name) == getattr(photos.task, name), name
    for name in ("batch", "lr_g", "lr_d", "beta1", "beta2", "burn_in", "decay_from"):
        assert getattr(named.training, name) == getattr(photos.training, name), name
    assert named.training.images == api.experiment(recipe, drawings, {}).training.images


def test_the_networks_for_drawings_come_with_theirs(photographs: Path) -> None:
    drawn = api.experiment("photos", photographs, {"network": "pyramid"})
    assert (drawn.network, drawn.task, drawn.training) == _parts(api.experiment("images", None, {}))


def test_naming_the_network_that_is_there_changes_nothing(photographs: Path) -> None:
    for recipe, name in (("mnist", "shuffle"), ("mnist-best", "shuffle"), ("denoise", "unet"), ("photos", "projected")):
        assert api.experiment(recipe, photographs, {"network": name}) == api.experiment(recipe, photographs, {})


def test_data_that_moved_does_not_choose_again(photographs: Path) -> None:
    mine = api.experiment("images", photographs, {"network": "pyramid", "lr_g": "0.0005"})
    assert _parts(api.experiment(mine, "elsewhere", {})) == _parts(mine)
    wide = api.experiment("images", photographs, {"width": "96"})
    assert _parts(api.experiment(wide, photographs, {})) == _parts(wide)


def _parts(experiment: api.Experiment) -> tuple[Any, ...]:
    return experiment.network, experiment.task, experiment.training


def test_networks_that_are_not_told_the_class_have_no_classes(drawings: Path) -> None:
    for recipe in ("mnist", "images"):
        experiment = api.experiment(recipe, drawings, {"network": "dcgan"})
        assert not experiment.data.labels
        assert not any("labels" in text for text in experiment.kind.remarks(experiment))
    asked = api.experiment("mnist", drawings, {"network": "dcgan", "labels": "true"})
    assert asked.data.labels
    assert "network=dcgan does not use labels: what it draws does not depend on the class asked for." in (
        asked.kind.remarks(asked)
    )
    spec = ImageSpec(1, 32, 10)
    for name, module in networks.NETWORKS.items():  # those that say so, and no others
        torch.manual_seed(0)
        generator = module.Generator(spec, module.Config()).eval()
        z = torch.randn(2, module.Config().latent_dim)
        with torch.no_grad():
            same = torch.equal(generator(z, torch.tensor([0, 0])), generator(z, torch.tensor([1, 2])))
        assert same == (not getattr(module, "LABELLED", True)), name


def test_other_recipes_are_left_alone(photographs: Path) -> None:
    assert chosen("classic-dcgan-64", photographs) == "dcgan"


def test_what_cannot_be_seen_does_not_count(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    noise[:, 4:, 3] = 0
    Image.fromarray(noise).save(tmp_path / "one.png")
    share = equal_neighbours(str(tmp_path))
    assert share is not None
    assert share > 0.6
    assert equal_neighbours(str(tmp_path / "missing")) is None


@pytest.mark.parametrize("top", [65535, 4095])
def test_greys_of_more_than_8_bits_are_looked_at_as_they_are(top: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(random.integers(0, top + 1, (16, 16)).astype(np.uint16)).save(tmp_path / f"{i}.png")
    share = equal_neighbours(str(tmp_path))
    assert share is not None
    assert share < 0.1
    Image.fromarray(random.random((16, 16)).astype(np.float32)).save(tmp_path / "float.tiff")
    assert equal_neighbours(str(tmp_path)) == pytest.approx(share * 3 / 4)


def test_one_class_is_no_lesson() -> None:
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8), np.zeros(40, int)
    settings = {**SMALL, "images": "32", "batch": "8", "teach": "5", "detect": "0", "device": "cpu"}
    run = api.experiment("photos", (images, labels), settings).run(None)
    said = [event.text for event in run if isinstance(event, Noted)]
    assert any("learns to tell how far images are turned" in text for text in said)


def test_the_lesson_depends_on_the_seed_alone(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "16", "batch": "8", "teach": "40", "detect": "0", "device": "cpu"}
    for name in ("quiet", "drawn"):
        for _ in api.experiment("photos", photographs, settings).run(tmp_path / name):
            torch.rand(3 if name == "drawn" else 0)
    one, other = (api.load(tmp_path / name).discriminator.state_dict() for name in ("quiet", "drawn"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_loss_of_ones_own_gets_a_row_of_logits(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(
        "import torch\nfrom torch.nn.functional import binary_cross_entropy_with_logits as bce\n\n\n"
        "def loss(real, fake):\n    ones = torch.ones(len(real))\n"
        "    return bce(real, ones) + bce(fake, 1 - ones), bce(fake, ones)\n"
    )
    settings = {**SMALL, "images": "16", "batch": "8", "teach": "0", "detect": "0", "device": "cpu"}
    experiment = api.experiment("photos", photographs, {**settings, "loss": f"{tmp_path / 'my.py'}:loss"})
    assert len([event for event in experiment.run(tmp_path / "run") if isinstance(event, Stepped)]) > 0


def test_a_discriminator_of_classes_asks_for_labels() -> None:
    discriminator = projected.Discriminator(SPEC, projected.Config(width=16, judges=16, pixels=8, backbone=8))
    with pytest.raises(UserError, match=r"knows 2 classes: give it labels, int64 \[3\], too"):
        discriminator(torch.zeros(3, 3, 16, 16))


def test_maps_that_are_too_small_are_refused() -> None:
    with pytest.raises(UserError, match="maps=3: the last map of images of 8 pixels is too small; choose 2"):
        projected.Discriminator(ImageSpec(3, 8), projected.Config(maps=3))


def test_maps_have_a_scale_without_a_lesson_too(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "8", "batch": "8", "teach": "0", "detect": "0", "device": "cpu"}
    [*api.experiment("photos", photographs, settings).run(tmp_path / "run")]
    scales = api.load(tmp_path / "run").discriminator.get_buffer("scales")
    assert (scales > 2).all()


def test_a_training_says_what_it_chose_and_what_it_teaches(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "32", "batch": "8", "teach": "18.75", "detect": "0", "device": "cpu"}
    experiment = api.experiment("images", photographs, settings)
    events = [*experiment.run(tmp_path / "run")]
    said = [event.text for event in events if isinstance(event, Noted)]
    choice = next(i for i, text in enumerate(said) if "network=projected" in text)
    assert "network=pyramid" in said[choice]
    assert said[choice + 1].startswith("First a part of the discriminator learns to name the classes, from 600 images")
    right = next(text for text in said if text.startswith("It is right about"))
    assert int(right.split("about ")[1].split("%")[0]) > 70  # two classes that differ in brightness
    again = [
        event.text for event in experiment.override({"images": "48"}).run(tmp_path / "run") if isinstance(event, Noted)
    ]
    assert not [text for text in again if "network=" in text or text.startswith("First")]


def test_a_forecast_counts_what_is_taught(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes a second for every step: 100 steps of 6 images, and 8 of up to 128 before the first."""
    settings = {**SMALL, "images": "600", "batch": "6", "teach": "1.5", "detect": "0", "device": "cpu"}
    experiment, now = api.experiment("photos", photographs, settings), [0.0]
    trial = Trial(experiment, experiment.load_data())
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    step, task = trial.trainer.step, trial.trainer.task

    def steps(batch: Any) -> None:
        now[0] += 1
        step(batch)

    def taught(*given: Any) -> Any:
        for share, text in type(task).begin(task, *given):  # pyright: ignore[reportArgumentType]
            now[0] += bool(share) * 1.0
            yield share, text

    monkeypatch.setattr(trial.trainer, "step", steps)
    monkeypatch.setattr(task, "begin", taught)
    assert trial.speed(3.0) == pytest.approx(600 / (100 + 8), rel=0.001)


def test_a_forecast_from_a_model_counts_no_lesson(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "16", "batch": "8", "teach": "6", "detect": "0", "device": "cpu"}
    [*api.experiment("photos", photographs, settings).run(tmp_path / "first")]
    more = api.experiment("photos", photographs, {**settings, "from": str(tmp_path / "first")})
    trial = Trial(more, more.load_data())
    said = [text for _, text in trial.trainer.task.begin(more.training, trial.batches, trial.trainer.autocast())]
    assert said == ["What a part of the discriminator has learned comes from the model: it is not taught anew."]


def test_a_check_of_photographs_times_their_networks(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(forecast, "SECONDS", 0.01)
    monkeypatch.setattr(
        data_check.Trial, "speed", lambda trial: built.append(networks.name_of(trial.experiment.network))
    )
    monkeypatch.setattr(data_use, "FEW", 10)
    for _ in data_check.check(str(photographs), None, api.RECIPES):
        pass
    assert built == ["projected"]


def test_a_training_that_is_left_continues_with_what_was_taught(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "32", "batch": "8", "teach": "3", "detect": "0", "device": "cpu"}
    experiment = api.experiment("photos", photographs, settings)
    [*experiment.run(tmp_path / "whole")]
    steps = 0
    for event in experiment.run(tmp_path / "left"):
        steps += isinstance(event, Stepped) and event.images > 0
        if steps == 2:
            break
    [*experiment.run(tmp_path / "left")]
    whole, left = (api.load(tmp_path / name) for name in ("whole", "left"))
    for one, other in ((whole.generator, left.generator), (whole.discriminator, left.discriminator)):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )


def test_a_training_from_a_model_keeps_its_features(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "16", "batch": "8", "teach": "6", "detect": "0", "device": "cpu"}
    [*api.experiment("photos", photographs, settings).run(tmp_path / "first")]
    more = api.experiment("photos", photographs, {**settings, "from": str(tmp_path / "first"), "freeze": "1"})
    said = [event.text for event in more.run(tmp_path / "second") if isinstance(event, Noted)]
    assert not [text for text in said if text.startswith("First a part")]
    assert "What a part of the discriminator has learned comes from the model: it is not taught anew." in said
    first, second = (api.load(tmp_path / name).discriminator.state_dict() for name in ("first", "second"))
    same = {name for name in first if torch.equal(first[name], second[name])}
    assert {name for name in first if name.startswith(("backbone", "scales"))} <= same
    assert "pixels.layers.0.weight" in same  # the first layer that is trained
    assert "pixels.foot.weight" not in same


def test_layers_that_are_never_trained_do_not_count_as_frozen(photographs: Path) -> None:
    experiment = api.experiment("photos", photographs, {**SMALL, "freeze": "1", "from": "a-model", "device": "cpu"})
    weights = dict(experiment.build(SPEC).discriminator.named_parameters())
    frozen = {name for name, weight in weights.items() if not weight.requires_grad}
    assert {name for name in frozen if not name.startswith("backbone")} == {
        "pixels.layers.0.weight",
        "pixels.layers.0.bias",
    }


@pytest.mark.parametrize("other", [ImageSpec(1, 16, 2), ImageSpec(3, 64, 2)])
def test_features_of_other_pictures_are_not_taken_by_halves(other: ImageSpec, tmp_path: Path) -> None:
    config = projected.Config(width=16, judges=16, pixels=8, backbone=8)
    old, new = projected.Discriminator(SPEC, config), projected.Discriminator(other, config)
    for conv in old.backbone.convolutions():
        conv.bias.fill_(1.0)  # pyright: ignore[reportOptionalMemberAccess]
    tensors = {f"discriminator.{name}": weight for name, weight in old.state_dict().items()}
    checkpoint.save(tmp_path / "model.safetensors", tensors, {})
    before = [conv.weight.clone() for conv in new.backbone.convolutions()]
    note = finetune.take({"discriminator": new}, str(tmp_path / "model.safetensors"))
    assert "of other shapes" in note
    assert not new.backbone.is_taught()
    assert all(map(torch.equal, before, (conv.weight for conv in new.backbone.convolutions())))
    assert torch.equal(new.judges[0].layers[0].weight, old.judges[0].layers[0].weight)  # pyright: ignore
    same = projected.Discriminator(SPEC, config)
    finetune.take({"discriminator": same}, str(tmp_path / "model.safetensors"))
    assert same.backbone.is_taught()


def taught(labels: bool, steps: int = 40) -> tuple[Backbone, float]:
    """A backbone that learned pictures which are light at the top, or, of the second class, in the middle."""
    torch.manual_seed(0)
    backbone = Backbone(SPEC, 8)

    def draw():
        while True:
            y = torch.randint(0, 2, (32,))
            x = 0.3 * torch.randn(32, 3, 16, 16) - 0.5
            x[y == 0, :, :5] += 1
            x[y == 1, :, 6:10] += 1
            yield x, y if labels else None

    lessons = teach(backbone, draw(), 2 if labels else 0, steps, torch.autocast("cpu", enabled=False))
    return backbone, float([share for _, share in lessons][-1])


@pytest.mark.parametrize(("labels", "least"), [(True, 0.8), (False, 0.45)])
def test_teaching(labels: bool, least: float) -> None:
    """Without labels a bar in the middle leaves two of four turns to guess."""
    backbone, share = taught(labels)
    assert share > least
    assert not any(weight.requires_grad for weight in backbone.parameters())


def test_the_backbone_is_the_teacher_without_its_norms() -> None:
    torch.manual_seed(0)
    teacher = Teacher(Backbone(SPEC, 8), 2)
    for norm in (m for m in teacher.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.state_dict()["running_mean"])
        torch.nn.init.uniform_(norm.state_dict()["running_var"], 0.5, 2)
    images = torch.randn(4, 3, 16, 16)
    before = teacher.eval()(images)
    teacher.fold_norms()
    last = teacher.backbone(images)[-1]
    x = torch.nn.functional.leaky_relu(teacher.norm(teacher.last(torch.nn.functional.max_pool2d(last, 2))), 0.1)
    assert torch.allclose(teacher.head(x.amax((2, 3))), before, atol=1e-4)


@pytest.mark.parametrize("size", [28, 48, 64, 96, 128, 256])
def test_sizes(size: int) -> None:
    spec = ImageSpec(3, size, 2)
    config = projected.Config(width=16, judges=8, pixels=8, backbone=8, maps=3)
    generator, discriminator = projected.Generator(spec, config), projected.Discriminator(spec, config)
    images = generator(torch.randn(2, 64), torch.tensor([0, 1]))
    assert images.shape == (2, 3, size, size)
    views = discriminator.views(images)
    logits = discriminator.judge(views, torch.tensor([0, 1]))
    assert logits.shape[1] % len(views) == 0  # every part has as many places
    assert max(discriminator.backbone.sides) <= 47


def task(**settings: str) -> ProjectedTask:
    experiment = api.experiment("photos", None, {**SMALL, "device": "cpu", **settings})
    built = experiment.build(SPEC)
    assert isinstance(built, ProjectedTask)
    return built


def batch(step: int = 0) -> Batch:
    random = torch.Generator().manual_seed(1)
    return Batch(torch.rand(8, 3, 16, 16, generator=random) * 2 - 1, torch.arange(8) % 2, step)


def test_features_used_twice_give_the_gradients_of_features_made_twice() -> None:
    gradients = []
    for fresh in (False, True):
        one = task()
        torch.manual_seed(2)
        one.discriminator_loss(batch())
        fakes = one._fakes
        assert fakes is not None
        if fresh:
            seen = one._seen
            assert seen is not None
            one._seen = one.discriminator.views(fakes), seen[1]
        losses = one.generator_loss(batch())
        assert losses is not None
        losses["total"].backward()
        gradients.append([p.grad for p in one.generator.parameters()])
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_the_penalty_is_the_squared_gradient_of_each_part_in_what_it_sees() -> None:
    one = task(penalty_every="1")
    torch.manual_seed(2)
    logged = one._judged(batch().real, batch().real.flip(0), batch().labels, ["r1", "r2"])[2]
    d, labels = one.discriminator, batch().labels
    views = [x.detach().requires_grad_() for x in d.views(batch().real)]
    logits = d.judge(views, labels).unflatten(1, (len(views), -1))
    expected = torch.zeros(())
    for number, view in enumerate(views):
        (gradient,) = torch.autograd.grad(logits[:, number].mean(1).sum(), view, retain_graph=True)
        expected += gradient.square().flatten(1).sum(1).mean() * (300 if number < len(views) - 1 else 1)
    assert torch.allclose(logged["r1"], expected / len(views), rtol=1e-4)


@pytest.mark.parametrize("labels", ["true", "false"])
def test_a_finished_generator_draws_as_it_did_in_training(labels: str, photographs: Path, tmp_path: Path) -> None:
    """Its norms use what they would have computed from a batch, whatever an average has left in them."""
    settings = {**SMALL, "images": "32", "batch": "16", "teach": "0", "detect": "0", "device": "cpu", "labels": labels}
    experiment = api.experiment("photos", photographs, settings)
    trial = Trial(experiment, experiment.load_data())
    task, generator = trial.trainer.task, trial.trainer.average
    assert isinstance(task, ProjectedTask)
    norms = [m for m in generator.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    variances = [value for name, value in generator.named_buffers() if name.endswith("running_var")]
    z = torch.randn(512, task.latent_dim)
    known = torch.arange(512) % 2 if labels == "true" else None
    with torch.no_grad():
        expected = generator.train()(z, known)
        for value in variances:
            value.fill_(3)
        before = (generator.eval()(z, known) - expected).abs().mean()
        [*task.finish(generator, trial.batches, Run(tmp_path))]
        after = (generator(z, known) - expected).abs().mean()
    assert after < 0.1 * before
    assert not generator.training
    assert {norm.momentum for norm in norms} == {0.1}
    first = [value.clone() for value in variances]
    [*task.finish(generator, trial.batches, Run(tmp_path))]
    assert all(map(torch.equal, variances, first))


def test_a_snapshot_is_written_after_the_teaching(photographs: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "images": "8", "batch": "8", "teach": "25", "detect": "0", "device": "cpu"}
    for event in api.experiment("photos", photographs, settings).run(tmp_path / "run"):
        if isinstance(event, Saved):
            break
    assert len(Run(tmp_path / "run").snapshots()) == 1
    scales = api.load(tmp_path / "run").discriminator.scales
    assert (scales != 1).all()
