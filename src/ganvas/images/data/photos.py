"""Whole photographs at their own scale, from which a training cuts patches."""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import os
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.core import cache, files
from ganvas.core.checkpoint import Damaged
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import cannot, write_whole
from ganvas.core.memmap import FRESH, Stored, release
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data import depth
from ganvas.images.data.dataset import too_few
from ganvas.images.data.pack import NAMED, key
from ganvas.images.data.pack_format import CONVERTING, FORMAT, Pack
from ganvas.images.decode import Depth, Shape, Unreadable
from ganvas.images.spec import drawable
from ganvas.sources import checks
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing, mapped
from ganvas.sources.unfinished import unfinished

LONGEST = 2_048  # pixels of the longer side; larger photographs are scaled down
STEP = 4  # pixels from one patch to the next
PLACES = 4_000_000  # patches in all, about: with more photographs the steps are longer
HELD_OUT = 0.15  # share of the photographs that is held out: each has many patches
USUAL = 64  # pixels a side of a patch whose size is chosen automatically
FILES = ("pixels.bin", "photos.json")


class TooSmall(UserError):
    """No patch can be cut from the photographs; what is on the disk is in order."""


class Photos:
    """A file of photographs of many sizes, mapped into memory; a row is the place of a patch in one of them."""

    dtype = torch.uint8

    def __init__(self, path: Path, sizes: Sequence[tuple[int, int]], channels: int, size: int) -> None:
        """
        Args:
            path: pixels [H, W, C] of each photograph, one after the other.
            sizes: (H, W) of each.
            size: pixels a side of a patch; smaller photographs have none.

        Raises:
            UserError: the file cannot be read.
        """
        self.shape, self.gathered = (channels, size, size), 0
        cache.hold(self, path.parent)
        try:
            with open(path, "rb") as file:
                self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise cannot("read", path, error if isinstance(error, OSError) else OSError(str(error))) from error
        self.photos, start = [], 0
        for h, w in sizes:
            self.photos.append(np.frombuffer(self.map, np.uint8, h * w * channels, start).reshape(h, w, channels))
            start += h * w * channels
        places = sum(max(0, h - size + 1) * max(0, w - size + 1) for h, w in sizes)
        self.step = max(STEP, round((places / PLACES) ** 0.5))
        grids = [((h - size) // self.step + 1, (w - size) // self.step + 1) for h, w in sizes]
        self.grids = [(rows, columns) if min(rows, columns) > 0 else (0, 0) for rows, columns in grids]
        self.ends = np.cumsum([rows * columns for rows, columns in self.grids])

    def rows(self, photos: Sequence[int], apart: bool) -> Tensor:
        """The rows of all patches of these photographs, int64 [n]; `apart`: only of patches that do not overlap."""
        stride = -(-self.shape[1] // self.step) if apart else 1
        parts = [torch.empty(0, dtype=torch.int64)]
        for i in photos:
            rows, columns = self.grids[i]
            numbers = torch.arange(int(self.ends[i]) - rows * columns, int(self.ends[i])).view(rows, columns)
            parts.append(numbers[::stride, ::stride].flatten())
        return torch.cat(parts)

    def gather(self, rows: Tensor) -> Tensor:
        """The patches of these rows, uint8 [n, C, size, size]."""
        channels, size, _ = self.shape
        patches = np.empty((len(rows), size, size, channels), np.uint8)
        homes = np.searchsorted(self.ends, rows.numpy(), "right").tolist()
        for i, (row, photo) in enumerate(zip(rows.tolist(), homes, strict=True)):
            many, columns = self.grids[photo]
            y, x = divmod(row - int(self.ends[photo]) + many * columns, columns)
            top, left = y * self.step, x * self.step
            patches[i] = self.photos[photo][top : top + size, left : left + size]
        self.gathered += patches.size
        if self.gathered >= FRESH:
            self.gathered = 0
            release([self.map])
        return torch.from_numpy(patches).permute(0, 3, 1, 2)


def paired(clean: Listing, degraded: Listing) -> Listing:
    """The images of a listing, each with its degraded version: the file of the same name, up to its suffix.

    Raises:
        UserError: no image has a degraded version, or names are ambiguous.
    """
    sides = [[PurePosixPath(name).with_suffix("") for name in listing.names] for listing in (clean, degraded)]
    for listing, side in zip((clean, degraded), sides, strict=True):
        if len(set(side)) < len(side):
            twice = Counter(side).most_common(1)[0][0]
            raise UserError(f"{listing.place} has two pictures of the name {twice}: pairs are matched by their names.")
    by_name = {name: i for i, name in enumerate(sides[1])}
    matched = [(i, by_name.get(name)) for i, name in enumerate(sides[0])]
    pairs = [(i, match) for i, match in matched if match is not None]
    alone = [clean.names[i] for i, match in matched if match is None]
    if not pairs:
        raise UserError(
            f"No picture of {degraded.place} has the name of one of {clean.place} (the first are {degraded.names[0]} "
            f"and {clean.names[0]}). Twins have the same name, in the same sub-folder."
        )

    def read(numbers: Sequence[int]) -> Iterator[Any]:
        chosen = [pairs[n] for n in numbers]
        return zip(clean.read([i for i, _ in chosen]), degraded.read([i for _, i in chosen]), strict=True)

    notes = [*clean.notes, *(note for note in degraded.notes if note not in clean.notes)]
    if alone:
        named = ", ".join(map(one_line, alone[:NAMED])) + (", ..." if len(alone) > NAMED else "")
        notes.append(f"{len(alone):,} pictures have no twin in {degraded.place} and are left out: {named}.")
    return replace(
        clean,
        names=[clean.names[i] for i, _ in pairs],
        stamps=[f"{clean.stamps[i]} {degraded.stamps[j]}" for i, j in pairs],
        tests=None if clean.tests is None else [clean.tests[i] for i, _ in pairs],
        read=read,
        notes=tuple(notes),
        origin=f"{clean.origin} {degraded.origin}",
    )


def key_of(listing: Listing, shape: Shape) -> str:
    """As `pack.key`, but the same for all patch sizes: they are cut from one copy."""
    return key(listing, Shape(LONGEST, shape.channels, "pieces"))


def write(listing: Listing, shape: Shape, place: Path) -> Iterator[Packing]:
    """Decode the photographs into the folder `place`, unless it is there; continues where an interrupted call stopped.

    Yields:
        How many photographs are done.

    Raises:
        UserError: none can be read, there are too few to hold some out, or the disk is full.
    """
    with unfinished(place, "photos.json") as work:
        if work is None:
            return
        channels = shape.channels
        name, total = key_of(listing, Shape(channels=channels)), len(listing.names)
        shape, converted = yield from depth.measured(listing, shape)
        done = _resume(work, name)
        left = [range(i, i + 1) for i in range(len(done), total)]
        convert = functools.partial(_decoded, channels=channels, values=shape.depth)
        try:
            with open(work / "journal.jsonl", "a", encoding="utf-8") as journal, open(work / "pixels.bin", "ab") as out:
                yield Packing(len(done), total, CONVERTING)
                for line, pixels in mapped(listing, left, convert):
                    if pixels is not None:
                        out.write(pixels.data)
                        out.flush()
                    journal.write(json.dumps(line) + "\n")
                    journal.flush()
                    done.append(line)
                    yield Packing(len(done), total, CONVERTING)
                os.fsync(out.fileno())
            _finish(work, listing, done, converted, shape.depth)
            (work / "journal.jsonl").unlink()
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error
        checks.remember(place, FILES)


def _resume(work: Path, name: str) -> list[dict[str, Any]]:
    """The lines of an interrupted call's journal that are in order and match the pixels; else a new journal."""
    journal, pixels, done, end = work / "journal.jsonl", work / "pixels.bin", [], 0
    lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if journal.exists() else []
    if lines and lines[0] == name and pixels.is_file():
        with open(pixels, "rb") as file:
            for line in lines[1:]:
                entry = files.json_line(line)  # None if a crash cut it short
                if not entry or not _is_photograph(entry, file):
                    break
                done.append(entry)
                end = file.tell()
        os.truncate(pixels, end)
        write_whole(journal, "\n".join([name, *map(json.dumps, done)]) + "\n")
        return done
    write_whole(journal, name + "\n")
    write_whole(pixels, b"")
    return []


def _is_photograph(line: dict[str, Any], pixels: IO[bytes]) -> bool:
    """Is a line of the journal in order, and do the next pixels of the file match its digest?"""
    if "digest" not in line:
        return isinstance(line.get("broken"), str)
    size, depth = line.get("size"), line.get("depth")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and 0 < n < 2**24 for n in size):
        return False
    if type(depth) is not int or not 0 < depth <= 8:
        return False
    count = size[0] * size[1] * depth
    if line.get("bytes") != count or os.fstat(pixels.fileno()).st_size - pixels.tell() < count:
        return False
    return checks.digest(np.frombuffer(pixels.read(count), np.uint8)).hex() == line["digest"]


def _decoded(
    numbers: range, images: Collection[Any], channels: int, values: Depth | None = None
) -> tuple[dict[str, Any], np.ndarray | None]:
    """A photograph's line of the journal, and its pixels uint8 [H, W, C]; with its degraded version, twice as many C.

    The pixels are None if it cannot be read.
    """
    try:
        (data,) = images
        paired = isinstance(data, tuple)  # not scaled: that would change the degradation
        both = [_pixels(one, channels, not paired, values) for one in (data if paired else (data,))]
        (height, width, _), other = both[0].shape, both[-1].shape
        if other[:2] != (height, width):
            raise Unreadable(f"it has {width}x{height} pixels and its twin {other[1]}x{other[0]}")
        pixels = np.concatenate(both, 2) if len(both) > 1 else both[0]
    except Exception as error:  # Pillow raises many kinds, MemoryError too
        return {"broken": first_line(error)}, None
    digest = checks.digest(pixels).hex()
    return {"size": [height, width], "depth": pixels.shape[2], "bytes": pixels.nbytes, "digest": digest}, pixels


def _pixels(data: bytes | np.ndarray | Exception, channels: int, smaller: bool, values: Depth | None) -> np.ndarray:
    picture = decode.plain(decode.opened(data), depth=values)
    if smaller and max(picture.size) > LONGEST:
        scale = LONGEST / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return decode.channelled(picture, channels)


def _finish(
    work: Path, listing: Listing, lines: list[dict[str, Any]], converted: tuple[str, ...], values: Depth | None
) -> None:
    """Split the photographs, and write the card by which they are read."""
    good = [i for i, line in enumerate(lines) if "digest" in line]
    broken = [one_line(f"{listing.names[i]} ({line['broken']})") for i, line in enumerate(lines) if "broken" in line]
    if not good:
        raise UserError(f"None of the {len(lines):,} pictures of {listing.place} can be read. The first: {broken[0]}.")
    digests = {i: lines[i]["digest"] for i in good}
    out = {i for i in good if listing.tests[i]} if listing.tests else set()
    if not out:  # by content: the same ones in any folder, and equal ones on one side
        wanted = max(1, round(HELD_OUT * len(set(digests.values()))))
        last = sorted(set(digests.values()))[wanted - 1]
        out = {i for i in good if digests[i] <= last}
    if len(out) == len(good):
        raise too_few(len(good), len(set(digests.values())), listing.place)
    card = {
        "format": FORMAT,
        "name": listing.name,
        "channels": lines[good[0]]["depth"],  # twice as many if there are pairs
        "names": [listing.names[i] for i in good],
        "sizes": [lines[i]["size"] for i in good],
        "digests": [digests[i] for i in good],
        "held_out": [n for n, i in enumerate(good) if i in out],
        "licence": listing.licence,
        "broken": broken,
        "notes": list(listing.notes),
        "converted": list(converted),
        "depth": None if values is None else list(values),
        "bytes": sum(lines[i]["bytes"] for i in good),
    }
    write_whole(work / "photos.json", json.dumps({**card, "digest": _digest(card)}, indent=1) + "\n")


def read(place: Path, size: int, notes: tuple[str, ...] | None = None) -> Generator[Packing, None, Pack]:
    """Patches of the photographs in a folder, yielding how much of them is checked; the pixels stay on the disk.

    Only files that have changed since they were last checked are read in full.

    Args:
        size: pixels a side of a patch; 0: one that most photographs have room for.
        notes: on the photographs, in place of the notes that were made when they were decoded.

    Raises:
        Damaged: it is of another version, cut short, or its content does not match its digests.
        TooSmall: all photographs are smaller than the patches.
        UserError: it cannot be read.
    """
    path = place / "photos.json"
    card = checks.card(path)
    if card.get("format") != FORMAT or card.get("digest") != _digest(card):
        raise Damaged(f"{path} is of another version, or was changed. Remove {place}, and it will be made again.")
    size_on_disk = (place / "pixels.bin").stat().st_size if (place / "pixels.bin").is_file() else 0
    if size_on_disk != card["bytes"]:
        raise Damaged(
            f"{place} is cut short: it has {size_on_disk:,} bytes of {card['bytes']:,}. Remove it, and it will be made "
            "again."
        )
    sizes, names, held = [tuple(s) for s in card["sizes"]], card["names"], set(card["held_out"])
    size = size or drawable(min(USUAL, int(np.median([min(s) for s in sizes]))))
    photos = Photos(place / "pixels.bin", sizes, card["channels"], size)
    digests = [bytes.fromhex(text) for text in card["digests"]]
    each = card["bytes"] // len(sizes)
    yield from checks.check(
        place, FILES, each, digests, lambda numbers: [photos.photos[i] for i in numbers], "pixels", "picture"
    )
    small = [i for i, s in enumerate(sizes) if min(s) < size]
    remarks = [*(card["notes"] if notes is None else notes), *card.get("converted", [])]
    for which, why in (
        (card["broken"], "could not be read"),
        ([names[i] for i in small], f"have less than {size} pixels a side"),
    ):
        if which:
            named = ", ".join(map(one_line, which[:NAMED])) + (", ..." if len(which) > NAMED else "")
            total = len(names) + len(card["broken"])
            remarks.append(f"{len(which):,} of {total:,} pictures {why} and are left out: {named}.")
    train = photos.rows([i for i in range(len(sizes)) if i not in held], apart=False)
    held_out = photos.rows(sorted(held), apart=True)
    if not len(train) or not len(held_out):
        which = "All" if len(small) == len(sizes) else "All the pictures to train on, or all that are held out,"
        raise TooSmall(
            f"{which} of {card['name']} have less than {size} pixels a side, the size of a patch. Choose a smaller "
            "size=N, or add larger pictures."
        )
    content = hashlib.sha256(json.dumps([card["channels"], card["digests"], card["held_out"]]).encode())
    sides = [(Stored(photos, rows), None) for rows in (train, held_out)]
    values = decode.depth_of(card.get("depth"))
    return Pack(card["name"], sides[0], sides[1], (), content.hexdigest(), card["licence"], tuple(remarks), values)


def _digest(card: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps({**card, "digest": ""}, sort_keys=True).encode()).hexdigest()
