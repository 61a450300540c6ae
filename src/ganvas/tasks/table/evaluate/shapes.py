"""How like each column of drawn rows is to the real one, and each pair of columns.

Sources: the statistic of Kolmogorov and Smirnov for numbers and dates, total variation for categories and for tables
of two columns.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ganvas.core import seeds
from ganvas.tasks.table.evaluate.values import Values, commonness

BINS = 10  # of numbers, in a table of two columns
KEPT = 100  # values of a category in such a table; the rarer ones count as one
PAIRS = 2_000  # pairs that are looked at, at most


def shapes(real: Values, other: Values) -> np.ndarray:
    """A number for each column, 0 to 1 (the same distribution), float64 [columns].

    Numbers and dates: 1 less the largest distance of the two cumulative distributions, or less the difference of the
    shares of missing rows if that is larger. Categories: 1 less the total variation, missing as one more value.
    """
    pairs = zip(real.columns, real.numbers.T, other.numbers.T, strict=True)
    return np.array([_categories(a, b) if c.kind == "category" else _numbers(a, b) for c, a, b in pairs])


def _numbers(a: np.ndarray, b: np.ndarray) -> float:
    known_a, known_b = (np.sort(x[~np.isnan(x)]) for x in (a, b))
    missing = abs(len(known_a) / len(a) - len(known_b) / len(b))
    if not len(known_a) or not len(known_b):
        return 1 - missing
    points = np.union1d(known_a, known_b)
    below = [np.searchsorted(x, points, "right") / len(x) for x in (known_a, known_b)]
    return 1 - max(missing, float(np.abs(below[0] - below[1]).max()))


def _categories(a: np.ndarray, b: np.ndarray) -> float:
    size = int(max(np.nanmax(a, initial=-1), np.nanmax(b, initial=-1))) + 2
    share_a, share_b = (np.bincount(np.nan_to_num(x + 1).astype(np.int64), minlength=size) / len(x) for x in (a, b))
    return max(0.0, 1 - float(np.abs(share_a - share_b).sum()) / 2)


@dataclass(frozen=True)
class Binned:
    """Rows in bins, int64 [N, columns], and how many bins each column has."""

    bins: np.ndarray
    sizes: tuple[int, ...]


def binned(real: Values, *others: Values) -> list[Binned]:
    """The rows of each in bins: numbers by the deciles of `real`, categories by value; missing is bin 0."""
    columns: list[list[np.ndarray]] = [[] for _ in range(1 + len(others))]
    sizes = []
    for j, column in enumerate(real.columns):
        sides = [side.numbers[:, j] for side in (real, *others)]
        if column.kind == "category":
            placed = [commonness(x, [sides[0]], KEPT) for x in sides]
            size = KEPT
        else:
            known = sides[0][~np.isnan(sides[0])]
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)
            placed = [np.where(np.isnan(x), np.nan, np.searchsorted(edges, x, "right")) for x in sides]
            size = len(edges) + 1
        sizes.append(size + 1)
        for place, into in zip(placed, columns, strict=True):
            into.append(np.nan_to_num(place + 1).astype(np.int64))
    return [Binned(np.stack(side, 1), tuple(sizes)) for side in columns]


def pairs_of(columns: int, seed: int) -> list[tuple[int, int]]:
    """All pairs of columns, or PAIRS of them by the seed."""
    if math.comb(columns, 2) <= PAIRS:
        return list(itertools.combinations(range(columns), 2))
    random = np.random.default_rng(seeds.key(seed, "pairs of columns"))
    found: set[tuple[int, int]] = set()
    while len(found) < PAIRS:
        a, b = sorted(int(x) for x in random.integers(0, columns, 2))
        found |= {(a, b)} if a < b else set()
    return sorted(found)


def trends(real: Binned, other: Binned, pairs: list[tuple[int, int]]) -> np.ndarray:
    """A number for each pair of columns, 0 to 1: 1 less the total variation of the tables of the two, [pairs]."""
    out = np.empty(len(pairs))
    for i, (a, b) in enumerate(pairs):
        size = real.sizes[a] * real.sizes[b]
        tables = [np.bincount(x.bins[:, a] * real.sizes[b] + x.bins[:, b], minlength=size) for x in (real, other)]
        out[i] = max(0.0, 1 - np.abs(tables[0] / len(real.bins) - tables[1] / len(other.bins)).sum() / 2)
    return out


def correlations(real: Values, other: Values, pairs: list[tuple[int, int]]) -> np.ndarray:
    """1 less half the difference of Pearson's correlations, for each pair of numbers that vary on both sides."""
    wanted = [(a, b) for a, b in pairs if "category" not in (real.columns[a].kind, real.columns[b].kind)]
    out = []
    for a, b in wanted:
        found = [_pearson(side.numbers[:, a], side.numbers[:, b]) for side in (real, other)]
        if not any(map(math.isnan, found)):
            out.append(1 - abs(found[0] - found[1]) / 2)
    return np.array(out)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Of the rows that have both; NaN where one does not vary."""
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < 3:
        return math.nan
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    length = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / length if length > 0 else math.nan
