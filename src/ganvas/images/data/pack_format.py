"""The format of a pack of pictures, and reading one: raw pixels, labels, digests and a card that says what they are."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganvas.core.memmap import Stored
from ganvas.images import decode
from ganvas.images.data.pictures import PICTURES
from ganvas.images.decode import Depth
from ganvas.sources.checks import Packing
from ganvas.sources.packs import Form

FORMAT = 1
ANEW = "Make the pack again: ganvas data pack."
CONVERTING = "Converting the pictures, once for all trainings"


def _shape(card: dict[str, Any]) -> tuple[int, ...]:
    """The shape of the pictures in a pack."""
    channels, size = card["channels"], card["size"]
    if channels not in (1, 3, 4) or not 0 < size < 2**16 or card["rows"] < 1 or not card["shards"]:
        raise ValueError("its channels, size, rows or shards are invalid")
    return channels, size, size


FORM = Form(PICTURES, FORMAT, "pixels", ("channels", "size"), _shape, CONVERTING, "size=N", ANEW)


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


def read(place: Path, notes: tuple[str, ...] | None = None) -> Generator[Packing, None, Pack]:
    """Open a pack, and yield how much of it is checked; its images stay on the disk.

    Only files that have changed since they were last checked are read in full.

    Args:
        notes: on the images, in place of the notes that were made with the pack.

    Raises:
        Damaged: it is of another version, cut short, or its content does not match its digests.
        UserError: it cannot be read.
    """
    card, shards, tensors = yield from FORM.opened(place)
    remarks = [*(card["notes"] if notes is None else notes), *card.get("converted", []), *FORM.left_out(card)]
    train, held_out = ((Stored(shards, tensors[s]), tensors.get(f"{s}.labels")) for s in ("train", "held_out"))
    classes, digest = tuple(card["classes"]), card["fingerprint"]
    values = decode.depth_of(card.get("options", {}).get("depth"))
    return Pack(card["name"], train, held_out, classes, digest, card["licence"], tuple(remarks), values)
