"""What the report shows of an evaluation besides the metrics: each column, the pairs that differ most, each target.

It is in evaluation/table.json in the run's folder: shares of rows in bins, no row. What fewer than `rare` training
rows have in common has no bin of its own: nothing shows the values that the model may not draw.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, parse_json, read_bytes, write_whole
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.tables.columns import Column
from ganvas.tasks.table.evaluate import shapes, sound
from ganvas.tasks.table.evaluate.sides import Found, Sides
from ganvas.tasks.table.evaluate.values import Values

FILE = "table.json"
BYTES = 20_000_000
MOST = 300  # columns that are shown
BARS, VALUES, CELLS = 24, 12, 10  # bars of a number, of a category; rows and columns of a heat map
PAIRS = 4  # pairs that differ most
MARKS = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles
SKEWED = 30.0  # times the median that a number's largest value is where a scale of logarithms reads better
FEWEST = 5  # real rows of a bar
Numbers = Mapping[str, Mapping[str, int]]  # of the values of each category, by the column's name


def write(run: Run, sides: Sides, found: dict[str, Found]) -> None:
    """Write evaluation/table.json; parts that were not measured now stay as they were found before."""
    if not run.writes:
        return
    folder = run.folder / "evaluation"
    make_folder(folder)
    write_whole(folder / FILE, json.dumps({**read(run), **of(sides, found)}, allow_nan=False) + "\n")


def read(run: Run) -> dict[str, Any]:
    """What `write` wrote; nothing where there is none or it is damaged."""
    return entries_of(run.folder / "evaluation" / FILE)


def entries_of(path: Path) -> dict[str, Any]:
    """The entries of a file; nothing where there is none or it is damaged."""
    try:
        entries = parse_json(read_bytes(path, BYTES)) if path.is_file() else {}
    except (UserError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def of(sides: Sides, found: dict[str, Found]) -> dict[str, Any]:
    """The entries of table.json."""
    out: dict[str, Any] = {"rows": sides.count, "training_rows": sides.real.train_count, "repeats": len(sides.drawn)}
    parts = {name: one.parts for name, one in found.items() if one.parts and not one.note}
    if "shape" in parts:
        out["columns"] = columns(sides, parts["shape"])
    if "trend" in parts:
        out["pairs"] = pairs(sides, parts["trend"])
    if "c2st" in parts:
        falls, names = parts["c2st"]["falls"], [column.name for column in sides.held_out.columns]
        order = np.argsort(-falls)[:5]
        out["gives_away"] = [[one_line(names[j]), round(float(falls[j]), 4)] for j in order if falls[j] > 0.005]
    if "tstr" in parts:
        out["targets"] = [
            {**{k: v for k, v in target.items() if k != "column"}, "column": _name(sides, target["column"])}
            for target in parts["tstr"]["targets"]
        ]
        out["not_predicted"] = [one_line(name) for name in parts["tstr"]["skipped"]]
    if "impossible" in parts:
        out["impossible"] = parts["impossible"]["cells"]
    if "broken-rules" in parts:
        out["rules"] = parts["broken-rules"]["rules"]
    return out


def _name(sides: Sides, j: int) -> str:
    return one_line(sides.held_out.columns[j].name)


def columns(sides: Sides, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Each column: its shape, bars of real and drawn rows, and quantiles of numbers."""
    drawn, out = sides.drawn[0], []
    for j, column in enumerate(sides.held_out.columns[:MOST]):
        real_x, drawn_x = sides.real.train.numbers[:, j], drawn.numbers[:, j]
        entry = (
            _category(sides.real.coder.numbers, column, real_x, drawn_x)
            if column.kind == "category"
            else number(column, real_x, drawn_x)
        )
        shape, floor = (round(float(parts[k][j]), 4) for k in ("columns", "floors"))
        missing = [round(float(np.isnan(x).mean()), 4) for x in (real_x, drawn_x)]
        out.append(
            {
                "name": one_line(column.name),
                "kind": column.kind,
                "shape": shape,
                "floor": floor,
                "missing": missing,
                **entry,
            }
        )
    return out


