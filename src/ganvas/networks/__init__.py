"""Network architectures: each is one file, with its settings, its generator and its discriminator, and one line here.

A generator maps z [B, latent_dim] and labels (int64 [B], class weights float [B, classes], or None) to images
[B, C, H, W] in [-1, 1]. A discriminator maps images and labels to logits [B], without a sigmoid; its `features` gives
the activations of each layer, the last layer last. A file whose networks do not use labels says `LABELLED = False`.
What several networks share is in `layers`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from ganvas.core.old_names import getattr_of
from ganvas.images.spec import ImageSpec
from ganvas.networks import classic_dcgan, classic_mlp, dcgan, projected, pyramid, shuffle

NETWORKS: dict[str, ModuleType] = {
    "shuffle": shuffle,
    "pyramid": pyramid,
    "projected": projected,
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
