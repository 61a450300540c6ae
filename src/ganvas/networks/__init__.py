"""Architectures: each one complete file with its knobs, its generator and its discriminator, and one line here.

Every generator maps z [B, latent_dim] and labels [B] (int64, or None) to images [B, C, H, W] in [-1, 1]; instead of
labels it takes shares of the classes, float [B, classes]. Every discriminator maps images and labels to logits [B],
without a sigmoid; its `features` give what each of its layers sees, the last one last.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from ganvas.core.old_names import getattr_of
from ganvas.images.spec import ImageSpec
from ganvas.networks import classic_dcgan, classic_mlp, dcgan, pyramid, shuffle

NETWORKS: dict[str, ModuleType] = {
    "shuffle": shuffle,
    "pyramid": pyramid,
    "dcgan": dcgan,
    "classic-mlp": classic_mlp,
    "classic-dcgan": classic_dcgan,
}


def name_of(config: Any) -> str:
    """The name in `NETWORKS` of the architecture that a config belongs to."""
    return next(name for name, module in NETWORKS.items() if isinstance(config, module.Config))


def build(config: Any, spec: ImageSpec) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator with fresh weights, from torch's global random numbers.

    Raises:
        UserError: the architecture cannot draw images of this size.
    """
    module = NETWORKS[name_of(config)]
    return module.Generator(spec, config), module.Discriminator(spec, config)


__getattr__ = getattr_of(__name__)
