"""What a GPU needs, on a second device that every machine has: nothing stays on the CPU, and no step reads anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import write_rows, write_sounds
from second_device import META, Strict, second_device
from small_mnist import small
from torch import distributed as dist
from torch.nn import functional as F  # noqa: N812

from ganvas.api import RECIPES
from ganvas.core import devices, distributed
from ganvas.networks import layers
from ganvas.tasks.restore import degrade
from ganvas.tasks.table.network import quantile
from ganvas.training.batches import Batches
from ganvas.training.trainer import Trainer

BATCH = 8
DAMAGES = [name for name in degrade.DEGRADATIONS if name != "jpeg"]  # the CPU has to compress


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with second_device(monkeypatch):
        yield


def prepared(recipe: str, folder: Path, **settings: str) -> tuple[Trainer, Batches]:
    """A trainer on the second device, and batches of small data for it."""
    experiment = RECIPES[recipe]().override({"precision": "fp32", "batch": str(BATCH), **settings})
    if recipe == "translate":  # a full pool of earlier pictures from the second step on
        experiment = experiment.override({"pool": str(BATCH)})
    if recipe == "table":
        experiment = experiment.override({"source": str(write_rows(folder / "rows.csv", 500)), "warmup": "0"})
        samples: Any = experiment.load_data()
    elif "sound" in recipe:
        samples = experiment.override({"source": str(write_sounds(folder / "sounds"))}).load_data()
    else:
        samples = small() if experiment.data.labels else small().unlabelled()
    if recipe == "translate":
        samples = dataclasses.replace(samples, other=samples)
    return Trainer(experiment.build(samples.spec), experiment.training), Batches(samples, BATCH, 0, META)


@pytest.mark.parametrize("recipe", RECIPES)
def test_steps_neither_mix_devices_nor_read(recipe: str, tmp_path: Path, away: None) -> None:
    trainer, batches = prepared(recipe, tmp_path)
    for _ in range(2):
        trainer.step(batches.at(trainer.images))
    assert {t.device for n in (trainer.task.generator, trainer.average) for t in n.state_dict().values()} == {META}


@pytest.mark.parametrize(
    "recipe", ["images", "photos", "mnist-best", "few", "derain", "translate", "table", "sound", "denoise-sound"]
)
def test_looking_at_a_training_mixes_no_devices(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with second_device(monkeypatch, reads=True):
        trainer, batches = prepared(recipe, tmp_path)
        trainer.task.prepare(trainer.config, batches)
        list(trainer.task.begin(trainer.config, batches, trainer.autocast()))
        trainer.step(batches.at(0))
        trainer.probe(batches)
        state = {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in trainer.task.state.items()}
        trainer.task.state.update(state)  # as a resume does
        trainer.step(batches.at(trainer.images))
        trainer.probe(batches)
        sampler = trainer.sampler().eval()
        with torch.no_grad():
            preview = trainer.task.preview(sampler, batches)
            if recipe != "translate":  # `meta` cannot find unique values
                trainer.task.check(sampler, batches, preview)


@pytest.mark.parametrize("recipe", ["images", "table", "sound"])
def test_finishing_mixes_no_devices(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        metrics = tmp_path / "metrics.jsonl"

        def previews(self) -> list[object]:
            return []

        def rows(self, path: Path) -> list[object]:
            return []

    with second_device(monkeypatch, reads=True):
        trainer, batches = prepared(recipe, tmp_path)
        list(trainer.task.finish(trainer.sampler(), batches, Empty()))  # pyright: ignore[reportArgumentType]


def test_two_ranks(tmp_path: Path, away: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weight of the penalties is logged, and what is logged is averaged with gradients that are on the GPU."""
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda message: None)
    monkeypatch.setattr(distributed, "Download", lambda flags: None)
    monkeypatch.setattr(distributed, "_received", [])  # what is received here must not reach other tests
    trainer, batches = prepared("images", tmp_path, r1="1", penalty_share="0.1")
    batches.ranks = 2
    trainer.step(batches.at(0))
    assert trainer.counts["gamma"] == 1
    assert trainer.sums["gamma"].device == META


