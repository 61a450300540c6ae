"""Listings of files: those of a folder or an archive, their classes and splits, and how to read them."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import tarfile
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.files import cannot
from ganvas.core.text import one_line
from ganvas.sources import archives, layout
from ganvas.sources import labels as labelling
from ganvas.sources.archives import Reading
from ganvas.sources.kind import Kind, suffix
from ganvas.sources.label_tables import Unclear
from ganvas.sources.labels import Stated

HELD = 200_000_000  # bytes of files in memory at a time, unless a single one has more
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LOOKED = 1_000  # names in a folder or an archive that are looked at to tell what it is
PEEKED = 200  # files of a litter folder that are examined
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
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
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
        raise NotImplementedError("it can be gone through only once")


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


def find(path: Path, kind: Kind, labelled: bool = True) -> Listing:
    """The files of a kind in a folder or an archive; nothing is written to disk.

    Args:
        labelled: look for classes.

    Raises:
        UserError: there are none, the archive is damaged, or labels do not fit the files.
    """
    if path.is_dir():
        members, read, walk = _folder(path, kind)
    else:
        members, read = (archives.of_zip if path.name.lower().endswith(".zip") else archives.of_tar)(path, kind)
        walk = Walk()
    litter = {name: layout.litter_in(name) for name in members}
    kept = [name for name in members if not litter[name]]
    wanted = [name for name in kept if kind.has(name)]
    walk.litter += [part for name, part in litter.items() if part and kind.has(name)]
    kind_notes, other_suffixes = layout.of_kinds(
        Counter(one_line(suffix(n)) or "(none)" for n in kept if not kind.has(n)), kind
    )
    if not wanted:
        raise _nothing(path, kind, other_suffixes, kind_notes)
    used, tests, parts, beside = layout.split(wanted, kind)
    names = [wanted[i] for i in used]
    notes = [*beside, *layout.of_litter(walk.litter), *kind_notes, *walk.notes()]
    labels: list[str] | None = None
    if labelled:
        tables = {n: read for n in kept if labelling.is_table(n) and _size(members[n]) <= labelling.LARGEST}
        large = layout.some(n for n in kept if labelling.is_table(n) and n not in tables)
        notes += [f"No tables of labels are as large as these, which are passed over: {large}."] if large else []
        stated = _stated(path, kind, names, tables, {*wanted} - {*names}, tests, parts, walk.folders)
        notes += stated.notes
        other_suffixes -= Counter(map(suffix, stated.tables))
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
        how = f"{kind.noun.capitalize()} are known by the ending of their names: add it, such as {kind.examples}."
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
        notes = [f"Passed over, since the folders name the classes: {unclear}"]
    if labels is None:
        return Stated(None, [*more, *notes], [])
    return Stated([*labels], [*more, *notes, *layout.empty_classes(folders, names, parts, kind)], [])


@dataclass
class Walk:
    """What was found in a folder: folders, litter with such files in it, links that are broken or lead back."""

    folders: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        notes = []
        if self.nowhere:
            notes.append(f"Links that lead nowhere are passed over: {layout.some(sorted(self.nowhere))}.")
        if self.again:
            notes.append(
                "Links to folders that are read already, or that lie around these, are passed over: "
                f"{layout.some(sorted(self.again))}."
            )
        return notes


def _size(stamp: str) -> int:
    """The size of a file in bytes, with which its stamp begins."""
    return int(stamp.partition(" ")[0])


def stamp(state: os.stat_result) -> str:
    """A text that changes if a file changes or is replaced, even by one of the same size and time."""
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


def _folder(path: Path, kind: Kind) -> tuple[dict[str, str], Reading, Walk]:
    """All files below a folder, following links to folders; each folder once."""
    members: dict[str, str] = {}
    walk = Walk()
    try:
        root = path.resolve()
        seen = {(s.st_dev, s.st_ino) for s in (os.stat(place) for place in (root, *root.parents))}
        waiting, linked = [""], deque[str]()
        while waiting or linked:
            below = waiting.pop() if waiting else linked.popleft()  # links last: a folder goes by its own name
            state = os.stat(path / below)
            if below and (state.st_dev, state.st_ino) in seen:
                walk.again.append(below)
                continue
            seen.add((state.st_dev, state.st_ino))
            walk.folders.append(below)
            with os.scandir(path / below) as entries:
                for entry in entries:
                    name = f"{below}/{entry.name}" if below else entry.name
                    if layout.is_litter(entry.name):
                        walk.litter += [entry.name] if _has_some(entry, kind) else []
                        continue
                    try:
                        state = entry.stat()
                    except OSError as error:  # a loop of links has no place either
                        if not entry.is_symlink() or error.errno not in (errno.ENOENT, errno.ELOOP):
                            raise
                        walk.nowhere.append(name)
                        continue
                    if not stat.S_ISDIR(state.st_mode):
                        members[name] = stamp(os.stat(entry.path) if os.name == "nt" else state)
                    elif entry.is_symlink():
                        linked.append(name)
                    else:
                        waiting.append(name)
    except OSError as error:
        raise cannot("read", Path(error.filename or path), error) from error

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:
            try:
                yield files.read_bytes(path / name, kind.most_bytes)
            except UserError as error:
                yield error

    return dict(sorted(members.items())), read, walk


def _has_some(entry: os.DirEntry[str], kind: Kind) -> bool:
    """Is there a file of the kind among the first files of this litter? Not if it cannot be read."""
    with contextlib.suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            return kind.has(entry.name)
        places = ((place, name) for place, _, names in os.walk(entry.path) for name in names)
        return any(kind.has(name) for _, name in itertools.islice(places, PEEKED))
    return False
