"""What an evaluation of a database found, as tables of texts: for the report and for the studio.

It comes from files of the training's folder, which may be anyone's: what is damaged there is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ganvas.core.naming import safe
from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, number, readable
from ganvas.metrics.show import spread
from ganvas.tasks.table.report_charts import number_of, safely, share_of
from ganvas.tasks.table.several.evaluate import details, words
from ganvas.tasks.table.several.evaluate.metrics import METRICS

GOOD = {"higher": "high", "lower": "low"}
KEYS = (
    "In brackets: the other half of the real database. Numbers: how similar the distributions of the number of rows "
    "that lead to one are. By columns: the same with each column of the row that they lead to. Pairs: a column of the "
    "row and one of the row that its key leads to, or of one above that. Expert: AUC of boosted trees that see a row "
    "with a summary of those that lead to it; 0.5 is guessing."
)
TABLES = "Only of its own columns; in brackets the other half of the real rows. Expert: AUC, 0.5 is guessing."


@dataclass(frozen=True)
class Told:
    """A table: the first entry of a row is what it is about."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def figures_of(run: Run) -> dict[str, Figure]:
    """The newest figures of a database, by metric."""
    return {figure.metric: figure for figure in readable(run.figures()) if figure.metric in METRICS}


def figures(found: dict[str, Figure], shared: Sequence[str]) -> Told:
    """All metrics next to those of the other half of the real database.

    Args:
        shared: see `words.protocol`.
    """
    rows = []
    for f in found.values():
        if f.note:
            rows.append((f.title, "-", "-", f"not measured: {f.note}"))
            continue
        value = spread(f.value, f.spread, f.share).replace(" ", "\u00a0")
        rows.append((f.title, value, number(f.floor, f.share), GOOD.get(f.better, "")))
    first = next(iter(found.values())).protocol
    several = "s" * (first.repeats > 1)
    note = (
        f"{first.repeats} drawn database{several}, each with {first.count:,} rows of the tables that no key leads "
        f"from, against {first.data}. {words.protocol(shared)}"
    )
    return Told("Figures", ("Figure", "Drawn", "Other real half", "Good is"), tuple(rows), note)


def shared_in(entries: dict[str, Any]) -> list[str]:
    """The tables that both halves of the real database have in common."""
    return safely(lambda: [str(name) for name in entries["shared"]], [])


def wrong(entries: dict[str, Any]) -> Told:
    """What is wrong in drawn rows."""
    rows = safely(lambda: [(str(what), f"{number_of(n):,.0f}") for what, n in entries["wrong"].items()], [])
    return Told("What is wrong in drawn rows", ("What", "Times"), tuple(rows))


def worst(entries: dict[str, Any]) -> Told:
    """The pairs of columns over a key that differ most."""

    def make() -> list[tuple[str, ...]]:
        return [(", ".join(map(str, e["names"])), *(f"{share_of(e[k]):.3f}" for k in ("trend", "floor")))
                for e in entries["worst"]]  # fmt: skip

    heads = ("Columns", "Drawn", "Other half")
    return Told("The pairs over a key that differ most", heads, tuple(safely(make, [])))


def keys(entries: dict[str, Any]) -> Told:
    """Each key's figures."""

    def make() -> list[tuple[str, ...]]:
        rows = []
        for e in entries["keys"]:
            real, drawn = e["none"] or (None, None)
            none = "-" if real is None else f"{share_of(drawn):.1%} (real {share_of(real):.1%})"
            notes = [*map(str, e["notes"])]
            if e["gives_away"]:
                notes.append("Gives drawn ones away: " + ", ".join(str(name) for name, _ in e["gives_away"]) + ".")
            cells = [_pair(e[name]) for name in details.OF_KEYS]
            rows.append((str(e["name"]), f"{number_of(e['rows']):,.0f}", none, *cells, " ".join(notes)))
        return rows

    heads = ("Key", "Rows a side", "None leads there", "Numbers", "By columns", "Pairs", "Pairs above", "Expert", "")
    return Told("Each key", heads, tuple(safely(make, [])), KEYS)


def tables(entries: dict[str, Any], names: Sequence[str]) -> Told:
    """Each table's own columns; of those that were not measured a row of dashes.

    Args:
        names: of the tables' folders.
    """
    found = safely(lambda: {safe(str(e["name"])): e for e in entries["tables"]}, {})
    rows = tuple((name, *_cells(found.get(name))) for name in names)
    return Told("Each table", ("Table", "Rows a side", "Column shapes", "Pair trends", "Expert"), rows, TABLES)


def _pair(values: Any) -> str:
    return "-" if values is None else f"{number_of(values[0]):.3f} ({number_of(values[1]):.3f})"


def _cells(entry: Any) -> tuple[str, ...]:
    none = ("-",) * (1 + len(details.OF_TABLES))
    make: Callable[[], tuple[str, ...]] = lambda: (  # noqa: E731
        f"{number_of(entry['rows']):,.0f}", *(_pair(entry[name]) for name in details.OF_TABLES)
    )  # fmt: skip
    return none if entry is None else safely(make, none)
