"""A first look at pictures before a check or a training: how many there are, and of what size; few are opened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.images import data, decode
from ganvas.images.data import pack
from ganvas.images.data.uses import Amount
from ganvas.images.decode import Shape, Unreadable
from ganvas.sources.listing import Listing, spread

OPENED = 200  # pictures, spread evenly, whose sizes are looked at
LOOKED = 50  # pictures, spread evenly, whose pixels are looked at
SIDE = 256  # pixels a side, at most, of what is looked at: the centre
BOXED = 0.9  # share of pictures with a box from which they are scanned digits (MNIST .998)
DRAWN = 0.4  # share of equal neighbours from which pictures are drawings (these .60 to .93, photographs .03 to .26)
PLAIN = 0.4  # share of equal neighbours, pairs of the commonest colour left out, from which areas are plain (.56, .88)


def glance(source: str) -> tuple[Amount, list[str]]:
    """How much there is to learn from, and what is to be said of the files, such as which are skipped.

    Args:
        source: what `ganvas.images.data.load` takes.

    Raises:
        UserError: there are no pictures, or their labels are wrong.
    """
    listing = data.listed(source)
    sizes = []
    for content in listing.read(spread(listing, OPENED)):
        with contextlib.suppress(Unreadable):
            sizes.append(decode.opened(content).size)
    shape = pack.resolve(listing, Shape())
    classes = len(set(listing.labels or ()))
    return Amount(len(listing.names), sizes, shape.size, shape.channels, classes), [*listing.notes, *_skipped(listing)]


def equal_neighbours(source: str) -> float | None:
    """The mean share of pixels that are equal to their right neighbour, 0 to 1: high in drawings, low in photographs.

    None: the pictures cannot be read; whoever loads them says why.

    Args:
        source: what `ganvas.images.data.load` takes.
    """
    return _mean(source, _equal)


def plain(source: str) -> float | None:
    """`equal_neighbours` without pairs of a picture's commonest colour: is there more that is plain than a background?

    None: the pictures cannot be read; whoever loads them says why.

    Args:
        source: what `ganvas.images.data.load` takes.
    """
    return _mean(source, _plain)


def boxed(source: str, size: int, box: int) -> float | None:
    """The share of grey pictures of `size` pixels on black whose contents are exactly `box` pixels wide or high.

    None: the pictures cannot be read; whoever loads them says why.

    Args:
        source: what `ganvas.images.data.load` takes.
    """

    def is_boxed(picture: Image.Image) -> bool:
        if picture.mode != "L" or picture.size != (size, size):
            return False
        left, top, right, bottom = picture.getbbox() or (0, 0, 0, 0)
        return max(right - left, bottom - top) == box

    return _mean(source, is_boxed)


def _mean(source: str, measure: Callable[[Image.Image], float]) -> float | None:
    """The mean of what a few pictures measure."""
    found = []
    with contextlib.suppress(UserError):
        listing = data.listed(source)
        for content in listing.read(spread(listing, LOOKED)):
            with contextlib.suppress(Unreadable, OSError, ValueError):
                found.append(measure(decode.opened(content)))
    return float(np.mean(found)) if found else None


def _equal(picture: Image.Image) -> float:
    pixels = _pixels(picture)
    return float((pixels[:, 1:] == pixels[:, :-1]).all(2).mean()) if pixels.shape[1] > 1 else 1.0


def _plain(picture: Image.Image) -> float:
    pixels = _pixels(picture)
    numbers = (pixels.view(np.uint32) if pixels.dtype == np.uint8 else pixels)[:, :, 0]  # one for each colour
    colours, counts = np.unique(numbers, return_counts=True)
    commonest, left, right = colours[counts.argmax()], numbers[:, :-1], numbers[:, 1:]
    beside = (left != commonest) | (right != commonest)
    return float((left == right)[beside].mean()) if beside.any() else 1.0


def _pixels(picture: Image.Image) -> np.ndarray:
    """The centre of a picture, [height, width, 4] of 8 bits or [height, width, 1] of more."""
    left, top = (max(0, (side - SIDE) // 2) for side in picture.size)
    part = picture.crop((left, top, min(picture.width, left + SIDE), min(picture.height, top + SIDE)))
    if not decode.is_wide(picture):  # Pillow would clip at 255
        part = part.convert("RGBA").convert("RGBa")  # the colour of what cannot be seen does not count
    return np.atleast_3d(np.asarray(part))


def _skipped(listing: Listing) -> list[str]:
    """A note on files that are not pictures."""
    others = ", ".join(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in listing.other_suffixes[:5])
    return [f"Files that are not pictures are skipped: {others}."] if others else []
