"""The loop: every loss trains, the clock and the schedules are right, precision is chosen by the hardware."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import quick

from ganvas.core import devices, optimizers
from ganvas.training.batches import Batches
from ganvas.training.events import Evaluated, Logged, Sampled, Saved, Started, Stepped
from ganvas.training.experiment import Experiment
from ganvas.training.losses import LOSSES
from ganvas.training.trainer import Config, Trainer, choose_precision, frozen


def trainer_of(experiment: Experiment) -> tuple[Trainer, Batches]:
    images = experiment.load_data()
    return Trainer(experiment.build(images.spec), experiment.training), experiment.batches(images)


def some_steps(experiment: Experiment, steps: int = 3) -> tuple[Trainer, dict[str, float]]:
    trainer, batches = trainer_of(experiment)
    for _ in range(steps):
        trainer.step(batches.at(trainer.images))
    return trainer, trainer.means()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("recipe", ["mnist", "classic-mlp"])
def test_every_loss_trains_both_networks(loss: str, recipe: str, blobs: Path) -> None:
    experiment = quick(recipe, blobs).override({"loss": loss, "r1": "0.1", "r2": "0.1", "penalty_every": "2"})
    trainer, batches = trainer_of(experiment)
    before = [[p.clone() for p in n.parameters()] for n in (trainer.task.generator, trainer.task.discriminator)]
    for _ in range(3):
        trainer.step(batches.at(trainer.images))
    means = trainer.means()
    assert all(abs(value) < 1e4 for value in means.values())
    assert {"loss_d", "loss_g", "r1", "r2", "accuracy_real", "accuracy_fake"} <= means.keys()
    for old, network in zip(before, (trainer.task.generator, trainer.task.discriminator), strict=True):
        moved = [not torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True)]
        assert sum(moved) >= len(moved) - 1  # a bias may have no say (an offset that cancels in pairs)


def test_penalties_act_and_come_at_their_interval(blobs: Path) -> None:
    free, _ = some_steps(quick("mnist", blobs).override({"r1": "0"}))
    held, means = some_steps(quick("mnist", blobs).override({"r1": "50", "penalty_every": "2"}))
    assert means["r1"] > 0
    weights = [t.task.discriminator.state_dict()["foot.weight"] for t in (free, held)]
    assert not torch.equal(*weights)
    trainer, batches = trainer_of(quick("mnist", blobs).override({"r1": "1", "penalty_every": "3"}))
    for _ in range(7):
        trainer.step(batches.at(trainer.images))
    assert trainer.counts["r1"] == 3  # steps 0, 3 and 6


def test_one_joint_batch_judges_as_two_do(blobs: Path) -> None:
    """Without dropout the two ways differ only in rounding, penalties included."""
    figures = []
    for joint in ("true", "false"):
        settings = {"joint": joint, "dropout": "0", "r1": "1", "r2": "1", "precision": "fp32"}
        figures.append(some_steps(quick("classic-mlp", blobs).override(settings))[1])
    assert figures[0] == pytest.approx(figures[1], rel=1e-3)


@pytest.mark.parametrize("penalties", [("r1", "r2"), ("r2",), ()])
def test_one_batch_of_two_groups_judges_as_two_batches_do(penalties: tuple[str, ...], blobs: Path) -> None:
    """Losses, penalties and the discriminator's gradients differ only in rounding."""
    settings = dict.fromkeys(("r1", "r2"), "0") | dict.fromkeys(penalties, "1") | {"penalty_every": "1"}
    found = []
    for groups in ({"groups": 2}, {}):
        trainer, batches = trainer_of(quick("mnist", blobs).override({**settings, "precision": "fp32"}))
        task: Any = trainer.task
        assert task.groups == {"groups": 2}
        task.groups = groups
        torch.manual_seed(0)
        losses = task.discriminator_loss(batches.at(0))
        losses["total"].backward()
        gradients = {name: p.grad for name, p in task.discriminator.named_parameters()}
        found.append({**{name: value.detach() for name, value in losses.items()}, **gradients})
    assert found[0].keys() == found[1].keys()
    assert penalties == tuple(name for name in ("r1", "r2") if name in found[0])
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-3, atol=1e-5)


