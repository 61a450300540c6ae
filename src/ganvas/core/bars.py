"""Progress bars on the terminal, for work that yields how far it is; nothing where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ganvas.core.progress import Doing
from ganvas.core.terminal import Console, say
from ganvas.core.text import one_line


class _WithLines(Progress):
    """A bar with lines above it, which disappear with it."""

    def __init__(self, *columns: ProgressColumn, console: Console, disable: bool) -> None:
        self.lines: list[str] = []
        super().__init__(*columns, console=console, transient=True, disable=disable)

    def get_renderables(self) -> Iterator[RenderableType]:
        for line in self.lines:
            yield Text(line)
        yield self.make_tasks_table(self.tasks)


class Progressing:
    """A progress bar for what yields `Doing`: the share that is done, and what is being done now."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self.progress = _WithLines(*columns, console=console, disable=not console.is_terminal)
        self.task = self.progress.add_task("starting", total=1.0)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def doing(self, event: Doing) -> None:
        """Show what is being done now, and how far everything is."""
        if event.stays:
            self.print(f"{event.text[:1].upper()}{event.text[1:]}")
        self.progress.update(self.task, description=one_line(event.text), completed=event.share)

    def known(self, text: str) -> None:
        """A line above the bar as long as it is there; on stderr where the output is not a terminal."""
        if self.console.is_terminal:
            self.progress.lines.append(text)
        elif not self.console.quiet:
            say(text, error=True, flush=True)

    def print(self, text: str) -> None:
        """A line above the bar, which stays."""
        self.console.print(text, soft_wrap=True)


def counted(steps: Iterator[int], total: int, text: str) -> int:
    """Show a progress bar while something counts up to a total; returns the last count."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    console = Console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        for done in steps:
            progress.update(task, completed=done)
    return done
