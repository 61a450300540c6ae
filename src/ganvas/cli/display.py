"""What a person sees while a training runs: a live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganvas.core.progress import duration
from ganvas.core.terminal import Console
from ganvas.metrics.figures import number
from ganvas.training.events import Evaluated, Event, Logged, Measured, Noted, Sampled, Started, Stepped, Warned

if TYPE_CHECKING:
    from ganvas.training.task import Task

BAR = 30  # characters
AROUND = 10  # lines above and below the preview


def time_left(row: dict[str, Any], total: int) -> float:
    """Seconds that the rest takes at the speed of the last tick."""
    return max(0, total - row["images"]) / max(row["images_per_second"], 1e-9)


def line(row: dict[str, Any], total: int, task: type[Task]) -> str:
    """A log row as a line: progress, the task's figures, and speed."""
    so_far = f"[{row['images']:,}/{total:,} {task.Spec.noun}, epoch {row['epoch']:.2f}]"
    timing = f"{row['images_per_second']:.0f} {task.Spec.noun}/s  {duration(time_left(row, total))} left"
    return f"{so_far}  {task.log_line(row)}  {timing}"


class Lines:
    """Plain lines, for files and pipes."""

    def __init__(self, console: Console, total: int, task: type[Task]) -> None:
        """
        Args:
            total: images of the whole training.
        """
        self.console, self.total, self.task = console, total, task

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: Event) -> None:
        text = describe(event, self.task)
        if isinstance(event, Logged):
            text = line(event.row, self.total, self.task)
        if text:
            self.console.print(text, soft_wrap=True)


def describe(event: Event, task: type[Task]) -> str:
    """An event as a line of text; empty for events that are not shown."""
    noun = task.Spec.noun
    if isinstance(event, Started):
        return f"{'Training' if not event.images else f'Resuming after {event.images:,} {noun}'} in {event.folder}"
    if isinstance(event, Sampled):
        return f"{task.Spec.shown_as} after {event.images:,} {noun}: {event.path}"
    if isinstance(event, Evaluated):
        return event.text
    if isinstance(event, Measured):
        figures = [f"{r['title']} {number(r['value'], r['share'])}" for r in event.rows if r["value"] is not None]
        text = ", ".join(figures) or f"nothing, since each figure needs other {noun} (metrics.jsonl says why)"
        return f"Measured after {event.images:,} {noun}: {text} ({event.rows[0]['protocol']['count']:,} {noun})"
    if isinstance(event, Noted):
        return event.text
    if isinstance(event, Warned):
        return f"Warning: {event.text}"
    return ""


class Screen:
    """A live display: progress, losses, the discriminator's accuracy, and the latest preview."""

    def __init__(self, console: Console, total: int, task: type[Task], title: str) -> None:
        """
        Args:
            total: images of the whole training.
        """
        self.console, self.total, self.task, self.title = console, total, task, title
        self.images = 0
        self.noted = ""  # the last note
        self.rows: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.preview: RenderableType = Text("")
        self.live = Live(console=console, refresh_per_second=4, get_renderable=self.render)

    def __enter__(self) -> Screen:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, event: Event) -> None:
        if isinstance(event, Stepped):
            self.images = event.images
        elif isinstance(event, Logged):
            self.rows.append(event.row)
        elif isinstance(event, Evaluated):
            self.checks.append({"images": event.images, **event.figures})
        elif isinstance(event, Sampled):
            self.preview = Group(
                Text(f"after {event.images:,} {self.task.Spec.noun}", style="dim"),
                *event.preview.lines(self.console.width, _is_plain(self.console), self.console.height - AROUND),
            )
        elif isinstance(event, Started | Warned | Measured | Noted):
            self.images = max(self.images, event.images)
            self.noted = event.text if isinstance(event, Noted) else self.noted
            self.console.print(describe(event, self.task))

    def render(self) -> RenderableType:
        row = self.rows[-1] if self.rows else {}
        head = Table.grid(padding=(0, 2))
        timing = "warming up"
        if row:
            ahead = duration(time_left({**row, "images": self.images}, self.total))
            speed = f"{row['images_per_second']:.0f} {self.task.Spec.noun}/s"
            timing = f"{speed}   {duration(row['seconds'])} so far   {ahead} left"
        if ending := self.images >= self.total and bool(row):
            timing = f"{duration(row['seconds'])} of training"
        epoch = f"epoch {self.images / self.rows[-1]['images'] * row['epoch']:.1f}" if row else ""
        bar = ProgressBar(total=self.total, completed=min(self.images, self.total), width=BAR)
        head.add_row(
            Text(self.title, style="bold"), bar, f"{self.images:,} of {self.total:,} {self.task.Spec.noun}  {epoch}"
        )
        parts: list[RenderableType] = [head, Text(timing, style="dim")]
        if ending:  # how long it takes is not known: the bar only shows that something happens
            last = Table.grid(padding=(0, 2))
            last.add_row(Text("Finishing"), ProgressBar(pulse=True, width=BAR), Text(self.noted, style="dim"))
            parts.append(last)
        if row:
            headline = self.task.headline(self.rows, self.checks)
            parts += [self.figures(row), *self.verdicts(row), Text(headline, style="italic")]
        return Group(*parts, self.preview, Text("Ctrl-C saves and stops.", style="dim"))

    def figures(self, row: dict[str, Any]) -> Table:
        table = Table.grid(padding=(0, 3))
        shown = {key: value for key, value in self.task.shown.items() if key in row}
        table.add_row(*(Text(title, style="dim") for title, _ in shown.values()))
        table.add_row(*(format(row[key], form) for key, (_, form) in shown.items()))
        return table

    def verdicts(self, row: dict[str, Any]) -> list[RenderableType]:
        """How often the discriminator is right, as bars; nothing where there is none, or no room."""
        shares = {title: row.get(f"accuracy_{title}") for title in ("real", "fake")}
        width = min(BAR, (self.console.width - 60) // 2)
        if width < 8 or None in shares.values():
            return []
        table = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text("Discriminator right:")]
        for title, value in shares.items():
            share = float(value or 0)
            cells += [Text(title), ProgressBar(total=1, completed=share, width=width), Text(f"{share:>4.0%}")]
        table.add_row(*cells, Text("(50%: guessing)", style="dim"))
        return [table]


def _is_plain(console: Console) -> bool:
    """Has this terminal no colours, or no characters but ASCII?"""
    return console.color_system is None or console.options.ascii_only
