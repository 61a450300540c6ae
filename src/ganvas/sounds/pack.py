"""Packs of sounds: waves of one rate and one length, made once by the rule for every sound, kept on the disk."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import checkpoint
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.files import write_whole
from ganvas.core.memmap import Shards, Stored
from ganvas.core.text import one_line
from ganvas.sounds import decode, fit
from ganvas.sounds.kind import SOUNDS
from ganvas.sounds.spec import LONGEST, RATES, SoundSpec
from ganvas.sources import checks, splits
from ganvas.sources.checks import Packing
from ganvas.sources.journal import Converted, Journal
from ganvas.sources.layout import some
from ganvas.sources.listing import Listing, mapped, spread
from ganvas.sources.packs import Form
from ganvas.sources.unfinished import unfinished

FORMAT = 1
RULE = 3  # the version of what decode.py, fit.py and SoundSpec.of make of a file: a new one makes all packs anew
PROBED = 1_000  # sounds, spread evenly, whose rates and lengths determine the pack's
PORTION = 32  # of them that are read at a time
USUAL = 16_000  # samples a second, at most, of a rate that is chosen automatically
WHOLE = 0.98  # share of the sounds that fit into a length that is chosen automatically
FEWEST = 1_024  # samples of a sound
NAMED = 20  # files that are named at most
ANEW = "Remove this folder; it will be made again."


@dataclass(frozen=True)
class Shape:
    """The rate and length that sounds get; zeros are filled in from the sounds."""

    rate: int = 0  # samples a second
    seconds: float = 0
    window: int = 0  # samples
    samples: int = 0  # of a sound


def _shape(card: dict[str, Any]) -> tuple[int, ...]:
    if not RATES[0] <= card["rate"] <= RATES[1] or not FEWEST <= card["samples"] <= 2**18:
        raise ValueError("its rate or length is invalid")
    return (2 * card["samples"],)


def _fits(chunk: dict[str, Any], count: int) -> bool:
    """Does a line of the journal say of each sound its rate, its channels and its length?"""
    seen = chunk.get("seen")
    return (
        isinstance(seen, list)
        and len(seen) == count
        and all(isinstance(entry, list) and [*map(type, entry)] == [int] * 3 for entry in seen)
    )


FORM = Form(
    SOUNDS, FORMAT, "waves", ("rate", "samples"), _shape, "Converting the sounds, once for all trainings", "rate=N",
    ANEW, _fits,
)  # fmt: skip


class Waves:
    """What gives the waves of some rows, int16 [n, samples]."""

    dtype = torch.int16

    def __init__(self, shards: Shards) -> None:
        self.shards, self.shape = shards, (shards.shape[0] // 2,)

    def gather(self, rows: Tensor) -> Tensor:
        return self.shards.gather(rows).view(torch.int16)


@dataclass(frozen=True)
class Pack:
    """What a pack holds: waves int16 [N, samples] and labels int64 [N] (None: unlabelled) of both splits."""

    name: str
    rate: int
    samples: int
    train: tuple[Stored, Tensor | None]
    held_out: tuple[Stored, Tensor | None]
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str
    notes: tuple[str, ...]
    counts: dict[str, int]  # how many were 'mixed_down', 'resampled', 'cut', 'left_out'


def key(listing: Listing, shape: Shape) -> str:
    """A digest that changes if a file, its place, a label or a setting changes."""
    what = [FORMAT, RULE, listing.origin, listing.names, listing.stamps, listing.labels, listing.tests, asdict(shape)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def resolve(listing: Listing, shape: Shape) -> Generator[Packing, None, Shape]:
    """The shape with its zeros filled in, as up to PROBED of the sounds suggest, and yields how many are read.

    The rate is the one that most have, at most USUAL. The length is that of WHOLE of the sounds without the silence
    around them, or what is asked for, at most LONGEST, rounded up to what networks can halve.
    """
    rates: Counter[int] = Counter()
    lengths: list[float] = []
    if not shape.rate or not shape.seconds:
        numbers = spread(listing, PROBED)
        chosen = replace(listing, read=lambda places: listing.read([numbers[i] for i in places]))
        chunks = [range(s, min(s + PORTION, len(numbers))) for s in range(0, len(numbers), PORTION)]
        for found in mapped(chosen, chunks, _looked_at):
            rates.update(rate for rate, _ in found)
            lengths += [seconds for _, seconds in found if seconds]
            yield Packing(min(len(numbers), rates.total()), len(numbers), "Measuring the lengths of the sounds")
    usual = max(rates, key=lambda rate: (rates[rate], rate), default=USUAL)
    rate = shape.rate or max(RATES[0], min(usual, USUAL))
    needed = float(np.quantile(lengths, WHOLE, method="higher")) if lengths else 1.0
    wanted = max(FEWEST, math.ceil(min(shape.seconds or needed, LONGEST) * rate - 1e-9))
    spec = SoundSpec.of(rate, wanted, window=shape.window)
    return replace(shape, rate=rate, window=spec.window, samples=spec.samples)


def _looked_at(_: range, contents: Collection[bytes | np.ndarray | Exception]) -> list[tuple[int, float]]:
    """Rate and seconds of the sounds that can be read, without the silence around them; 0 s: all is silence."""
    found = []
    for data in contents:
        with contextlib.suppress(Exception):  # said when all are read
            sound = _read(data)
            try:
                length = len(fit.trimmed(sound.wave, sound.rate))
            except fit.Silent:
                length = 0
            found.append((sound.rate, length / sound.rate))
    return found


def _read(data: bytes | np.ndarray | Exception) -> decode.Sound:
    if isinstance(data, Exception):
        raise data
    assert isinstance(data, bytes)
    return decode.read(data)


def _converted(
    numbers: range, contents: Collection[bytes | np.ndarray | Exception], rate: int, samples: int
) -> Converted:
    """First number, waves as bytes uint8 [n, 2 * samples] and journal entry of a chunk.

    `seen` are each sound's rate and channels (0: it could not be read), and samples before the cut (0: it is silent).
    """
    waves = np.zeros((len(contents), samples), "<i2")
    broken, seen = {}, []
    for i, (number, data) in enumerate(zip(numbers, contents, strict=True)):
        entry = [0, 0, 0]
        try:
            sound = _read(data)
            entry = [sound.rate, sound.channels, 0]
            wave = fit.prepared(sound.wave, sound.rate, rate)
            waves[i] = fit.placed(wave, rate, samples)
            entry[2] = len(wave)
        except fit.Silent as error:
            broken[str(number)] = str(error)
        except Exception as error:  # MemoryError too
            broken[str(number)], entry = first_line(error).removesuffix("."), [0, 0, 0]
        seen.append(entry)
    content = waves.view(np.uint8)
    return numbers.start, content, {
        "digests": [checks.digest(wave).hex() for wave in content], "broken": broken, "seen": seen
    }  # fmt: skip


def write(listing: Listing, shape: Shape, place: Path) -> Generator[Packing, None, None]:
    """Make a pack in the folder `place`, unless it exists; continues where an interrupted call stopped.

    Yields:
        How many sounds are done.

    Raises:
        UserError: soundfile or soxr is missing, only the test sounds have some class, no sound can be read, none can
            be held out, or the disk is full.
    """
    for library in ("soundfile", "soxr"):
        decode.library(library)
    class_names = splits.class_names(listing, SOUNDS)
    with unfinished(place, "pack.json") as work:
        if work is None:
            return
        known = yield from resolve(listing, shape)
        try:
            journal = Journal.of(FORM, work, key(listing, known), 2 * known.samples, len(listing.names))
            convert = functools.partial(_converted, rate=known.rate, samples=known.samples)
            chunks = yield from journal.fill(listing, convert)
            _finish(work, listing, known, class_names, journal.rows, chunks)
            os.replace(work, place)
        except OSError as error:
            raise cannot("write", work, error) from error
        FORM.checked(place)


def _finish(
    work: Path, listing: Listing, shape: Shape, class_names: list[str], rows: int, chunks: list[dict[str, Any]]
) -> None:
    """Split the sounds, and write the index and the card by which the pack is read."""
    total = len(listing.names)
    text = "".join(digest for chunk in chunks for digest in chunk["digests"])
    digests = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(total, 16)
    broken = {int(i): why for chunk in chunks for i, why in chunk["broken"].items()}
    seen = np.array([entry for chunk in chunks for entry in chunk["seen"]], np.int64).reshape(total, 3)
    if len(broken) == total:
        first = one_line(f"{listing.names[0]} ({broken[0]})")
        raise UserError(f"None of the {total:,} sounds of {listing.place} can be used. The first: {first}.")
    if len(broken) == total - 1:
        first = one_line(next(f"{listing.names[i]} ({why})" for i, why in broken.items()))
        raise UserError(f"{listing.place} has only one usable sound, and training needs more. Not usable: {first}.")
    number = {name: i for i, name in enumerate(class_names)}
    labels = np.array([number[label] for label in listing.labels or []], np.int64)
    parts = splits.split(listing, digests, broken, labels if class_names else np.zeros(total), SOUNDS.noun)
    notes, counts = _notes(listing, shape, seen, broken)
    if class_names:
        parts, more = splits.with_all_classes(listing, digests, parts, labels, class_names, SOUNDS)
        notes += more
    tensors = {"digests": torch.from_numpy(digests.copy())}
    for name, side in parts.items():
        tensors[name] = torch.from_numpy(side)
        if class_names:
            tensors[f"{name}.labels"] = torch.from_numpy(labels[side])
    checkpoint.save(work / "index.safetensors", tensors, {})
    write_whole(work / "names.json", json.dumps(listing.names))
    card = {
        "format": FORMAT,
        "name": listing.name,
        "rate": shape.rate,
        "samples": shape.samples,
        "classes": class_names,
        "train": len(tensors["train"]),
        "held_out": len(tensors["held_out"]),
        "options": counts,
        "fingerprint": "",
        "licence": listing.licence,
        "left_out": len(broken),
        "broken": [],
        "notes": list(listing.notes),
        "converted": notes,
        "rows": rows,
        "shards": FORM.synced(work),
    }
    card["fingerprint"] = FORM.fingerprint(card, class_names, tensors)
    write_whole(work / "pack.json", json.dumps(card, indent=1) + "\n")
    (work / "journal.jsonl").unlink()


def _notes(
    listing: Listing, shape: Shape, seen: np.ndarray, broken: dict[int, str]
) -> tuple[list[str], dict[str, int]]:
    """What was done to the sounds, in sentences and in numbers.

    Args:
        seen: int64 [N, 3], see `_converted`.
    """
    good = np.ones(len(seen), bool)
    good[list(broken)] = False
    rates, channels, lengths = seen[good].T
    total, notes = f"{len(rates):,} sounds", list[str]()
    found = {"mixed_down": channels > 1, "resampled": rates != shape.rate, "cut": lengths > shape.samples}
    counts = {name: int(which.sum()) for name, which in found.items()}
    if counts["mixed_down"]:
        notes.append(f"Mixed down to one channel: {counts['mixed_down']:,} of {total}.")
    if counts["resampled"]:
        others = Counter(rates[found["resampled"]].tolist()).most_common()
        shown = ", ".join(f"{n:,} of {rate:,}" for rate, n in others[:5]) + (", ..." if len(others) > 5 else "")
        notes.append(f"Resampled to {shape.rate:,} samples a second (rate=N for another rate): {shown}.")
    if low := int((rates < shape.rate).sum()):
        notes.append(f"At a lower rate, without the highest tones: {low:,} of {total}.")
    if counts["cut"]:
        most, longest = shape.samples / shape.rate, lengths.max() / shape.rate
        way = f"use seconds=N to keep more, up to {LONGEST:g}" if most < LONGEST else f"{LONGEST:g} s are the most"
        notes.append(f"Cut at {most:.2f} s: {counts['cut']:,} of {total}; the longest has {longest:.2f} s ({way}).")
    if silent := [i for i in broken if seen[i, 0]]:
        names = some(listing.names[i] for i in silent)
        notes.append(f"Silent and left out: {len(silent):,} of {len(seen):,} sounds ({names}).")
    if wrong := [one_line(f"{listing.names[i]} ({why})") for i, why in broken.items() if not seen[i, 0]]:
        names = ", ".join(wrong[:NAMED]) + (", ..." if len(wrong) > NAMED else "")
        notes.append(f"{len(wrong):,} of {len(seen):,} sounds could not be read and are left out: {names}.")
    return notes, {**counts, "left_out": len(broken)}


def read(place: Path, notes: tuple[str, ...] | None = None) -> Generator[Packing, None, Pack]:
    """Open a pack, and yield how much of it is checked; its sounds stay on the disk.

    Args:
        notes: on the files, in place of the notes that were made with the pack.

    Raises:
        Damaged: it is of another version, cut short, or its content does not match its digests.
        UserError: it cannot be read.
    """
    card, shards, tensors = yield from FORM.opened(place)
    waves = Waves(shards)
    train, held_out = ((Stored(waves, tensors[s]), tensors.get(f"{s}.labels")) for s in ("train", "held_out"))
    counts = {name: int(n) for name, n in card.get("options", {}).items() if type(n) is int}
    remarks = (*(card["notes"] if notes is None else notes), *card.get("converted", []))
    return Pack(
        card["name"],
        card["rate"],
        card["samples"],
        train,
        held_out,
        tuple(card["classes"]),
        card["fingerprint"],
        card["licence"],
        remarks,
        counts,
    )
