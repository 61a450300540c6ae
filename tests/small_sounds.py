"""A model of sounds that was never trained: quick to make, and different sounds for different seeds and classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from ganvas.core import checkpoint
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import network, recipes
from ganvas.tasks.sound.model import SoundModel, load

SPEC = SoundSpec(4_000, 2_048, 128, 16)  # half a second
NETWORK = network.Config(latent_dim=8, width=16, d_width=8, features=8)


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