def test_tensors_of_two_devices_are_averaged(away: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[torch.Tensor] = []
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", sent.append)
    monkeypatch.setattr(distributed, "Download", lambda flags: None)
    monkeypatch.setattr(distributed, "_received", [])  # what is received here must not reach other tests
    monkeypatch.setattr(torch, "_foreach_copy_", lambda *lists: None)  # `meta` has nothing to copy back
    distributed.average([torch.ones(2), torch.ones(3, device=META)])
    assert [(message.device, len(message)) for message in sent] == [(META, 5 + len(distributed.NAMES))]


@pytest.mark.parametrize("recipe", ["sound", "denoise-sound"])
def test_preparing_uses_networks_where_the_data_is(recipe: str, tmp_path: Path, away: None) -> None:
    trainer, batches = prepared(recipe, tmp_path)
    trainer.task.prepare(trainer.config, batches)


@pytest.mark.parametrize("name", DAMAGES)
def test_damages_are_decided_on_the_cpu(name: str) -> None:
    images = torch.empty(2, 3, 32, 32, device=META)
    draws = torch.Generator().manual_seed(0)
    plan = degrade.parse(f"blur:1-2?,{name}" if name != "blur" else name)
    with Strict():
        damaged = degrade.apply(plan, images, lambda f, *shape: f(2, *shape, generator=draws))
    assert damaged.device == META


def test_training_data_is_on_the_gpu_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """... where it fits, with the same samples as from the CPU."""
    batches, plain = (Batches(small(), BATCH, 0, torch.device("cpu")) for _ in range(2))
    monkeypatch.setattr(devices, "fits", lambda count, device: count == small().train.samples.nbytes)
    first, whole = batches.at(0), batches.whole()
    assert batches._resident is not None
    assert whole._resident is batches._resident
    assert torch.equal(first.real, plain.at(0).real)
    assert not devices.fits(10, torch.device("cpu"))


def test_requests_are_read_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the newest message from a GPU would wait for the step that was just begun."""
    waited: list[int] = []

    class Message:
        on_cpu, numbers = False, torch.tensor([0.0, 0.5])

        def __init__(self, number: int) -> None:
            self.number = number

        def wait(self) -> None:
            waited.append(self.number)

    monkeypatch.setattr(distributed, "_received", [Message(i) for i in range(distributed.LATE)])
    assert not distributed.granted("save")
    distributed._received.append(Message(distributed.LATE))  # pyright: ignore[reportArgumentType]
    assert distributed.granted("save")
    assert waited == [0]
    distributed.decide()
    assert len(waited) == distributed.LATE + 1
    distributed.granted("save")


@pytest.mark.parametrize("factor", [2, 4])
def test_shuffles_of_pixels_keep_channels_last(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3 * factor**2, 6, 5).to(memory_format=torch.channels_last)
    plain = F.pixel_shuffle(x, factor)
    device = type("Device", (), {"type": "cuda"})()
    monkeypatch.setattr(torch.Tensor, "device", device)  # the way that a GPU goes, with numbers
    large = layers.shuffled(x, factor)
    assert torch.equal(large, plain)
    assert torch.equal(layers.unshuffled(plain.to(memory_format=torch.channels_last), factor), x)
    for made in (large, layers.unshuffled(large, factor)):
        assert made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("precision", "shortened"), [("bf16", True), ("fp32", False)])
def test_float32_is_shortened_only_where_bf16_is(precision: str, shortened: bool) -> None:
    backends: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [backend.allow_tf32 for backend in backends]
    try:
        devices.set_precision(torch.device("cuda"), precision)
        assert [backend.allow_tf32 for backend in backends] == [shortened, shortened]
        devices.set_precision(torch.device("cpu"), "fp32" if shortened else "bf16")
        assert [backend.allow_tf32 for backend in backends] == [shortened, shortened]
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def test_pixels_of_a_palette_are_not_bf16() -> None:
    experiment = RECIPES["images"]()
    generator = experiment.build(small().unlabelled().spec).generator
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        pictures = generator(torch.randn(2, experiment.network.latent_dim))
    assert pictures.dtype == torch.float32


@pytest.mark.parametrize(("ranks", "said"), [(1, False), (2, True)])
def test_parts_too_small_for_batch_norm_are_said(ranks: int, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = RECIPES["images"]().override({"batch": "8", "device": "cpu"})
    trainer = Trainer(experiment.build(small().unlabelled().spec), experiment.training)
    monkeypatch.setattr(distributed, "size", lambda: ranks)
    text = trainer.small_parts()
    assert ("batch=8 gives each of the 2 processes 4 at a time" in text) is said
    assert ("Choose batch=16 or more" in text) is said


def test_what_the_cells_of_a_row_allow_goes_where_it_is_drawn() -> None:
    with Strict():
        token, place = quantile(torch.empty(4, 3, device=META), torch.empty(4, 1, device=META), torch.ones(1, 3).bool())
    assert token.device == place.device == META
