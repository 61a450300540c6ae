"""Packs: images decoded and scaled once, kept as raw pixels, labels and digests in a folder. How they are made."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.core import checkpoint, files
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.files import write_whole
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data import depth
from ganvas.images.data.dataset import HELD_OUT, too_few
from ganvas.images.data.pack_format import FORMAT, fingerprint
from ganvas.images.decode import Shape, Unreadable
from ganvas.images.spec import drawable
from ganvas.sources import checks
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing, mapped, spread
from ganvas.sources.unfinished import unfinished

CHUNK = 32  # images per line of the journal: the most that a crash costs
SHARD = 4_000_000_000  # bytes per file of pixels, about
PROBED = 1_000  # images, spread evenly, whose sizes and colours determine the pack's shape
LARGEST, USUAL = 256, 64  # pixels a side of a shape that is chosen automatically
CONVERTING = "Converting the pictures, once for all trainings"
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
    """Make a pack in the folder `place`, unless it is there; goes on where an interrupted call stopped.

    Args:
        shape: without zeros; see `resolve`.

    Yields:
        How many images are done.

    Raises:
        UserError: only the test images have some class, no image can be read, or the disk is full.
    """
    class_names = _class_names(listing)
    with unfinished(place, "pack.json") as work:
        if work is None:
            return
        name, total = key(listing, shape), len(listing.names)
        shape, converted = yield from depth.measured(listing, shape)
        each = shape.channels * shape.size**2
        rows = max(CHUNK, SHARD // each // CHUNK * CHUNK)  # per shard: no chunk is spread over two
        done = _resume(work, name, each, rows, total)
        left = [range(s, min(s + CHUNK, total)) for s in range(0, total, CHUNK) if s not in done]
        convert = functools.partial(_converted, shape=shape)
        yield Packing(min(total, len(done) * CHUNK), total, CONVERTING)
        try:
            with open(work / "journal.jsonl", "a", encoding="utf-8") as journal:
                for start, pixels, chunk in mapped(listing, left, convert):
                    with open(_shard(work, start // rows), "r+b", buffering=0) as file:
                        file.seek(start % rows * each)
                        file.write(pixels.data)
                    journal.write(json.dumps({"start": start, **chunk}) + "\n")
                    journal.flush()
                    done[start] = chunk
                    yield Packing(min(total, len(done) * CHUNK), total, CONVERTING)
            _finish(work, listing, shape, class_names, rows, [done[s] for s in range(0, total, CHUNK)], converted)
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error
        checks.remember(place, [*_names(place), "index.safetensors"])


def _shard(folder: Path, number: int) -> Path:
    return folder / f"pixels-{number:03d}.bin"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("pixels-*.bin"))


def _resume(work: Path, name: str, each: int, rows: int, total: int) -> dict[int, dict[str, Any]]:
    """The chunks that an interrupted call finished, by their first image; else a new journal and files of pixels.

    The files have their full size from the beginning, but take no room on the disk where nothing is written yet.
    """
    journal, done = work / "journal.jsonl", {}
    lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if journal.exists() else []
    sizes = [min(rows, total - start) * each for start in range(0, total, rows)]
    shards = [_shard(work, number) for number in range(len(sizes))]
    if lines and lines[0] == name and [p.stat().st_size if p.is_file() else 0 for p in shards] == sizes:
        for line in lines[1:]:
            chunk = files.json_line(line)  # None if a crash cut it short
            if chunk and _is_done(work, chunk, each, rows, total):
                done[chunk.pop("start")] = chunk
        return done
    free = shutil.disk_usage(work).free
    if free < 1.02 * each * total:
        raise UserError(
            f"The disk of {work} has {free / 1e6:,.0f} MB free; the pack of {total:,} pictures needs "
            f"{each * total / 1e6:,.0f} MB. Free some space, or take a smaller size=N."
        )
    for old in work.glob("[!.]*"):
        old.unlink()
    write_whole(journal, name + "\n")
    for path, size in zip(shards, sizes, strict=True):
        with open(path, "wb") as file:
            file.truncate(size)
    return done


def _is_done(work: Path, chunk: dict[str, Any], each: int, rows: int, total: int) -> bool:
    """Is a line of the journal in order, and do the pixels on the disk match its digests?"""
    start, digests, broken = (chunk.get(name) for name in ("start", "digests", "broken"))
    if type(start) is not int or start not in range(0, total, CHUNK):
        return False
    count = min(CHUNK, total - start)
    numbers = {str(number) for number in range(start, start + count)}
    if not isinstance(broken, dict) or not {*broken} <= numbers or not all(isinstance(w, str) for w in broken.values()):
        return False
    if not isinstance(digests, list) or len(digests) != count or not all(isinstance(d, str) for d in digests):
        return False
    with open(_shard(work, start // rows), "rb") as file:
        file.seek(start % rows * each)
        return all(checks.digest(np.frombuffer(file.read(each), np.uint8)).hex() == d for d in digests)


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


def _class_names(listing: Listing) -> list[str]:
    """The classes, sorted by name; numbers first, by value."""
    if listing.labels is None:
        return []
    tests = listing.tests or [False] * len(listing.names)
    names = {label for label, test in zip(listing.labels, tests, strict=True) if not test}
    unknown = sorted(set(listing.labels) - names)
    if unknown:
        raise UserError(
            f"{listing.place}: the test images have the class '{unknown[0]}', which the training images do not have. "
            "Add such pictures, remove these, or train with labels=false."
        )
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


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
    for name, side in _splits(listing, digests, broken, labels if class_names else np.zeros(total)).items():
        tensors[name] = torch.from_numpy(side)
        if class_names:
            tensors[f"{name}.labels"] = torch.from_numpy(labels[side])
    checkpoint.save(work / "index.safetensors", tensors, {})
    write_whole(work / "names.json", json.dumps(listing.names))
    shards = sorted(work.glob("pixels-*.bin"))
    for path in shards:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    card = {
        "format": FORMAT,
        "name": listing.name,
        "channels": shape.channels,
        "size": shape.size,
        "classes": class_names,
        "train": len(tensors["train"]),
        "held_out": len(tensors["held_out"]),
        "options": asdict(shape),
        "fingerprint": fingerprint(shape.channels, shape.size, class_names, tensors),
        "licence": listing.licence,
        "left_out": len(broken),
        "broken": named,
        "notes": list(listing.notes),
        "converted": list(converted),
        "rows": rows,
        "shards": [{"file": path.name, "bytes": path.stat().st_size} for path in shards],
    }
    write_whole(work / "pack.json", json.dumps(card, indent=1) + "\n")
    (work / "journal.jsonl").unlink()


def _splits(
    listing: Listing, digests: np.ndarray, broken: Collection[int], labels: np.ndarray
) -> dict[str, np.ndarray]:
    """The numbers of the images of both splits, in an order that follows from their content.

    Held out is what the listing marks as test images; without such marks, and of few images, the digests decide.

    Args:
        digests: uint8 [N, 16].
        labels: [N].
    """
    good = np.ones(len(digests), bool)
    good[list(broken)] = False
    heads = digests[:, :4].copy().view(np.uint32)[:, 0]
    out = np.array(listing.tests or [False] * len(digests))
    if not (good & out).any():
        out = heads < max(HELD_OUT * 2**32, int(heads[good].min()) + 1)  # one at least
    if not (good & ~out).any():
        out = heads < int(heads[good].max())
    if not (good & out).any():
        raise too_few(int(good.sum()), len(np.unique(digests[good], axis=0)), listing.place)
    order = np.lexsort((labels, *digests.T[::-1]))
    return {"train": order[(good & ~out)[order]], "held_out": order[(good & out)[order]]}
