"""What a training sets by itself: the penalties' weight, the disturbances before D, Adam's second decay rate."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from conftest import quick
from torch import Tensor, nn

from ganvas.images import augment
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import task as generate
from ganvas.tasks.generate.task import GenerateTask
from ganvas.training import adaptive
from ganvas.training.batches import Batch
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Config, Trainer

pytestmark = pytest.mark.long

SPEC = ImageSpec(1, 8, 0)


class Constant(nn.Module):
    """A generator that draws black."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(-1.0))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.level.expand(len(z), 1, 8, 8)


class Brightness(nn.Module):
    """A discriminator that finds what is brighter more real."""

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.slope * images.mean((1, 2, 3))


def task(slope: float = 1.0, **knobs: object) -> GenerateTask:
    config = generate.Config(loss="relativistic", r1=1.0, r2=1.0, **knobs)  # pyright: ignore[reportArgumentType]
    return GenerateTask(Constant(), Brightness(slope), SPEC, config, 4)


def batch(level: float, step: int = 0, count: int = 16) -> Batch:
    return Batch(torch.full((count, 1, 8, 8), level), None, step)


def test_the_first_weight_follows_from_pixels_and_batch() -> None:
    made = task(penalty_share=0.1)
    made.discriminator_loss(batch(0.5))
    assert float(made.state["gamma"]) == pytest.approx(adaptive.GAMMA * 64 / 16)
    fixed = task()
    fixed.discriminator_loss(batch(0.5))
    assert float(fixed.state["gamma"]) == 1


@pytest.mark.parametrize(("slope", "larger"), [(0.1, True), (30.0, False)])
def test_the_weight_moves_until_the_share_is_in_its_band(slope: float, larger: bool) -> None:
    """A flat D pays hardly any penalty, a steep one nothing else."""
    made = task(slope, penalty_share=0.2)
    made.state["gamma"].fill_(1e-9)
    made.discriminator_loss(batch(-1.0))  # real images as black as the fakes: the loss stays at log 2
    made.state["gamma"].fill_(1.0)
    for step in range(1, 1_200):
        logged = made.discriminator_loss(batch(-1.0, step))
        made.update({name: value.detach() for name, value in logged.items()})
        if step % 4 == 0:
            made.adapt(made.generator, batch(-1.0), batch(-1.0), 64)
    assert (float(made.state["gamma"]) > 1) == larger
    assert 0.2 / adaptive.BAND**2 < float(made.state["share"]) < 0.2 * adaptive.BAND**2


def test_a_weight_that_is_not_to_follow_stays() -> None:
    made = task(30.0)
    for step in range(8):
        made.discriminator_loss(batch(-0.5, step))
        made.adapt(made.generator, batch(0.5), batch(0.5), 64)
    assert float(made.state["gamma"]) == 1


def test_disturbances_follow_overfitting_and_are_clamped() -> None:
    made = task(augment=0.3)
    by_heart = batch(0.9), batch(-0.9)  # held-out images look to D as fakes do
    told = made.adapt(made.generator, *by_heart, images=3_000)
    assert float(told["overfit"]) == pytest.approx(1.8 / 1.9, rel=1e-3)
    assert float(told["augment"]) == pytest.approx(3_000 / adaptive.PACE)
    for _ in range(20):
        made.adapt(made.generator, *by_heart, images=3_000)
    assert float(made.state["augment"]) == pytest.approx(0.3)
    torch.manual_seed(0)
    for _ in range(20):
        told = made.adapt(made.generator, batch(0.9), batch(0.9), images=3_000)
    assert float(made.state["augment"]) == 0
    assert abs(float(told["overfit"])) < 1e-6


def test_both_sides_are_disturbed_and_the_held_out_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def disturb(images: Tensor, probability: Tensor, chance: Tensor) -> Tensor:
        seen.append(len(images))
        return images

    monkeypatch.setattr(augment, "disturb", disturb)
    made = task(augment=0.3)
    made.discriminator_loss(batch(0.5))
    assert seen == [16, 16]
    made.generator_loss(batch(0.5))
    assert seen == [16] * 4
    made.adapt(made.generator, batch(0.5), batch(0.5), 10)
    assert seen == [16] * 7
    plain = task()
    plain.discriminator_loss(batch(0.5))
    assert seen == [16] * 7


def test_a_mirror_turns_real_images_only() -> None:
    images = torch.linspace(-1, 1, 8).expand(64, 1, 8, 8).clone()
    seen: list[Tensor] = []
    made = task(mirror=True)
    made.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    made.discriminator_loss(Batch(images, None, 0))
    turned = (seen[0][:, 0, 0, 0] > 0).float().mean()
    assert 0.25 < float(turned) < 0.75
    assert torch.equal(seen[1], torch.full_like(images, -1))


def test_beta2_rises_from_its_beginning(blobs: Path) -> None:
    experiment = quick("mnist", blobs)
    config = dataclasses.replace(experiment.training, images=1_600, beta2=0.99, beta2_from=0.9, burn_in=0.5)
    experiment = dataclasses.replace(experiment, training=config)
    images = experiment.load_data()
    trainer, batches = Trainer(experiment.build(images.spec), config), experiment.batches(images)
    assert trainer.betas(0)[1] == pytest.approx(0.9)
    assert trainer.betas(400)[1] == pytest.approx(0.945)
    assert trainer.betas(800)[1] == trainer.betas(1_600)[1] == 0.99
    trainer.step(batches.at(0))
    trainer.step(batches.at(16))
    for optimizer in (trainer.optimizer_g, trainer.optimizer_d):
        assert optimizer.param_groups[0]["betas"] == trainer.betas(16)


