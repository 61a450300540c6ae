"""What the report of a training on all tables of a database says."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics.figures import Figure
from ganvas.report import markup
from ganvas.report.page import Part
from ganvas.report.quantities import Rows
from ganvas.tasks.table.report_charts import PARTS, bars, pairs
from ganvas.tasks.table.several import told
from ganvas.tasks.table.several.evaluate import details, words
from ganvas.tasks.table.several.told import Told

COUNTS = (
    "How many child rows a parent row has, for each key: bars are the real database, the line is a drawn one. "
    "'Alike' is for the halves that are compared with each other. The thick line spans half of the rows, the thin one "
    "nine in ten."
)


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How good a drawn database is: metrics, each key, the numbers of children, pairs; and each table's own report."""
    figures, found = told.figures_of(run), details.read(run)
    return [
        PARTS.style(),
        *_quality(figures, found),
        *_keys(found),
        *bars(found.get("counts"), "Child rows per parent row", COUNTS),
        *pairs(found, "At most two pairs of each column and key."),
        _tables(run, card, found),
    ]


def _quality(figures: dict[str, Figure], found: dict[str, Any]) -> list[Markup]:
    title = "How good is a drawn database?"
    if not figures:
        text = "Not measured yet. Run ganvas evaluate with this folder to add metrics, keys and pairs to this report."
        return [markup.section(title, [], text)]
    all_ = told.figures(figures, told.shared_in(found))
    table = markup.table(all_.rows, heads=all_.heads, note=all_.note, soft=True)
    cards = [PARTS.words(words.said(figures), True), table]
    return [markup.section(title, [*cards, _captioned(told.wrong(found)) + _captioned(told.worst(found))])]


def _captioned(one: Told) -> Markup:
    return markup.table(one.rows, one.title, one.heads) if one.rows else Markup()


def _keys(found: dict[str, Any]) -> list[Markup]:
    one = told.keys(found)
    if not one.rows:
        return []
    return [PARTS.section(one.title, "", PARTS.card(markup.table(one.rows, heads=one.heads, note=one.note, soft=True)))]


def _tables(run: Run, card: dict[str, Any], found: dict[str, Any]) -> Markup:
    """Each table's own columns, and its report."""
    names = list(map(str, card.get("parts", [])))
    one, rows = told.tables(found, names), []
    for row in one.rows:
        there = (run.folder / row[0] / "report.html").is_file()
        rows.append((*row, Markup('<a href="{}/report.html">its report</a>').format(row[0]) if there else ""))
    return PARTS.section(one.title, "", PARTS.card(markup.table(rows, heads=(*one.heads, ""), note=one.note)))


PART = Part(sections, samples="rows", seen="rows", shape={"rows": "rows"})
