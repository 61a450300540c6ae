"""A trained translator: turns pictures of one kind into another."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.images.handed import Given, floats
from ganvas.images.originals import Original
from ganvas.images.shown import Pictures
from ganvas.images.spec import ImageSpec
from ganvas.images.tiling import Tiled
from ganvas.tasks.translate.task import KINDS

BATCH = 256  # pictures that are translated at a time


@dataclass(frozen=True)
class OneWay:
    """The network of one direction, and the card of the whole model."""

    path: Path
    generator: nn.Module
    spec: ImageSpec
    card: dict[str, Any]

    @property
    def tiled(self) -> Tiled:
        return Tiled(self.generator, self.spec)

    def mend(self, original: Original, mask: None = None) -> Generator[float, None, Original]:
        """What `Translator.translate_picture` does, under the name of earlier versions."""
        warnings.warn("mend is now Translator.translate_picture.", FutureWarning, stacklevel=2)
        return self.tiled.on_original(original, mask)


@dataclass(frozen=True, repr=False)
class Translator(TrainedModel):
    """A trained pair of generators and its card; `kinds`: the names of both kinds of pictures."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    kinds: tuple[str, str]
    card: dict[str, Any]

    optional = {"translation": dict}  # noqa: RUF012
    abilities = ("apply",)
    hub_tags = ("image-generation",)

    @classmethod
    def from_parts(cls, parts: Loaded) -> Translator:
        kinds = parts.card["data_name"], str(parts.card.get("other_name", ""))
        networks = parts.parts
        return cls(parts.path, networks["generator"], networks["discriminator"], parts.spec, kinds, parts.card)

    facts = later_method("ganvas.tasks.translate.card:facts")
    figures = later_method("ganvas.tasks.translate.card:figures")
    usage = later_method("ganvas.tasks.translate.card:usage")
    exports = later_method("ganvas.tasks.translate.export:exports")

    @property
    def any_size(self) -> bool:
        """Was it trained on pieces of pictures, so that it accepts whole ones of any size?"""
        return self.card["data"].get("fit") == "pieces"

    def kind(self, to: str) -> str:
        """'a' or 'b' for the wanted kind, by letter or by the name of its pictures.

        Raises:
            UserError: neither kind is called that.
        """
        if to.lower() in KINDS:
            return to.lower()
        if to in self.kinds and self.kinds[0] != self.kinds[1]:
            return KINDS[self.kinds.index(to)]
        raise UserError(f"--to {to}: this model knows A ({self.kinds[0]}) and B ({self.kinds[1]}); choose one of them.")

    def translate(self, images: Given, to: str = "b") -> Pictures:
        """Turn pictures into the other kind.

        Args:
            images: float [B, C, H, W] in [-1, 1], of the size that it was trained on, unless those were pieces; or a
                NumPy array, Pillow images or paths, which get that size: see `images.handed.tensor`.
            to: the wanted kind: 'a', 'b', or the name of its pictures.

        Returns:
            float [B, C, H, W] in [-1, 1] on the CPU, shown by a notebook; see `Pictures` for Pillow, NumPy and files.

        Raises:
            UserError: pictures of another shape, or an unknown kind.
        """
        kind, shape = self.kind(to), (self.spec.channels, self.spec.size, self.spec.size)
        images = floats(images, self.spec, sized=not self.any_size)
        if tuple(images.shape[1:]) != shape and (not self.any_size or images.shape[1] != shape[0]):
            raise UserError(f"The pictures have the shape {tuple(images.shape[1:])}; {shape} is needed.")
        device = next(self.generator.parameters()).device
        with torch.inference_mode():
            made = [self.generator(part.to(device), kind).cpu() for part in images.split(BATCH)]
        return Pictures.around(torch.cat(made), columns=0)

    def translate_picture(self, original: Original, to: str = "b") -> Generator[float, None, Original]:
        """Turn a picture from a file into the other kind; yields the share that is done.

        Its colours, depth and transparency are those of the original, see `Planes`.

        Raises:
            UserError: an unknown kind.
        """
        return (yield from self.one_way(to).tiled.on_original(original))

    def one_way(self, to: str) -> OneWay:
        """The network of one direction."""
        return OneWay(self.path, getattr(self.generator, f"to_{self.kind(to)}"), self.spec, self.card)


def load(path: str | os.PathLike[str], device: str = "auto") -> Translator:
    """Load a trained translator from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `sample.load`; or it is a model of another task.
    """
    return Translator.from_parts(networks_of(path, "translate", device))
