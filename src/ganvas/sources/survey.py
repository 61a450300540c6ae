"""Looking at the files of a data set one by one, for a check before a training; nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from ganvas.core.text import one_line
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing, mapped, spread

CHUNK = 32
Entry = TypeVar("Entry", bound=Any)  # a NamedTuple with a `number`


@dataclass
class Surveyed:
    """What was found; `looked` of `total` files were decoded, and all below `broken` is of these.

    Names are fit to be shown.
    """

    place: str
    total: int
    looked: int
    tests: int
    classes: dict[str, int]
    others: dict[str, int]
    broken: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, listing: Listing, looked: int) -> Self:
        """What the listing alone says."""
        classes = dict(Counter(map(one_line, listing.labels or [])))
        others = dict(listing.other_suffixes)
        return cls(listing.place, len(listing.names), looked, sum(listing.tests or []), classes, others)


def looked_at(
    listing: Listing, most: int, look: Callable[[range, Collection[Any]], list[Entry]], text: str
) -> Generator[Packing, None, list[Entry]]:
    """An entry for each of `most` files, spread evenly, or all: `look` makes those of some numbers and contents.

    Args:
        text: what is being done.
    """
    numbers, found = spread(listing, most), []
    chosen = replace(listing, read=lambda places: listing.read([numbers[i] for i in places]))
    chunks = [range(i, min(i + CHUNK, len(numbers))) for i in range(0, len(numbers), CHUNK)]
    for chunk in mapped(chosen, chunks, look):
        found += [entry._replace(number=numbers[entry.number]) for entry in chunk]
        yield Packing(len(found), len(numbers), text)
    return found
