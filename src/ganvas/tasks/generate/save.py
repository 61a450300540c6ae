"""Save many pictures, a portion at a time: a folder or zip of PNGs (one sub-folder per class), .npz, or IDX files.

Everything is written under a temporary name and then renamed, so that nothing half-written is left after a stop.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.files import cannot, check_folder, check_free, make_folder, part_of
from ganvas.core.naming import apart
from ganvas.images import sheets
from ganvas.images import tensors as im
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.model import Model

OUR_NAMES = re.compile(r"seed-?\d+(-\d+)?\.png")  # names of the pictures that are written to a folder here


@dataclass(frozen=True)
class Portion:
    """Pictures uint8 [n, C, H, W], their class numbers [n] (None: no classes), and their seeds."""

    images: Tensor
    labels: Tensor | None
    seeds: Sequence[int]


def portions(
    model: Model,
    numbers: Sequence[int],
    classes: int | str | Sequence[int | str] | None = None,
    truncation: float | None = None,
) -> Iterator[Portion]:
    """A model's pictures of these seeds, a portion at a time; see `Model.draw`."""
    labels, start = model.labels(classes, len(numbers)), 0
    for pictures in model.draw(numbers, classes, truncation):
        end = start + len(pictures)
        yield Portion(im.to_uint8(pictures), None if labels is None else labels[start:end], numbers[start:end])
        start = end


Add = Callable[[Portion], None]


def check(path: Path, spec: ImageSpec, force: bool = False) -> None:
    """Check that pictures can be saved there; called before any are generated.

    Args:
        force: see `save`.

    Raises:
        UserError: the form cannot hold such pictures, or something is there already.
    """
    form = _form(path, spec)
    if form is not _folder:
        check_free(*([path, _labels_beside(path)] if form is _idx and spec.classes else [path]), force=force)
    else:
        check_folder(path, OUR_NAMES, force)


def save(
    path: Path,
    portions: Iterable[Portion],
    count: int,
    spec: ImageSpec,
    class_names: Sequence[str],
    force: bool = False,
) -> Iterator[int]:
    """Write pictures as they come, in the form that the name implies; yields how many are written so far.

    Args:
        path: `NAME.npz`, `NAME.zip`, `train-images-idx3-ubyte[.gz]` (labels beside it); other names: a new folder.
        count: number of pictures in all portions.
        force: overwrite an existing file, and replace a folder that holds only pictures saved by an earlier call.

    Raises:
        UserError: the path is taken, the form cannot hold such pictures, or writing failed; nothing is left behind.
    """
    check(path, spec, force)
    form = _form(path, spec)
    make_folder(path.parent)
    try:
        with ExitStack() as stack:
            outputs = [(stack.enter_context(part_of(path, folder=form is _folder)), path)]
            if form is _idx and spec.classes:
                outputs.append((stack.enter_context(part_of(_labels_beside(path))), _labels_beside(path)))
            done = 0
            with form([part for part, _ in outputs], count, spec, class_names) as add:
                for portion in portions:
                    add(portion)
                    done += len(portion.images)
                    yield done
            for part, final in outputs:
                if part.is_dir() and final.is_dir():
                    shutil.rmtree(final)
                os.replace(part, final)
    except OSError as error:
        raise cannot("write", path, error) from error


def renamed(path: Path, spec: ImageSpec, class_names: Sequence[str]) -> str:
    """A sentence that lists the classes whose folders must have other names than they; '' if there are none."""
    if not spec.classes or _form(path, spec) not in (_folder, _zip):
        return ""
    pairs = [f"{old!r} is {new}" for old, new in zip(class_names, apart(class_names), strict=True) if old != new]
    return f"Not every class can give its name to a folder: {', '.join(pairs)}." if pairs else ""


def _labels_beside(path: Path) -> Path:
    return path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))


