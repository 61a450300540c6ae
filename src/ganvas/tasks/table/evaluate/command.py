"""`ganvas evaluate` of a model that draws rows of a table."""

from __future__ import annotations

from pathlib import Path

from ganvas.core import distributed
from ganvas.core.console import is_first
from ganvas.core.locate import task_of_parts
from ganvas.core.terminal import Console
from ganvas.core.text import one_line
from ganvas.metrics.show import Measuring
from ganvas.tables import private
from ganvas.tasks.table.evaluate import evaluate as evaluation
from ganvas.tasks.table.evaluate import words
from ganvas.tasks.table.evaluate.evaluate import Measured
from ganvas.training.evaluate import Options


def evaluate(source: Path, options: Options) -> int:
    """Measure and print; the exit code.

    Raises:
        UserError: as `evaluation.evaluate`.
    """
    if task_of_parts(source):
        from ganvas.tasks.table.several.evaluate.command import of_database

        return of_database(source, options)
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
    privacy = [*private.told(measured.card), *words.privacy(figures)]
    for title, lines in (("Quality", words.quality(figures)), ("Privacy", privacy)):
        if lines:
            display.print(f"\n{title}")
        for line in lines:
            display.print(f"- {line}")
    for line in (*_wrong(measured), *_targets(measured)):
        display.print(line)
    return 0


def _wrong(measured: Measured) -> list[str]:
    """A line for each kind of impossible value and each broken rule."""
    found = measured.found
    wrong = {**found["impossible"].parts.get("cells", {})} if "impossible" in found else {}
    wrong |= found["broken-rules"].parts.get("rules", {}) if "broken-rules" in found else {}
    lines = [f"  {one_line(what)}: {count:,}" for what, count in wrong.items() if count]
    return ["\nImpossible values and broken rules:", *lines] if lines else []


def _targets(measured: Measured) -> list[str]:
    """A line for each column that was predicted."""
    found = measured.found.get("tstr")
    rows = found.parts.get("targets", []) if found and not found.note else []
    names = [column.name for column in measured.sides.held_out.columns]
    return ["\nLearned from drawn rows, tested on real ones (from real rows):"] * bool(rows) + [
        f"  {one_line(names[row['column']])}: {row['measure']} {row['drawn']:.3f} ({row['real']:.3f})" for row in rows
    ]
