"""How long work tells of itself: generators that yield how far they are and return what they made."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Step = TypeVar("Step")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Doing:
    """What is being done now, and how much of everything is done (0..1)."""

    text: str
    share: float
    stays: bool = False  # it is for people to read afterwards, too


@dataclass(frozen=True)
class Counted:
    """So many of a total are done; `text` says what is done with them."""

    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Written:
    """A file was written for people to look at; `text` says what it shows."""

    path: Path
    text: str


def last(steps: Generator[Step, None, Made], seen: Callable[[Step], object] | None = None) -> Made:
    """What a generator returns when it is done; `seen` is told each of its steps."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if seen is not None:
            seen(step)


def duration(seconds: float) -> str:
    """Seconds as people say them: '2m05s', '3h10m'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
