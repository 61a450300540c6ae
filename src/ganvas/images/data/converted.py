"""Images that are decoded and scaled once, into the user's cache, and read from there ever after."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from ganvas.core import cache, files
from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder
from ganvas.core.naming import safe
from ganvas.images.data import listing, pack, pack_format, photos
from ganvas.images.data.checks import Packing
from ganvas.images.data.dataset import ImageData, Split
from ganvas.images.data.listing import Listing
from ganvas.images.data.pack_format import Pack
from ganvas.images.decode import Shape


def converted(found: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    """The images of a listing in one shape, or patches of them where `fit` is 'pieces'."""
    return (yield from (photographs if shape.fit == "pieces" else packed)(found, shape))


def packed(found: Listing, shape: Shape) -> Generator[Packing, None, ImageData]:
    """The images of a listing in one shape, converted into a pack in the cache if it is not there yet."""
    wanted = pack.resolve(found, shape)
    place = _place(found.name, "-" + pack.key(found, wanted)[:20])
    size = len(found.names) * wanted.channels * wanted.size**2
    return (
        yield from _cached(
            place, size, lambda: pack.write(found, wanted, place), lambda: pack_format.read(place, found.notes)
        )
    )


def photographs(found: Listing, shape: Shape, pairs: str = "") -> Generator[Packing, None, ImageData]:
    """Patches of the images of a listing, which are decoded into the cache if they are not there yet.

    Args:
        pairs: a folder or archive with a degraded version of each image, of the same name; '' for none.
    """
    known = pack.resolve(found, shape)
    wanted = replace(shape, channels=known.channels, depth=known.depth)
    if pairs:
        damaged = listing.find(files.place(pairs), False)
        found = photos.paired(found, damaged)
        wanted = replace(wanted, depth=wanted.depth and pack.resolve(damaged, shape).depth)
    place = _place(found.name, "-photos-" + photos.key_of(found, wanted)[:20])
    steps = _cached(
        place,
        0,
        lambda: photos.write(found, wanted, place),
        lambda: photos.read(place, shape.size, found.notes),
    )
    return replace((yield from steps), twins=bool(pairs))


def _place(name: str, ending: str) -> Path:
    """The folder in the cache for the images of a listing."""
    return cache_folder() / "packs" / f"{safe(name)}{ending}"


def _cached(
    place: Path,
    size: int,
    write: Callable[[], Iterator[Packing]],
    read: Callable[[], Generator[Packing, None, Pack]],
) -> Generator[Packing, None, ImageData]:
    """Read a folder of the cache; it is made first if it is missing, and anew if it is damaged.

    Args:
        size: bytes that it takes, 0 if that is not known.
    """
    notes: list[str] = []
    if place.exists() or place.is_symlink():
        try:
            found = as_data((yield from read()))
            cache.used(place)
            return found
        except photos.TooSmall:
            raise
        except UserError as error:
            why = str(error).removesuffix(pack_format.ANEW).strip()
            notes.append(f"What the cache held of these pictures could not be used and is made anew: {why}")
            cache.remove(place, in_use=True)
    notes += cache.trim(place, size)
    yield from write()
    notes += cache.trim(place)
    found = as_data((yield from read()))
    return replace(found, notes=(*found.notes, *notes))


def as_data(found: Pack) -> ImageData:
    """The data set of a pack."""
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
