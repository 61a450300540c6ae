"""What a training tells of itself, one event at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Started:
    """The training is set up in this folder, after so many images (0: a new run)."""

    images: int
    folder: Path


@dataclass(frozen=True)
class Stepped:
    """One step was made (nothing was logged)."""

    images: int


@dataclass(frozen=True)
class Logged:
    """A line was added to log.jsonl."""

    images: int
    row: dict[str, Any]


@dataclass(frozen=True)
class Sampled:
    """A sheet of pictures was written; `pictures` is uint8 [n, C, H, W], ten a row."""

    images: int
    path: Path
    pictures: Tensor


@dataclass(frozen=True)
class Evaluated:
    """The discriminator was checked on some real, generated and held-out images; shares in 0..1."""

    images: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """An evaluation that ran beside the training has ended: lines of metrics.jsonl for the model after `images`."""

    images: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Saved:
    """A snapshot was written: training can go on from here after any accident."""

    images: int
    path: Path


@dataclass(frozen=True)
class Warned:
    """Something that the user should know."""

    images: int
    text: str


@dataclass(frozen=True)
class Noted:
    """Something that is well, and that the user may wait for."""

    images: int
    text: str


Event = Started | Stepped | Logged | Sampled | Evaluated | Measured | Saved | Warned | Noted
