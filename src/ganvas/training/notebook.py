"""What a program and a notebook show of a training: a plain line of progress, or a bar, the latest sheet and curves."""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any

from ganvas.core.progress import duration
from ganvas.core.run import Run
from ganvas.core.samples import Preview
from ganvas.core.shown import image, player
from ganvas.core.terminal import say
from ganvas.core.text import one_line
from ganvas.report.charts import COLOURS, chart, svg_file
from ganvas.report.quantities import GENERAL, Rows
from ganvas.training.events import Evaluated, Event, Logged, Noted, Sampled, Started, Stepped, Warned

if TYPE_CHECKING:
    from ganvas.training.task import Task

EVERY = {"terminal": 0.25, "notebook": 1.0}  # seconds between two updates
CURVES = (  # keys, title, ends and mark of each chart
    (("accuracy_real", "accuracy_fake"), "How often the expert is right", (0.0, 1.0), (0.5, "guessing")),
    (("loss_d", "loss_g"), "Losses", None, None),
)
IMAGES = {".png": "png", ".svg": "svg+xml"}  # previews that a page can show


def in_notebook() -> bool:
    """Does this program run in a notebook's kernel?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Quiet:
    """Shows nothing."""

    def show(self, event: Event) -> None:
        pass

    def close(self, text: str = "") -> None:
        pass


class Progress(Quiet):
    """How far a training is: a line that is renewed in a terminal, a line for each log row in a file."""

    def __init__(self, total: int, task: type[Task], title: str) -> None:
        """
        Args:
            total: images of the whole training.
            title: what is trained, for people.
        """
        self.total, self.task, self.title = total, task, title
        self.images, self.began, self.rows, self.checks = 0, (0, time.monotonic()), Rows(), Rows()
        self.shown_at, self.renews = 0.0, sys.stdout.isatty()

    def show(self, event: Event) -> None:
        self.images = max(self.images, event.images)
        if isinstance(event, Started):
            self.images, self.began = event.images, (event.images, time.monotonic())
            self.rows, self.checks = Run(event.folder).rows() if event.images else Rows(), Rows()
        elif isinstance(event, Logged):
            self.rows.append(event.row)
        elif isinstance(event, Evaluated):
            self.checks.append({"images": event.images, **event.figures})
        self.tell(event)

    def tell(self, event: Event) -> None:
        """Print what the event tells."""
        text = message(event)
        if text:
            self.line(text, stays=True)
        elif isinstance(event, Logged) and not self.renews:
            self.line(self.text(), stays=True)
        elif isinstance(event, Stepped) and self.renews and self.due("terminal"):
            self.line(self.text(), stays=False)

    def due(self, where: str) -> bool:
        """Is it time for another update? They must not slow down the training."""
        now = time.monotonic()
        if now - self.shown_at < EVERY[where]:
            return False
        self.shown_at = now
        return True

    def line(self, text: str, stays: bool) -> None:
        width = shutil.get_terminal_size().columns - 1
        text = one_line(text)
        say(
            text if not self.renews else text.ljust(width) if stays else text[:width].ljust(width),
            end="\n" if stays else "\r",
            flush=True,
        )

    def text(self) -> str:
        """The state in a line: samples seen, time left, and the values of the last log row."""
        noun = self.task.Spec.noun
        so_far = f"{self.images:,} of {self.total:,} {noun} ({min(1, self.images / max(1, self.total)):.0%})"
        seen, seconds = self.images - self.began[0], time.monotonic() - self.began[1]
        if seen > 0 and seconds > 0 and self.images < self.total:
            so_far += f", {duration((self.total - self.images) * seconds / seen)} left"
        return f"{so_far}  {self.task.log_line(self.rows[-1])}" if self.rows else so_far

    def close(self, text: str = "") -> None:
        """Show the last state, and the last messages."""
        if self.renews:
            self.line(self.text(), stays=True)
        if text:
            self.line(text, stays=True)


class Live(Progress):
    """The same in a notebook: one display with a bar, the latest preview and curves, which is renewed."""

    def __init__(self, total: int, task: type[Task], title: str) -> None:
        super().__init__(total, task, title)
        self.preview, self.strip, self.notes, self.ended = "", "", list[str](), ""
        self.handle: Any = importlib.import_module("IPython.display").DisplayHandle()
        self.handle.display(self)

    def tell(self, event: Event) -> None:
        if isinstance(event, Sampled):
            self.preview = preview_html(event.preview, f"{self.task.Spec.shown_as} after {event.images:,}")
            played = event.preview.files().get(".wav")
            self.strip = player(played, "what the sheet shows, one after the other") if played else ""
        if isinstance(event, Warned | Noted):
            self.notes = [*self.notes[-4:], message(event)]
        if self.due("notebook") or isinstance(event, Sampled | Warned | Noted):
            self.handle.update(self)

    def close(self, text: str = "") -> None:
        self.ended = text
        self.handle.update(self)

    def __repr__(self) -> str:
        return f"{self.title}: {self.ended or self.text()}"

    def _repr_html_(self) -> str:
        share = min(1.0, self.images / max(1, self.total))
        bar = f'<progress value="{share:.4f}" max="1" style="width: 300px; vertical-align: middle"></progress>'
        parts = [f"<div><strong>{escape(one_line(self.title))}</strong> {bar} {escape(self.text())}</div>"]
        if self.rows and (headline := self.task.headline(self.rows, self.checks)):
            parts.append(f"<div><em>{escape(one_line(headline))}</em></div>")
        parts += [f"<div>{escape(one_line(note))}</div>" for note in [*self.notes, self.ended] if note]
        strip = self.strip if self.ended else ""  # too large to be sent each second
        return "".join([*parts, self.preview, strip, curves(self.rows)])


def viewer(total: int, task: type[Task], title: str) -> Progress:
    """What shows a training where this program runs."""
    return (Live if in_notebook() else Progress)(total, task, title)


def message(event: Event) -> str:
    """What is printed of an event on a separate line; '' for most."""
    if isinstance(event, Started):
        return f"{'Resuming' if event.images else 'Training'} in {event.folder}"
    if isinstance(event, Warned):
        return f"Warning: {event.text}"
    return event.text if isinstance(event, Noted) else ""


def preview_html(preview: Preview, alt: str) -> str:
    """A preview's picture as HTML, or its lines where it has none."""
    for suffix, content in preview.files().items():
        if suffix in IMAGES:
            return f"<div>{image(content, alt, IMAGES[suffix], width=420)}</div>"
    lines = "\n".join(line.plain for line in preview.lines(100, plain=True))
    return f"<pre>{escape(lines)}</pre>" if lines else ""


def curves(rows: Rows) -> str:
    """The curves of log rows as HTML, side by side; '' where there are none."""
    charts = []
    for keys, title, ends, mark in CURVES:
        form = "{:.0%}" if ends else "{:.3g}"
        drawn = svg_file(chart(rows, keys, title, ends, mark, form))
        if drawn:
            last = {key: row[key] for row in rows for key in keys if isinstance(row.get(key), int | float)}
            legend = " ".join(
                f'<span style="color: {colour}">&#9632;</span> {GENERAL[key].title} {form.format(last[key])}'
                for key, colour in zip(keys, COLOURS, strict=False)
                if key in last
            )
            figure = f"<figcaption>{title}<br><small>{legend}</small></figcaption>{image(drawn, title, 'svg+xml', 380)}"
            charts.append(f'<figure style="margin: 8px 0">{figure}</figure>')
    return f'<div style="display: flex; flex-wrap: wrap; gap: 16px">{"".join(charts)}</div>' if charts else ""
