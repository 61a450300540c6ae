"""The progress of long work: generators that yield how far they are and return their result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Step = TypeVar("Step")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Doing:
    """What is being done now, and which share of everything is done, 0 to 1."""

    text: str
    share: float
    stays: bool = False  # stays on the screen afterwards


@dataclass(frozen=True)
class Counted:
    """How many of a total are done; `text` says what is being done."""

    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Written:
    """A file was written for the user; `text` says what it shows."""

    path: Path
    text: str


def last(steps: Generator[Step, None, Made], seen: Callable[[Step], object] | None = None) -> Made:
    """Run a generator to its end and return its result; `seen` is called with each of its steps."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if seen is not None:
            seen(step)


def duration(seconds: float) -> str:
    """Seconds in a short form: '2m05s', '3h10m'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
