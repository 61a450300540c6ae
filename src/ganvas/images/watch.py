"""What the terminal shows while picture files are processed. Nothing here imports torch before that begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.console import passed_over
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing, Written
from ganvas.core.terminal import Console
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.images.apply import Applied, Failed


def watch(events: Iterator[Doing | Applied | Failed | Written]) -> int:
    """Show what is done to picture files (see `apply.each`); the exit code."""
    from ganvas.core.bars import Progressing
    from ganvas.images.apply import Applied, Failed

    broken, good = [], 0
    with Progressing(Console()) as progress:
        for event in events:
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Failed):
                broken.append(event.why)
            elif isinstance(event, Applied):
                good += 1
                hole = f"; filled: {event.hole}" if event.hole else ""
                progress.print(one_line(f"{event.path}  ({event.seconds:.1f} s{hole})"))
                for text in event.warnings:
                    progress.print(one_line(f"Warning: {text}"))
            else:
                progress.print(f"Before and after: {event.path}")
    return passed_over(broken, good)


def at_least_one(command: str, images: tuple[Path, ...]) -> tuple[Path, ...]:
    """The picture files that a command was given.

    Raises:
        UserError: there is none.
    """
    if not images:
        raise UserError(f"Name one picture or more, or a folder: ganvas {command} MODEL FILES... --out DIR.")
    return images
