"""What pictures there are: the files of a folder or of an archive, which are test images, and how to read them."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from ganvas import files
from ganvas.data import archives, labelling
from ganvas.errors import UserError
from ganvas.files import cannot
from ganvas.fitting import BYTES, SUFFIXES

TRAIN = ("train", "training")
TEST = ("test", "testing", "valid", "val", "validation", "eval")
HELD = 200_000_000  # bytes of pictures' files that are in memory at a time, but for one that has more by itself
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
T = TypeVar("T")
Read = Callable[[Sequence[int]], Iterator[bytes | np.ndarray | Exception]]


@dataclass(frozen=True)
class Listing:
    """Pictures that wait to be read: names, and of each a text that changes when it does.

    `read(numbers)` gives the bytes of these pictures (or arrays uint8 [C, H, W]), or why one cannot be read.
    `labels`: the name of each one's class; `tests`: which are test images (None: those that are held out are chosen by
    content); `notes`: what the user should know.
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
    others: tuple[tuple[str, int], ...] = ()  # suffixes of files that are no pictures, with counts


def spread(listing: Listing, most: int) -> list[int]:
    """Numbers of up to `most` pictures, evenly spread over the listing."""
    total = len(listing.names)
    return sorted({i * total // min(most, total) for i in range(min(most, total))})


def mapped(listing: Listing, chunks: Sequence[range], work: Callable[[range, Collection[Any]], T]) -> Iterator[T]:
    """What `work` makes of each chunk of pictures, given their numbers and what `read` gave, in order.

    The files are read here, one after the other, and worked on in threads: Pillow lets go of Python's lock while it
    decodes and scales. Of pictures so large that a chunk has more than HELD bytes one is held at a time.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[tuple[Future[T], int]] = deque()
    with ThreadPoolExecutor(workers, "ganvas-pictures") as pool:
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
    """What was read of a chunk, to be gone through once; beyond HELD bytes the rest is read when its turn comes."""

    def __init__(self, reading: Iterator[Any], count: int) -> None:
        self.reading, self.count, self.size, self.held = reading, count, 0, deque[Any]()
        while self.size <= HELD and len(self.held) < count:
            self.held.append(next(reading))
            self.size += _bytes(self.held[-1])

    @property
    def whole(self) -> bool:
        """Is all of it in memory, so that another thread may go through it?"""
        return len(self.held) == self.count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.count):
            yield self.held.popleft() if self.held else next(self.reading)

    def __contains__(self, item: object) -> bool:
        raise NotImplementedError("it can be gone through only once")


def _bytes(found: Any) -> int:
    if isinstance(found, tuple):  # a picture and its twin
        return sum(map(_bytes, found))
    return found.nbytes if isinstance(found, np.ndarray) else len(found) if isinstance(found, bytes) else 0


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def bare_name(path: Path) -> str:
    """The name of a folder or file of pictures, without the ending that says how it is packed."""
    endings = (*ARCHIVES, ".npz", ".npy")
    return next((path.name[: -len(e)] for e in endings if path.name.lower().endswith(e)), path.name)


def find(path: Path, labelled: bool = True) -> Listing:
    """The pictures in a folder or in an archive; nothing is written to disk.

    Args:
        labelled: look for classes.

    Raises:
        UserError: there are none, the archive is damaged, or labels do not fit the files.
    """
    opener = _folder if path.is_dir() else archives.of_zip if path.name.lower().endswith(".zip") else archives.of_tar
    members, read = opener(path)
    kept = {n: s for n, s in members.items() if not any(p[:1] == "." or p == "__MACOSX" for p in n.split("/"))}
    names = [n for n in kept if PurePosixPath(n).suffix.lower() in SUFFIXES]
    others = Counter(PurePosixPath(n).suffix.lower() or "(none)" for n in kept)
    for suffix in SUFFIXES:
        others.pop(suffix, None)
    if not names:
        seen = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(8)) or "nothing"
        raise UserError(f"{path} holds no pictures: it has {seen}. Pictures end in {', '.join(sorted(SUFFIXES))}.")

    def by_number(numbers: Sequence[int]) -> Iterator[bytes | np.ndarray | Exception]:
        return read([names[i] for i in numbers])

    found = Listing(
        bare_name(path.resolve()),
        str(path),
        names,
        [kept[n] for n in names],
        by_number,
        others=tuple(sorted(others.items())),
    )
    return _arranged(found, {n: read for n in kept if labelling.is_table(n)}, labelled)


def _arranged(
    found: Listing, tables: dict[str, Callable[[list[str]], Iterator[bytes | Exception]]], labelled: bool
) -> Listing:
    """Split and classes, from tables of labels where there are some, else from the folders."""
    parts = [n.split("/") for n in found.names]
    while all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:  # a folder around everything
        parts = [p[1:] for p in parts]
    tops = {p[0].lower() if len(p) > 1 else "" for p in parts}
    tests = None
    if tops <= {*TRAIN, *TEST} and tops & {*TRAIN}:
        tests = [p[0].lower() in TEST for p in parts] if tops & {*TEST} else None
        parts = [p[1:] for p in parts]
    found = replace(found, tests=tests)
    if not labelled:
        return found
    if tables:
        return replace(found, labels=labelling.from_tables(found.place, found.names, tables))
    folders = {p[0] for p in parts if len(p) > 1}
    loose = sum(len(p) == 1 for p in parts)
    if len(folders) < 2:
        return found
    if loose:
        note = (
            f"{loose:,} pictures lie beside the folders of classes in {found.place}: the labels are left out. Move "
            "these pictures into a folder of their class."
        )
        return replace(found, notes=(note,))
    labelling.check_names(found.place, folders)
    return replace(found, labels=[p[0] for p in parts])


def _folder(path: Path) -> tuple[dict[str, str], Callable[[list[str]], Iterator[bytes | Exception]]]:
    members: dict[str, str] = {}

    def fail(error: OSError) -> None:
        raise cannot("read", Path(error.filename or path), error) from error

    for place, folders, inside in os.walk(path, onerror=fail):
        folders[:] = sorted(f for f in folders if f[:1] != "." and f != "__MACOSX")
        below = os.path.relpath(place, path).replace(os.sep, "/")
        for name in sorted(inside):
            try:
                state = os.stat(os.path.join(place, name))
            except FileNotFoundError:  # a link to nowhere
                continue
            except OSError as error:
                fail(error)
                raise
            members[name if below == "." else f"{below}/{name}"] = f"{state.st_size} {state.st_mtime_ns}"

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:
            try:
                yield files.read_bytes(path / name, BYTES)
            except UserError as error:
                yield error

    return members, read
