"""What happens in a training, one event at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core.samples import Preview


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
    """A preview of the generator was written; `path` is its first file."""

    images: int
    path: Path
    preview: Preview

    @property
    def pictures(self) -> Any:
        """The samples themselves where the preview keeps them, as `images.sheets.Sheet` does; else None."""
        return getattr(self.preview, "pictures", None)


@dataclass(frozen=True)
class Evaluated:
    """The networks were checked beside a preview; `text` says in a sentence what the figures mean."""

    images: int
    figures: dict[str, float]
    text: str = ""


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
    """Good news, or how far long work is."""

    images: int
    text: str


Event = Started | Stepped | Logged | Sampled | Evaluated | Measured | Saved | Warned | Noted
