"""A model of sounds that was never trained, quick to make, and a data set of sounds in memory."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import checkpoint
from ganvas.core.samples import Rows
from ganvas.sounds.sheets import Preview
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import network, recipes
from ganvas.tasks.sound.model import SoundModel, load

SPEC = SoundSpec(4_000, 2_048, 128, 16)  # half a second
NETWORK = network.Config(latent_dim=8, width=16, d_width=8, features=8)
RATE, SAMPLES, NAMES = 8_000, 2_048, ("low", "high", "burst")  # of `sounds`


def networks(spec: SoundSpec, seed: int = 0) -> dict[str, nn.Module]:
    """Untrained networks whose sounds are about as loud as real ones, and depend on the class."""
    torch.manual_seed(seed)
    generator, discriminator = network.Generator(spec, NETWORK), network.Discriminator(spec, NETWORK)
    generator.mean.fill_(0.15)
    for module in generator.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 0, 0.5)
    return {"generator": generator, "discriminator": discriminator}


def write_model(path: Path, *class_names: str, seed: int = 0) -> Path:
    """A model file with these classes (none: unlabelled), as a training writes it."""
    spec = dataclasses.replace(SPEC, classes=len(class_names))
    data = SimpleNamespace(
        spec=spec,
        class_names=class_names,
        name="tiny",
        other=None,
        fingerprint="0" * 64,
        licence="CC0-1.0",
        facts=dict,
    )
    experiment = dataclasses.replace(recipes.sound(), network=NETWORK)
    card = {**experiment.card(data), "images": 0, "finished": True, "machine": {}, "log": {}}  # pyright: ignore[reportArgumentType]
    parts = networks(spec, seed).items()
    tensors = {key: t for name, module in parts for key, t in checkpoint.module_tensors(name, module).items()}
    checkpoint.save(path, tensors, card)
    return path


def model(folder: Path, *class_names: str, seed: int = 0) -> SoundModel:
    """The model of such a file."""
    return load(write_model(folder / "tiny.safetensors", *class_names, seed=seed), "cpu")


def sounds(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Low and high tones and bursts of noise, int16 [count, SAMPLES], and their classes."""
    random = torch.Generator().manual_seed(seed)
    length, t = 1_500, torch.arange(1_500) / RATE
    labels = torch.arange(count) % 3
    pitch = torch.tensor([110.0, 240.0, 0.0])[labels] * (1 + 0.2 * torch.rand(count, generator=random))
    tones = sum((torch.sin(math.tau * k * pitch[:, None] * t) for k in (1, 2, 3)), torch.zeros(count, length)) / 3
    waves = torch.where(labels[:, None] == 2, torch.randn(count, length, generator=random) / 3, tones)
    shape = torch.hann_window(length) ** (0.3 + torch.rand(count, 1, generator=random))
    out = torch.zeros(count, SAMPLES)
    out[:, :length] = waves * shape
    return (29_000 * out / out.abs().amax(1, keepdim=True)).to(torch.int16), labels


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set in memory."""

    train: Rows
    held_out: Rows
    name: str = "made up"
    spec: SoundSpec = dataclasses.field(default_factory=lambda: SoundSpec(rate=RATE, samples=SAMPLES, classes=3))
    class_names: tuple[str, ...] = NAMES
    fingerprint: str = "0" * 64
    licence: str = ""
    notes: tuple[str, ...] = ()
    other: None = None

    def decode(self, samples: Tensor) -> Tensor:
        return samples.float()

    def facts(self) -> dict[str, Any]:
        return {}

    def examples(self) -> Preview:
        raise NotImplementedError
