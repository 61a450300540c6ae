"""What the report of a training on all tables of a database says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from ganvas.core.naming import safe
from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, number, readable
from ganvas.metrics.show import spread
from ganvas.report import markup
from ganvas.report.page import Part
from ganvas.report.quantities import Rows
from ganvas.tasks.table.report_charts import PARTS, bars, number_of, pairs, safely, share_of
from ganvas.tasks.table.several.evaluate import details, words
from ganvas.tasks.table.several.evaluate.metrics import METRICS

GOOD = {"higher": "high", "lower": "low"}
COUNTS = (
    "How many rows lead to one by each key: bars are the real database, the line is a drawn one. 'Alike' is of the "
    "halves that are held against each other. Half of the rows lie in the thick line, nine of ten in the thin one."
)
KEYS = (
    "In brackets: the other half of the real database. Numbers: how like the distributions of the number of rows that "
    "lead to one are. By columns: the same with each column of the row that they lead to. Pairs: a column of the row "
    "and one of the row that its key leads to, or of one above that. Expert: AUC of boosted trees that see a row with "
    "a summary of those that lead to it; 0.5 is guessing."
)


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How good a drawn database is: figures, each key, the numbers of children, pairs; and each table's own report."""
    figures = {figure.metric: figure for figure in readable(run.figures()) if figure.metric in METRICS}
    found = details.read(run)
    return [
        PARTS.style(),
        *_quality(figures, found),
        *_keys(found),
        *bars(found.get("counts"), "How many rows lead to one", COUNTS),
        *pairs(found, "Of each column and key two pairs at most."),
        _tables(run, card, found),
    ]


def _quality(figures: dict[str, Figure], found: dict[str, Any]) -> list[Markup]:
    title = "How good is a drawn database?"
    if not figures:
        text = (
            "Nothing was measured yet: ganvas evaluate and this folder write figures, keys and pairs into this report."
        )
        return [markup.section(title, [], text)]
    lines = []
    for f in figures.values():
        if f.note:
            lines.append((f.title, "-", "-", f"not measured: {f.note}"))
            continue
        value = spread(f.value, f.spread, f.share).replace(" ", "\u00a0")
        lines.append((f.title, value, number(f.floor, f.share), GOOD.get(f.better, "")))
    first = next(iter(figures.values())).protocol
    shared = safely(lambda: [str(name) for name in found["shared"]], [])
    note = (
        f"{first.repeats} drawn databases, each with {first.count:,} rows of the tables that no key leads from, "
        f"against {first.data}. {words.protocol(shared)}"
    )
    heads = ("Figure", "Drawn", "Other real half", "Good is")
    cards = [PARTS.words(words.said(figures), True), markup.table(lines, heads=heads, note=note, soft=True)]
    return [markup.section(title, [*cards, _wrong(found) + _worst(found)])]


def _wrong(found: dict[str, Any]) -> Markup:
    def make() -> Markup:
        rows = [(str(what), f"{number_of(count):,.0f}") for what, count in found["wrong"].items()]
        return markup.table(rows, "What is wrong in drawn rows", ("What", "Times")) if rows else Markup()

    return safely(make)


def _worst(found: dict[str, Any]) -> Markup:
    def make() -> Markup:
        rows = [(", ".join(map(str, e["names"])), *(f"{share_of(e[k]):.3f}" for k in ("trend", "floor")))
                for e in found["worst"]]  # fmt: skip
        heads = ("Columns", "Drawn", "Other half")
        return markup.table(rows, "The pairs over a key that differ most", heads) if rows else Markup()

    return safely(make)


def _keys(found: dict[str, Any]) -> list[Markup]:
    def make() -> list[Markup]:
        rows = []
        for e in found["keys"]:
            real, drawn = e["none"] or (None, None)
            none = "-" if real is None else f"{share_of(drawn):.1%} (real {share_of(real):.1%})"
            notes = [*map(str, e["notes"])]
            if e["gives_away"]:
                notes.append("Gives drawn ones away: " + ", ".join(str(name) for name, _ in e["gives_away"]) + ".")
            cells = [_pair(e[name]) for name in details.OF_KEYS]
            rows.append((str(e["name"]), f"{number_of(e['rows']):,.0f}", none, *cells, " ".join(notes)))
        heads = (
            "Key",
            "Rows a side",
            "None leads there",
            "Numbers",
            "By columns",
            "Pairs",
            "Pairs above",
            "Expert",
            "",
        )
        return [PARTS.section("Each key", "", PARTS.card(markup.table(rows, heads=heads, note=KEYS, soft=True)))]

    return safely(make, [])


def _pair(values: Any) -> str:
    return "-" if values is None else f"{number_of(values[0]):.3f} ({number_of(values[1]):.3f})"


def _tables(run: Run, card: dict[str, Any], found: dict[str, Any]) -> Markup:
    """Each table's own columns, and its report."""
    entries = safely(lambda: {safe(str(e["name"])): e for e in found["tables"]}, {})
    rows = []
    for name in map(str, card.get("parts", [])):
        cells = _cells(entries.get(name))
        there = (run.folder / name / "report.html").is_file()
        link = Markup('<a href="{}/report.html">its report</a>').format(name) if there else ""
        rows.append((name, *cells, link))
    note = "Of its own columns alone; in brackets the other half of the real rows. Expert: AUC, 0.5 is guessing."
    heads = ("Table", "Rows a side", "Column shapes", "Pair trends", "Expert", "")
    return PARTS.section("Each table", "", PARTS.card(markup.table(rows, heads=heads, note=note)))


def _cells(entry: Any) -> tuple[str, ...]:
    none = ("-",) * (1 + len(details.OF_TABLES))
    make: Callable[[], tuple[str, ...]] = lambda: (  # noqa: E731
        f"{number_of(entry['rows']):,.0f}", *(_pair(entry[name]) for name in details.OF_TABLES)
    )  # fmt: skip
    return none if entry is None else safely(make, none)


PART = Part(sections, samples="rows", seen="rows", shape={"rows": "rows"})
