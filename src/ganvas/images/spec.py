"""The shape of the images that a generator makes and a discriminator judges."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganvas.core.errors import UserError

LIMITS = {"channels": (1, 4), "size": (4, 1024), "classes": (0, 100_000), "scale": (1, 16)}


def drawable(size: int) -> int:
    """The largest side up to `size` (at least 8) that is 4, 5, 6 or 7 times a power of two: all networks make it."""
    return max([8, *(first << n for first in (4, 5, 6, 7) for n in range(1, 12) if first << n <= size)])


@dataclass(frozen=True)
class ImageSpec:
    """The shape of the images: channels (1 grey, 3 colour), side in pixels, number of classes (0: unlabelled).

    For generators whose input is images: `scale` is how many times smaller their input is, `masked` whether a mask
    comes with it, and `turned` whether images may be rotated and mirrored.
    """

    channels: int
    size: int
    classes: int = 0
    scale: int = 1
    masked: bool = False
    turned: bool = False
    noun: ClassVar[str] = "images"
    shown_as: ClassVar[str] = "Picture"

    @classmethod
    def from_dict(cls, values: Any) -> ImageSpec:
        """The shape in a model's card; missing entries keep their defaults.

        Raises:
            UserError: an entry is unknown, missing, of the wrong type or out of range.
        """
        if not isinstance(values, dict):
            raise UserError("'spec' is not a group of entries.")
        known = {field.name for field in dataclasses.fields(cls)}
        odd = [str(name)[:40] for name in values if name not in known]
        lacking = [name for name in ("channels", "size") if name not in values]
        if odd or lacking:
            raise UserError(f"'spec' has no {lacking[0]}." if lacking else f"'spec' has an unknown entry '{odd[0]}'.")
        for name, value in values.items():
            low, high = LIMITS.get(name, (False, True))
            if type(value) is not type(low) or not low <= value <= high:
                raise UserError(f"'spec' has {name}={str(value)[:40]}; it must be {low} to {high}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)

    def zeros(self, count: int) -> Tensor:
        """Grey images, float [count, C, H, W]."""
        return torch.zeros(count, self.channels, self.size, self.size)

    def settings(self) -> dict[str, int]:
        """The setting that makes images large."""
        return {"size": self.size}

    @property
    def colours(self) -> str:
        """What the channels are, in words."""
        names = {1: "grey", 3: "colour", 4: "colour with transparency"}
        return names.get(self.channels, f"{self.channels} channels")

    def words(self) -> str:
        """Size and colours: '28x28 grey'."""
        return f"{self.size}x{self.size} {self.colours}"

    def ladder(self) -> list[int]:
        """The sides of a network's maps, from the smallest (4 to 7 pixels) to the image, each twice the one before.

        Raises:
            UserError: the size is not 4, 5, 6 or 7 times a power of two, or is below 8.
        """
        sides = [self.size]
        while sides[0] > 7 and sides[0] % 2 == 0:
            sides.insert(0, sides[0] // 2)
        if not 4 <= sides[0] <= 7 or len(sides) < 2:
            raise UserError(
                "This network draws sizes that are 4, 5, 6 or 7 times a power of two (28, 32, 48, 64, 96, 128, 256 "
                f"...); the images have {self.size} pixels. Choose size=64, or another of these."
            )
        return sides
