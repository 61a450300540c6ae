"""NumPy files, .npz and .npy: the headers say which arrays they hold, and only the wanted ones are read."""

from __future__ import annotations

import contextlib
import math
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ganvas.core import files
from ganvas.core.errors import UserError, first_line
from ganvas.core.text import one_line
from ganvas.sources.archives import Bounded, check_list

SUFFIXES = (".npz", ".npy")
MEMBERS = 10_000  # arrays of a file, at most
LISTED = 16_000_000  # bytes of the list of a file's arrays, and of what NumPy reads at a time, at most
HEADER = 10_000  # bytes of the header of an array, at most


@dataclass(frozen=True)
class Member:
    """An array in a file, not read yet."""

    place: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{one_line(self.name)} {list(self.shape)}"

    @property
    def called(self) -> str:
        """A description of the array for errors and notes."""
        return f"{self.place}: '{one_line(self.name)}'"

    @property
    def key(self) -> str:
        """The name without case and separators: the same for 'X_train' and 'x-train'."""
        return re.sub(r"[^a-z0-9]", "", self.name.lower())

    def read(self) -> np.ndarray:
        """Read the array.

        Raises:
            UserError: it is damaged, larger than the memory, or holds Python objects.
        """
        if self.dtype.hasobject:
            raise UserError(
                f"{self.called} holds Python objects, which may run code when they are read. Save it as "
                "numbers: np.stack(list) makes one array of pictures of one size."
            )
        with _opened(self.place, self.name) as (file, _, stored):
            files.check_unfolded(self.place, math.prod(self.shape) * self.dtype.itemsize, stored)
            try:
                return np.lib.format.read_array(file, allow_pickle=False, max_header_size=HEADER)
            except Exception as error:  # numpy and zipfile pass on errors of any kind
                raise _damaged(self.place, error) from error


def is_numpy(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def members(place: Path) -> list[Member]:
    """The arrays of a file, from their headers.

    Raises:
        UserError: it cannot be read, or is damaged.
    """
    names = [place.stem]
    if not _is_npy(place):
        with _archive(place) as archive:
            names = [i.filename.removesuffix(".npy") for i in archive.infolist() if i.filename.endswith(".npy")]
            try:
                check_list(archive, [i for i in archive.infolist() if not i.filename.endswith(".npy")])
            except Exception as error:  # as in `Member.read`
                raise _damaged(place, error) from error
        if len(names) > MEMBERS:
            raise UserError(f"{place} holds {len(names):,} arrays; a file of pictures should have a few.")
    arrays = []
    for name in names:
        with _opened(place, name) as (file, size, _):
            try:
                shape, dtype = _head(file)
                needed = file.tell() + math.prod(shape) * dtype.itemsize
            except Exception as error:  # as in `Member.read`
                raise _damaged(place, error) from error
            if not dtype.hasobject and needed != size:
                raise _damaged(place, ValueError(f"'{one_line(name)}' states {needed:,} bytes and has {size:,}"))
        arrays.append(Member(place, name, shape, dtype))
    return arrays


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=HEADER)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file, max_header_size=HEADER)
    else:
        raise ValueError(f"an array of format {version[0]}.{version[1]}")
    return shape, dtype


@contextlib.contextmanager
def _archive(place: Path) -> Iterator[zipfile.ZipFile]:
    with files.open_regular(place) as raw:
        try:
            archive = zipfile.ZipFile(cast(IO[bytes], Bounded(raw, LISTED, "a picture")))
        except Exception as error:  # zipfile passes on errors of any kind
            raise _damaged(place, error) from error
        with archive:
            yield archive


@contextlib.contextmanager
def _opened(place: Path, name: str) -> Iterator[tuple[IO[bytes], int, int]]:
    """An array's bytes, their number, and the number of bytes that they take up on the disk."""
    if _is_npy(place):
        with files.open_regular(place) as file:
            size = os.fstat(file.fileno()).st_size
            yield file, size, size
        return
    with _archive(place) as archive:
        try:
            info = archive.getinfo(f"{name}.npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is packed in a way that NumPy does not use")
            file = archive.open(info)
        except Exception as error:  # as above
            raise _damaged(place, error) from error
        with file:
            yield file, info.file_size, info.compress_size


def _is_npy(place: Path) -> bool:
    return place.suffix.lower() == ".npy"


def _damaged(place: Path, error: Exception) -> UserError:
    return UserError(f"{place} cannot be read as an {place.suffix.lower()} file ({first_line(error)[:200]}).")
