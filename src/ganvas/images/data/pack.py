"""Packs: pictures decoded and scaled once, kept as raw pixels, labels and digests in a folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import cache, checkpoint, files
from ganvas.core.checkpoint import Damaged
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import cannot, write_whole
from ganvas.core.memmap import Shards, Stored
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data import checks, depth
from ganvas.images.data.checks import Packing
from ganvas.images.data.dataset import HELD_OUT, too_few
from ganvas.images.data.listing import Listing, mapped, spread
from ganvas.images.decode import Depth, Shape, Unreadable
from ganvas.images.spec import drawable

FORMAT = 1
CHUNK = 32  # pictures from one line of the journal to the next: what a crash may cost
SHARD = 4_000_000_000  # bytes of a file of pixels, about
PROBED = 1_000  # pictures, spread over all, whose size and colours say what shape the pack gets
LARGEST, USUAL = 256, 64  # pixels a side of a shape that is chosen for the user
NAMED = 20  # broken pictures that are named
ANEW = "Make the pack anew: ganvas data pack."
FIELDS: dict[str, type] = {  # of a card
    **dict.fromkeys(("name", "fingerprint", "licence"), str),
    **dict.fromkeys(("channels", "size", "train", "held_out", "left_out", "rows"), int),
    "shards": list,
    "options": dict,
}


@dataclass(frozen=True)
class Pack:
    """What a pack holds: pictures and labels of both splits, and what was left out or converted (`notes`)."""

    name: str
    train: tuple[Stored, Tensor | None]
    held_out: tuple[Stored, Tensor | None]
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str
    notes: tuple[str, ...]
    depth: Depth = Depth()


def resolve(listing: Listing, shape: Shape) -> Shape:
    """The shape with its zeros filled in: as the pictures are, judged by up to PROBED of them.

    The size is theirs where all are square, of one size and at most LARGEST; else USUAL, or smaller where most are
    smaller; in either case one that all networks draw. Grey where all are grey, else colour. Where some have
    more than 8 bits, the depth is None: it is measured when they are read.
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
    """A text that changes when a file, its place, a label or an option does."""
    what = [FORMAT, listing.origin, listing.names, listing.stamps, listing.labels, listing.tests, asdict(shape)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def write(listing: Listing, shape: Shape, place: Path) -> Iterator[Packing]:
    """Make the pack `place`, unless it is there; what an interrupted call has finished is kept and not done again.

    Args:
        shape: without zeros; see `resolve`.

    Raises:
        UserError: the labels of the splits do not fit each other, nothing can be read, or the disk is full.
    """
    class_names = _class_names(listing)
    work = place.with_name(place.name + ".part")
    files.make_folder(work)
    with files.locked(work / ".lock"), cache.held(work):  # others who want the same pack wait for it
        if (place / "pack.json").exists():
            with contextlib.suppress(OSError):  # a folder that was made in vain
                shutil.rmtree(work)
            return
        name = key(listing, shape)
        shape, converted = yield from depth.measured(listing, shape)
        each = shape.channels * shape.size**2
        rows = max(CHUNK, SHARD // each // CHUNK * CHUNK)  # of a shard: no chunk lies in two
        done = _taken_up(work, name, each, rows, len(listing.names))
        total = len(listing.names)
        left = [range(s, min(s + CHUNK, total)) for s in range(0, total, CHUNK) if s not in done]
        convert = functools.partial(_converted, shape=shape)
        yield Packing(min(total, len(done) * CHUNK), total)
        try:
            with open(work / "journal.jsonl", "a", encoding="utf-8") as journal:
                for start, pixels, chunk in mapped(listing, left, convert):
                    with open(_shard(work, start // rows), "r+b", buffering=0) as file:
                        file.seek(start % rows * each)
                        file.write(pixels.data)
                    journal.write(json.dumps({"start": start, **chunk}) + "\n")
                    journal.flush()
                    done[start] = chunk
                    yield Packing(min(total, len(done) * CHUNK), total)
            _finish(work, listing, shape, class_names, rows, [done[s] for s in range(0, total, CHUNK)], converted)
            (work / ".lock").unlink(missing_ok=True)
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error
        checks.remember(place, [*_names(place), "index.safetensors"])


def _shard(folder: Path, number: int) -> Path:
    return folder / f"pixels-{number:03d}.bin"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("pixels-*.bin"))


def _taken_up(work: Path, name: str, each: int, rows: int, total: int) -> dict[int, dict[str, Any]]:
    """What the journal of an interrupted packing has; files of pixels of their full size, mostly holes at first."""
    journal, done = work / "journal.jsonl", {}
    lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if journal.exists() else []
    sizes = [min(rows, total - start) * each for start in range(0, total, rows)]
    shards = [_shard(work, number) for number in range(len(sizes))]
    if lines and lines[0] == name and [p.stat().st_size if p.is_file() else 0 for p in shards] == sizes:
        for line in lines[1:]:
            chunk = files.json_line(line)  # None: one that a crash cut short
            if chunk and _is_there(work, chunk, each, rows, total):
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


def _is_there(work: Path, chunk: dict[str, Any], each: int, rows: int, total: int) -> bool:
    """Is a line of the journal as it should be, and are the pixels on the disk that it tells of?"""
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
    numbers: range, found: Collection[bytes | np.ndarray | Exception], shape: Shape
) -> tuple[int, np.ndarray, dict[str, Any]]:
    """Pixels uint8 [n, C, H, W] of a chunk, digests, and why pictures could not be read, by number."""
    pixels = np.zeros((len(found), shape.channels, shape.size, shape.size), np.uint8)
    digests, broken = [], {}
    for i, (number, data) in enumerate(zip(numbers, found, strict=True)):
        try:
            picture = decode.plain(decode.opened(data), 0 if shape.linear else shape.size, shape.depth)
            pixels[i] = decode.fitted(picture, shape)
        except Exception as error:  # Pillow raises what its parts raise, also MemoryError
            broken[str(number)] = first_line(error)
        digests.append(checks.digest(pixels[i]).hex())
    return numbers.start, pixels, {"digests": digests, "broken": broken}


def _class_names(listing: Listing) -> list[str]:
    """The classes in the order of their names, or of their numbers."""
    if listing.labels is None:
        return []
    tests = listing.tests or [False] * len(listing.names)
    names = {label for label, test in zip(listing.labels, tests, strict=True) if not test}
    strange = sorted(set(listing.labels) - names)
    if strange:
        raise UserError(
            f"{listing.place}: the test images have the class '{strange[0]}', which the training images do not have. "
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
    """Split by content, put the rows into an order that follows from it, and write what a pack is read from."""
    total = len(listing.names)
    digests = np.frombuffer(bytes.fromhex("".join(d for c in chunks for d in c["digests"])), np.uint8).reshape(
        total, 16
    )
    broken = {int(i): why for chunk in chunks for i, why in chunk["broken"].items()}
    good = np.ones(total, bool)
    good[list(broken)] = False
    first = [one_line(f"{listing.names[i]} ({why})") for i, why in list(broken.items())[:NAMED]]
    if not good.any():
        raise UserError(f"None of the {total:,} pictures of {listing.place} can be read. The first: {first[0]}.")
    number = {name: i for i, name in enumerate(class_names)}
    labels = np.array([number[label] for label in listing.labels or []], np.int64)
    heads = digests[:, :4].copy().view(np.uint32)[:, 0]
    out = np.array(listing.tests or [False] * total)
    if not (good & out).any():
        out = heads < max(HELD_OUT * 2**32, int(heads[good].min()) + 1)  # of few pictures one at least
    if not (good & ~out).any():
        out = heads < int(heads[good].max())
    if not (good & out).any():
        count = int(good.sum())
        raise too_few(count, len(np.unique(digests[good], axis=0)), listing.place)
    order = np.lexsort((labels if class_names else np.zeros(total), *digests.T[::-1]))
    sides = {"train": order[(good & ~out)[order]], "held_out": order[(good & out)[order]]}
    tensors = {"digests": torch.from_numpy(digests.copy())}
    for name, side in sides.items():
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
        "train": len(sides["train"]),
        "held_out": len(sides["held_out"]),
        "options": asdict(shape),
        "fingerprint": _fingerprint(shape.channels, shape.size, class_names, tensors),
        "licence": listing.licence,
        "left_out": len(broken),
        "broken": first,
        "notes": list(listing.notes),
        "converted": list(converted),
        "rows": rows,
        "shards": [{"file": path.name, "bytes": path.stat().st_size} for path in shards],
    }
    write_whole(work / "pack.json", json.dumps(card, indent=1) + "\n")
    (work / "journal.jsonl").unlink()


def _fingerprint(channels: int, size: int, class_names: list[str], tensors: dict[str, Tensor]) -> str:
    """A digest of all that a training sees: the pixels' digests and the labels of both sides."""
    content = hashlib.sha256(json.dumps([channels, size, class_names]).encode())
    for name in ("train", "held_out"):
        side = tensors[name]
        content.update(f"{name} {len(side)}".encode() + tensors["digests"][side].numpy().tobytes())
        if class_names:
            content.update(tensors[f"{name}.labels"].numpy().tobytes())
    return content.hexdigest()


def read(place: Path, told: tuple[str, ...] | None = None) -> Generator[Packing, None, Pack]:
    """Open a pack; its pictures stay on the disk, and are checked where their files have changed.

    Args:
        told: what is said of the pictures now, instead of the notes of the time when the pack was made.

    Raises:
        Damaged: it is of another version, cut short, or its content is not what it says of itself.
        UserError: it cannot be read.
    """
    path = place / "pack.json"
    card = checks.card(path)
    if card.get("format") != FORMAT:
        raise Damaged(
            f"{place} is a pack of format {one_line(card.get('format'))[:40]}; this Ganvas reads format {FORMAT}. "
            f"{ANEW}"
        )
    try:
        shards = _shards(place, card)
        tensors, _ = checkpoint.load(place / "index.safetensors")
        _fit(card, shards, tensors)
    except UserError:
        raise
    except OSError as error:
        raise cannot("read", path, error) from error
    except Exception as error:  # a card of others can be wrong in any way
        raise Damaged(f"{path} is damaged ({first_line(error)}). {ANEW}") from error
    digests = tensors["digests"].numpy()

    def pixels(numbers: range) -> list[np.ndarray]:
        return list(shards.gather(torch.arange(numbers.start, numbers.stop)).numpy())

    try:
        names = [*(shard["file"] for shard in card["shards"]), "index.safetensors"]
        yield from checks.check(place, names, math.prod(shards.shape), digests, pixels)
    except Damaged as error:
        raise Damaged(f"{error} {ANEW}") from error
    notes = [*(card["notes"] if told is None else told), *card.get("converted", [])]
    if card["left_out"]:
        more = ", ..." if card["left_out"] > len(card["broken"]) else ""
        broken = ", ".join(map(one_line, card["broken"]))
        notes.append(
            f"{card['left_out']:,} of {len(digests):,} pictures could not be read and are left out: {broken}{more}."
        )
    train, held_out = ((Stored(shards, tensors[s]), tensors.get(f"{s}.labels")) for s in ("train", "held_out"))
    classes, print_ = tuple(card["classes"]), card["fingerprint"]
    values = decode.depth_of(card.get("options", {}).get("depth"))
    return Pack(card["name"], train, held_out, classes, print_, card["licence"], tuple(notes), values)


def _shards(place: Path, card: dict[str, Any]) -> Shards:
    """The files of pixels, after a look whether the card is as it should be and they are whole."""
    checks.fields({"converted": [], "options": {}, **card}, FIELDS, ("classes", "broken", "notes", "converted"))
    channels, size, rows = card["channels"], card["size"], card["rows"]
    if channels not in (1, 3, 4) or not 0 < size < 2**16 or rows < 1 or not card["shards"]:
        raise ValueError("its channels, size, rows or shards are none")
    for shard in card["shards"]:
        checks.fields(shard, {"file": str, "bytes": int}, ())
        if Path(shard["file"]).name != shard["file"]:  # a pack's files lie beside its card
            raise ValueError(f"its file {shard['file'][:40]!r} is elsewhere")
        file = place / shard["file"]
        there = file.stat().st_size if file.is_file() else 0
        if there != shard["bytes"]:
            raise Damaged(f"{file} is cut short: it has {there:,} bytes of {shard['bytes']:,}. {ANEW}")
    return Shards([place / shard["file"] for shard in card["shards"]], (channels, size, size), rows)


def _fit(card: dict[str, Any], shards: Shards, tensors: dict[str, Tensor]) -> None:
    """Raise a ValueError where pixels, rows, labels and fingerprint do not fit each other."""
    digests, total = tensors["digests"], card["train"] + card["held_out"] + card["left_out"]
    counts = [len(pixels) for pixels in shards.parts]
    if digests.dtype != torch.uint8 or digests.shape != (total, 16) or sum(counts) != total:
        raise ValueError("its counts do not fit the pixels")
    if any(count != shards.rows for count in counts[:-1]) or counts[-1] > shards.rows:
        raise ValueError("its rows do not fit the pixels")
    for name in ("train", "held_out"):
        bounds = {name: total}
        if card["classes"]:
            bounds[f"{name}.labels"] = len(card["classes"])
        for key, most in bounds.items():
            values = tensors[key]
            if values.dtype != torch.int64 or values.shape != (card[name],) or not len(values):
                raise ValueError(f"its {key} are no numbers of pictures")
            if values.min() < 0 or values.max() >= most:
                raise ValueError(f"its {key} lead out of it")
    if set(tensors) - {"digests", "train", "held_out"} != (
        {"train.labels", "held_out.labels"} if card["classes"] else set()
    ):
        raise ValueError("it has labels and no classes, or classes and no labels")
    if card["fingerprint"] != _fingerprint(card["channels"], card["size"], card["classes"], tensors):
        raise ValueError("its fingerprint is not that of its content")
