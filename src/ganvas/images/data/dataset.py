"""A data set of images, in memory or on the disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.core.text import one_line
from ganvas.images import tensors as im
from ganvas.images.decode import Depth
from ganvas.images.sheets import Sheet
from ganvas.images.spec import ImageSpec
from ganvas.sources import splits
from ganvas.sources.splits import HELD_OUT


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, C, H, W] and labels int64 [N] (None: unlabelled).

    `images` may be a `Stored`, which can be indexed, sliced and split like a tensor; type checkers treat it as one.
    """

    images: Tensor
    labels: Tensor | None

    @property
    def samples(self) -> Tensor:
        """The images, under the name that general code uses."""
        return self.images

    @classmethod
    def on_disk(cls, images: Stored, labels: Tensor | None) -> Split:
        return cls(cast(Tensor, images), labels)


@dataclass(frozen=True, repr=False)
class ImageData:
    """A data set: training and held-out images, names, and a fingerprint (SHA-256 of both splits).

    `notes` are for the user, for example on images that could not be read.
    """

    name: str
    train: Split
    held_out: Split
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str = "not stated"
    notes: tuple[str, ...] = ()
    has_pairs: bool = False  # each image has twice the channels: the clean ones, then the degraded ones
    depth: Depth = Depth()  # how greys of more than 8 bits became 8
    other: ImageData | None = None  # the other domain, for image-to-image translation

    def __repr__(self) -> str:
        counts = f"{len(self.train.images):,} images and {len(self.held_out.images):,} held out"
        return one_line(f"{type(self).__name__} {self.name}: {counts}, {self.spec.words()}")

    @property
    def spec(self) -> ImageSpec:
        _, channels, height, _ = self.train.images.shape
        return ImageSpec(channels // 2 if self.has_pairs else channels, height, len(self.class_names))

    def unlabelled(self) -> ImageData:
        """The same images without their labels."""
        train, held_out = Split(self.train.images, None), Split(self.held_out.images, None)
        return replace(self, train=train, held_out=held_out, class_names=())

    def decode(self, samples: Tensor) -> Tensor:
        """uint8 [B, C, H, W] -> float [B, C, H, W] in [-1, 1]."""
        return im.to_float(samples)

    def facts(self) -> dict[str, Any]:
        """Entries for a model's card: how greys of more than 8 bits became 8, if there were some."""
        return {"depth": list(self.depth)} if any(self.depth) else {}

    def examples(self) -> Sheet:
        """A sheet of real images."""
        return Sheet(self.some())

    def some(self, columns: int = 10, rows: int = 10) -> Tensor:
        """Real images for a sheet, uint8 [n, C, H, W]: one class per row, or half from each domain."""
        if self.other is not None:
            first, second = (d.some(columns, rows // 2) for d in (replace(self, other=None), self.other))
            return torch.cat([first[: len(first) // columns * columns or None], second])
        pool = self.train
        if pool.labels is None:
            count = min(rows * columns, len(pool.images))  # spread evenly: neighbours may be patches of one photograph
            return pool.images[torch.arange(count) * len(pool.images) // count][:, : self.spec.channels]
        picked = [(pool.labels == c).nonzero().flatten()[:columns] for c in range(len(self.class_names))]
        full = [p if len(p) == columns else p[torch.arange(columns) % len(p)] for p in picked if len(p)]
        return pool.images[torch.cat(full)]


def fingerprint(*arrays: np.ndarray | None) -> str:
    """SHA-256 of the shapes, types and bytes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def too_few(count: int, different: int, place: str = "") -> UserError:
    """The error if no image can be held out; which ones are is decided by their content."""
    return splits.too_few(count, different, "pictures", place)


def hold_out(
    images: np.ndarray, labels: np.ndarray | None, place: str = ""
) -> tuple[tuple[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]:
    """Split images [N, ...] and labels [N]: a tenth is held out, chosen by content.

    Returns:
        Images and labels to train on, and the held-out ones.

    Raises:
        UserError: there are too few different images; it names `place`.
    """
    digests = (hashlib.blake2b(image.tobytes(), digest_size=4).digest() for image in images)
    numbers = np.frombuffer(b"".join(digests), np.uint32)
    out = numbers < HELD_OUT * 2**32
    if not out.any() or out.all():
        raise too_few(len(images), len(set(numbers.tolist())), place)
    return (
        (images[~out], None if labels is None else labels[~out]),
        (images[out], None if labels is None else labels[out]),
    )
