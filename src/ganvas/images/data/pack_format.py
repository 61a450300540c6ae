"""The format of a pack, and reading one: a folder of raw pixels, labels, digests and a card that says what they are."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import checkpoint
from ganvas.core.checkpoint import Damaged
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.memmap import Shards, Stored
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.decode import Depth
from ganvas.sources import checks
from ganvas.sources.checks import Packing

FORMAT = 1
ANEW = "Make the pack anew: ganvas data pack."
FIELDS: dict[str, type] = {  # entries of a card
    **dict.fromkeys(("name", "fingerprint", "licence"), str),
    **dict.fromkeys(("channels", "size", "train", "held_out", "left_out", "rows"), int),
    "shards": list,
    "options": dict,
}


@dataclass(frozen=True)
class Pack:
    """What a pack holds: images and labels int64 [N] (None: unlabelled) of both splits.

    `notes` says which images were left out or converted.
    """

    name: str
    train: tuple[Stored, Tensor | None]
    held_out: tuple[Stored, Tensor | None]
    class_names: tuple[str, ...]
    fingerprint: str
    licence: str
    notes: tuple[str, ...]
    depth: Depth = Depth()


def fingerprint(channels: int, size: int, class_names: list[str], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of all that a training sees: the digests of the pixels and the labels of both splits."""
    content = hashlib.sha256(json.dumps([channels, size, class_names]).encode())
    for name in ("train", "held_out"):
        side = tensors[name]
        content.update(f"{name} {len(side)}".encode() + tensors["digests"][side].numpy().tobytes())
        if class_names:
            content.update(tensors[f"{name}.labels"].numpy().tobytes())
    return content.hexdigest()


def read(place: Path, notes: tuple[str, ...] | None = None) -> Generator[Packing, None, Pack]:
    """Open a pack, and yield how much of it is checked; its images stay on the disk.

    Only files that have changed since they were last checked are read in full.

    Args:
        notes: on the images, in place of the notes that were made with the pack.

    Raises:
        Damaged: it is of another version, cut short, or its content does not match its digests.
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
    except Exception as error:  # a foreign card can be wrong in any way
        raise Damaged(f"{path} is damaged ({first_line(error)}). {ANEW}") from error
    digests = tensors["digests"].numpy()

    def pixels(numbers: range) -> list[np.ndarray]:
        return list(shards.gather(torch.arange(numbers.start, numbers.stop)).numpy())

    try:
        names = [*(shard["file"] for shard in card["shards"]), "index.safetensors"]
        yield from checks.check(place, names, math.prod(shards.shape), digests, pixels, "pixels", "picture")
    except Damaged as error:
        raise Damaged(f"{error} {ANEW}") from error
    remarks = [*(card["notes"] if notes is None else notes), *card.get("converted", [])]
    if card["left_out"]:
        more = ", ..." if card["left_out"] > len(card["broken"]) else ""
        broken = ", ".join(map(one_line, card["broken"]))
        remarks.append(
            f"{card['left_out']:,} of {len(digests):,} pictures could not be read and are left out: {broken}{more}."
        )
    train, held_out = ((Stored(shards, tensors[s]), tensors.get(f"{s}.labels")) for s in ("train", "held_out"))
    classes, digest = tuple(card["classes"]), card["fingerprint"]
    values = decode.depth_of(card.get("options", {}).get("depth"))
    return Pack(card["name"], train, held_out, classes, digest, card["licence"], tuple(remarks), values)


def _shards(place: Path, card: dict[str, Any]) -> Shards:
    """The files of pixels, once the card is known to be in order and the files to be complete."""
    checks.fields({"converted": [], "options": {}, **card}, FIELDS, ("classes", "broken", "notes", "converted"))
    channels, size, rows = card["channels"], card["size"], card["rows"]
    if channels not in (1, 3, 4) or not 0 < size < 2**16 or rows < 1 or not card["shards"]:
        raise ValueError("its channels, size, rows or shards are none")
    for shard in card["shards"]:
        checks.fields(shard, {"file": str, "bytes": int}, ())
        if Path(shard["file"]).name != shard["file"]:  # a pack's files lie beside its card
            raise ValueError(f"its file {shard['file'][:40]!r} is elsewhere")
        file = place / shard["file"]
        size_on_disk = file.stat().st_size if file.is_file() else 0
        if size_on_disk != shard["bytes"]:
            raise Damaged(f"{file} is cut short: it has {size_on_disk:,} bytes of {shard['bytes']:,}. {ANEW}")
    return Shards([place / shard["file"] for shard in card["shards"]], (channels, size, size), rows)


def _fit(card: dict[str, Any], shards: Shards, tensors: dict[str, Tensor]) -> None:
    """Raise a ValueError if pixels, rows, labels and fingerprint do not match."""
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
    if card["fingerprint"] != fingerprint(card["channels"], card["size"], card["classes"], tensors):
        raise ValueError("its fingerprint is not that of its content")
