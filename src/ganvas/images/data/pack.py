"""Packs: images decoded and scaled once, kept as raw pixels, labels and digests in a folder. How they are made."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.core import checkpoint
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.files import write_whole
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data import depth
from ganvas.images.data.pack_format import FORM, FORMAT
from ganvas.images.data.pictures import PICTURES
from ganvas.images.decode import Shape, Unreadable
from ganvas.images.spec import drawable
from ganvas.sources import checks, splits
from ganvas.sources.checks import Packing
from ganvas.sources.journal import Journal
from ganvas.sources.listing import Listing, spread
from ganvas.sources.unfinished import unfinished

PROBED = 1_000  # images, spread evenly, whose sizes and colours determine the pack's shape
LARGEST, USUAL = 256, 64  # pixels a side of a shape that is chosen automatically
NAMED = 20  # broken images that are named at most


def resolve(listing: Listing, shape: Shape) -> Shape:
    """The shape with its zeros filled in, as up to PROBED of the images suggest.

    The size is that of the images if all are square, of one size and at most LARGEST; else USUAL, or less if most
    images are smaller. In either case it is one that all networks can draw. Grey if all are grey, else colour. If some
    have more than 8 bits a channel, the depth is None: it is measured when they are read.
    """
    sizes: set[tuple[int, int]] = set()
    sides, modes = [], set()
    for data in listing.read(spread(listing, PROBED)):
        with contextlib.suppress(Unreadable):
            picture = decode.opened(data)
            sizes.add(picture.size)
            sides.append(min(picture.size))
            modes.add(picture.mode)
    width, height = next(iter(sizes), (0, 1))
    if len(sizes) == 1 and width == height and width <= LARGEST:
        size = drawable(width)
    else:
        size = drawable(min(USUAL, int(np.median(sides)) if sides else USUAL))
    grey = bool(modes) and modes <= {"1", "L", "LA", "La", *decode.WIDE}
    depth = None if modes & {*decode.WIDE} else shape.depth
    return replace(shape, size=shape.size or size, channels=shape.channels or (1 if grey else 3), depth=depth)


def key(listing: Listing, shape: Shape) -> str:
    """A digest that changes if a file, its place, a label or an option changes."""
    what = [FORMAT, listing.origin, listing.names, listing.stamps, listing.labels, listing.tests, asdict(shape)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def write(listing: Listing, shape: Shape, place: Path) -> Iterator[Packing]:
    """Make a pack in the folder `place`, unless it is there; continues where an interrupted call stopped.

    Args:
        shape: without zeros; see `resolve`.

    Yields:
        How many images are done.

    Raises:
        UserError: only the test images have some class, no image can be read, or the disk is full.
    """
    class_names = splits.class_names(listing, PICTURES)
    with unfinished(place, "pack.json") as work:
        if work is None:
            return
        name = key(listing, shape)
        shape, converted = yield from depth.measured(listing, shape)
        try:
            journal = Journal.of(FORM, work, name, shape.channels * shape.size**2, len(listing.names))
            chunks = yield from journal.fill(listing, functools.partial(_converted, shape=shape))
            _finish(work, listing, shape, class_names, journal.rows, chunks, converted)
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error
        FORM.checked(place)


def _converted(
    numbers: range, images: Collection[bytes | np.ndarray | Exception], shape: Shape
) -> tuple[int, np.ndarray, dict[str, Any]]:
    """First number, pixels uint8 [n, C, H, W] and journal entry (digests, errors by number) of a chunk."""
    pixels = np.zeros((len(images), shape.channels, shape.size, shape.size), np.uint8)
    digests, broken = [], {}
    for i, (number, data) in enumerate(zip(numbers, images, strict=True)):
        try:
            picture = decode.plain(decode.opened(data), 0 if shape.linear else shape.size, shape.depth)
            pixels[i] = decode.fitted(picture, shape)
        except Exception as error:  # Pillow raises many kinds, MemoryError too
            broken[str(number)] = first_line(error)
        digests.append(checks.digest(pixels[i]).hex())
    return numbers.start, pixels, {"digests": digests, "broken": broken}


def _finish(
    work: Path,
    listing: Listing,
    shape: Shape,
    class_names: list[str],
    rows: int,
    chunks: list[dict[str, Any]],
    converted: tuple[str, ...],
) -> None:
    """Split the images, and write the index and the card by which the pack is read."""
    total = len(listing.names)
    text = "".join(digest for chunk in chunks for digest in chunk["digests"])
    digests = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(total, 16)
    broken = {int(i): why for chunk in chunks for i, why in chunk["broken"].items()}
    named = [one_line(f"{listing.names[i]} ({why})") for i, why in list(broken.items())[:NAMED]]
    if len(broken) == total:
        raise UserError(f"None of the {total:,} pictures of {listing.place} can be read. The first: {named[0]}.")
    number = {name: i for i, name in enumerate(class_names)}
    labels = np.array([number[label] for label in listing.labels or []], np.int64)
    tensors = {"digests": torch.from_numpy(digests.copy())}
    parts = splits.split(listing, digests, broken, labels if class_names else np.zeros(total), PICTURES.noun)
    for name, side in parts.items():
        tensors[name] = torch.from_numpy(side)
        if class_names:
            tensors[f"{name}.labels"] = torch.from_numpy(labels[side])
    checkpoint.save(work / "index.safetensors", tensors, {})
    write_whole(work / "names.json", json.dumps(listing.names))
    shards = FORM.synced(work)
    card = {
        "format": FORMAT,
        "name": listing.name,
        "channels": shape.channels,
        "size": shape.size,
        "classes": class_names,
        "train": len(tensors["train"]),
        "held_out": len(tensors["held_out"]),
        "options": asdict(shape),
        "fingerprint": "",
        "licence": listing.licence,
        "left_out": len(broken),
        "broken": named,
        "notes": list(listing.notes),
        "converted": list(converted),
        "rows": rows,
        "shards": shards,
    }
    card["fingerprint"] = FORM.fingerprint(card, class_names, tensors)
    write_whole(work / "pack.json", json.dumps(card, indent=1) + "\n")
    (work / "journal.jsonl").unlink()