def test_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.keep_freed()
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: object())  # without mallopt
    devices.keep_freed()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradient_penalty_holds_a_critic(blobs: Path, precision: str) -> None:
    settings = {"loss": "wasserstein", "gradient_penalty": "10", "precision": precision, "width": "8"}
    _, means = some_steps(quick("classic-mlp", blobs).override(settings))
    assert means["gradient_penalty"] >= 0


def test_more_discriminator_steps(blobs: Path) -> None:
    trainer, batches = trainer_of(quick("classic-mlp", blobs).override({"d_steps": "3"}))
    weights = [p.clone() for p in trainer.task.generator.parameters()]
    for _ in range(2):
        trainer.step(batches.at(trainer.images))
    assert all(torch.equal(a, b) for a, b in zip(weights, trainer.task.generator.parameters(), strict=True))
    trainer.step(batches.at(trainer.images))
    assert not all(torch.equal(a, b) for a, b in zip(weights, trainer.task.generator.parameters(), strict=True))
    assert trainer.counts["loss_d"] == 3
    assert trainer.counts["loss_g"] == 1


def test_the_generators_step_leaves_the_discriminator_alone(blobs: Path) -> None:
    trainer, batches = trainer_of(quick("mnist", blobs))
    batch = batches.at(0)
    trainer.task.discriminator_loss(batch)
    with frozen(list(trainer.task.discriminator.parameters())):
        losses = trainer.task.generator_loss(batch)
        assert losses is not None
        losses["total"].backward()
    assert all(p.grad is None for p in trainer.task.discriminator.parameters())
    assert all(p.requires_grad for p in trainer.task.discriminator.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in trainer.task.generator.parameters())


def test_bf16_computes_what_fp32_computes(blobs: Path) -> None:
    """On processors that only emulate it, too: one step of both, within what eight bits of mantissa allow."""
    figures = []
    for precision in ("fp32", "bf16"):
        settings = {"precision": precision, "g_quarter": "8", "g_half": "4", "d_half": "4", "d_quarter": "8"}
        trainer, means = some_steps(quick("mnist", blobs).override(settings), steps=1)
        assert next(trainer.task.generator.parameters()).dtype == torch.float32
        figures.append(means)
    for name, value in figures[0].items():
        if not name.startswith("accuracy"):
            assert figures[1][name] == pytest.approx(value, rel=0.1, abs=0.02), name


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, auto = torch.device("cpu"), Config()
    for native in ("avx512_bf16", "amx_bf16"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda native=native: {native: True})
        assert choose_precision(auto, cpu) == "bf16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_precision(auto, cpu) == "fp32"
    assert choose_precision(Config(precision="bf16"), cpu) == "bf16"


def test_learning_rates_fall_in_a_straight_line(blobs: Path) -> None:
    trainer, _ = trainer_of(quick("mnist", blobs, steps=100).override({"decay_from": "0.5"}))
    rates = []
    for trainer.images in (0, 800, 1200, 1600):
        rates.append(trainer.rate())
    assert rates == pytest.approx([1, 1, 0.5, 0])
    trainer, _ = trainer_of(quick("mnist", blobs, steps=100).override({"decay_from": "1"}))
    trainer.images = 1599
    assert trainer.rate() == 1


def test_a_long_gradient_of_the_generator_is_shortened(blobs: Path) -> None:
    lengths = []
    for most in ("0", "1e-3"):
        trainer, _ = some_steps(quick("mnist", blobs).override({"clip_g": most}), steps=1)
        gradients = [p.grad.norm() for p in trainer.task.generator.parameters() if p.grad is not None]
        lengths.append(float(torch.stack(gradients).norm()))
    assert lengths[0] > 2e-3
    assert lengths[1] == pytest.approx(1e-3, rel=0.01)


def test_events_come_at_their_images(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("classic-dcgan", blobs)
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, sample_at=(17, 40)))
    events = list(experiment.run(tmp_path / "run"))
    assert isinstance(events[0], Started)
    assert [e.images for e in events if isinstance(e, Stepped)] == list(range(16, 321, 16))
    assert [e.images for e in events if isinstance(e, Logged)] == [48, 96, 144, 192, 240, 288, 320]
    assert [e.images for e in events if isinstance(e, Sampled)] == [0, 32, 48, 80, 160, 240, 320]
    assert [e.images for e in events if isinstance(e, Evaluated)] == [32, 48, 80, 160, 240, 320]
    assert [e.images for e in events if isinstance(e, Saved)] == [0, 320]
    assert (tmp_path / "run" / "models").is_dir()  # this recipe keeps the model of each picture
    sheet = next(e for e in events if isinstance(e, Sampled)).pictures
    assert sheet.shape == (100, 1, 12, 12)


