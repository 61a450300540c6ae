"""Rows as the web studio shows them next to others: each column's shares of rows in bins, and tables of two columns.

The bins follow from the columns' cells alone, so that real rows and drawn ones of any moment have the same. What fewer
than `rare` training rows have in common is not a cell, and so has no bin of its own.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.text import one_line
from ganvas.tables.cells import Cells
from ganvas.tables.columns import DAY, Column
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

BARS = 24  # of a number or a date
VALUES = 9  # of a category that have a bar of their own
SIDE = 6  # bins of a column in a table of two, and one for missing values
COLUMNS, PAIRED = 300, 48  # columns that are shown, and that are shown with each other
SKEWED = 20.0  # times the median that nearly the largest value is where bars get wider from one to the next
TAIL = 0.005  # share of the rows below and above which values count to the first and the last bar
TEXT = 60  # characters of a label


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of a column: of a category each one of `values` and one for all others, else between `edges`.

    `edges`: ascending, of numbers as `_numbers` gives them; the first and the last bin have no end.
    """

    labels: tuple[str, ...]
    values: tuple[str, ...] = ()
    edges: np.ndarray | None = None

    def of(self, column: Column, series: pd.Series, rare: np.ndarray | None = None) -> np.ndarray:
        """The bin of each value, int64 [N]; len(labels): missing. `rare`, bool [N]: values among the others."""
        import pandas as pd

        if self.edges is None:
            texts = column.as_text(series)
            found = pd.Index(list(self.values), dtype=object).get_indexer(texts.astype(object))
            found = np.where(found < 0, len(self.labels) - 1, found)  # the others are the last
            gone = texts.isna().to_numpy() if rare is None else texts.isna().to_numpy() & ~rare
            return np.where(gone, len(self.labels), found).astype(np.int64)
        numbers = _numbers(column, series)
        place = np.searchsorted(self.edges[1:-1], numbers, "right")
        return np.where(np.isnan(numbers), len(self.labels), place).astype(np.int64)


def _numbers(column: Column, series: pd.Series) -> np.ndarray:
    """Numbers in units of their last digit, dates in days, times in seconds, float64 [N]; NaN: missing."""
    found = column.as_numbers(series)
    return found[0] if len(found) == 1 else found[0] * DAY + found[1] * column.step


def told(column: Column, number: float) -> str:
    """A number as `_numbers` gives it, for people."""
    if column.kind == "date":
        seconds = int(number) * (DAY if column.type == "date" else 1)
        return str(np.datetime64(seconds, "s")).replace("T", " ").removesuffix(" 00:00:00")
    if column.type in ("clock", "span"):
        seconds = int(number * column.step)
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}".removesuffix(":00")
    if column.decimals >= 0:
        value = number / 10.0**column.decimals
        return f"{value:{',' if abs(value) >= 10_000 else ''}.{column.decimals}f}"  # no comma in a year
    return f"{number:.4g}"


def bars(column: Column) -> Bins:
    """The bars of a column's chart."""
    return _values(column, VALUES) if column.kind == "category" else _ranges(column, _even(column))


def coarse(column: Column) -> Bins:
    """The bins of a column in a table of two: the commonest values, or equally many rows in each."""
    if column.kind == "category":
        return _values(column, SIDE - 1)
    middle, counts = _cells(column)
    wanted = np.linspace(0, 1, SIDE + 1)[1:-1]
    inner = np.unique([_quantile(middle, counts, share) for share in wanted]) if len(counts) else np.zeros(0)
    inner = inner[inner > middle[0]] if len(counts) else inner
    return _ranges(column, np.r_[-math.inf, inner, math.inf])


def _values(column: Column, most: int) -> Bins:
    part: Cells = column.parts[0]
    order = np.argsort(-np.array(part.counts, np.int64), kind="stable")[:most].tolist()
    if column.order:
        place = {text: i for i, text in enumerate(column.order)}
        order.sort(key=lambda i: place.get(part.values[i], len(place)))
    elif column.type in ("int", "float"):
        order.sort(key=lambda i: float(part.values[i]))
    values = tuple(part.values[i] for i in order)
    left = len(part.values) - len(values)
    rest = f"{left:,} other values" if left > 1 else "other values"
    return Bins((*(one_line(value)[:TEXT] for value in values), rest), values)


