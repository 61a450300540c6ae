"""The columns of a table and the pairs that differ most, as charts of a run's report."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganvas.tasks.table.evaluate import details

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


def columns(found: dict[str, Any]) -> list[Markup]:
    intro = (
        "The columns that are least like the real ones come first. Below the bars of numbers and dates, half of "
        "the rows are in "
        "the thick line, nine of ten in the thin one. Values that few rows have are not shown."
    )
    return bars(found.get("columns"), "Column by column", intro)


def bars(entries: Any, title: str, intro: str) -> list[Markup]:
    """A section with a card for each column, those that are least like the real ones first."""
    cards = [made for entry in entries if (made := _column(entry))] if isinstance(entries, list) else []
    if not cards:
        return []
    cards.sort(key=lambda made: made["order"])
    return [PARTS.section(title, intro, PARTS.columns(cards))]


def _column(entry: Any) -> dict[str, Any]:
    """What the template shows of a column; empty where the entry is damaged."""

    def make() -> dict[str, Any]:
        shape, floor = share_of(entry["shape"]), share_of(entry["floor"])
        missing = [share_of(v) for v in entry["missing"]]
        real, drawn = ([share_of(v) for v in entry[k]] for k in ("real", "drawn"))
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

    return safely(make, {})


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
        x = [f"{10 + WIDTH * share_of(v):.1f}" for v in places]
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


def pairs(found: dict[str, Any], others: str = "Other pairs are nearer.") -> list[Markup]:
    entries = found.get("pairs")
    made = [pair for entry in entries if (pair := _pair(entry))] if isinstance(entries, list) else []
    if not made:
        return []
    intro = f"The pairs of columns whose tables differ most from the real ones, next to the real ones. {others}"
    return [PARTS.section("The pairs that differ most", intro, PARTS.heat(made))]


def _pair(entry: Any) -> dict[str, Any]:
    """What the template shows of a pair; empty where the entry is damaged."""

    def make() -> dict[str, Any]:
        names, (down, along) = [str(v) for v in entry["names"]], entry["labels"]
        tables = {
            title: [[share_of(v) for v in row] for row in entry[key]]
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
            "trend": f"{share_of(entry['trend']):.1%}",
            "floor": f"{share_of(entry['floor']):.1%}",
            "maps": maps,
            "left": round(left, 1),
            "width": round(left + 204, 1),
            "height": round(214 + 0.8 * below, 1),
            "down": [{"y": f"{(i + 0.5) * high + 4:.1f}", "text": _short(v)} for i, v in enumerate(down)],
            "along": [
                {"x": f"{left + (j + 0.6) * wide:.1f}", "y": 212, "text": _short(v)} for j, v in enumerate(along)
            ],
        }

    return safely(make, {})


def _short(label: object) -> str:
    text = str(label)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def number_of(value: Any) -> float:
    """A finite number of a file.

    Raises:
        ValueError, TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def share_of(value: Any) -> float:
    return min(1.0, max(0.0, number_of(value)))


def safely(make: Callable[[], Any], otherwise: Any = Markup()) -> Any:  # noqa: B008
    """What `make` makes; `otherwise` where the file that it reads lacks an entry or holds another kind of thing."""
    try:
        return make()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return otherwise
