"""What a run's report says of a model of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, number, readable
from ganvas.metrics.show import spread
from ganvas.report import curves, markup
from ganvas.report.charts import chart
from ganvas.report.page import Part
from ganvas.report.quantities import Rows
from ganvas.tables import private
from ganvas.tasks.table import standing
from ganvas.tasks.table.evaluate import details, words
from ganvas.tasks.table.evaluate.metrics import METRICS

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PARTS: Any = ENVIRONMENT.get_template("table.html").module  # its macros
FAR = 0.02  # below other real rows: a column that is pointed out
WIDTH, HEIGHT = 320, 100  # of a column's bars
SPIKE = 2.5  # times the next highest bar: a bar that is higher is cut, and its height written
LONG = 14  # characters of a label in a heat map
LETTER = 6.6  # width of one, in units of the map
SIGHT = {"private", "copies", "attack", "likelihood"}  # groups of figures that are about privacy


def sections(run: Run, card: dict[str, Any], rows: Rows) -> list[Markup]:
    """How the training stands, how good the rows are, privacy, columns, pairs, curves."""
    checks = [row for row in run.rows(run.metrics) if row.get("metric") == standing.CHECKS]
    figures = {figure.metric: figure for figure in readable(run.figures()) if figure.metric in METRICS}
    found = details.read(run)
    return [
        PARTS.style(),
        *_standing(rows, checks),
        *_quality(run, figures, found),
        *_privacy(figures, private.told(card)),
        *_columns(found),
        *_pairs(found),
        *_curves(rows, checks),
    ]


def _standing(rows: Rows, checks: Rows) -> list[Markup]:
    remarks = standing.remarks(rows, checks)
    if not remarks:
        return []
    verdict = markup.verdict(remarks[0][0], [text for _, text in remarks])
    intro = (
        "The generator first learns from the real rows how probable each value is, given the others. Then it "
        "plays against an "
        "expert (the discriminator) that tells real rows from drawn ones, and draws more often what the expert "
        "takes for real."
    )
    return [markup.section("How does it stand?", [verdict], intro)]


def _quality(run: Run, figures: dict[str, Figure], found: dict[str, Any]) -> list[Markup]:
    wanted = [f for f in figures.values() if METRICS[f.metric].group not in SIGHT]
    if not wanted:
        if not run.is_finished():
            return []
        text = (
            "Nothing was measured yet: ganvas evaluate and this run's folder write figures, columns and "
            "pairs into this report."
        )
        return [markup.section("How good are the rows?", [], text)]
    newest = max(f.images for f in wanted)
    note = (
        f"{wanted[0].protocol.count:,} drawn rows against as many held-out ones of {wanted[0].protocol.data}, "
        "which the model "
        f"never saw; mean of {wanted[0].protocol.repeats}, after {newest:,} rows of training. Real rows: what "
        "other real rows "
        "get by the same code; nothing can be better than that, but by chance."
    )
    cards = [_said(words.quality(figures)), _table(wanted, note), _wrong(found) + _away(found) + _targets(found)]
    return [markup.section("How good are the rows?", cards)]


def _said(lines: list[str], wide: bool = True) -> Markup:
    """Sentences, in a card as wide as the page or in one of two."""
    return PARTS.words(lines, wide) if lines else Markup()


def _table(figures: list[Figure], note: str) -> Markup:
    lines = []
    for f in figures:
        if f.note:
            lines.append((f.title, "-", "-", f"not measured: {f.note}"))
            continue
        best = (
            {"near": "like real rows", "higher": "high", "lower": "low"}[f.better]
            if f.better in ("near", "higher", "lower")
            else ""
        )
        lines.append(
            (f.title, spread(f.value, f.spread, f.share).replace(" ", "\u00a0"), number(f.floor, f.share), best)
        )
    return markup.table(lines, heads=("Figure", "Drawn rows", "Real rows", "Good is"), note=note, soft=True)


def _away(found: dict[str, Any]) -> Markup:
    """What gives drawn rows away."""

    def make() -> Markup:
        rows = [(str(name), f"{_share(fall):.3f}") for name, fall in found["gives_away"]]
        note = (
            "By how much the fresh expert's AUC falls where it cannot use a column: what is still unlike the real rows."
        )
        return markup.table(rows, "What gives drawn rows away", ("Column", "AUC less"), note) if rows else Markup()

    return _safely(make)


def _targets(found: dict[str, Any]) -> Markup:
    def make() -> Markup:
        rows = [
            (str(t["column"]), str(t["measure"])[:10], *(f"{_real(t[k]):.3f}" for k in ("drawn", "real", "floor")))
            for t in found["targets"]
        ]
        note = (
            "Boosted trees predict each column from the others: they learn from drawn rows, from as many real "
            "rows, or from as many "
            "other real rows, and are tested on held-out ones. AUC: 0.5 is guessing; R2 (of ranks): 0 is guessing."
        )
        if skipped := [str(name) for name in found.get("not_predicted", [])]:
            note += f" Cannot be predicted from the others even by real rows: {', '.join(skipped)}."
        heads = ("Column", "", "Drawn", "Real", "Other real")
        return markup.table(rows, "What can be learned from drawn rows", heads, note) if rows else Markup()

    return _safely(make)


def _wrong(found: dict[str, Any]) -> Markup:
    """Impossible cells and broken rules, where there are any."""

    def make() -> Markup:
        wrong = {**dict(found.get("impossible", {})), **dict(found.get("rules", {}))}
        rows = [(str(what), f"{_real(count):,.0f}") for what, count in wrong.items() if _real(count) > 0]
        return markup.table(rows, "Impossible values and broken rules", ("What", "Times")) if rows else Markup()

    return _safely(make)


def _privacy(figures: dict[str, Figure], promise: list[str]) -> list[Markup]:
    wanted = [f for f in figures.values() if METRICS[f.metric].group in SIGHT]
    if not wanted:
        return [markup.section("Privacy", [_said(promise)])] if promise else []
    note = (
        "Nearer to training rows: than to as many held-out ones, ties half. An attack gains the share of "
        "training rows that it "
        "recognises less the share of other rows that it takes for such: 0% is guessing, 100% knows all."
    )
    intro = (
        "Do drawn rows give away who was in the training data? Held-out rows, which no one could copy, "
        "say what is chance."
    )
    return [
        markup.section("Privacy", [_said([*promise, *words.privacy(figures)], wide=False), _table(wanted, note)], intro)
    ]


def _columns(found: dict[str, Any]) -> list[Markup]:
    entries = found.get("columns")
    cards = [made for entry in entries if (made := _column(entry))] if isinstance(entries, list) else []
    if not cards:
        return []
    cards.sort(key=lambda made: made["order"])
    intro = (
        "The columns that are least like the real ones come first. Below the bars of numbers and dates, half of "
        "the rows lie in "
        "the thick line, nine of ten in the thin one. Values that few rows have are not shown."
    )
    return [PARTS.section("Column by column", intro, PARTS.columns(cards))]


def _column(entry: Any) -> dict[str, Any]:
    """What the template shows of a column; empty where the entry is damaged."""

    def make() -> dict[str, Any]:
        shape, floor = _share(entry["shape"]), _share(entry["floor"])
        missing = [_share(v) for v in entry["missing"]]
        real, drawn = ([_share(v) for v in entry[k]] for k in ("real", "drawn"))
        labels = [str(v) for v in entry["labels"]]
        made: dict[str, Any] = {
            "name": str(entry["name"]),
            "shape": f"{shape:.1%}",
            "floor": f"{floor:.1%}",
            "far": floor - shape > FAR,
            "order": shape - floor,
            "missing": f"{missing[0]:.1%} real, {missing[1]:.1%} drawn" if max(missing) > 0 else "",
            "bars": [],
            "steps": [],
        }
        bars = list(zip(labels, real, drawn, strict=True))
        top = max((*real, *drawn, 1e-9))
        if entry["kind"] == "category":
            made["bars"] = [
                {
                    "label": t,
                    "real": f"{100 * a / top:.1f}",
                    "drawn": f"{100 * b / top:.1f}",
                    "text": f"{a:.1%} | {b:.1%}",
                }
                for t, a, b in bars
            ]
        elif bars:
            made |= _steps(entry, bars, top)
        return made

    return _safely(make, {})


def _steps(entry: Any, bars: list[tuple[str, float, float]], top: float) -> dict[str, Any]:
    """A number's or a date's bars, the line of drawn rows over them, and two lines of quantiles."""
    wide = WIDTH / len(bars)
    heights = sorted((max(real, drawn) for _, real, drawn in bars), reverse=True)
    if len(heights) > 1 and 0 < SPIKE * heights[1] < heights[0]:
        top = SPIKE * heights[1]
    steps, path, cuts = [], "M10,120", []
    for i, (label, real, drawn) in enumerate(bars):
        x, text = 10 + i * wide, f"from {label}: {real:.1%} real, {drawn:.1%} drawn"
        high, line = (HEIGHT * min(1.0, v / top) for v in (real, drawn))
        rect = {
            "x": f"{x:.1f}",
            "y": f"{120 - high:.1f}",
            "width": f"{max(wide - 1, 0.5):.1f}",
            "height": f"{high:.1f}",
        }
        steps.append({**rect, "text": text})
        path += f"V{120 - line:.1f}H{x + wide:.1f}"
        if max(real, drawn) > top:
            left = i < len(bars) / 2
            where = {"x": f"{x + wide + 5 if left else x - 5:.1f}", "y": 30, "anchor": "start" if left else "end"}
            cuts.append({**where, "text": f"cut: {real:.1%} real, {drawn:.1%} drawn"})
    boxes = []
    for kind, y, places, marks in zip(("real", "drawn"), (133, 147), entry["places"], entry["marks"], strict=True):
        x = [f"{10 + WIDTH * _share(v):.1f}" for v in places]
        if len(x) != len(details.MARKS) or len(marks) != len(x):
            raise ValueError("no quantiles")
        text = ", ".join(f"{q:.0%}: {m}" for q, m in zip(details.MARKS, marks, strict=True))
        boxes.append({"kind": kind, "y": y, "x": x, "text": f"{kind}: {text}"})
    return {
        "steps": steps,
        "path": f"{path}V120",
        "cuts": cuts,
        "boxes": boxes,
        "ends": [str(v) for v in entry["ends"]][:2],
        "medians": [str(marks[2]) for marks in entry["marks"]],
        "logarithmic": entry["logarithmic"] is True,
        "summary": f"Real and drawn rows of {entry['name']}",
    }


def _pairs(found: dict[str, Any]) -> list[Markup]:
    entries = found.get("pairs")
    made = [pair for entry in entries if (pair := _pair(entry))] if isinstance(entries, list) else []
    if not made:
        return []
    intro = (
        "The pairs of columns whose tables are least like the real ones, beside the real ones. Other pairs are nearer."
    )
    return [PARTS.section("The pairs that differ most", intro, PARTS.heat(made))]


def _pair(entry: Any) -> dict[str, Any]:
    """What the template shows of a pair; empty where the entry is damaged."""

    def make() -> dict[str, Any]:
        names, (down, along) = [str(v) for v in entry["names"]], entry["labels"]
        tables = {
            title: [[_share(v) for v in row] for row in entry[key]]
            for title, key in (("real rows", "real"), ("drawn rows", "drawn"))
        }
        if any(len(table) != len(down) or any(len(row) != len(along) for row in table) for table in tables.values()):
            raise ValueError("the tables are of other sizes than their labels")
        wide, high = 200 / len(along), 200 / len(down)
        left, below = (12 + LETTER * max(len(_short(v)) for v in labels) for labels in (down, along))
        top = max((v for table in tables.values() for row in table for v in row), default=0) or 1.0
        maps = [
            {
                "title": title,
                "cells": [
                    {
                        "x": f"{left + j * wide:.1f}",
                        "y": f"{i * high:.1f}",
                        "width": f"{wide:.1f}",
                        "height": f"{high:.1f}",
                        "depth": f"{0.03 + 0.97 * (v / top) ** 0.5:.3f}",
                        "text": f"{names[0]} {down[i]}, {names[1]} {along[j]}: {v:.2%}",
                    }
                    for i, row in enumerate(table)
                    for j, v in enumerate(row)
                ],
            }
            for title, table in tables.items()
        ]
        return {
            "title": f"{names[0]} and {names[1]}",
            "across": names[1],
            "trend": f"{_share(entry['trend']):.1%}",
            "floor": f"{_share(entry['floor']):.1%}",
            "maps": maps,
            "left": round(left, 1),
            "width": round(left + 204, 1),
            "height": round(214 + 0.8 * below, 1),
            "down": [{"y": f"{(i + 0.5) * high + 4:.1f}", "text": _short(v)} for i, v in enumerate(down)],
            "along": [
                {"x": f"{left + (j + 0.6) * wide:.1f}", "y": 212, "text": _short(v)} for j, v in enumerate(along)
            ],
        }

    return _safely(make, {})


def _short(label: object) -> str:
    text = str(label)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _curves(rows: Rows, checks: Rows) -> list[Markup]:
    likelihood = chart(checks, ("nll", "nll_train"), "-log p of a row", None, None, "{:.2f}", standing.QUANTITIES)
    meaning = (
        "How improbable rows are to the generator; lower is better. Both curves fall together while it learns "
        "what holds in "
        "general. A widening gap, held-out rows above training rows, means that it learns rows by heart. In the "
        "contest both may "
        "rise a little: it then looks at whole rows."
    )
    cards = [
        markup.explained(likelihood, meaning),
        curves.accuracy([row for row in rows if "loss_d" in row], None),  # before, the expert is untrained
        curves.losses(rows, None, "Losses of the contest"),
        curves.speed(rows),
    ]
    return [markup.section("The curves", cards)] if any(cards) else []


def _real(value: Any) -> float:
    """A finite number of a file.

    Raises:
        ValueError, TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _share(value: Any) -> float:
    return min(1.0, max(0.0, _real(value)))


def _safely(make: Callable[[], Any], otherwise: Any = Markup()) -> Any:  # noqa: B008
    """What `make` makes; `otherwise` where the file that it reads lacks an entry or holds another kind of thing."""
    try:
        return make()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return otherwise


PART = Part(
    sections,
    title="Over the training",
    name="Drawn rows",
    rule="A chart a column: bars are real rows, the line is drawn ones.",
    before="Before the training",
    empty="There is no preview yet.",
    samples="rows",
    shape={"rows": "rows"},
)
