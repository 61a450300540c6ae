"""The cells of a table's columns, with differential privacy.

Each column is asked a few histograms, in which a row counts once, and every count gets normal noise of the same
standard deviation. Values that nobody knows beforehand (categories, numbers that many rows have) are released only
above a threshold that the value of a single row passes with a probability that is part of delta (stability-based
histograms: Korolova et al. 2009; Bun et al. 2019). Ranges of numbers come from a tree of intervals that do not depend
on the data.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column
from ganvas.tables.ids import RANDOM, places_of
from ganvas.tables.private import LEVELS, Privacy, random_of

if TYPE_CHECKING:
    import pandas as pd

PARTS = 16  # of an interval
SPLIT, ENOUGH = 12.0, 3.0  # standard deviations of the noise: to split an interval from, and to keep one from
NORMAL = NormalDist()


class Counter:
    """Histograms of a table's columns with noise."""

    def __init__(self, privacy: Privacy, fewest: int, random: np.random.Generator) -> None:
        """
        Args:
            fewest: rows that a value must have in any case.
        """
        self.noise, self.random = privacy.noise, random
        quantile = NORMAL.inv_cdf(privacy.singles / privacy.counts)  # negative
        self.threshold = max(float(fewest), 1 - privacy.noise * quantile)

    def known(self, counts: np.ndarray) -> np.ndarray:
        """The counts [N] of cells that do not depend on the data."""
        return counts + self.random.normal(0, self.noise, len(counts))

    def found(self, values: Any) -> tuple[Any, np.ndarray]:
        """The distinct ones of these values [N], one a row, that many rows have, and their counts."""
        distinct, counts = np.unique(values, return_counts=True)
        noisy = self.known(counts.astype(np.float64))
        kept = noisy > self.threshold
        return distinct[kept], noisy[kept]


