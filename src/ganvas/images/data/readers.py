"""Finding and reading the images to train on: data sets by name, and the user's own files, one reader per form."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import torch

from ganvas.core import files, seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import cannot
from ganvas.core.progress import last
from ganvas.images.data import arrays, idx, memory, npz, pack, pack_format, pictures
from ganvas.images.data.converted import as_data, converted, photographs
from ganvas.images.data.dataset import ImageData, Split, fingerprint
from ganvas.images.decode import Shape
from ganvas.sources import listing
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing

STACKED = (128_000, 10_000)  # images of stacked MNIST: to train on, and held out
Reading = Generator[Packing, None, ImageData]  # yields how far the conversion is


def mnist() -> ImageData:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, inside the package. Source: LeCun and Cortes."""
    licence = "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)"
    return idx.data_set(Path(__file__).parent / "mnist", "mnist", licence)


def stacked_mnist() -> ImageData:
    """Stacked MNIST: 128,000 + 10,000 colour images of three digits, one per channel: 1,000 classes, unlabelled.

    The digits are drawn uniformly with replacement from all 70,000 of MNIST, test images included, as for the published
    results: it measures how many classes a generator makes, not how well it does on unseen digits. Source: Metz et al.
    2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 128,000).
    """
    digits = mnist()
    pool, random = torch.cat([digits.train.images, digits.held_out.images])[:, 0], seeds.generator(0, "stacked-mnist")
    train, held_out = (pool[torch.randint(len(pool), (count, 3), generator=random)] for count in STACKED)
    digest = fingerprint(train.numpy(), held_out.numpy())
    return ImageData("stacked-mnist", Split(train, None), Split(held_out, None), (), digest, digits.licence)


DATASETS: dict[str, Callable[[], ImageData]] = {
    "mnist": mnist,
    "stacked-mnist": stacked_mnist,
}


def load(source: str, shape: Shape = Shape(), labelled: bool = True, twins: str = "", to: str = "") -> ImageData:  # noqa: B008  # it is frozen
    """As `loading`, without reporting progress."""
    return last(loading(source, shape, labelled, twins, to))


def loading(source: str, shape: Shape, labelled: bool, twins: str = "", to: str = "") -> Reading:
    """Load a data set by name, or the user's images by path, and yield how far their conversion is.

    Images that do not have the wanted shape are decoded and scaled once, into a pack in the user's cache.

    Args:
        source: a name of DATASETS, a folder of IDX files or of images (a sub-folder per class), an archive, an .npz
            or .npy file, or a pack.
        shape: zeros mean: as the images are.
        labelled: look for classes.
        twins: a folder or archive with a degraded version of each image, of the same name.
        to: the data set of the other domain, which becomes `other`; labels are then ignored.

    Raises:
        UserError: no such name or path, or the files are damaged or do not match.
    """
    if to:
        return (yield from _two_domains(source, to, shape))
    if twins:
        if source in DATASETS or {kind_of(s) for s in (source, twins)} != {"images"}:
            raise UserError(
                f"{source} and {twins}: pictures and their damaged twins must be in two folders or archives."
            )
        return (yield from photographs(pictures.find(files.place(source), False), shape, twins))
    return (yield from READERS[kind_of(source)](source, shape, labelled))


