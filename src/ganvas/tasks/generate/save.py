"""Save many pictures, a portion at a time: a folder or zip of PNGs (one sub-folder per class), .npz, or IDX files.

Everything is written under a temporary name and then renamed, so that nothing half-written is left after a stop.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from torch import Tensor

from ganvas.core import naming, saving
from ganvas.core.errors import UserError
from ganvas.core.files import check_folder, check_free
from ganvas.core.saving import Add, Portion
from ganvas.images import sheets
from ganvas.images import tensors as im
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.model import Model

OUR_NAMES = saving.ours(".png")  # names of the pictures that are written to a folder here


def portions(
    model: Model,
    numbers: Sequence[int],
    classes: int | str | Sequence[int | str] | None = None,
    truncation: float | None = None,
) -> Iterator[Portion]:
    """A model's pictures uint8 [n, C, H, W] of these seeds, a portion at a time; see `Model.draw`."""
    return saving.portions(model, numbers, classes, truncation, im.to_uint8)


def check(path: Path, spec: ImageSpec, force: bool = False) -> None:
    """Check that pictures can be saved there; called before any are generated.

    Args:
        force: see `save`.

    Raises:
        UserError: the form cannot hold such pictures, or something is there already.
    """
    if (form := _form(path, spec)) == "folder":
        check_folder(path, OUR_NAMES, force)
    else:
        check_free(*_places(path, spec, form), force=force)


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
        path: `NAME.npz`, `NAME.zip`, `train-images-idx3-ubyte[.gz]` (labels next to it); other names: a new folder.
        count: number of pictures in all portions.
        force: overwrite an existing file, and replace a folder that holds only pictures saved by an earlier call.

    Raises:
        UserError: the path is taken, the form cannot hold such pictures, or writing failed; nothing is left behind.
    """
    check(path, spec, force)
    kind = _form(path, spec)
    own = {"npz": _npz, "idx": _idx}
    if kind in own:
        form = partial(own[kind], count=count, spec=spec, names=class_names)
    else:
        form = saving.a_file_each(class_names, ".png", _png)
    yield from saving.save(_places(path, spec, kind), form, portions, folder=kind == "folder")


def renamed(path: Path, spec: ImageSpec, class_names: Sequence[str]) -> str:
    """A sentence that lists the classes whose folders must have other names than they; '' if there are none."""
    return naming.renamed(class_names) if spec.classes and _form(path, spec) in ("folder", "zip") else ""


def _places(path: Path, spec: ImageSpec, form: str) -> list[Path]:
    """The files that are written together."""
    return [path, _labels_beside(path)] if form == "idx" and spec.classes else [path]


def _labels_beside(path: Path) -> Path:
    return path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))


def _form(path: Path, spec: ImageSpec) -> str:
    """'npz', 'zip', 'idx' or 'folder'."""
    if path.suffix.lower() == ".npz":
        return "npz"
    if path.suffix.lower() == ".zip":
        return "zip"
    if path.name.removesuffix(".gz").endswith("ubyte"):
        if "images" not in path.name or spec.channels != 1 or spec.classes > 256:
            raise UserError(
                f"{path.name}: the IDX form is for grey pictures of at most 256 classes, and its name is written "
                "train-images-idx3-ubyte.gz (the labels go next to it). Or choose NAME.npz, NAME.zip or a folder."
            )
        return "idx"
    if path.suffix.lower() in (".gz", ".tar", ".pkl", ".pt", ".npy", ".gif"):
        raise UserError(f"{path.name}: Ganvas writes NAME.png (one sheet), NAME.npz, NAME.zip, IDX files or a folder.")
    return "folder"


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
                pixels = portion.samples.permute(0, 2, 3, 1).contiguous().numpy()
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


def _png(picture: Tensor) -> bytes:
    """A picture uint8 [C, H, W] as a PNG."""
    return sheets.png(sheets.grid(picture[None], 1))


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
            files[0].write(portion.samples.numpy().tobytes())
            if portion.labels is not None:
                files[1].write(values[portion.labels.numpy()].tobytes())

        yield add
    finally:
        for file in files:
            file.close()
