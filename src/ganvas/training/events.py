"""The events of a training, as `ganvas.train` yields them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core.samples import Preview


@dataclass(frozen=True)
class Started:
    """The training begins in this folder, after so many images (0: a new run)."""

    images: int
    folder: Path


@dataclass(frozen=True)
class Stepped:
    """A training step is done."""

    images: int


@dataclass(frozen=True)
class Logged:
    """A line was added to log.jsonl."""

    images: int
    row: dict[str, Any]


@dataclass(frozen=True)
class Sampled:
    """A preview of the generator was written; `path` is the first of its files."""

    images: int
    path: Path
    preview: Preview

    @property
    def pictures(self) -> Any:
        """The samples themselves where the preview keeps them, as `images.sheets.Sheet` does; else None."""
        return getattr(self.preview, "pictures", None)


@dataclass(frozen=True)
class Evaluated:
    """The networks were checked together with a preview; `text` sums up the results in a sentence."""

    images: int
    figures: dict[str, float]
    text: str = ""


@dataclass(frozen=True)
class Measured:
    """A background evaluation is done: its lines of metrics.jsonl, on the model after `images` images."""

    images: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Saved:
    """A snapshot was written, from which the training can be resumed."""

    images: int
    path: Path


@dataclass(frozen=True)
class Warned:
    """A warning: something that the user should know."""

    images: int
    text: str


@dataclass(frozen=True)
class Noted:
    """A note: something is done, or how far a long task is."""

    images: int
    text: str


Event = Started | Stepped | Logged | Sampled | Evaluated | Measured | Saved | Warned | Noted
