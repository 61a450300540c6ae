"""A trained translator at work: pictures of one kind turned into another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core.errors import UserError
from ganvas.core.exports import Exports
from ganvas.core.model import Loaded, TrainedModel, Usage, networks_of
from ganvas.images.spec import ImageSpec
from ganvas.tasks.restore import degrade
from ganvas.tasks.restore.model import Restorer
from ganvas.tasks.translate.task import KINDS

BATCH = 256  # pictures that are translated at a time


@dataclass(frozen=True)
class Translator(TrainedModel):
    """A trained pair of generators and the card that explains it; `kinds`: the names of both kinds of pictures."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    kinds: tuple[str, str]
    card: dict[str, Any]

    optional = {"translation": dict}  # noqa: RUF012
    hub_tags = ("image-generation",)

    @classmethod
    def from_parts(cls, parts: Loaded) -> Translator:
        kinds = parts.card["data_name"], str(parts.card.get("other_name", ""))
        networks = parts.parts
        return cls(parts.path, networks["generator"], networks["discriminator"], parts.spec, kinds, parts.card)

    def facts(self) -> dict[str, str]:
        from ganvas.tasks.translate import card

        return card.facts(self)

    def figures(self) -> list[str]:
        from ganvas.tasks.translate import card

        return card.figures(self)

    def usage(self, place: str) -> Usage:
        from ganvas.tasks.translate import card

        return card.usage(self, place)

    def exports(self) -> Exports:
        from ganvas.tasks.translate import export

        return export.exports(self)

    @property
    def any_size(self) -> bool:
        """Was it trained on pieces of pictures, so that it takes whole ones of any size?"""
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

    @torch.inference_mode()
    def translate(self, images: Tensor, to: str = "b") -> Tensor:
        """Turn pictures into the other kind.

        Args:
            images: float [B, C, H, W] in [-1, 1], of the size that it was trained on, unless those were pieces.
            to: the wanted kind: 'a', 'b', or the name of its pictures.

        Returns:
            float [B, C, H, W] in [-1, 1] on the CPU.

        Raises:
            UserError: pictures of another shape, or a kind that it does not know.
        """
        kind, shape = self.kind(to), (self.spec.channels, self.spec.size, self.spec.size)
        if tuple(images.shape[1:]) != shape and (not self.any_size or images.shape[1] != shape[0]):
            raise UserError(f"The pictures have the shape {tuple(images.shape[1:])}; {shape} is needed.")
        device = next(self.generator.parameters()).device
        return torch.cat([self.generator(part.to(device), kind).cpu() for part in images.split(BATCH)])

    def one_way(self, to: str) -> Restorer:
        """The network of one direction, as one that works on pictures of any size."""
        network = getattr(self.generator, f"to_{self.kind(to)}")
        return Restorer(self.path, network, self.discriminator, self.spec, degrade.Plan(()), self.card)


def load(path: str | os.PathLike[str], device: str = "auto") -> Translator:
    """Load a trained translator from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `sample.load`; or it is a model of another task.
    """
    return Translator.from_parts(networks_of(path, "translate", device))