@pytest.mark.long
def test_the_first_sheet_is_noise_and_rows_are_classes(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs, steps=150).override({"sample_every": "0", "detect": "0"})
    events = [e for e in experiment.run(tmp_path / "run") if isinstance(e, Sampled)]
    first, last = events[0].pictures.float(), events[-1].pictures.float()
    assert first.shape == (20, 1, 12, 12)  # two classes, ten pictures each
    left, right = last[:, :, :, :6].mean((1, 2, 3)), last[:, :, :, 6:].mean((1, 2, 3))
    assert (left[:10] > right[:10] + 40).sum() >= 9  # the first class is bright on the left: the labels were learnt
    assert (left[10:] < right[10:] - 40).sum() >= 9
    gap = (first[:, :, :, :6].mean((1, 2, 3)) - first[:, :, :, 6:].mean((1, 2, 3))).abs()
    assert gap.max() < 50


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(24, 40, 3, 3), (64, 16, 1, 1), (40, 24)])
def test_orthogonal_steps(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """The singular values are near 1, the singular vectors stay, and the shape of a kernel makes no difference."""
    torch.manual_seed(0)
    weight = torch.randn(shape)
    made = optimizers.orthogonal(weight, dtype)
    assert made.shape == weight.shape
    assert made.dtype == torch.float32
    values = torch.linalg.svdvals(made.flatten(1))
    assert values.min() > 0.3
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    inside = left.T @ made.flatten(1) @ right.T  # diagonal, if the vectors are the same
    assert (inside - inside.diagonal().diag()).abs().max() < (0.05 if dtype == torch.bfloat16 else 1e-4)


def test_the_steps_of_muon() -> None:
    """Large matrices move equally far in all directions, as far as Adam usually does; the others move as by Adam."""
    torch.manual_seed(0)
    network, other = (torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3), torch.nn.Conv2d(32, 3, 1)) for _ in range(2))
    other.load_state_dict(network.state_dict())
    before = [w.detach().clone() for w in network.parameters()]
    images = torch.randn(4, 16, 8, 8)
    muon = optimizers.Muon(network.parameters(), 0.01, (0.9, 0.99), torch.float32, fused=True)
    adam = optimizers.Adam(other.parameters(), 0.01, (0.9, 0.99), fused=True)
    for net, optimizer in ((network, muon), (other, adam)):
        net(images).square().mean().backward()
        optimizer.step()
    moved = [w.detach() - b for w, b in zip(network.parameters(), before, strict=True)]
    values = torch.linalg.svdvals(moved[0].flatten(1)) / (0.01 * 0.2 * (16 * 9) ** 0.5)
    assert values[2] > 0.3  # three outputs give as many directions
    assert values[0] < 1.3
    assert values[3] < 1e-4
    assert (gradient := next(network.parameters()).grad) is not None
    assert (moved[0] * gradient).sum() < 0  # downhill
    for mine, theirs in list(zip(network.parameters(), other.parameters(), strict=True))[1:]:
        assert torch.equal(mine, theirs)  # biases, and the matrix of three rows


@pytest.mark.parametrize(
    ("name", "options"),
    [("Adam", {"betas": (0.5, 0.99)}), ("AdamW", {"betas": (0.5, 0.99)}), ("SGD", {"momentum": 0.9, "nesterov": True})],
)
def test_optimizers_without_the_compiler_are_torchs(name: str, options: dict[str, Any]) -> None:
    """The same weights and states bit for bit, also after a state was loaded."""
    ours, theirs = (torch.nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    kinds = (getattr(optimizers, name), getattr(torch.optim, name))
    pairs = [(n, kind(n.parameters(), 0.01, **options)) for n, kind in zip((ours, theirs), kinds, strict=True)]
    for step in range(4):
        for network, optimizer in pairs:
            optimizer.zero_grad(set_to_none=True)
            network(torch.arange(10.0).view(2, 5) + step).square().sum().backward()
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
        mine, other = (optimizer.state_dict() for _, optimizer in pairs)
        assert mine["param_groups"] == other["param_groups"]
        for number, state in other["state"].items():
            assert all(torch.equal(value, mine["state"][number][key]) for key, value in state.items())
        assert torch.equal(ours.weight, theirs.weight)
