"""Listings of files: those of a folder or an archive, their classes and splits, and how to read them."""

from __future__ import annotations

import contextlib
import itertools
import os
import tarfile
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.processes import cores
from ganvas.core.text import one_line
from ganvas.sources import archives, folders, layout
from ganvas.sources import labels as labelling
from ganvas.sources.archives import Reading
from ganvas.sources.folders import Walk, stamp
from ganvas.sources.kind import Kind, suffix
from ganvas.sources.label_tables import Unclear
from ganvas.sources.labels import Stated

HELD = 200_000_000  # bytes of files in memory at a time, unless a single one has more
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LOOKED = 1_000  # names in a folder or an archive that are looked at to tell what it is
T = TypeVar("T")
Read = Callable[[Sequence[int]], Iterator[bytes | np.ndarray | Exception]]


@dataclass(frozen=True)
class Listing:
    """Files that are not read yet: their names, and for each a text (`stamps`) that changes when the file does.

    `read(numbers)` gives the bytes of these files (or arrays), or the error why one cannot be read.
    `labels` are the names of their classes; `tests` says which are for testing (None: held-out ones are chosen by
    content); `notes` are for the user.
    """

    name: str
    place: str
    names: list[str]
    stamps: list[str]
    read: Read
    labels: list[str] | None = None
    tests: list[bool] | None = None
    notes: tuple[str, ...] = ()
    licence: str = "not stated"
    other_suffixes: tuple[tuple[str, int], ...] = ()  # suffixes of files of other kinds, with counts
    origin: str = ""  # their place, for an archive also its stamp; '' where the stamps identify them


