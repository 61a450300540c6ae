"""Many pictures as files, a portion at a time: a folder or zip of PNGs (a sub-folder a class), .npz, or IDX.

What is written is first written beside its place and then renamed: whoever stops leaves nothing half-written behind.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch import Tensor

from ganvas import images as im
from ganvas.errors import UserError
from ganvas.files import cannot, make_folder
from ganvas.sample import Model
from ganvas.spec import ImageSpec


@dataclass(frozen=True)
class Portion:
    """Some pictures: uint8 [n, C, H, W], their class numbers [n] (None: no classes), and their seeds."""

    images: Tensor
    labels: Tensor | None
    seeds: Sequence[int]


def portions(
    model: Model,
    numbers: Sequence[int],
    classes: int | str | Sequence[int | str] | None = None,
    truncation: float | None = None,
) -> Iterator[Portion]:
    """What a model draws for these seeds, as `Model.draw` takes them, a portion at a time."""
    labels, start = model.labels(classes, len(numbers)), 0
    for drawn in model.draw(numbers, classes, truncation):
        end = start + len(drawn)
        yield Portion(im.to_uint8(drawn), None if labels is None else labels[start:end], numbers[start:end])
        start = end


Add = Callable[[Portion], None]


def save(
    path: Path, portions: Iterable[Portion], count: int, spec: ImageSpec, class_names: Sequence[str]
) -> Iterator[int]:
    """Write pictures as they come, in the form that the name asks for; yields how many are written.

    Args:
        path: `NAME.npz`, `NAME.zip`, `train-images-idx3-ubyte[.gz]` (labels beside it); other names: a new folder.
        count: pictures in all portions together.

    Raises:
        UserError: the place is taken, the form cannot hold such pictures, or the system refused; nothing is left.
    """
    form = _form(path, spec)
    if form is _folder and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is there already and holds other files. Choose a new folder.")
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    places: list[tuple[Path, Path]] = [(part, path)]
    try:
        done = 0
        with form(places, count, spec, class_names) as add:
            for portion in portions:
                add(portion)
                done += len(portion.images)
                yield done
        for made, place in places:
            if place.is_dir():
                place.rmdir()
            os.replace(made, place)
    except OSError as error:
        raise cannot("write", path, error) from error
    finally:
        for made, _ in places:
            shutil.rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)


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
def _npz(places: list[tuple[Path, Path]], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    """images uint8 [N, H, W] or [N, H, W, C], labels, seeds, class_names; not compressed, as `numpy.savez` has it."""
    shape = (count, spec.size, spec.size) + ((spec.channels,) if spec.channels > 1 else ())
    labels: list[np.ndarray] = []
    numbers: list[int] = []
    with zipfile.ZipFile(places[0][0], "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            head = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, head)

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


def _pngs(portion: Portion, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Each picture's name, below its class's folder, and its PNG."""
    for i, number in enumerate(portion.seeds):
        below = "" if portion.labels is None else re.sub(r"[^\w.-]+", "_", names[int(portion.labels[i])]) + "/"
        yield f"{below}seed{number:06d}.png", im.png(im.grid(portion.images[i : i + 1], 1))


@contextmanager
def _zip(places: list[tuple[Path, Path]], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    with zipfile.ZipFile(places[0][0], "w") as archive:

        def add(portion: Portion) -> None:
            for name, png in _pngs(portion, names):
                archive.writestr(name, png)

        yield add


@contextmanager
def _folder(places: list[tuple[Path, Path]], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    root = places[0][0]
    root.mkdir()

    def add(portion: Portion) -> None:
        for name, png in _pngs(portion, names):
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png)

    yield add


@contextmanager
def _idx(places: list[tuple[Path, Path]], count: int, spec: ImageSpec, names: Sequence[str]) -> Iterator[Add]:
    """Two files, as MNIST comes: pictures, and labels (the class's own number where its name is one)."""
    part, path = places[0]
    by_name = all(name.isdecimal() and int(name) < 256 for name in names)
    values = np.array([int(name) if by_name else i for i, name in enumerate(names)], np.uint8)
    if spec.classes:
        beside = path.name.replace("images", "labels").replace("idx3", "idx1")
        places.append((part.with_name(f".{beside}.{os.getpid()}.part"), path.with_name(beside)))

    def begin(place: Path, *shape: int) -> IO[bytes]:
        file = gzip.open(place, "wb", compresslevel=6) if path.suffix == ".gz" else open(place, "wb")  # noqa: SIM115
        file.write(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape))
        return file  # pyright: ignore[reportReturnType]

    files = [begin(part, count, spec.size, spec.size)]
    try:
        if spec.classes:
            files.append(begin(places[1][0], count))

        def add(portion: Portion) -> None:
            files[0].write(portion.images.numpy().tobytes())
            if portion.labels is not None:
                files[1].write(values[portion.labels.numpy()].tobytes())

        yield add
    finally:
        for file in files:
            file.close()
