"""Greys of more than 8 bits: one range of values for a whole set, which becomes 0 to 255."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import replace
from typing import Any

from ganvas.images import decode
from ganvas.images.data.checks import Packing
from ganvas.images.data.listing import Listing, mapped
from ganvas.images.decode import Seen, Shape, Unreadable

CHUNK = 32  # pictures that a thread looks at


def measured(listing: Listing, shape: Shape) -> Generator[Packing, None, tuple[Shape, tuple[str, ...]]]:
    """The shape with the range of the set's wide pictures, all of which are looked at, and what is to be said of it.

    Nothing is read where the shape has a depth.
    """
    if shape.depth is not None:
        return shape, ()
    seen, done, total = Seen(), 0, len(listing.names)
    chunks = [range(i, min(i + CHUNK, total)) for i in range(0, total, CHUNK)]
    for part in mapped(listing, chunks, _seen):
        seen.join(part)
        done = min(total, done + CHUNK)
        yield Packing(done, total, "Looking at the range of values")
    told = [f"values of {words} became 0 to 255" for words in seen.told()]
    note = f"{seen.pictures:,} pictures have more than 8 bits a pixel: {', '.join(told)}."
    return replace(shape, depth=seen.depth), (note,) if told else ()


def _seen(numbers: range, found: Collection[Any]) -> Seen:
    seen = Seen()
    for data in found:
        for one in data if isinstance(data, tuple) else (data,):  # a picture, perhaps with its twin
            try:
                seen.add(decode.opened(one))
            except Unreadable:  # it is left out when it is read
                continue
    return seen
