"""Packs in the user's cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

from ganvas.core import cache
from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder
from ganvas.core.naming import safe
from ganvas.sources.checks import Packing

T = TypeVar("T")


def place_of(name: str, ending: str) -> Path:
    """The folder in the cache for a pack."""
    return cache_folder() / "packs" / f"{safe(name)}{ending}"


def cached(
    place: Path,
    size: int,
    write: Callable[[], Iterator[Packing]],
    read: Callable[[], Generator[Packing, None, T]],
    noun: str,
    anew: str,
    passed_on: type[UserError] | tuple[()] = (),
) -> Generator[Packing, None, tuple[T, list[str]]]:
    """Read a folder of the cache; it is made first if it is missing, and again if it is damaged.

    Args:
        size: bytes that it takes, 0 if that is not known.
        noun: what it holds: 'pictures'.
        anew: the end of errors of `read` which says that it must be made anew.
        passed_on: errors of `read` that say nothing against the folder.

    Returns:
        what `read` gave, and notes.
    """
    notes: list[str] = []
    if place.exists() or place.is_symlink():
        try:
            data = yield from read()
            cache.used(place)
            return data, []
        except passed_on:
            raise
        except UserError as error:
            why = str(error).removesuffix(anew).strip()
            notes.append(f"What the cache held of these {noun} could not be used and is made again: {why}")
            cache.remove(place, in_use=True)
    notes += cache.trim(place, size)
    yield from write()
    notes += cache.trim(place)
    return (yield from read()), notes
