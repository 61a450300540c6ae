"""`ganvas evaluate` of a model that draws rows of a table."""

from __future__ import annotations

from pathlib import Path

from ganvas.core import distributed
from ganvas.core.console import is_first
from ganvas.core.terminal import Console
from ganvas.metrics.show import Measuring
from ganvas.tasks.table.evaluate import evaluate as evaluation
from ganvas.tasks.table.evaluate import words
from ganvas.tasks.table.evaluate.evaluate import Measured
from ganvas.training.evaluate import Options


def evaluate(source: Path, options: Options) -> int:
    """Measure and print; the exit code.

    Raises:
        UserError: as `evaluation.evaluate`.
    """
    if not is_first():
        return 0
    measured: Measured | None = None
    with distributed.joined(), Measuring(Console(), "drawn rows", "real rows") as display:
        for event in evaluation.evaluate(source, options):
            if isinstance(event, Measured):
                measured = event
            else:
                display.show(event)
    display.table(str(source))
    assert measured is not None
    figures = {figure.metric: figure for figure in display.figures}
    for title, lines in (("Quality", words.quality(figures)), ("Privacy", words.privacy(figures))):
        if lines:
            display.print(f"\n{title}")
        for line in lines:
            display.print(f"- {line}")
    for what, count in (
        measured.found["impossible"].parts.get("cells", {}).items() if "impossible" in measured.found else ()
    ):
        display.print(f"  {what}: {count:,}")
    for line in _targets(measured):
        display.print(line)
    return 0


def _targets(measured: Measured) -> list[str]:
    """A line for each column that was predicted."""
    found = measured.found.get("tstr")
    rows = found.parts.get("targets", []) if found and not found.note else []
    names = [column.name for column in measured.sides.held_out.columns]
    return ["\nLearned from drawn rows, tested on real ones (from real rows):"] * bool(rows) + [
        f"  {names[row['column']]}: {row['measure']} {row['drawn']:.3f} ({row['real']:.3f})" for row in rows
    ]
