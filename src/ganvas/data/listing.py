"""What pictures there are: the files of a folder or of an archive, which are test images, and how to read them."""

from __future__ import annotations

import contextlib
import lzma
import os
import tarfile
import weakref
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from ganvas.data import labelling
from ganvas.errors import UserError
from ganvas.files import cannot
from ganvas.fitting import SUFFIXES

TRAIN = ("train", "training")
TEST = ("test", "testing", "valid", "val", "validation", "eval")
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


def mapped(listing: Listing, chunks: Sequence[range], work: Callable[[range, list[Any]], T]) -> Iterator[T]:
    """What `work` makes of each chunk of pictures, given their numbers and what `read` gave, in order.

    The files are read here, one after the other, and worked on in threads: Pillow lets go of Python's lock while it
    decodes and scales.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, "ganvas-pictures") as pool:
        try:
            for numbers in chunks:
                waiting.append(pool.submit(work, numbers, list(listing.read(numbers))))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def bare_name(path: Path) -> str:
    """The name of a folder or file of pictures, without the ending that says how it is packed."""
    endings = (*ARCHIVES, ".npz")
    return next((path.name[: -len(e)] for e in endings if path.name.lower().endswith(e)), path.name)


def find(path: Path, labelled: bool = True) -> Listing:
    """The pictures in a folder or in an archive; nothing is written to disk.

    Args:
        labelled: look for classes.

    Raises:
        UserError: there are none, the archive is damaged, or labels do not fit the files.
    """
    opener = _folder if path.is_dir() else _zip if path.name.lower().endswith(".zip") else _tar
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

    for place, folders, files in os.walk(path, onerror=fail):
        folders[:] = sorted(f for f in folders if f[:1] != "." and f != "__MACOSX")
        below = os.path.relpath(place, path).replace(os.sep, "/")
        for name in sorted(files):
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
                yield (path / name).read_bytes()
            except OSError as error:
                yield UserError(str(cannot("read", path / name, error)))

    return members, read


def _safe(path: Path, name: str) -> str:
    clean = name.replace("\\", "/").removeprefix("./")
    if clean.startswith("/") or ".." in clean.split("/") or clean[1:2] == ":":
        raise UserError(f"{path} has a member named '{name}', which points out of the archive: do not trust this file.")
    return clean


def _zip(path: Path) -> tuple[dict[str, str], Callable[[list[str]], Iterator[bytes | Exception]]]:
    try:
        file = zipfile.ZipFile(path)
        infos = {_safe(path, i.filename): i for i in file.infolist() if not i.is_dir()}
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is damaged, or no zip file ({error}). Fetch it again.") from error
    except OSError as error:
        raise cannot("read", path, error) from error
    if any(i.flag_bits & 1 for i in infos.values()):
        raise UserError(f"{path} is locked with a password. Unpack it, and name the folder.")

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:
            try:
                yield file.read(infos[name])
            except Exception as error:  # zipfile raises what its parts raise: BadZipFile, zlib.error, EOFError ...
                yield error

    return {name: f"{i.file_size} {i.CRC}" for name, i in infos.items()}, read


def _tar(path: Path) -> tuple[dict[str, str], Callable[[list[str]], Iterator[bytes | Exception]]]:
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tarfile.open(path))
            infos = {_safe(path, i.name): i for i in file.getmembers() if i.isfile()}
        except (tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise UserError(f"{path} is damaged, or no tar file ({error}). Fetch it again.") from error
        except OSError as error:
            if error.errno is None:  # what gzip says of a broken stream
                raise UserError(f"{path} is damaged ({error}). Fetch it again.") from error
            raise cannot("read", path, error) from error
        stack.pop_all()  # it stays open as long as someone may read

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:  # in the archive's order: a compressed one is read from its beginning once
            try:
                member = file.extractfile(infos[name])
                yield member.read() if member is not None else b""
            except Exception as error:  # see above
                yield error

    weakref.finalize(read, file.close)
    return {name: f"{i.size} {i.mtime}" for name, i in infos.items()}, read
