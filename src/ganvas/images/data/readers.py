"""Images to train on: the sets that come with Ganvas, the user's own, and the order in which they are seen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.core import cache, files, seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import cache_folder, cannot
from ganvas.core.naming import safe
from ganvas.images.data import arrays, idx, listing, npz, pack, photos
from ganvas.images.data.checks import Packing
from ganvas.images.data.dataset import ImageData, Split, fingerprint, hold_out
from ganvas.images.data.listing import Listing
from ganvas.images.decode import Shape

STACKED = (128_000, 10_000)  # pictures of stacked MNIST that are trained on, and that are held out


def mnist() -> ImageData:
    """MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, inside the package. Source: LeCun and Cortes."""
    licence = "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)"
    return from_idx(Path(__file__).parent / "mnist", "mnist", licence)


def stacked_mnist() -> ImageData:
    """Stacked MNIST: 128,000 + 10,000 colour pictures of three digits, one a channel: 1,000 kinds, none of them named.

    The digits are drawn uniformly with replacement from all 70,000 of MNIST, test images included, as the published
    figures have it: it measures how many kinds a generator draws, not how well it does on unseen digits. Source:
    Metz et al. 2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 128,000).
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
    """As `loading`, without a word about its progress."""
    steps = loading(source, shape, labelled, twins, to)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def loading(
    source: str, shape: Shape, labelled: bool, twins: str = "", to: str = ""
) -> Generator[Packing, None, ImageData]:
    """Load a data set by its name, or the user's pictures by path, and tell of the pictures that are converted.

    Pictures that are not in the wanted shape are decoded and scaled once, into a pack in the user's cache.

    Args:
        source: a name of DATASETS, a folder of IDX files or of pictures (a sub-folder a class), an archive, an .npz
            or .npy file, or a pack.
        shape: a 0 means as the pictures are.
        labelled: look for classes.
        twins: a folder or archive with a damaged twin of each picture, of the same name.
        to: a second data set, of another kind, which becomes `other`; labels are then passed over.

    Raises:
        UserError: no such name or path, or the files are damaged or do not fit each other.
    """
    if to:
        return (yield from _two_kinds(source, to, shape))
    if twins:
        if source in DATASETS or {_kind(str(_there(s))) for s in (source, twins)} != {"pictures"}:
            raise UserError(f"{source} and {twins}: pictures and their damaged twins lie in two folders or archives.")
        return (yield from _photographs(listing.find(files.place(source), False), shape, twins))
    if source in DATASETS:
        found = DATASETS[source]()
    else:
        path = _there(source)
        kind = _kind(source)
        if kind == "pack":
            found = _as_data((yield from pack.read(path)))
            native = Shape(found.spec.size, found.spec.channels)
            wanted = Shape(_side(shape, native.size), shape.channels or native.channels)
            if wanted != native:
                raise UserError(
                    f"{source} is a pack of {native.size} px with channels={native.channels}; size={wanted.size} and "
                    f"channels={wanted.channels} need the pictures that it was made from."
                )
        elif kind == "pictures":
            return (yield from _converted(listing.find(path, labelled), shape))
        elif kind == "arrays":
            found = from_numpy(path, labelled)
        else:
            found = from_idx(path, path.resolve().name)
    found = found if labelled else found.unlabelled()
    spec = found.spec
    wanted = replace(shape, size=_side(shape, spec.size), channels=shape.channels or spec.channels)
    height, width = found.train.images.shape[2:]
    if (wanted.size, wanted.channels) == (spec.size, spec.channels) and height == width:
        return found
    if height != width and shape.fit == "crop":
        note = f"{source} has pictures of {width}x{height} pixels: the middle square is cut out (fit=pad keeps all)."
        found, wanted = replace(found, notes=(*found.notes, note)), replace(wanted, size=shape.size)
    return (yield from _converted(arrays.listed(found), wanted))