def _form(path: Path, spec: ImageSpec) -> Any:
    if path.suffix.lower() == ".npz":
        return _npz
    if path.suffix.lower() == ".zip":
        return _zip
    if path.name.removesuffix(".gz").endswith("ubyte"):
        if "images" not in path.name or spec.channels != 1 or spec.classes > 256:
            raise UserError(
                f"{path.name}: the IDX form is for grey pictures of at most 256 classes, and its name is written "
                "train-images-idx3-ubyte.gz (the labels go beside it). Or choose NAME.npz, NAME.zip or a folder."
            )
        return _idx
    if path.suffix.lower() in (".gz", ".tar", ".pkl", ".pt", ".npy", ".jpg", ".jpeg", ".webp", ".gif"):
        raise UserError(f"{path.name}: Ganvas writes NAME.png (one sheet), NAME.npz, NAME.zip, IDX files or a folder.")
    return _folder


@contextmanager
def _npz(parts: list[Path], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    """images uint8 [N, H, W] or [N, H, W, C], labels, seeds, class_names; not compressed, as by `numpy.savez`."""
    shape = (count, spec.size, spec.size) + ((spec.channels,) if spec.channels > 1 else ())
    labels: list[np.ndarray] = []
    numbers: list[int] = []
    with zipfile.ZipFile(parts[0], "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)

            def add(portion: Portion) -> None:
                pixels = portion.images.permute(0, 2, 3, 1).contiguous().numpy()
                file.write(pixels.tobytes())
                numbers.extend(portion.seeds)
                if portion.labels is not None:
                    labels.append(portion.labels.numpy())

            yield add
        arrays = {"seeds": np.array(numbers, np.int64)}
        if labels:
            arrays |= {"labels": np.concatenate(labels), "class_names": np.array(list(names))}
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _pngs(portion: Portion, folders: Sequence[str], used: Counter[str]) -> Iterator[tuple[str, bytes]]:
    """Each picture's path, within its class's folder, and its PNG; `used`: how often each name came before."""
    for i, number in enumerate(portion.seeds):
        name = f"seed{number:06d}"
        if portion.labels is not None:
            name = f"{folders[int(portion.labels[i])]}/{name}"
        used[name] += 1
        suffix = f"-{used[name]}" if used[name] > 1 else ""  # a seed that was requested twice
        yield f"{name}{suffix}.png", sheets.png(sheets.grid(portion.images[i : i + 1], 1))


@contextmanager
def _zip(parts: list[Path], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    folders, used = apart(names), Counter[str]()
    with zipfile.ZipFile(parts[0], "w") as archive:

        def add(portion: Portion) -> None:
            for name, png in _pngs(portion, folders, used):
                archive.writestr(name, png)

        yield add


@contextmanager
def _folder(parts: list[Path], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    folders, used = apart(names), Counter[str]()

    def add(portion: Portion) -> None:
        for name, png in _pngs(portion, folders, used):
            path = parts[0] / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png)

    yield add


@contextmanager
def _idx(parts: list[Path], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    """Two files like MNIST's: pictures, and labels (the class names if all are numbers, else the class numbers)."""
    numbers = {int(name) for name in names if name.isdecimal() and len(name) < 9 and int(name) < 256}
    by_name = len(numbers) == len(names)  # '3' and '03' are two classes
    values = np.array([int(name) if by_name else i for i, name in enumerate(names)], np.uint8)
    compressed = ".gz." in parts[0].name

    def create(path: Path, *shape: int) -> IO[bytes]:
        file = gzip.open(path, "wb", compresslevel=6) if compressed else open(path, "wb")  # noqa: SIM115
        file.write(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape))
        return file  # pyright: ignore[reportReturnType]

    files = [create(parts[0], count, spec.size, spec.size)]
    try:
        if spec.classes:
            files.append(create(parts[1], count))

        def add(portion: Portion) -> None:
            files[0].write(portion.images.numpy().tobytes())
            if portion.labels is not None:
                files[1].write(values[portion.labels.numpy()].tobytes())

        yield add
    finally:
        for file in files:
            file.close()