def _two_domains(source: str, to: str, shape: Shape) -> Reading:
    """Two data sets of one shape: by default the size of the first, and colour if one of them has it."""
    first = yield from loading(source, shape, False)
    second = yield from loading(to, replace(shape, size=first.spec.size), False)
    channels = [data.spec.channels for data in (first, second)]
    if channels[0] != channels[1] or first.spec.size != second.spec.size:
        wanted = replace(shape, size=first.spec.size, channels=max(channels))
        first = yield from loading(source, wanted, False)
        second = yield from loading(to, wanted, False)
    if first.fingerprint == second.fingerprint:
        raise UserError(f"{source} and {to} hold the same pictures; two sets are needed, such as photos and emoji.")
    licences = dict.fromkeys((first.licence, second.licence))
    digest = hashlib.sha256(f"{first.fingerprint} {second.fingerprint}".encode()).hexdigest()
    return replace(
        first,
        other=second,
        fingerprint=digest,
        licence=" and ".join(licences),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


# -------------------- one reader per form


def _read_named(source: str, shape: Shape, labelled: bool) -> Reading:
    return (yield from _in_shape(source, DATASETS[source](), shape, labelled))


def _read_pack(source: str, shape: Shape, labelled: bool) -> Reading:
    data = as_data((yield from pack_format.read(_existing(source))))
    native = Shape(data.spec.size, data.spec.channels)
    wanted = Shape(_side(shape, native.size), shape.channels or native.channels)
    if wanted != native:
        raise UserError(
            f"{source} is a pack of {native.size} px with channels={native.channels}; size={wanted.size} and "
            f"channels={wanted.channels} need the pictures that it was made from."
        )
    if asked := [f"fit={shape.fit}"] * (shape.fit != Shape().fit) + ["linear=true"] * shape.linear:
        note = f"{' and '.join(asked)}: pictures of a pack stay as they are. Make another pack for that."
        data = replace(data, notes=(*data.notes, note))
    return data if labelled else data.unlabelled()


def _read_images(source: str, shape: Shape, labelled: bool) -> Reading:
    return (yield from converted(pictures.find(_existing(source), labelled), shape))


def _read_arrays(source: str, shape: Shape, labelled: bool) -> Reading:
    return (yield from _in_shape(source, arrays.data_set(_existing(source), labelled), shape, labelled))


def _read_memory(source: str, shape: Shape, labelled: bool) -> Reading:
    found = memory.read(source, labelled)
    return (
        yield from converted(found, shape) if isinstance(found, Listing) else _in_shape(source, found, shape, labelled)
    )


def _read_idx(source: str, shape: Shape, labelled: bool) -> Reading:
    path = _existing(source)
    return (yield from _in_shape(source, idx.data_set(path, path.resolve().name), shape, labelled))


READERS: dict[str, Callable[[str, Shape, bool], Reading]] = {  # by `kind_of`: source, shape, labelled
    "name": _read_named,
    "pack": _read_pack,
    "images": _read_images,
    "arrays": _read_arrays,
    "idx": _read_idx,
    "memory": _read_memory,
    "prefix": _read_idx,
}


def kind_of(source: str) -> str:
    """Which of READERS reads a source.

    'name' is one of DATASETS, 'images' a folder or archive of image files, 'arrays' an .npz or .npy file, 'idx' a
    folder of IDX files, 'memory' data of the program's, 'prefix' the beginning of the names of IDX files
    (folder/emnist-letters).

    Raises:
        UserError: there is nothing of that name, it cannot be read, or it is a file of another type.
    """
    if source in DATASETS:
        return "name"
    if source.startswith(memory.MEMORY):
        return "memory"
    path = _existing(source)
    if path.is_dir():
        try:
            names = os.listdir(path)
        except OSError as error:
            raise cannot("read", path, error) from error
        if "pack.json" in names:
            return "pack"
        return "idx" if any(name.removesuffix(".gz").endswith(idx.NAMES) for name in names) else "images"
    if not path.is_file():
        return "prefix"
    if npz.is_numpy(path):
        return "arrays"
    if listing.is_archive(path):
        return "images"
    raise UserError(
        f"{source} is a file; --data needs a folder (or a prefix: folder/emnist-letters), an .npz or .npy file or "
        f"an archive ({', '.join(listing.ARCHIVES)})."
    )


def has_pictures(source: str) -> bool:
    """Is this a data set's name, or a place that holds pictures as far as a look at some of its names tells?"""
    try:
        kind = kind_of(source)
        return kind in ("name", "arrays", "idx", "pack") or (
            kind == "images" and listing.seems(files.place(source), pictures.PICTURES)
        )
    except (UserError, OSError, ValueError):
        return False


def _existing(source: str) -> Path:
    """The path of a source, which may also be the beginning of a file's name.

    Raises:
        UserError: there is nothing of that name.
    """
    try:
        path = files.place(source)
        exists = path.exists() or (path.parent.is_dir() and any(path.parent.glob(path.name + "*")))
    except OSError as error:
        raise cannot("read", Path(source), error) from error
    except (RuntimeError, ValueError) as error:  # no such user after ~, or not a path at all
        raise UserError(f"Cannot read {source}: {error}.") from error
    if not exists:
        if "/" in source or path.suffix:
            raise UserError(f"There is no file or folder {source}.")
        raise unknown("data set or folder", source, DATASETS)
    return path


def _side(shape: Shape, native: int) -> int:
    """The side of images of `native` pixels; images no larger than the wanted patches are used whole."""
    return native if shape.fit == "pieces" and native <= shape.size else shape.size or native


def _in_shape(source: str, data: ImageData, shape: Shape, labelled: bool) -> Reading:
    """A data set in memory, converted if it does not have the wanted shape."""
    data = data if labelled else data.unlabelled()
    spec = data.spec
    wanted = replace(shape, size=_side(shape, spec.size), channels=shape.channels or spec.channels)
    height, width = data.train.images.shape[2:]
    if (wanted.size, wanted.channels) == (spec.size, spec.channels) and height == width:
        return data
    if height != width and shape.fit == "crop":
        note = f"{source} has pictures of {width}x{height} pixels: cropped to the centre square (fit=pad keeps all)."
        data, wanted = replace(data, notes=(*data.notes, note)), replace(wanted, size=shape.size)
    return (yield from converted(arrays.listed(data), wanted))


# -------------------- what the data check and `ganvas data` need


def has_own_shape(source: str) -> bool:
    """Are these images used as they are, unless a size is asked for? So are named sets, IDX files and packs."""
    return kind_of(source) in ("name", "idx", "prefix", "pack")


def listed(source: str, labelled: bool = True) -> Listing:
    """The images of any data set, one by one, in their own shapes.

    Raises:
        UserError: as `loading`.
    """
    if kind_of(source) == "images":
        return pictures.find(files.place(source), labelled)
    return arrays.listed(load(source, labelled=labelled))


def pack_into(source: str, out: Path, shape: Shape, labelled: bool = True) -> Reading:
    """Make a pack of any data set in the folder `out`; continues where an interrupted call stopped.

    Raises:
        UserError: as `loading`; or there is something at `out`.
    """
    if out.exists():
        raise UserError(f"{out} already exists. Choose another place, or remove it.")
    if kind_of(source) == "pack":
        raise UserError(f"{source} is a pack already. Name the pictures that it was made from.")
    images = listed(source, labelled)
    yield from pack.write(images, pack.resolve(images, shape), out)
    return as_data((yield from pack_format.read(out)))
