"""The settings of the data of a training on images."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.images.data import memory, readers
from ganvas.images.data.dataset import ImageData
from ganvas.images.decode import Shape
from ganvas.sources import listing
from ganvas.sources.checks import Packing


@dataclass(frozen=True)
class DataConfig:
    """Which images to train on, and in what shape."""

    places: ClassVar[tuple[str, ...]] = ("source", "twins", "to")

    source: str = knob("mnist", "a data set's name, or a folder, archive or .npz file of pictures")
    labels: bool = knob(True, "use the labels where the data has them")
    size: int = knob(
        0,
        "pixels per side (0: unchanged if all pictures are square, of one size and at most 256; otherwise 64, or "
        "smaller if most are smaller)",
        low=0,
        high=1024,
    )
    channels: int = knob(
        0,
        "1 grey, 3 colour, 4 colour with transparency (0: grey if all are stored as grey, otherwise colour)",
        low=0,
        high=4,
    )
    fit: str = knob(
        "crop",
        "for pictures that are not square: crop to the centre, or pad in the colour of the border; pieces: leave "
        "them as they are, and learn from patches of `size` pixels",
        choices=("crop", "pad", "pieces"),
    )
    twins: str = knob("", "for degrade=pairs: a folder with a damaged version of each picture, under the same name")
    to: str = knob("", "for translate: the pictures of the other set, given like source")
    linear: bool = knob(False, "scale in linear light: slower, and fine bright details stay bright")

    @classmethod
    def takes(cls, source: str) -> bool:
        """Does this look like pictures?"""
        return readers.has_pictures(source)

    @classmethod
    def named(cls, data: object) -> str:
        """What stands for pictures in memory; see `memory.held`."""
        return memory.held(data)

    @property
    def in_memory(self) -> bool:
        """Are these pictures that only a program has?"""
        return self.source.startswith(memory.MEMORY)

    def shape(self) -> Shape:
        """The shape that images get.

        Raises:
            UserError: `channels` is 2, or `size` is below 4.
        """
        if self.channels == 2:
            raise UserError(
                "channels=2: choose 1 (grey), 3 (colour), 4 (with transparency) or 0 (as the pictures are)."
            )
        if 0 < self.size < 4:
            raise UserError(
                f"size={self.size}: the smallest pictures have 4 pixels per side; 0 leaves the size as it is."
            )
        return Shape(self.size, self.channels, self.fit, self.linear)

    def loading(self) -> Generator[Packing, None, ImageData]:
        """Read the images, yielding how far their conversion is.

        Raises:
            UserError: they cannot be found or read.
        """
        return readers.loading(self.source, self.shape(), self.labels, self.twins, self.to)

    def bare_name(self) -> str:
        """A short name of the data, without its folder."""
        return "pictures" if self.in_memory else listing.bare_name(Path(self.source))

    def bare(self, images: ImageData) -> dict[str, str]:
        """The places without their folders, for a model's card, which keeps no paths."""
        other = images.other.name if images.other is not None else ""
        return {"source": images.name, "twins": Path(self.twins).name, "to": other}

    def one_kind(self, task: str) -> None:
        """Raise a UserError if there is a second domain, for a task that learns from one."""
        if self.to:
            raise UserError(f"--to {self.to} is only for translate: {task} learns from one set of pictures.")

    def no_pairs(self) -> None:
        """Raise a UserError if there are pairs, for a task that needs none."""
        if self.twins:
            raise UserError(
                "twins=FOLDER and degrade=pairs belong together: use both (damaged pictures that you have), or neither."
            )
