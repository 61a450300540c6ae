"""Checks that the samples on the disk are the ones that were written; only changed files are read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.core.checkpoint import Damaged
from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder, make_folder, parse_json, read_bytes, write_whole
from ganvas.core.progress import Counted

CARD = 1_000_000_000  # bytes of a card, at most
KEPT = 1_000  # folders whose last check is remembered
PORTION = 4_000_000  # bytes that are checked at a time, about


@dataclass(frozen=True)
class Packing(Counted):
    """How many samples of a pack are done; `text` says what is being done."""


def digest(sample: np.ndarray) -> bytes:
    """The digest of a sample as it is stored, contiguous uint8: 16 bytes."""
    return hashlib.blake2b(sample.data, digest_size=16).digest()


def card(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        Damaged: there is none.
        UserError: it cannot be read.
    """
    if not path.is_file():
        raise Damaged(f"{path} is missing.")
    try:
        value = parse_json(read_bytes(path, CARD))
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error}).") from error
    if not isinstance(value, dict):
        raise Damaged(f"{path} is damaged: it holds no JSON object.")
    return value


def fields(card: dict[str, Any], types: dict[str, type], texts: Sequence[str]) -> None:
    """Raise a ValueError if a card lacks a field or has one of another type; `texts`: lists of strings."""
    for name, expected in types.items():
        if type(card.get(name)) is not expected:
            raise ValueError(f"its '{name}' is {str(card.get(name))[:40]!r}")
    for name in texts:
        if not isinstance(card.get(name), list) or not all(isinstance(text, str) for text in card[name]):
            raise ValueError(f"its '{name}' is not a list of texts")


def is_due(place: Path, names: Sequence[str]) -> bool:
    """Have these files in a folder changed since their last check, or were they never checked?"""
    return _remembered().get(str(place.resolve())) != _state(place, names)


def remember(place: Path, names: Sequence[str]) -> None:
    """Record that these files are intact."""
    _keep(place, _state(place, names))


def _keep(place: Path, state: list[list[Any]]) -> None:
    """Record the state of checked files; if the cache cannot be written, they are checked each time."""
    kept = {folder: state for folder, state in _remembered().items() if os.path.isdir(folder)}
    kept.pop(str(place.resolve()), None)
    kept = dict([*kept.items(), (str(place.resolve()), state)][-KEPT:])
    with contextlib.suppress(UserError):
        make_folder(cache_folder())
        write_whole(cache_folder() / "checked.json", json.dumps(kept))


def _remembered() -> dict[str, Any]:
    with contextlib.suppress(UserError, ValueError):
        states = parse_json(read_bytes(cache_folder() / "checked.json", CARD))
        return states if isinstance(states, dict) else {}
    return {}


def _state(place: Path, names: Sequence[str]) -> list[list[Any]]:
    states = [(name, os.stat(place / name)) for name in names]
    return [[name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for name, s in states]


def check(
    place: Path,
    names: Sequence[str],
    each: int,
    digests: Sequence[bytes] | np.ndarray,
    stored: Callable[[range], list[np.ndarray]],
    what: str,
    singular: str,
) -> Iterator[Packing]:
    """Compare all samples with their digests, unless the files are unchanged since the last check.

    This reads about 1 GB a second per core (blake2b), if the disk is as fast.

    Args:
        names: of the files that may have changed.
        digests: of each sample, 16 bytes.
        each: bytes of a sample, about.
        stored: gives some samples, contiguous uint8.
        what, singular: what is stored of each, and the name of one, for messages.

    Raises:
        Damaged: some have changed.
    """
    if not is_due(place, names):
        return
    state = _state(place, names)
    total, portion = len(digests), max(1, PORTION // each)

    def first_wrong(numbers: range) -> int:
        return next((i for i, x in zip(numbers, stored(numbers), strict=True) if digest(x) != bytes(digests[i])), -1)

    with ThreadPoolExecutor(os.cpu_count() or 1, "ganvas-checks") as pool:
        try:
            portions = [range(start, min(start + portion, total)) for start in range(0, total, portion)]
            for numbers, wrong in zip(portions, pool.map(first_wrong, portions), strict=True):
                if wrong >= 0:
                    raise Damaged(
                        f"{place} is damaged: the {what} of {singular} {wrong + 1:,} of {total:,} were changed."
                    )
                yield Packing(numbers.stop, total, f"Checking the {what}, since their files are new or have changed")
        finally:
            pool.shutdown(cancel_futures=True)
    _keep(place, state)
