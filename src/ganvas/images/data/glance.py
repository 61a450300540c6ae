"""A first look at pictures before a check or a training: how many there are, and of what size; few are opened."""

from __future__ import annotations

import contextlib

from ganvas.images import data, decode
from ganvas.images.data import pack
from ganvas.images.data.uses import Amount
from ganvas.images.decode import Shape, Unreadable
from ganvas.sources.listing import Listing, spread

OPENED = 200  # pictures, spread evenly, whose sizes are looked at


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


def _skipped(listing: Listing) -> list[str]:
    """A note on files that are not pictures."""
    others = ", ".join(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in listing.other_suffixes[:5])
    return [f"Files that are not pictures are skipped: {others}."] if others else []
