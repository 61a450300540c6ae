"""Packs: pictures decoded and scaled once, kept as raw pixels, labels and digests in a folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas import checkpoint, files, fitting
from ganvas.data.listing import Listing, mapped, spread
from ganvas.data.sets import HELD_OUT, too_few
from ganvas.data.stored import Shards, Stored
from ganvas.errors import UserError, first_line
from ganvas.files import cannot, write_whole
from ganvas.fitting import Shape, Unreadable
from ganvas.spec import drawable

FORMAT = 1
CHUNK = 32  # pictures from one line of the journal to the next: what a crash may cost
SHARD = 4_000_000_000  # bytes of a file of pixels, about
PROBED = 1_000  # pictures, spread over all, whose size and colours say what shape the pack gets
LARGEST, USUAL = 256, 64  # pixels a side of a shape that is chosen for the user
NAMED = 20  # broken pictures that are named


@dataclass(frozen=True)
class Pack:
    """What a pack holds: pictures and labels of both splits, and what was left out (`notes`)."""

    name: str
    train: tuple[Stored, Tensor | None]
    held_out: tuple[Stored, Tensor | None]
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Packing:
    """So many pictures of a pack are done."""

    done: int
    total: int


def resolve(listing: Listing, shape: Shape) -> Shape:
    """The shape with its zeros filled in: as the pictures are, judged by up to PROBED of them.

    The size is theirs where all are square, of one size and at most LARGEST; else USUAL, or smaller where most are
    smaller; in either case one that all networks draw. Grey where all are grey, else colour.
    """
    if shape.size and shape.channels:
        return shape
    sizes: set[tuple[int, int]] = set()
    sides, modes = [], set()
    for data in listing.read(spread(listing, PROBED)):
        with contextlib.suppress(Unreadable):
            picture = fitting.opened(data)
            sizes.add(picture.size)
            sides.append(min(picture.size))
            modes.add(picture.mode)
    width, height = next(iter(sizes), (0, 1))
    if len(sizes) == 1 and width == height and width <= LARGEST:
        size = drawable(width)
    else:
        size = drawable(min(USUAL, int(np.median(sides)) if sides else USUAL))
    grey = bool(modes) and modes <= {"1", "L", "LA", "La", *fitting.WIDE}
    return replace(shape, size=shape.size or size, channels=shape.channels or (1 if grey else 3))


def key(listing: Listing, shape: Shape) -> str:
    """A text that changes when a file, a label or an option does."""
    what = [FORMAT, listing.names, listing.stamps, listing.labels, listing.tests, asdict(shape)]
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
    with files.locked(work / ".lock"):  # others who want the same pack wait for it
        if (place / "pack.json").exists():
            with contextlib.suppress(OSError):  # a folder that was made in vain
                shutil.rmtree(work)
            return
        each = shape.channels * shape.size**2
        rows = max(CHUNK, SHARD // each // CHUNK * CHUNK)  # of a shard: no chunk lies in two
        done = _taken_up(work, key(listing, shape), each, rows, len(listing.names))
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
            _finish(work, listing, shape, class_names, rows, [done[s] for s in range(0, total, CHUNK)])
            (work / ".lock").unlink(missing_ok=True)
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error


def _shard(folder: Path, number: int) -> Path:
    return folder / f"pixels-{number:03d}.bin"


def _taken_up(work: Path, name: str, each: int, rows: int, total: int) -> dict[int, dict[str, Any]]:
    """What the journal of an interrupted packing has; files of pixels of their full size, mostly holes at first."""
    journal, done = work / "journal.jsonl", {}
    lines = journal.read_text(encoding="utf-8").split("\n")[:-1] if journal.exists() else []
    if lines and lines[0] == name:
        for line in lines[1:]:
            with contextlib.suppress(ValueError):  # a line that a crash cut short
                chunk = json.loads(line)
                done[chunk.pop("start")] = chunk
    else:
        free = shutil.disk_usage(work).free
        if free < 1.02 * each * total:
            raise UserError(
                f"The disk of {work} has {free / 1e6:,.0f} MB free; the pack of {total:,} pictures needs "
                f"{each * total / 1e6:,.0f} MB. Free some space, or take a smaller size=N."
            )
        for old in work.glob("[!.]*"):
            old.unlink()
        write_whole(journal, name + "\n")
        for number in range(math.ceil(total / rows)):
            with open(_shard(work, number), "wb") as file:
                file.truncate(min(rows, total - number * rows) * each)
    return done


def _converted(
    numbers: range, found: list[bytes | np.ndarray | Exception], shape: Shape
) -> tuple[int, np.ndarray, dict[str, Any]]:
    """Pixels uint8 [n, C, H, W] of a chunk, digests, and why pictures could not be read, by number."""
    pixels = np.zeros((len(found), shape.channels, shape.size, shape.size), np.uint8)
    digests, broken = [], {}
    for i, (number, data) in enumerate(zip(numbers, found, strict=True)):
        try:
            picture = fitting.plain(fitting.opened(data), 0 if shape.linear else shape.size)
            pixels[i] = fitting.fitted(picture, shape)
        except Exception as error:  # Pillow raises what its parts raise, also MemoryError
            broken[str(number)] = first_line(error)
        digests.append(hashlib.blake2b(pixels[i].data, digest_size=16).hexdigest())
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
    work: Path, listing: Listing, shape: Shape, class_names: list[str], rows: int, chunks: list[dict[str, Any]]
) -> None:
    """Split by content, put the rows into an order that follows from it, and write what a pack is read from."""
    total = len(listing.names)
    digests = np.frombuffer(bytes.fromhex("".join(d for c in chunks for d in c["digests"])), np.uint8).reshape(
        total, 16
    )
    broken = {int(i): why for chunk in chunks for i, why in chunk["broken"].items()}
    good = np.ones(total, bool)
    good[list(broken)] = False
    first = [f"{listing.names[i]} ({why})" for i, why in list(broken.items())[:NAMED]]
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
    content = hashlib.sha256(json.dumps([shape.channels, shape.size, class_names]).encode())
    tensors = {"digests": torch.from_numpy(digests.copy())}
    for name, side in sides.items():
        content.update(f"{name} {len(side)}".encode() + digests[side].tobytes())
        tensors[name] = torch.from_numpy(side)
        if class_names:
            content.update(labels[side].tobytes())
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
        "fingerprint": content.hexdigest(),
        "licence": listing.licence,
        "left_out": len(broken),
        "broken": first,
        "notes": list(listing.notes),
        "rows": rows,
        "shards": [{"file": path.name, "bytes": path.stat().st_size} for path in shards],
    }
    write_whole(work / "pack.json", json.dumps(card, indent=1) + "\n")
    (work / "journal.jsonl").unlink()


def read(place: Path) -> Pack:
    """Open a pack; its pictures stay on the disk.

    Raises:
        UserError: it is of another version, cut short or damaged.
    """
    path = place / "pack.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise UserError(
                f"{place} is a pack of format {card['format']}; this Ganvas reads format {FORMAT}. Make it anew: "
                "ganvas data pack."
            )
        for shard in card["shards"]:
            file = place / Path(shard["file"]).name  # a pack's files lie beside its card
            there = file.stat().st_size if file.is_file() else 0
            if there != shard["bytes"]:
                raise UserError(
                    f"{file} is cut short: it has {there:,} bytes of {shard['bytes']:,}. Make the pack anew: "
                    "ganvas data pack."
                )
        tensors, _ = checkpoint.load(place / "index.safetensors")
        sides = [(tensors[name], tensors.get(f"{name}.labels")) for name in ("train", "held_out")]
        shape = (card["channels"], card["size"], card["size"])
        shards = Shards([place / Path(shard["file"]).name for shard in card["shards"]], shape, card["rows"])
        notes = list(card["notes"])
        if card["left_out"]:
            more = ", ..." if card["left_out"] > len(card["broken"]) else ""
            total = card["left_out"] + card["train"] + card["held_out"]
            told = ", ".join(card["broken"])
            notes.append(
                f"{card['left_out']:,} of {total:,} pictures could not be read and are left out: {told}{more}."
            )
        train, held_out = ((Stored(shards, rows), labels) for rows, labels in sides)
        return Pack(
            card["name"],
            train,
            held_out,
            tuple(card["classes"]),
            card["fingerprint"],
            card["licence"],
            tuple(notes),
        )
    except OSError as error:
        raise cannot("read", path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}). Make the pack anew: ganvas data pack.") from error