def _category(numbers: Numbers, column: Column, real: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    labels, codes = _commonest(numbers, column, real, VALUES)
    bars = [[round(float((x == code).mean()), 4) for code in codes] for x in (real, drawn)]
    rest = [
        round(max(0.0, 1 - sum(b) - float(np.isnan(x).mean())), 4) for b, x in zip(bars, (real, drawn), strict=True)
    ]
    others = len(np.unique(real[~np.isnan(real)])) - len(codes)
    if others > 0 or max(rest) > 0.0005:
        labels.append(f"{others:,} other values" if others > 1 else "other values")
        bars = [[*b, r] for b, r in zip(bars, rest, strict=True)]
    return {"labels": labels, "real": bars[0], "drawn": bars[1]}


def _commonest(numbers: Numbers, column: Column, real: np.ndarray, most: int) -> tuple[list[str], list[float]]:
    """The commonest values that FEWEST rows have, in the column's order if it has one: texts and numbers."""
    values, counts = np.unique(real[~np.isnan(real)], return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable")[:most] if counts[i] >= FEWEST]
    codes = [float(values[i]) for i in order]
    texts = {number: text for text, number in numbers[column.name].items()}
    if column.order:
        place = {text: i for i, text in enumerate(column.order)}
        codes.sort(key=lambda code: place.get(texts[int(code)], len(place)))
    return [one_line(texts[int(code)])[:60] for code in codes], codes


def number(column: Column, real: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    """Bars of a number's real values and of drawn ones, and quantiles."""
    sides = [np.sort(x[~np.isnan(x)]) for x in (real, drawn)]
    if len(sides[0]) <= 2 * FEWEST or not len(sides[1]):
        return {"labels": [], "real": [], "drawn": []}
    low, high = sides[0][FEWEST - 1], sides[0][-FEWEST]
    edges, logarithmic = _edges(sides[0], low, high)
    clipped = [np.clip(x, low, high) for x in sides]
    bars = []
    for x, y in zip((real, drawn), clipped, strict=True):
        bins = np.clip(np.searchsorted(edges, y, "right") - 1, 0, len(edges) - 2)
        bars.append([round(float(c) / len(x), 4) for c in np.bincount(bins, minlength=len(edges) - 1)])
    marks = [[sound.told(column, _quantile(column, y, q)) for q in MARKS] for y in clipped]
    places = [[round(_place(edges, _quantile(column, y, q)), 4) for q in MARKS] for y in clipped]
    whole = column.kind == "date" or column.decimals >= 0
    labels = [sound.told(column, math.ceil(edge)) if whole else f"{edge:.4g}" for edge in edges[:-1]]
    ends = [sound.told(column, low), sound.told(column, high)]
    return {
        "labels": labels, "real": bars[0], "drawn": bars[1], "marks": marks, "places": places, "ends": ends,
        "logarithmic": logarithmic,
    }  # fmt: skip


def _quantile(column: Column, numbers: np.ndarray, share: float) -> float:
    """A value that there is."""
    return float(np.quantile(numbers, share, method="nearest"))


def _edges(known: np.ndarray, low: float, high: float) -> tuple[np.ndarray, bool]:
    """The edges of a number's bars: a bar a value where there are few, else of the same width; for a long tail in
    logarithms."""
    values = np.unique(np.clip(known, low, high))
    if len(values) <= BARS:
        gaps = (values[1:] + values[:-1]) / 2
        return np.r_[values[0] - 0.5, gaps, values[-1] + 0.5], False
    positive = known[known > 0]
    if low >= 0 and len(positive) and high > SKEWED * max(float(np.median(known)), 1e-12):
        start = max(float(np.quantile(positive, 0.02)), 1e-12)
        edges = np.geomspace(start, high, BARS if low <= 0 else BARS + 1)
        return np.r_[min(low, start / 2), edges] if low < start else edges, True
    return np.linspace(low, high, BARS + 1), False


def _place(edges: np.ndarray, value: float) -> float:
    """Where a value is among bars of the same width, 0 to 1."""
    return float(np.interp(value, edges, np.linspace(0, 1, len(edges))))


def pairs(sides: Sides, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The pairs of columns whose tables differ most from the real ones, beyond what other real rows differ."""
    order = np.argsort(parts["made"] - parts["floors"])[:PAIRS]
    real, drawn = sides.real.train, sides.drawn[0]
    return [
        pair(sides.real.coder.numbers, real, drawn, parts["pairs"][i], parts["made"][i], parts["floors"][i])
        for i in order
    ]


def pair(
    numbers: Numbers, real: Values, drawn: Values, places: tuple[int, int], trend: float, floor: float
) -> dict[str, Any]:
    """The tables of two columns, of real and of drawn rows.

    Args:
        numbers: of the values of categories, by the column's name.
        places: of the two columns.
        trend, floor: how like the drawn table is to the real one, and another real one.
    """
    a, b = places
    down, *rows = _axis(numbers, real.columns[a], real.numbers[:, a], drawn.numbers[:, a])
    along, *columns = _axis(numbers, real.columns[b], real.numbers[:, b], drawn.numbers[:, b])
    size, tables = (len(down), len(along)), []
    for row, column in zip(rows, columns, strict=True):
        both = (row >= 0) & (column >= 0)
        table = np.bincount(row[both] * size[1] + column[both], minlength=size[0] * size[1]) / max(1, len(row))
        tables.append([[round(float(v), 5) for v in row] for row in table.reshape(size)])
    return {
        "names": [one_line(real.columns[j].name) for j in (a, b)],
        "trend": round(float(trend), 4),
        "floor": round(float(floor), 4),
        "labels": [down, along],
        "real": tables[0],
        "drawn": tables[1],
    }


def _axis(numbers: Numbers, column: Column, real: np.ndarray, drawn: np.ndarray) -> tuple[Any, ...]:
    """The bins of one side of a heat map: labels, and the bin of each real and drawn row, -1 for none."""
    if column.kind == "category":
        labels, codes = _commonest(numbers, column, real, CELLS - 1)
        placed = [np.full(len(x), len(codes)) for x in (real, drawn)]
        for k, code in enumerate(codes):
            for x, place in zip((real, drawn), placed, strict=True):
                place[x == code] = k
        labels = [*labels, "others"]
    else:
        known = np.sort(real[~np.isnan(real)])
        low = known[min(FEWEST, len(known)) - 1] if len(known) else 0.0
        inner = np.unique(np.quantile(known, np.linspace(0, 1, shapes.BINS + 1)[1:-1])) if len(known) else np.zeros(0)
        inner = inner[inner > low]
        placed = [np.searchsorted(inner, x, "right") for x in (real, drawn)]
        starts = [low, *inner]
        labels = [f"from {sound.told(column, start)}" for start in starts]
    out = [np.where(np.isnan(x), len(labels), place) for x, place in zip((real, drawn), placed, strict=True)]
    if any(np.isnan(x).any() for x in (real, drawn)):
        labels.append("missing")
    used = [k for k in range(len(labels)) if any((x == k).any() for x in out)]
    again = np.full(len(labels) + 1, -1)
    again[used] = range(len(used))
    return [labels[k] for k in used], again[out[0]], again[out[1]]
