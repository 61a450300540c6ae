"""Packs: samples made once from files, kept as raw bytes, labels and digests in a folder. How they are read."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import checkpoint
from ganvas.core.checkpoint import Damaged
from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.memmap import Shards
from ganvas.core.text import one_line
from ganvas.sources import checks
from ganvas.sources.checks import Packing
from ganvas.sources.kind import Kind

FIELDS: dict[str, type] = {  # entries of every card
    **dict.fromkeys(("name", "fingerprint", "licence"), str),
    **dict.fromkeys(("train", "held_out", "left_out", "rows"), int),
    "shards": list,
    "options": dict,
}


def _always(chunk: dict[str, Any], count: int) -> bool:
    return True


@dataclass(frozen=True)
class Form:
    """How samples of some kind are packed.

    `head` are the card's entries (int) that say what shape they have. `shape_of` gives the shape of a stored sample,
    in bytes; it raises a ValueError. `fits(chunk, count)`: are the further entries of a line of the journal in order?
    """

    kind: Kind
    version: int
    what: str  # what is stored of each, as in the names of the files: 'pixels'
    head: tuple[str, ...]
    shape_of: Callable[[dict[str, Any]], tuple[int, ...]]
    text: str  # what is done while they are converted
    setting: str  # the one that makes samples smaller
    anew: str  # what to do about a damaged pack
    fits: Callable[[dict[str, Any], int], bool] = _always

    def fingerprint(self, card: dict[str, Any], class_names: list[str], tensors: dict[str, Tensor]) -> str:
        """SHA-256 of all that a training sees: the digests of the samples and the labels of both splits."""
        content = hashlib.sha256(json.dumps([*(card[name] for name in self.head), class_names]).encode())
        for name in ("train", "held_out"):
            side = tensors[name]
            content.update(f"{name} {len(side)}".encode() + tensors["digests"][side].numpy().tobytes())
            if class_names:
                content.update(tensors[f"{name}.labels"].numpy().tobytes())
        return content.hexdigest()

    def files(self, folder: Path) -> list[Path]:
        """The files of samples in a folder."""
        return sorted(folder.glob(f"{self.what}-*.bin"))

    def synced(self, folder: Path) -> list[dict[str, Any]]:
        """The card's entries on the files of samples, which are on the disk for certain afterwards."""
        paths = self.files(folder)
        for path in paths:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        return [{"file": path.name, "bytes": path.stat().st_size} for path in paths]

    def checked(self, place: Path) -> None:
        """Record that the samples in a folder are intact."""
        checks.remember(place, [*(path.name for path in self.files(place)), "index.safetensors"])

    def opened(self, place: Path) -> Generator[Packing, None, tuple[dict[str, Any], Shards, dict[str, Tensor]]]:
        """Open a pack, and yield how much of it is checked: its card, its samples, and the tensors of its index.

        Only files that have changed since they were last checked are read in full.

        Raises:
            Damaged: it is of another version, cut short, or its content does not match its digests.
            UserError: it cannot be read.
        """
        path = place / "pack.json"
        card = checks.card(path)
        if card.get("format") != self.version:
            raise Damaged(
                f"{place} is a pack of format {one_line(card.get('format'))[:40]}; this Ganvas reads format "
                f"{self.version}. {self.anew}"
            )
        try:
            shards = self._shards(place, card)
            tensors, _ = checkpoint.load(place / "index.safetensors")
            self._fit(card, shards, tensors)
        except UserError:
            raise
        except OSError as error:
            raise cannot("read", path, error) from error
        except Exception as error:  # a foreign card can be wrong in any way
            raise Damaged(f"{path} is damaged ({first_line(error)}). {self.anew}") from error

        def stored(numbers: range) -> list[np.ndarray]:
            return list(shards.gather(torch.arange(numbers.start, numbers.stop)).numpy())

        try:
            names = [*(shard["file"] for shard in card["shards"]), "index.safetensors"]
            each, digests = math.prod(shards.shape), tensors["digests"].numpy()
            yield from checks.check(place, names, each, digests, stored, self.what, self.kind.singular)
        except Damaged as error:
            raise Damaged(f"{error} {self.anew}") from error
        return card, shards, tensors

    def left_out(self, card: dict[str, Any]) -> list[str]:
        """A note on what could not be read."""
        if not card["left_out"]:
            return []
        total = card["train"] + card["held_out"] + card["left_out"]
        more = ", ..." if card["left_out"] > len(card["broken"]) else ""
        broken = ", ".join(map(one_line, card["broken"]))
        return [
            f"{card['left_out']:,} of {total:,} {self.kind.noun} could not be read and are left out: {broken}{more}."
        ]

    def _shards(self, place: Path, card: dict[str, Any]) -> Shards:
        """The files of samples, once the card is known to be in order and the files to be complete."""
        types = {**FIELDS, **dict.fromkeys(self.head, int)}
        checks.fields({"converted": [], "options": {}, **card}, types, ("classes", "broken", "notes", "converted"))
        shape = self.shape_of(card)
        if card["rows"] < 1 or not card["shards"]:
            raise ValueError("its rows or shards are invalid")
        for shard in card["shards"]:
            checks.fields(shard, {"file": str, "bytes": int}, ())
            if Path(shard["file"]).name != shard["file"]:  # a pack's files are next to its card
                raise ValueError(f"its file {shard['file'][:40]!r} is elsewhere")
            file = place / shard["file"]
            size_on_disk = file.stat().st_size if file.is_file() else 0
            if size_on_disk != shard["bytes"]:
                raise Damaged(f"{file} is cut short: it has {size_on_disk:,} bytes of {shard['bytes']:,}. {self.anew}")
        return Shards([place / shard["file"] for shard in card["shards"]], shape, card["rows"])

    def _fit(self, card: dict[str, Any], shards: Shards, tensors: dict[str, Tensor]) -> None:
        """Raise a ValueError if samples, rows, labels and fingerprint do not match."""
        digests, total = tensors["digests"], card["train"] + card["held_out"] + card["left_out"]
        counts = [len(samples) for samples in shards.parts]
        if digests.dtype != torch.uint8 or digests.shape != (total, 16) or sum(counts) != total:
            raise ValueError(f"its counts do not fit the {self.what}")
        if any(count != shards.rows for count in counts[:-1]) or counts[-1] > shards.rows:
            raise ValueError(f"its rows do not fit the {self.what}")
        for name in ("train", "held_out"):
            bounds = {name: total}
            if card["classes"]:
                bounds[f"{name}.labels"] = len(card["classes"])
            for key, most in bounds.items():
                values = tensors[key]
                if values.dtype != torch.int64 or values.shape != (card[name],) or not len(values):
                    raise ValueError(f"its {key} are not numbers of {self.kind.noun}")
                if values.min() < 0 or values.max() >= most:
                    raise ValueError(f"its {key} lead out of it")
        if set(tensors) - {"digests", "train", "held_out"} != (
            {"train.labels", "held_out.labels"} if card["classes"] else set()
        ):
            raise ValueError("it has labels but no classes, or classes but no labels")
        if card["fingerprint"] != self.fingerprint(card, card["classes"], tensors):
            raise ValueError("its fingerprint is not that of its content")