def test_beta2_stays_where_nothing_else_is_asked_for() -> None:
    config = Config(beta2=0.97)
    trainer = Trainer(task(), config)
    assert trainer.betas(0) == trainer.betas(10_000) == (0.0, 0.97)


# -------------------- fine-tuning


def test_a_training_begins_with_another_models_weights(run: Path, tmp_path: Path) -> None:
    from ganvas.tasks.generate.model import load
    from ganvas.training.events import Noted

    old = load(run)
    experiment = Experiment.load(run)
    training = dataclasses.replace(experiment.training, images=16, seed=5, lr_g=0.0, lr_d=0.0, ema=0, from_=str(run))
    events = list(dataclasses.replace(experiment, training=training).run(tmp_path / "tuned"))
    told = next(e.text for e in events if isinstance(e, Noted) and "head=clamp" not in e.text)
    assert "Starting with" in told
    assert "start with new values" not in told
    new = load(tmp_path / "tuned")
    for name, weight in old.discriminator.named_parameters():
        assert torch.equal(weight, new.discriminator.get_parameter(name)), name
    for name, weight in old.generator.named_parameters():
        assert torch.equal(weight, new.generator.get_parameter(name)), name


def test_frozen_layers_stay_and_the_others_learn(run: Path, tmp_path: Path) -> None:
    from ganvas.tasks.generate.model import load

    old = load(run)
    experiment = Experiment.load(run)
    training = dataclasses.replace(experiment.training, images=160, seed=5, from_=str(run), freeze=1)
    frozen = dataclasses.replace(experiment, training=training)
    for event in frozen.run(tmp_path / "tuned"):  # stopped and resumed: still frozen
        if event.images == 80:
            break
    for _ in frozen.run(tmp_path / "tuned"):
        pass
    new = load(tmp_path / "tuned")
    for name, weight in old.discriminator.named_parameters():
        assert torch.equal(weight, new.discriminator.get_parameter(name)) == name.startswith("first."), name


def test_what_cannot_be_taken_is_said(run: Path, tmp_path: Path) -> None:
    from ganvas.core.errors import UserError

    experiment = Experiment.load(run)
    other = quick("classic-mlp", run.parent)
    with pytest.raises(UserError, match=r"nothing in this model \(shuffle\) fits"):
        list(
            dataclasses.replace(other, training=dataclasses.replace(other.training, from_=str(run))).run(tmp_path / "a")
        )
    deep = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, from_=str(run), freeze=9))
    with pytest.raises(UserError, match="freeze=9: this discriminator has 3 layers; freeze 2 at most"):
        list(deep.run(tmp_path / "b"))
    away = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, from_="nowhere"))
    with pytest.raises(UserError, match="There is no run or model nowhere"):
        list(away.run(tmp_path / "c"))


def test_from_is_written_as_people_write_it() -> None:
    from ganvas.api import RECIPES

    assert RECIPES["mnist"]().override({"from": "a/model.safetensors"}).training.from_ == "a/model.safetensors"


# -------------------- the copy check of every picture


def test_the_watch_knows_copies_from_new_pictures() -> None:
    from ganvas.tasks.generate.copies import Watch

    random = torch.Generator().manual_seed(0)
    seen = torch.randint(0, 256, (300, 3, 16, 16), generator=random).to(torch.uint8)
    fresh = torch.randint(0, 256, (50, 3, 16, 16), generator=random).to(torch.uint8)
    watch = Watch(seen)
    assert watch.share(fresh) < 0.1
    noise = torch.randint(-3, 4, (50, 3, 16, 16), generator=random)
    assert watch.share((seen[:50].int() + noise).clamp(0, 255).to(torch.uint8)) == 1
    assert watch.share(torch.cat([seen[:25], fresh[:25]])) == pytest.approx(0.5, abs=0.1)


def test_replayed_images_are_said_in_plain_words() -> None:
    from ganvas.report import diagnosis

    rows = [
        {"images": 1_000 * i, "accuracy_real": 0.7, "accuracy_fake": 0.7, "loss_d": 1.0, "loss_g": 1.0}
        for i in range(12)
    ]
    check = {"metric": diagnosis.CHECK, "diversity": 1.0}
    for share, said in ((0.01, False), (0.4, True)):
        checks = [{**check, "images": at, "copied": share} for at in (5_000, 10_000)]
        assert any("repeats" in text for text in diagnosis.remarks(rows, checks)) == said
        assert ("repeats" in diagnosis.headline(rows, checks)) == said


def test_every_check_of_a_training_tells_the_share_of_copies(run: Path) -> None:
    from ganvas.core.run import Run

    checks = [row for row in Run(run).rows(Run(run).metrics) if row["metric"] == "discriminator-accuracy"]
    assert checks
    assert all(0 <= row["copied"] <= 1 for row in checks)