def of_category(values: pd.Series, order: tuple[str, ...], counter: Counter) -> Cells:
    """The cells of a category; NaN is missing."""
    known = values.dropna()
    codes, names = known.factorize(sort=True)
    missing = len(names)  # the code of a missing value
    found, counts = counter.found(np.append(codes, np.full(len(values) - len(known), missing)))
    kept = {str(names[c]): max(1, round(n)) for c, n in zip(found, counts, strict=True) if c != missing}
    gone = [max(1, round(n)) for c, n in zip(found, counts, strict=True) if c == missing]
    texts = [v for v in order if v in kept]
    texts += [v for v in sorted(kept) if v not in set(texts)]
    rest = max(0, len(values) - sum(kept.values()) - sum(gone))
    return Cells(tuple(kept[v] for v in texts), values=tuple(texts), missing=sum(gone), rare=rest)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, and about how many rows have such."""

    low: float
    high: float
    rows: float


def of_numbers(numbers: np.ndarray, whole: bool, counter: Counter, span: tuple[float, float] | None = None) -> Cells:
    """The cells of a column of numbers.

    Args:
        numbers: float64 [N]; NaN is missing.
        whole: are they whole?
        span: what the user says of the smallest and the largest one.
    """
    known = numbers[~np.isnan(numbers)]
    if span is not None:
        known = np.clip(known, *span)
    keys = np.append(known, np.full(len(numbers) - len(known), np.inf))  # missing values are the last
    found, counts = counter.found(keys)
    gone = float(counts[-1]) if len(found) and np.isinf(found[-1]) else 0.0
    spikes = [Range(float(v), float(v), float(n)) for v, n in zip(found, counts, strict=True) if np.isfinite(v)]
    rest = np.sort(known[~np.isin(known, found)])
    ranges = _tree(rest, whole, counter, span)
    for spike in spikes:
        ranges = [part for each in ranges for part in _without(each, spike.low, whole)]
    cells = sorted((*ranges, *spikes), key=lambda r: (r.low, r.high))
    rows = tuple(max(1, round(r.rows)) for r in cells)
    missing = max(1, round(gone)) if gone else 0
    return Cells(rows, tuple(r.low for r in cells), tuple(r.high for r in cells), missing=missing)


def _tree(known: np.ndarray, whole: bool, counter: Counter, span: tuple[float, float] | None) -> list[Range]:
    """Intervals that have enough rows, ascending.

    Args:
        known: the numbers, sorted.
    """
    if span is not None:
        groups = [_merged(_counted(_split(*span, whole), known, whole, counter), counter)]
    else:
        signs, exponents = np.sign(known), np.frexp(known)[1]
        found, counts = counter.found(signs * (exponents + 2_000.0))
        octaves = [_octave(float(key), whole) for key in found]
        groups = [[Range(*edges, float(n))] for edges, n in zip(octaves, counts, strict=True)]
    for _ in range(LEVELS):
        groups = [part for group in groups for part in _level(group, known, whole, counter)]
    return [each for group in groups for each in group]


def _octave(key: float, whole: bool) -> tuple[float, float]:
    """The interval of a key: numbers of one sign from a power of 2 to the next."""
    if key == 0:
        return 0.0, 0.0
    exponent = int(abs(key) - 2_000)
    low, high = math.ldexp(0.5, exponent), math.ldexp(1.0, exponent) if exponent < 1024 else np.finfo(np.float64).max
    if whole:
        high -= 1
    return (low, high) if key > 0 else (-high, -low)


def _level(group: list[Range], known: np.ndarray, whole: bool, counter: Counter) -> list[list[Range]]:
    """The intervals of a group, those split that have many rows."""
    out: list[list[Range]] = []
    for each in group:
        if each.rows < SPLIT * counter.noise or each.low == each.high:
            out.append([each])
            continue
        parts = _counted(_split(each.low, each.high, whole), known, whole, counter)
        out.append(_merged(parts, counter) or [each])
    return out


def _split(low: float, high: float, whole: bool) -> list[tuple[float, float]]:
    """PARTS equal parts of an interval, or fewer where there are not so many whole numbers."""
    if not whole:
        edges = np.linspace(low, high, PARTS + 1)
        return [(float(a), float(b)) for a, b in itertools.pairwise(edges) if a < b]
    edges = np.unique(np.floor(np.linspace(low, high + 1, PARTS + 1)))
    return [(float(a), float(b) - 1) for a, b in itertools.pairwise(edges)]


def _counted(parts: Sequence[tuple[float, float]], known: np.ndarray, whole: bool, counter: Counter) -> list[Range]:
    """Intervals side by side with their rows; what is on the edge of two counts for the upper one."""
    lows = np.array([low for low, _ in parts])
    last = np.searchsorted(known, parts[-1][1], side="right")
    edges = np.append(np.searchsorted(known, lows, side="left"), last)
    counts = counter.known(np.diff(edges).astype(np.float64))
    return [Range(*part, float(n)) for part, n in zip(parts, counts, strict=True)]


def _merged(parts: list[Range], counter: Counter) -> list[Range]:
    """Neighbours put together until they have more rows than noise; those of a last few count for the one before."""
    out: list[Range] = []
    held: list[Range] = []
    for each in parts:
        held.append(each)
        rows = sum(r.rows for r in held)
        if rows >= ENOUGH * counter.noise * len(held) ** 0.5:
            first = next(i for i in range(len(held)) if sum(r.rows for r in held[: i + 1]) >= counter.noise)
            out.append(Range(held[first].low, each.high, rows))  # without an empty beginning
            held = []
    if held and out:
        rows = sum(r.rows for r in held)
        out[-1] = dataclasses.replace(out[-1], rows=max(1.0, out[-1].rows + rows))
    return out


def _without(each: Range, value: float, whole: bool) -> list[Range]:
    """An interval without a value in it."""
    if not each.low <= value <= each.high:
        return [each]
    below = value - 1 if whole else float(np.nextafter(value, -np.inf))
    above = value + 1 if whole else float(np.nextafter(value, np.inf))
    width = (each.high - each.low) or 1.0
    out = []
    for low, high in ((each.low, below), (above, each.high)):
        if low <= high:
            share = (high - low + whole) / (width + whole)
            out.append(Range(low, high, each.rows * share))
    return out


def fitted(
    columns: Sequence[Column],
    frame: pd.DataFrame,
    privacy: Privacy,
    fewest: int,
    spans: Mapping[str, tuple[float, float]],
) -> tuple[tuple[Column, ...], list[str]]:
    """The columns with their cells, and sentences for the user.

    Args:
        frame: the rows to train on, as `read.typed` gives them.
        fewest: rows that a value must have in any case.
        spans: what the user says of the smallest and the largest value of numbers, in the numbers' own unit.
    """
    done, notes = [], []
    for column in columns:
        column = dataclasses.replace(column, doubt="")  # it may quote cells
        if column.kind not in ("number", "category", "date"):
            done.append(_made_up(column))
            continue
        series = frame[column.name]
        counter = Counter(privacy, fewest, random_of(series, column.name, privacy))
        if column.kind == "category":
            parts = (of_category(column.as_text(series), column.order, counter),)
            column = dataclasses.replace(column, order=tuple(v for v in column.order if v in parts[0].values))
        else:
            whole = column.kind == "date" or column.decimals >= 0
            each, span = column.as_numbers(series), spans.get(column.name)
            parts = tuple(of_numbers(n, whole, counter, span if i == 0 else None) for i, n in enumerate(each))
        if not all(part.counts for part in parts):
            done.append(dataclasses.replace(column, kind="constant", value="", form="", order=()))
            notes.append(f"{one_line(column.name)}: no value is frequent enough for this privacy: left empty.")
            continue
        share = parts[0].rare / len(frame)  # 0 of numbers
        if share >= 0.05:
            notes.append(f"{one_line(column.name)}: about {share:.0%} of its rows have values too rare to be drawn.")
        done.append(dataclasses.replace(column, parts=parts))
    return tuple(done), notes


def span_of(column: Column, span: Sequence[float]) -> tuple[float, float]:
    """What the user says of the smallest and the largest value, in the unit of `Column.as_numbers`.

    Raises:
        UserError: the column is not a number.
    """
    if column.kind != "number" or column.type in ("clock", "span"):
        raise UserError(f"The column {one_line(column.name)} has a span but is not a number: remove span.")
    unit = 10.0 ** max(0, column.decimals)
    return round(span[0] * unit, 6), round(span[1] * unit, 6)


def _made_up(column: Column) -> Column:
    """A column that is not learned; of ids, nothing depends on those of the table but their form."""
    if column.kind != "id":
        return column
    form = column.form
    if form in ("uuid", "UUID"):
        return dataclasses.replace(column, value=RANDOM)
    if column.type == "int" or not form or (form.endswith("#") and not form.endswith("\\#")):
        return dataclasses.replace(column, value="")
    size = math.prod(map(len, places_of(form)))
    return dataclasses.replace(column, value=f"0-{size - 1}" if size < 2**62 else RANDOM)
