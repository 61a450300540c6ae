"""IDX files, the format of MNIST, Fashion-MNIST, KMNIST and EMNIST: `*-images-idx3-ubyte[.gz]`, labels next to them."""

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
import torch
from torch import Tensor

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.files import cannot
from ganvas.images.data.dataset import ImageData, Split, fingerprint, hold_out

NAMES = ("images-idx3-ubyte", "images.idx3-ubyte")  # both spellings are common
PORTION = 16_000_000  # bytes read at a time
MAPPING = 1_000_000  # bytes of a list of classes, at most


def read(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, raw or gzipped; no more than its header states is unpacked.

    Returns:
        uint8 array of the shape that the header states.

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
        raise UserError(f"{path} is not an IDX file of unsigned bytes (its first bytes are {head.hex() or 'none'}).")
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
    more = file.read(1)  # of a gzip stream: this checks its checksum
    if more or done < total:
        actual = f"more than {total}" if more else done
        raise UserError(f"{path} is cut short or too long: {actual} bytes for the shape {shape} it states.")
    return values.reshape(shape)


def find(source: Path) -> dict[str, tuple[Path, Path | None]]:
    """The IDX files of one data set in a folder, or with a prefix such as `folder/emnist-letters`.

    Returns:
        'train' and, if there are test images, 'test': (path of the images, path of the labels or None).

    Raises:
        UserError: there are none, or those of several data sets.
    """
    folder, prefix = (source, "") if source.is_dir() else (source.parent, source.name)
    groups: dict[str, dict[str, tuple[Path, Path | None]]] = {}
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
        groups.setdefault(group, {}).setdefault(split, (path, _labels(folder, start, ending)))
    if not groups and not source.exists():
        raise UserError(f"There is no file or folder {source}, and no IDX file's name begins like that.")
    if not groups:
        raise UserError(
            f"There are no IDX files in {source}: Ganvas looks for train-images-idx3-ubyte and "
            "train-labels-idx1-ubyte, raw or .gz, the format of MNIST, Fashion-MNIST, KMNIST and EMNIST."
        )
    if len(groups) > 1:
        names = ", ".join(f"{folder / group}" for group in sorted(groups))
        raise UserError(f"{source} holds {len(groups)} sets. Choose one with --data: {names}.")
    (splits,) = groups.values()
    if "train" not in splits:
        raise UserError(f"{source} has test images, but no training images (train-images-idx3-ubyte).")
    return splits


def _labels(folder: Path, start: str, ending: str) -> Path | None:
    name = start + ending.replace("images", "labels").replace("idx3", "idx1")
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def class_names(images: Path, labels: np.ndarray) -> dict[int, str]:
    """The class name of each label: a character if EMNIST's mapping is next to the images, otherwise the number."""
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
    """Are rows and columns exchanged, as in EMNIST?"""
    return images.name.lower().startswith("emnist")


def data_set(path: Path, name: str, licence: str = "not stated") -> ImageData:
    """A data set of IDX files; if there are no test images, a tenth is held out, chosen by content.

    Args:
        path: a folder, or a prefix (see `find`).

    Raises:
        UserError: files are missing or damaged, or do not match.
    """
    splits = find(path)
    train = _split(*splits["train"])
    test = _split(*splits["test"]) if "test" in splits else None
    names: dict[int, str] = {}
    if test is not None and (train[1] is None) != (test[1] is None):
        raise UserError(
            f"{path}: only one of training and test images has labels; add the other labels' file, or remove these."
        )
    if train[1] is not None:
        names = class_names(splits["train"][0], train[1])
        train = (train[0], _renumber(train[1], names, path))
        if test is not None:
            test = (test[0], None if test[1] is None else _renumber(test[1], names, path))
    if test is None:
        train, test = hold_out(*train, place=str(path))
    elif test[0].shape[1:] != train[0].shape[1:]:
        raise UserError(f"{path}: training images are {train[0].shape[1:]}, test images {test[0].shape[1:]}.")
    digest = fingerprint(*train, *test)
    as_split = [Split(_tensor(i), None if y is None else torch.from_numpy(y)) for i, y in (train, test)]
    alone = splits["train"][0] if train[1] is None else None
    notes = () if alone is None else (f"There is no file of labels next to {alone}: these pictures have no classes.",)
    return ImageData(name, as_split[0], as_split[1], tuple(names.values()), digest, licence, notes)


def _split(images: Path, labels: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The images uint8 [N, H, W] and labels int64 [N] of two files."""
    pixels = read(images)
    if pixels.ndim != 3 or pixels.shape[1] != pixels.shape[2] or not len(pixels):
        raise UserError(f"{images} holds an array of shape {pixels.shape}; square images [N, H, H] are needed.")
    if is_transposed(images):
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
    if labels is None:
        return pixels, None
    values = read(labels)
    if values.shape != (len(pixels),):
        raise UserError(f"{labels} has labels of shape {values.shape} for {len(pixels)} images in {images.name}.")
    return pixels, values.astype(np.int64)


def _renumber(labels: np.ndarray, names: dict[int, str], path: Path) -> np.ndarray:
    """Labels of any values as 0..K-1, in the order of the values that have names."""
    values = np.array(sorted(names))
    index = np.searchsorted(values, labels).clip(max=len(values) - 1)
    if (values[index] != labels).any():
        raise UserError(f"{path}: the test images have labels that the training images do not have.")
    return index


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images[:, None]))
