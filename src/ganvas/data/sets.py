"""What a data set is, wherever its pictures lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from ganvas.data.stored import Stored
from ganvas.spec import ImageSpec


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, C, H, W] and labels int64 [N] (None: unlabelled).

    `images` may be a `Stored`, which is indexed, sliced and split as a tensor is: to a type checker it is one.
    """

    images: Tensor
    labels: Tensor | None

    @classmethod
    def on_disk(cls, images: Stored, labels: Tensor | None) -> Split:
        return cls(cast(Tensor, images), labels)


@dataclass(frozen=True)
class ImageData:
    """A data set: what is trained on, what is held out, names, and fingerprint (SHA-256 of both splits).

    `notes`: what the user should know, such as pictures that could not be read.
    """

    name: str
    train: Split
    held_out: Split
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str = "not stated"
    notes: tuple[str, ...] = ()

    @property
    def spec(self) -> ImageSpec:
        _, channels, height, _ = self.train.images.shape
        return ImageSpec(channels, height, len(self.class_names))

    def unlabelled(self) -> ImageData:
        """The same images without their labels."""
        train, held_out = Split(self.train.images, None), Split(self.held_out.images, None)
        return replace(self, train=train, held_out=held_out, class_names=())

    def examples(self, columns: int = 10, rows: int = 10) -> Tensor:
        """Real images for a sheet, uint8 [n, C, H, W]: one class a row where there are classes."""
        pool = self.train
        if pool.labels is None:
            return pool.images[: rows * columns]
        picked = [(pool.labels == c).nonzero().flatten()[:columns] for c in range(len(self.class_names))]
        full = [p if len(p) == columns else p[torch.arange(columns) % len(p)] for p in picked if len(p)]
        return pool.images[torch.cat(full)]
