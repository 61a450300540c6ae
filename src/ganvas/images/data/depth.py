"""Greys of more than 8 bits: one range of values for the whole data set becomes 0 to 255."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import replace
from typing import Any

from ganvas.core.text import counted
from ganvas.images import decode
from ganvas.images.decode import Seen, Shape, Unreadable
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing, mapped

CHUNK = 32  # images per thread at a time


def measured(listing: Listing, shape: Shape) -> Generator[Packing, None, tuple[Shape, tuple[str, ...]]]:
    """The shape with the range of all images of more than 8 bits, and notes on it; yields how far it is.

    Nothing is read if the shape has a depth already.
    """
    if shape.depth is not None:
        return shape, ()
    seen, done, total = Seen(), 0, len(listing.names)
    chunks = [range(i, min(i + CHUNK, total)) for i in range(0, total, CHUNK)]
    for part in mapped(listing, chunks, _seen):
        seen.join(part)
        done = min(total, done + CHUNK)
        yield Packing(done, total, "Looking at the range of values")
    ranges = [f"values of {text} became 0 to 255" for text in seen.summary()]
    note = f"{counted(seen.pictures, 'picture has', 'pictures have')} more than 8 bits a pixel: {', '.join(ranges)}."
    return replace(shape, depth=seen.depth), (note,) if ranges else ()


def _seen(numbers: range, images: Collection[Any]) -> Seen:
    seen = Seen()
    for data in images:
        for one in data if isinstance(data, tuple) else (data,):  # an image, or a pair
            try:
                seen.add(decode.opened(one))
            except Unreadable:  # left out when it is read
                continue
    return seen