def spread(listing: Listing, most: int) -> list[int]:
    """Numbers of up to `most` files, spread evenly over the listing."""
    total = len(listing.names)
    return sorted({i * total // min(most, total) for i in range(min(most, total))})


def mapped(listing: Listing, chunks: Sequence[range], work: Callable[[range, Collection[Any]], T]) -> Iterator[T]:
    """The results of `work` for each chunk of files, in order; it gets their numbers and what `read` gave.

    The files are read here, one after the other, and processed in threads: decoders release Python's lock. If a chunk
    has more than HELD bytes, only one file at a time is in memory.
    """
    workers = cores()
    waiting: deque[tuple[Future[T], int]] = deque()
    with ThreadPoolExecutor(workers, "ganvas-files") as pool:
        try:
            for numbers in chunks:
                chunk = OneByOne(listing.read(numbers), len(numbers))
                while waiting and (len(waiting) > workers or sum(size for _, size in waiting) + chunk.size > HELD):
                    yield waiting.popleft()[0].result()
                if chunk.whole:
                    waiting.append((pool.submit(work, numbers, chunk), chunk.size))
                else:
                    yield work(numbers, chunk)
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(cancel_futures=True)


class OneByOne(Collection[Any]):
    """The files of a chunk, to be iterated once; beyond HELD bytes they are read only when they are needed."""

    def __init__(self, reading: Iterator[Any], count: int) -> None:
        self.reading, self.count, self.size, self.held = reading, count, 0, deque[Any]()
        while self.size <= HELD and len(self.held) < count:
            self.held.append(next(reading))
            self.size += _bytes(self.held[-1])

    @property
    def whole(self) -> bool:
        """Is all of it in memory, so that another thread can iterate it?"""
        return len(self.held) == self.count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.count):
            yield self.held.popleft() if self.held else next(self.reading)

    def __contains__(self, item: object) -> bool:
        raise NotImplementedError("it can only be iterated once")


def _bytes(content: Any) -> int:
    if isinstance(content, tuple):  # a pair
        return sum(map(_bytes, content))
    return content.nbytes if isinstance(content, np.ndarray) else len(content) if isinstance(content, bytes) else 0


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def bare_name(path: Path) -> str:
    """The name of a folder or file of files, without the suffix of an archive or array file."""
    endings = (*ARCHIVES, ".npz", ".npy")
    return next((path.name[: -len(e)] for e in endings if path.name.lower().endswith(e)), path.name)


@dataclass(frozen=True)
class Inside:
    """What is in a folder or an archive, before anything is made of it.

    members: every name, and a text that changes when the file does; kept: the names that no system left behind;
    wanted: those of the kind, one at least; folders: of a folder, all folders below it; notes: for the user.
    """

    members: dict[str, str]
    read: Reading
    kept: list[str]
    wanted: list[str]
    folders: list[str]
    notes: list[str]
    other_suffixes: Counter[str]


def look(path: Path, kind: Kind) -> Inside:
    """What is in a folder or an archive.

    Raises:
        UserError: no file of the kind, or the archive is damaged, or a folder cannot be read.
    """
    if path.is_dir():
        members, read, walk = folders.of_folder(path, kind)
    else:
        members, read = (archives.of_zip if path.name.lower().endswith(".zip") else archives.of_tar)(path, kind)
        walk = Walk()
    litter = {name: layout.litter_in(name) for name in members}
    kept = [name for name in members if not litter[name]]
    wanted = [name for name in kept if kind.has(name)]
    walk.litter += [part for name, part in litter.items() if part and kind.has(name)]
    notes, other_suffixes = layout.of_kinds(
        Counter(one_line(suffix(n)) or "(none)" for n in kept if not kind.has(n)), kind
    )
    if not wanted:
        raise _nothing(path, kind, other_suffixes, notes)
    notes = [*layout.of_litter(walk.litter), *notes, *walk.notes()]
    return Inside(members, read, kept, wanted, walk.folders, notes, other_suffixes)


def tables_in(inside: Inside) -> tuple[dict[str, Reading], list[str]]:
    """The files that may be tables of labels, each with the function that reads it, and a note on those too large."""
    named = [name for name in inside.kept if labelling.is_table(name)]
    tables = {name: inside.read for name in named if _size(inside.members[name]) <= labelling.LARGEST}
    large = layout.some(name for name in named if name not in tables)
    return tables, [f"Too large for tables of labels, so skipped: {large}."] if large else []


def find(path: Path, kind: Kind, labelled: bool = True) -> Listing:
    """The files of a kind in a folder or an archive; nothing is written to disk.

    Args:
        labelled: look for classes.

    Raises:
        UserError: there are none, the archive is damaged, or labels do not fit the files.
    """
    inside = look(path, kind)
    members, read, wanted, other_suffixes = inside.members, inside.read, inside.wanted, inside.other_suffixes
    used, tests, parts, beside = layout.split(wanted, kind)
    names = [wanted[i] for i in used]
    notes = [*beside, *inside.notes]
    labels: list[str] | None = None
    if labelled:
        tables, more = tables_in(inside)
        notes += more
        stated = _stated(path, kind, names, tables, {*wanted} - {*names}, tests, parts, inside.folders)
        notes += stated.notes
        other_suffixes = other_suffixes - Counter(map(suffix, stated.tables))
        names = [name for name, label in zip(names, stated.labels or names, strict=True) if label is not None]
        if stated.labels:
            labels = [label for label in stated.labels if label is not None]
            tests = tests if len(labels) == len(stated.labels) else None

    def by_number(numbers: Sequence[int]) -> Iterator[bytes | np.ndarray | Exception]:
        return read([names[i] for i in numbers])

    return Listing(
        bare_name(path.resolve()),
        str(path),
        names,
        [members[n] for n in names],
        by_number,
        labels,
        tests,
        tuple(notes),
        other_suffixes=tuple(sorted(other_suffixes.items())),
        origin=f"{path.resolve()} {'' if path.is_dir() else stamp(path.stat())}",
    )


def seems(path: Path, kind: Kind) -> bool:
    """Is there a file of this kind among the first names in a folder or an archive? Not if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, tarfile.TarError, zipfile.BadZipFile):
        return any(map(kind.has, itertools.islice(_names_in(path), LOOKED)))
    return False


def _names_in(path: Path) -> Iterator[str]:
    """The names of the files in a folder, with its folders, or in an archive."""
    if path.is_dir():
        for _, _, names in os.walk(path):
            yield from names
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as file:
            yield from file.namelist()
    else:
        with tarfile.open(path) as file:
            yield from (member.name for member in file)


def _nothing(path: Path, kind: Kind, other_suffixes: Counter[str], kind_notes: list[str]) -> UserError:
    if other_suffixes["(none)"] > 1 and other_suffixes["(none)"] == max(other_suffixes.values()):
        how = f"{kind.noun.capitalize()} are recognised by their file suffix: add it, such as {kind.examples}."
        kind_notes = [*kind_notes, how]
    seen = ", ".join(f"{count} {suffix}" for suffix, count in other_suffixes.most_common(8)) or "nothing"
    seen = f": it has {seen}" if other_suffixes or not kind_notes else ""
    endings = f"{kind.noun.capitalize()} end in {', '.join(sorted(kind.suffixes))}."
    return UserError(" ".join([f"{path} holds no {kind.noun}{seen}. {endings}", *kind_notes]))


def _stated(
    path: Path,
    kind: Kind,
    names: list[str],
    tables: dict[str, Reading],
    beside: set[str],
    tests: list[bool] | None,
    parts: list[list[str]],
    folders: list[str],
) -> Stated:
    """The classes, from tables if there are some, else from the folders."""
    notes: list[str] = []
    unclear: Unclear | None = None
    try:
        stated = labelling.from_tables(str(path), kind, names, tables, beside, tests)
        if stated.labels is not None:
            return stated
        notes = stated.notes
    except Unclear as error:
        unclear = error
    labels, more = layout.classes(str(path), parts, kind)
    if unclear is not None:
        if labels is None:
            raise unclear
        notes = [f"Skipped, because the folders name the classes: {unclear}"]
    if labels is None:
        return Stated(None, [*more, *notes], [])
    return Stated([*labels], [*more, *notes, *layout.empty_classes(folders, names, parts, kind)], [])


def _size(stamp: str) -> int:
    """The size of a file in bytes, with which its stamp begins."""
    return int(stamp.partition(" ")[0])