def _cells(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """The middle of each cell, as `_numbers` gives it, and its rows."""
    part = column.parts[0]
    scale = DAY if len(column.parts) > 1 else 1
    middle = (np.array(part.low, np.float64) + np.array(part.high, np.float64)) / 2 * scale
    return middle, np.array(part.counts, np.float64)


def _quantile(middle: np.ndarray, counts: np.ndarray, share: float) -> float:
    sums = np.cumsum(counts)
    return float(middle[min(len(middle) - 1, int(np.searchsorted(sums, share * sums[-1])))])


def _even(column: Column) -> np.ndarray:
    """The edges of a number's bars: a bar a value where there are few, wider and wider ones for a long tail, else of
    the same width."""
    middle, counts = _cells(column)
    if not len(middle):
        return np.array([-math.inf, math.inf])
    whole = column.kind == "date" or column.decimals >= 0
    low, high = (_quantile(middle, counts, share) for share in (TAIL, 1 - TAIL))
    if len(column.parts) > 1:  # days, as seconds
        low, high = low, high + DAY
        width = max(1, math.ceil((high - low) / BARS / 3600)) * 3600
        return np.arange(low, high + width, width)
    if len(middle) <= BARS and all(part.low == part.high for part in column.parts):
        return np.r_[middle[0] - 0.5, (middle[1:] + middle[:-1]) / 2, middle[-1] + 0.5]
    positive = middle > 0
    if low >= 0 and positive.any() and high > SKEWED * max(_quantile(middle, counts, 0.5), 1e-12):
        start = max(_quantile(middle[positive], counts[positive], 0.02), 1.0 if whole else 1e-12)
        edges = np.geomspace(start, max(high, 2 * start), BARS)
        edges = np.unique(np.ceil(edges)) if whole else edges
        return np.r_[min(low, start / 2), edges] if low < start else edges
    if whole:
        width = max(1, math.ceil((high - low + 1) / BARS))
        return np.arange(math.floor(low), high + width, width, dtype=np.float64)
    return np.linspace(low, high if high > low else low + 1, BARS + 1)


def _ranges(column: Column, edges: np.ndarray) -> Bins:
    whole = column.kind == "date" or column.decimals >= 0
    starts = [math.ceil(e) if whole and math.isfinite(e) else e for e in edges]
    texts = [told(column, e) if math.isfinite(e) else "" for e in starts]
    labels = []
    for i in range(len(edges) - 1):
        a, b = texts[i], texts[i + 1]
        if whole and math.isfinite(starts[i]) and starts[i + 1] == starts[i] + 1 and len(column.parts) == 1:
            labels.append(a)
        else:
            labels.append(f"from {a}" if a else f"below {b}" if b else "all")
    return Bins(tuple(labels), edges=edges)


def summary(spec: TableSpec, frame: pd.DataFrame, rare: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Rows in bins, as JSON.

    Args:
        rare: by column, which rows have a value that too few have for it to be shown: bool [N].

    Returns:
        `rows`, how many; `columns`: `name`, `kind`, `labels`, `shares` of the rows [labels] and `missing`, the share
        without a value; `pairs` for each two of the first of them that have at least two bins: `of`, their places among
        `columns`, and `table`, shares of the rows [bins of one][bins of the other]; `sides`: the labels of those bins.
    """
    shown = [column for column in spec.read if column.name in frame][:COLUMNS]
    count, columns, sides = max(1, len(frame)), [], {}
    places: dict[int, np.ndarray] = {}
    for i, column in enumerate(shown):
        series: Any = frame[column.name]
        bins, few = bars(column), (rare or {}).get(column.name)
        shares = np.bincount(bins.of(column, series, few), minlength=len(bins.labels) + 1) / count
        labels, each = list(bins.labels), shares[:-1].tolist()
        if column.kind == "category" and len(column.parts[0].values) == len(bins.values) and each[-1] == 0:
            labels, each = labels[:-1], each[:-1]  # there are no others
        columns.append(
            {
                "name": one_line(column.name)[:TEXT],
                "kind": column.kind,
                "labels": labels,
                "shares": [round(v, 5) for v in each],
                "missing": round(float(shares[-1]), 5),
            }
        )
        two = coarse(column) if i < PAIRED else None
        if two is not None and len(two.labels) > 1:
            places[i] = two.of(column, series, few)
            sides[str(i)] = [*two.labels, "missing"]
    pairs = []
    for a, b in itertools.combinations(places, 2):
        high, wide = len(sides[str(a)]), len(sides[str(b)])
        table = np.bincount(places[a] * wide + places[b], minlength=high * wide).reshape(high, wide) / count
        pairs.append({"of": [a, b], "table": [[round(v, 5) for v in row] for row in table.tolist()]})
    return {"rows": len(frame), "columns": columns, "sides": sides, "pairs": pairs}


def in_common(
    spec: TableSpec, one: pd.DataFrame, other: pd.DataFrame, rare: Mapping[str, np.ndarray] | None = None
) -> tuple[float, float]:
    """What two sets of rows have in common, the mean over their columns: 1 less the total variation of the bars; and
    what it would about be if both were drawn from the same rows. NaN where there are no rows. `rare`: of `one`, as for
    `summary`."""
    if not len(one) or not len(other):
        return math.nan, math.nan
    found, chance = [], []
    for column in [column for column in spec.read if column.name in one][:COLUMNS]:
        bins = bars(column)
        a, b = (
            np.bincount(bins.of(column, frame[column.name], few), minlength=len(bins.labels) + 1) / len(frame)  # pyright: ignore[reportArgumentType]
            for frame, few in ((one, (rare or {}).get(column.name)), (other, None))
        )
        both = (a + b) / 2
        spread = np.sqrt(both * (1 - both) * (1 / len(one) + 1 / len(other)) * 2 / math.pi)  # |a - b|, its mean
        found.append(1 - np.abs(a - b).sum() / 2)
        chance.append(1 - spread.sum() / 2)
    return float(np.mean(found)), float(np.mean(chance))


def as_bytes(spec: TableSpec, frame: pd.DataFrame, rare: Mapping[str, np.ndarray] | None = None) -> bytes:
    """`summary` as a file's content."""
    return json.dumps(summary(spec, frame, rare), separators=(",", ":"), allow_nan=False).encode()
