"""What kind of picture a network draws or judges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSpec:
    """The shape of the images: channels (1 grey, 3 colour), side in pixels, number of classes (0: unlabelled)."""

    channels: int
    size: int
    classes: int = 0