def _two_kinds(source: str, to: str, shape: Shape) -> Generator[Packing, None, ImageData]:
    """Two data sets of one shape: where it is left open, the size of the first, and colour where one has it."""
    first = yield from loading(source, shape, False)
    second = yield from loading(to, replace(shape, size=first.spec.size), False)
    channels = [data.spec.channels for data in (first, second)]
    if channels[0] != channels[1] or first.spec.size != second.spec.size:
        wanted = replace(shape, size=first.spec.size, channels=max(channels))
        first = yield from loading(source, wanted, False)
        second = yield from loading(to, wanted, False)
    if first.fingerprint == second.fingerprint:
        raise UserError(f"{source} and {to} hold the same pictures; two kinds are needed, such as photos and emoji.")
    licences = dict.fromkeys((first.licence, second.licence))
    digest = hashlib.sha256(f"{first.fingerprint} {second.fingerprint}".encode()).hexdigest()
    return replace(
        first,
        other=second,
        fingerprint=digest,
        licence=" and ".join(licences),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def _side(shape: Shape, native: int) -> int:
    """The side of pictures of `native` pixels: pictures no larger than the pieces that are wanted are taken whole."""
    return native if shape.fit == "pieces" and native <= shape.size else shape.size or native


def _converted(found: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    return (yield from (_photographs if shape.fit == "pieces" else _packed)(found, shape))


def _there(source: str) -> Path:
    """The path that the user means; with the beginning of a file's name it need not be a file itself."""
    try:
        path = files.place(source)
        there = path.exists() or (path.parent.is_dir() and any(path.parent.glob(path.name + "*")))
    except OSError as error:
        raise cannot("read", Path(source), error) from error
    except (RuntimeError, ValueError) as error:  # no such user after ~, or no path at all
        raise UserError(f"Cannot read {source}: {error}.") from error
    if not there:
        if "/" in source or path.suffix:
            raise UserError(f"There is no file or folder {source}.")
        raise unknown("data set or folder", source, DATASETS)
    return path


def _kind(source: str) -> str:
    """What lies at a path: 'pack', 'pictures', 'arrays', or 'idx', which may be the beginning of a file's name."""
    path = files.place(source)
    if path.is_dir():
        try:
            names = os.listdir(path)
        except OSError as error:
            raise cannot("read", path, error) from error
        if "pack.json" in names:
            return "pack"
        return "idx" if any(name.removesuffix(".gz").endswith(idx.NAMES) for name in names) else "pictures"
    if not path.is_file():
        return "idx"
    if npz.is_numpy(path):
        return "arrays"
    if not listing.is_archive(path):
        raise UserError(
            f"{source} is a file; --data takes a folder (or a prefix: folder/emnist-letters), an .npz or .npy file or "
            f"an archive ({', '.join(listing.ARCHIVES)})."
        )
    return "pictures"


def has_own_shape(source: str) -> bool:
    """Is this a set whose pictures are used as they are unless a size is asked for: by name, IDX files, a pack?"""
    return source in DATASETS or _kind(source) in ("idx", "pack")


def listed(source: str, labelled: bool = True) -> Listing:
    """The pictures of any data set, as they are, one by one.

    Raises:
        UserError: as `loading` does.
    """
    if source not in DATASETS and _kind(str(_there(source))) == "pictures":
        return listing.find(files.place(source), labelled)
    return arrays.listed(load(source, labelled=labelled))


def pack_into(source: str, out: Path, shape: Shape, labelled: bool = True) -> Generator[Packing, None, ImageData]:
    """Make a pack of any data set in a folder of its own; what an interrupted call has finished is kept.

    Raises:
        UserError: as `loading` does; or there is something at `out`.
    """
    if out.exists():
        raise UserError(f"{out} is there already. Choose another place, or remove it.")
    if source not in DATASETS and _kind(str(_there(source))) == "pack":
        raise UserError(f"{source} is a pack already. Name the pictures that it was made from.")
    found = listed(source, labelled)
    yield from pack.write(found, pack.resolve(found, shape), out)
    return _as_data((yield from pack.read(out)))


def _packed(found: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    """The pictures of a listing, from the cache where they lie there."""
    wanted = pack.resolve(found, shape)
    place = _place(found.name, "-" + pack.key(found, wanted)[:20])
    size = len(found.names) * wanted.channels * wanted.size**2
    return (
        yield from _cached(place, size, lambda: pack.write(found, wanted, place), lambda: pack.read(place, found.notes))
    )


def _photographs(found: Listing, shape: Shape, twins: str = "") -> Generator[Packing, None, ImageData]:
    """Pieces of the pictures of a listing, which are decoded into the cache once, perhaps with their twins."""
    known = pack.resolve(found, shape)
    wanted = replace(shape, channels=known.channels, depth=known.depth)
    if twins:
        damaged = listing.find(files.place(twins), False)
        found = photos.paired(found, damaged)
        wanted = replace(wanted, depth=wanted.depth and pack.resolve(damaged, shape).depth)
    place = _place(found.name, "-photos-" + photos.key_of(found, wanted)[:20])
    steps = _cached(
        place,
        0,
        lambda: photos.write(found, wanted, place),
        lambda: photos.read(place, shape.size, found.notes),
    )
    return replace((yield from steps), twins=bool(twins))


def _place(name: str, ending: str) -> Path:
    """The folder in the cache for pictures of a name."""
    return cache_folder() / "packs" / f"{safe(name)}{ending}"


def _cached(
    place: Path,
    size: int,
    write: Callable[[], Iterator[Packing]],
    read: Callable[[], Generator[Packing, None, pack.Pack]],
) -> Generator[Packing, None, ImageData]:
    """What is in the cache, or is written there now: also where it is damaged, since it is only a copy.

    Args:
        size: bytes that it takes, as far as is known.
    """
    notes: list[str] = []
    if place.exists() or place.is_symlink():
        try:
            found = _as_data((yield from read()))
            cache.used(place)
            return found
        except photos.TooSmall:
            raise
        except UserError as error:
            why = str(error).removesuffix(pack.ANEW).strip()
            notes.append(f"What the cache held of these pictures could not be used and is made anew: {why}")
            cache.remove(place, in_use=True)
    notes += cache.trim(place, size)
    yield from write()
    notes += cache.trim(place)
    found = _as_data((yield from read()))
    return replace(found, notes=(*found.notes, *notes))


def _as_data(found: pack.Pack) -> ImageData:
    train, held_out = Split.on_disk(*found.train), Split.on_disk(*found.held_out)
    return ImageData(
        found.name,
        train,
        held_out,
        found.class_names,
        found.fingerprint,
        found.licence,
        found.notes,
        depth=found.depth,
    )


def from_numpy(path: Path, labelled: bool = True) -> ImageData:
    """A data set from an .npz or .npy file; without splits in it a tenth is held out, chosen by content.

    Raises:
        UserError: as `arrays.read`; or there are too few pictures to hold some out.
    """
    found = arrays.read(path, labelled)
    train, test = (found.train, found.test) if found.test is not None else hold_out(*found.train, place=str(path))
    as_split = [Split(torch.from_numpy(x), None if y is None else torch.from_numpy(y)) for x, y in (train, test)]
    digest = fingerprint(*train, *test)
    return ImageData(path.stem, as_split[0], as_split[1], found.class_names, digest, notes=found.notes)


def from_idx(path: Path, name: str, licence: str = "not stated") -> ImageData:
    """A data set from a folder of IDX files; without test images a tenth is held out, chosen by content.

    Raises:
        UserError: the files are missing, damaged or do not fit each other.
    """
    splits = idx.find(path)
    train = _split(*splits["train"])
    test = _split(*splits["test"]) if "test" in splits else None
    names: dict[int, str] = {}
    if test is not None and (train[1] is None) != (test[1] is None):
        raise UserError(
            f"{path}: only one of training and test images has labels; add the other labels' file, or remove these."
        )
    if train[1] is not None:
        names = idx.class_names(splits["train"][0], train[1])
        train = (train[0], _renumber(train[1], names, path))
        if test is not None:
            test = (test[0], None if test[1] is None else _renumber(test[1], names, path))
    if test is None:
        train, test = hold_out(*train, place=str(path))
    elif test[0].shape[1:] != train[0].shape[1:]:
        raise UserError(f"{path}: training images are {train[0].shape[1:]}, test images {test[0].shape[1:]}.")
    digest = fingerprint(*train, *test)
    as_split = [Split(_tensor(i), None if y is None else torch.from_numpy(y)) for i, y in (train, test)]
    bare = splits["train"][0] if train[1] is None else None
    notes = () if bare is None else (f"There is no file of labels beside {bare}: these pictures have no classes.",)
    return ImageData(name, as_split[0], as_split[1], tuple(names.values()), digest, licence, notes)


def _split(images: Path, labels: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    pixels = idx.read(images)
    if pixels.ndim != 3 or pixels.shape[1] != pixels.shape[2] or not len(pixels):
        raise UserError(f"{images} holds an array of shape {pixels.shape}; square images [N, H, H] are needed.")
    if idx.is_transposed(images):
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
    if labels is None:
        return pixels, None
    values = idx.read(labels)
    if values.shape != (len(pixels),):
        raise UserError(f"{labels} has labels of shape {values.shape} for {len(pixels)} images in {images.name}.")
    return pixels, values.astype(np.int64)


def _renumber(labels: np.ndarray, names: dict[int, str], path: Path) -> np.ndarray:
    values = np.array(sorted(names))
    index = np.searchsorted(values, labels).clip(max=len(values) - 1)
    if (values[index] != labels).any():
        raise UserError(f"{path}: the test images have labels that the training images do not have.")
    return index


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images[:, None]))
