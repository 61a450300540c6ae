"""IDX files, as MNIST, Fashion-MNIST, KMNIST and EMNIST come: `*-images-idx3-ubyte[.gz]` with labels beside them."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.files import cannot

NAMES = ("images-idx3-ubyte", "images.idx3-ubyte")  # both spellings are about
PORTION = 16_000_000  # bytes read at a time
MAPPING = 1_000_000  # bytes of a list of classes, at most


def read(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, raw or gzipped; no more of it than its head states is unpacked.

    Returns:
        uint8 array with the dimensions that the file states.

    Raises:
        UserError: the file is missing, cut short, not IDX of unsigned bytes, or larger than the memory.
    """
    with files.open_regular(path) as raw:
        try:
            stored = os.fstat(raw.fileno()).st_size
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if zipped else contextlib.nullcontext(raw) as file:
                return _array(path, cast(BinaryIO, file), stored)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{path} is damaged: its gzip stream ends early or is broken. Fetch it again.") from error
        except OSError as error:
            raise cannot("read", path, error) from error


def _array(path: Path, file: BinaryIO, stored: int) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:3] != b"\x00\x00\x08":
        raise UserError(f"{path} is no IDX file of unsigned bytes (its first bytes are {head.hex() or 'none'}).")
    rank = head[3]
    if not 1 <= rank <= 3:
        raise UserError(f"{path} has {rank} dimensions; labels have 1, images 3: [N, H, W], grey.")
    lengths = file.read(4 * rank)
    if len(lengths) < 4 * rank:
        raise UserError(f"{path} is cut short: its header says {rank} dimensions. Fetch it again.")
    shape = struct.unpack(f">{rank}I", lengths)
    total = math.prod(shape)
    files.check_unfolded(path, total, stored)
    values, done = np.empty(total, np.uint8), 0
    while done < total and (got := file.readinto(memoryview(values)[done : done + PORTION])):  # pyright: ignore
        done += got
    more = file.read(1)  # of a gzip stream: its checksum is looked at here
    if more or done < total:
        there = f"more than {total}" if more else done
        raise UserError(f"{path} is cut short or too long: {there} bytes for the shape {shape} it states.")
    return values.reshape(shape)


def find(source: Path) -> dict[str, tuple[Path, Path | None]]:
    """The sets of IDX files in a folder (or with a prefix, `folder/emnist-letters`).

    Returns:
        'train' and, where there is one, 'test': each (images, labels or None).

    Raises:
        UserError: there are none, or several sets to choose from.
    """
    folder, prefix = (source, "") if source.is_dir() else (source.parent, source.name)
    found: dict[str, dict[str, tuple[Path, Path | None]]] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise cannot("read", folder, error) from error
    for path in paths:
        stem = path.name.removesuffix(".gz")
        ending = next((n for n in NAMES if stem.endswith(n)), None)
        if ending is None or not path.name.startswith(prefix):
            continue
        start = stem.removesuffix(ending)  # 'train-', 't10k-', 'emnist-letters-train-'
        is_test = "train" not in start.lower() and any(word in start.lower() for word in ("t10k", "test"))
        split = "test" if is_test else "train"
        group = start.replace("train", "").replace("t10k", "").replace("test", "").strip("-_. ")
        found.setdefault(group, {}).setdefault(split, (path, _labels(folder, start, ending)))
    if not found and not source.exists():
        raise UserError(f"There is no file or folder {source}, and there are no IDX files whose names begin so.")
    if not found:
        raise UserError(
            f"There are no IDX files in {source}: Ganvas looks for train-images-idx3-ubyte and "
            "train-labels-idx1-ubyte, raw or .gz, as MNIST, Fashion-MNIST, KMNIST and EMNIST come."
        )
    if len(found) > 1:
        names = ", ".join(f"{folder / group}" for group in sorted(found))
        raise UserError(f"{source} holds {len(found)} sets. Choose one with --data: {names}.")
    (splits,) = found.values()
    if "train" not in splits:
        raise UserError(f"{source} has test images, but no training images (train-images-idx3-ubyte).")
    return splits


def _labels(folder: Path, start: str, ending: str) -> Path | None:
    name = start + ending.replace("images", "labels").replace("idx3", "idx1")
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def class_names(images: Path, labels: np.ndarray) -> dict[int, str]:
    """Label value -> class name; EMNIST brings a mapping of values to characters, other sets name them by number."""
    mapping = next(iter(sorted(images.parent.glob(images.name.split("-train-")[0] + "-mapping.txt"))), None)
    if mapping is None:
        return {int(v): str(int(v)) for v in np.unique(labels)}
    try:
        rows = (line.split() for line in files.read_bytes(mapping, MAPPING).decode().splitlines() if line.strip())
        names = {int(row[0]): chr(int(row[1])) for row in rows}
    except (ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{mapping} is damaged: its lines should be a label and a character's number.") from error
    return {int(v): names.get(int(v), str(int(v))) for v in np.unique(labels)}


def is_transposed(images: Path) -> bool:
    """EMNIST stores its images with rows and columns exchanged."""
    return images.name.lower().startswith("emnist")
