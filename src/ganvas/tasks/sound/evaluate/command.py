"""`ganvas evaluate` of a model that draws sounds, or of a folder of sounds."""

from __future__ import annotations

import math
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ganvas.core import distributed
from ganvas.core.console import is_first
from ganvas.core.terminal import Console
from ganvas.core.text import one_line
from ganvas.metrics.figures import Figure, number
from ganvas.metrics.show import Measuring
from ganvas.tasks.sound.evaluate import evaluate as evaluation
from ganvas.tasks.sound.evaluate.evaluate import Measured, OfClass
from ganvas.training.evaluate import Options

READS = 0.9  # share of the held-out sounds that a classifier must read, to be relied on
SHOWN = 60  # classes in the table, the worst ones


def evaluate(source: Path, options: Options) -> int:
    """Measure and print the figures; returns the exit code.

    Raises:
        UserError: as `evaluation.evaluate`.
    """
    measured: Measured | None = None
    with distributed.joined(), Measuring(Console(quiet=not is_first()), "drawn sounds", "real sounds") as display:
        for event in evaluation.evaluate(source, options):
            if isinstance(event, Measured):
                measured = event
            else:
                display.show(event)
    if measured is None:
        return 0
    display.table(str(source), protocol(display.figures, measured))
    for line in words(measured):
        display.print(line)
    if measured.classes:
        display.console.print(table(measured.classes))
    return 0


def protocol(figures: list[Figure], measured: Measured) -> str:
    """How the figures were measured, in words."""
    p = figures[0].protocol
    drawn = f"{p.repeats} x {p.count:,} sounds drawn from seed {p.seed} on" if measured.drawn else f"{p.count:,} sounds"
    classes = "" if p.labels == "none" else f" (classes: {p.labels})"
    judge = "" if p.mark == "-" else f"; classifier {p.mark[:8]}"
    return f"{drawn}{classes} against {measured.held:,} held-out ones of {p.data}, {p.form}{judge}."


def words(measured: Measured) -> list[str]:
    """What the metrics are measured with, and what to keep in mind, one sentence per line."""
    lines = [
        "'real sounds' are as many training sounds if a metric compares sounds with the held-out ones, and otherwise "
        "the held-out ones themselves."
    ]
    if not math.isnan(measured.reads):
        lines.append(
            f"The classifier learned from {measured.trained:,} training sounds; it recognises {measured.reads:.1%} of "
            "the held-out ones."
        )
        if measured.reads < READS:
            lines.append("That is low: what it says about drawn sounds is no more reliable than that.")
    lines += measured.notes
    known = [c for c in measured.classes if not math.isnan(c.right)]
    if known:
        worst = min(known, key=lambda c: c.right)
        lines.append(f"Worst class: {one_line(worst.name)}, {worst.right:.1%} of {worst.count:,} sounds.")
    return lines


def table(classes: list[OfClass]) -> Table:
    """A line a class; of very many the worst ones."""
    shown = classes
    if len(classes) > SHOWN:
        shown = sorted(classes, key=lambda c: 2.0 if math.isnan(c.right) else c.right)[:SHOWN]
    made = Table(box=None, pad_edge=False)
    for head in ("class", "drawn", "right", "held-out right", "spread of timbre"):
        made.add_column(head, justify="left" if head == "class" else "right", no_wrap=True)
    for c in shown:
        shares = number(c.right, True), number(c.held_right, True)
        made.add_row(Text(one_line(c.name)), f"{c.count:,}", *shares, number(c.spread))
    return made
