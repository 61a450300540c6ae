"""Images that are decoded and scaled once, into the user's cache, and read from there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from ganvas.core import files
from ganvas.images.data import pack, pack_format, photos, pictures
from ganvas.images.data.dataset import ImageData, Split
from ganvas.images.data.pack_format import Pack
from ganvas.images.data.pictures import PICTURES
from ganvas.images.decode import Shape
from ganvas.sources import cached
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing


def converted(images: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    """The images of a listing in one shape, or patches of them where `fit` is 'pieces'."""
    return (yield from (photographs if shape.fit == "pieces" else packed)(images, shape))


def packed(images: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    """The images of a listing in one shape, converted into a pack in the cache if it is not there yet."""
    wanted = pack.resolve(images, shape)
    place = cached.place_of(images.name, "-" + pack.key(images, wanted)[:20])
    size = len(images.names) * wanted.channels * wanted.size**2
    return (
        yield from _cached(
            place, size, lambda: pack.write(images, wanted, place), lambda: pack_format.read(place, images.notes)
        )
    )


def photographs(images: Listing, shape: Shape, pairs: str = "") -> Generator[Packing, None, ImageData]:
    """Patches of the images of a listing, which are decoded into the cache if they are not there yet.

    Args:
        pairs: a folder or archive with a degraded version of each image, of the same name; '' for none.
    """
    known = pack.resolve(images, shape)
    wanted = replace(shape, channels=known.channels, depth=known.depth)
    if pairs:
        degraded = pictures.find(files.place(pairs), False)
        images = photos.paired(images, degraded)
        wanted = replace(wanted, depth=wanted.depth and pack.resolve(degraded, shape).depth)
    place = cached.place_of(images.name, "-photos-" + photos.key_of(images, wanted)[:20])
    steps = _cached(
        place,
        0,
        lambda: photos.write(images, wanted, place),
        lambda: photos.read(place, shape.size, images.notes),
    )
    return replace((yield from steps), has_pairs=bool(pairs))


def _cached(
    place: Path,
    size: int,
    write: Callable[[], Iterator[Packing]],
    read: Callable[[], Generator[Packing, None, Pack]],
) -> Generator[Packing, None, ImageData]:
    """The data set of a folder of the cache; see `sources.cached`."""
    steps = cached.cached(place, size, write, read, PICTURES.noun, pack_format.ANEW, photos.TooSmall)
    found, notes = yield from steps
    data = as_data(found)
    return replace(data, notes=(*data.notes, *notes))


def as_data(stored: Pack) -> ImageData:
    """The data set of a pack."""
    train, held_out = Split.on_disk(*stored.train), Split.on_disk(*stored.held_out)
    return ImageData(
        stored.name,
        train,
        held_out,
        stored.class_names,
        stored.fingerprint,
        stored.licence,
        stored.notes,
        depth=stored.depth,
    )
