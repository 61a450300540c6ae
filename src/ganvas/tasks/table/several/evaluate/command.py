"""`ganvas evaluate` of a training on all tables of a database."""

from __future__ import annotations

import math
from pathlib import Path

from ganvas.core.console import is_first
from ganvas.core.terminal import Console
from ganvas.core.text import one_line
from ganvas.metrics.show import Measuring as Display
from ganvas.tasks.table.several.evaluate import details, evaluate, words
from ganvas.tasks.table.several.evaluate.evaluate import Measured
from ganvas.tasks.table.several.evaluate.measure import Part
from ganvas.training.evaluate import Options

WORDS = {
    "children": "numbers", "children-trend": "by columns", "family-trend": "pairs", "above-trend": "pairs above",
    "family-c2st": "expert", "shape": "shapes", "trend": "pairs", "c2st": "expert",
}  # fmt: skip


def of_database(source: Path, options: Options) -> int:
    """Measure and print; the exit code.

    Raises:
        UserError: as `evaluate.evaluate`.
    """
    if not is_first():
        return 0
    measured: Measured | None = None
    with Display(Console(), "drawn rows", "real rows") as display:
        for event in evaluate.evaluate(source, options):
            if isinstance(event, Measured):
                measured = event
            else:
                display.show(event)
    assert measured is not None
    measuring = measured.measuring
    repeats = len(measuring.drawn)
    twins = f"{repeats} drawn database{'s' * (repeats > 1)} from seed {options.seed} on"
    display.table(
        str(source),
        f"{twins}, each with {measured.tops:,} rows of the tables that no key leads from, against {measured.data}. "
        f"{words.protocol(details.shared(measuring))}",
    )
    display.print("\nQuality")
    for text in words.said({figure.metric: figure for figure in display.figures}):
        display.print(f"- {text}")
    kinds = (("key", measuring.keys, details.OF_KEYS), ("table", measuring.tables, details.OF_TABLES))
    for kind, parts, names in kinds:
        if any(line(part, names) for part in parts.values()):
            display.print(f"\nEach {kind}, drawn (other real half):")
        for text in filter(None, (line(part, names) for part in parts.values())):
            display.print(f"  {text}")
    for note in dict.fromkeys(f"{p.title}: {n}" for p in measuring.keys.values() for n in details.notes(p)):
        display.print(f"Not measured: {note}.")
    if worst := details.listed(measuring):
        display.print("\nThe pairs over a key that differ most, drawn (other real half):")
        for (a, b), made, floor, _ in worst[:5]:
            display.print(f"  {one_line(a)}, {one_line(b)}: {made:.3f} ({floor:.3f})")
    if wrong := details.wrong(measuring):
        display.print("\nWhat is wrong in drawn rows:")
        for what, count in wrong.items():
            display.print(f"  {one_line(what)}: {count:,}")
    return 0


def line(part: Part, names: tuple[str, ...]) -> str:
    """A key's or a table's figures; '' where it has none."""
    found = []
    for name in names:
        drawn, floor = part.mean(name)
        if not math.isnan(drawn):
            found.append(f"{WORDS[name]} {drawn:.3f} ({floor:.3f})")
    if none := details.without(part):
        found.insert(1, f"without any {none[1]:.1%} (real {none[0]:.1%})")
    away = f"; given away by {', '.join(name for name, _ in part.gives_away())}" if part.gives_away() else ""
    return f"{part.title}, {part.rows:,} a side: {', '.join(found)}{away}" if found else ""
