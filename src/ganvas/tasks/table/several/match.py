"""Which drawn row each key leads to, with each row used as often as it should be and the best fit of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COARSE = (16, 4)  # of these many values a column is first thought to be, before it is left out


def slots(counts: np.ndarray, total: int, random: np.random.Generator) -> np.ndarray:
    """`total` row numbers, each about as often as its count says, in random order, int64 [total]."""
    weights = counts.astype(np.float64) if counts.sum() > 0 else np.ones(len(counts))
    sums = np.cumsum(weights)
    marks = (np.arange(total) + random.random()) / max(1, total) * sums[-1]
    found = np.minimum(np.searchsorted(sums, marks, side="right"), len(counts) - 1)
    return random.permutation(found)


def match(wanted: np.ndarray, offered: np.ndarray, counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The number of the row for each of the wanted ones, int64 [N].

    Rows with the same values come first; then those that differ in the last digits, then in ever more columns, those
    with the most values first; what is left is by chance. No row is used oftener than its count says.

    Args:
        wanted: the columns that the row is to have as whole numbers, int64 [N, columns]; close ones are close values.
        offered: those of the rows that there are, int64 [rows, columns].
        counts: how often each is to be used, before they are scaled to N.
    """
    found = np.full(len(wanted), -1, np.int64)
    free = slots(counts, len(wanted), random)
    distinct = [len(np.unique(offered[:, j])) for j in range(offered.shape[1])]
    order = [int(j) for j in np.argsort(distinct, kind="stable")]
    levels: list[tuple[list[int], int]] = [(order, 0), *((order, n) for n in COARSE)]
    levels += [(order[:k], COARSE[-1]) for k in range(len(order) - 1, -1, -1)]
    left = random.permutation(len(wanted))
    for columns, coarse in levels:
        if not len(left):
            break
        codes = _codes(wanted[left][:, columns], offered[free][:, columns], coarse)
        mine, theirs = _paired(codes[0], codes[1])
        found[left[mine]] = free[theirs]
        left, free = np.delete(left, mine), np.delete(free, theirs)
    return found


def _codes(a: np.ndarray, b: np.ndarray, coarse: int) -> tuple[np.ndarray, np.ndarray]:
    """One number for each row of both, the same for the same values."""
    code = np.zeros(len(a) + len(b), np.int64)
    for column in np.concatenate([a, b]).T:
        values = np.unique(column, return_inverse=True)[1]
        if coarse and values.max(initial=0) >= coarse:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, coarse + 1)[1:-1]))
            values = np.searchsorted(edges, column, side="right")
        code = np.unique(code * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    return code[: len(a)], code[len(a) :]


def _paired(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of `a` and of `b` that have the same number, each used once."""
    order_a, order_b = np.argsort(a, kind="stable"), np.argsort(b, kind="stable")
    rank_a, rank_b = _ranks(a[order_a]), _ranks(b[order_b])
    most = int(max(rank_a.max(initial=0), rank_b.max(initial=0))) + 1
    _, at_a, at_b = np.intersect1d(a[order_a] * most + rank_a, b[order_b] * most + rank_b, True, True)
    return order_a[at_a], order_b[at_b]


def _ranks(ordered: np.ndarray) -> np.ndarray:
    """How many of the same number come before each in an ordered array."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(ordered)])
    return np.arange(len(ordered)) - np.repeat(starts, lengths)


def apart(first: np.ndarray, rows: np.ndarray, random: np.random.Generator, count: int, rounds: int = 20) -> np.ndarray:
    """The rows, swapped or else changed so that as few as possible have the same first number twice.

    Args:
        first: int64 [N]; -1 is none, and repeats nothing.
        rows: numbers of rows, int64 [N]; -1 is none.
        count: how many rows there are.
    """
    rows = rows.copy()
    for _ in range(rounds):
        twice = repeated(np.stack([first, rows], 1))
        if not len(twice):
            return rows
        others = random.integers(0, len(rows), len(twice))
        for a, b in zip(twice.tolist(), others.tolist(), strict=True):
            if rows[a] >= 0 and rows[b] >= 0:
                rows[a], rows[b] = rows[b], rows[a]
    twice = repeated(np.stack([first, rows], 1))
    order = np.argsort(first, kind="stable")
    ends = (
        np.searchsorted(first[order], first[twice], side="left"),
        np.searchsorted(first[order], first[twice], "right"),
    )
    for a, start, end in zip(twice.tolist(), *(e.tolist() for e in ends), strict=True):
        used = rows[order[start:end]]
        unused = np.setdiff1d(np.arange(count), used)
        if len(unused):
            rows[a] = random.choice(unused)
    return rows


def codes(columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """A number for the values of each row, int64 [count]; without columns all rows have the same.

    Args:
        columns: int64 [count] each; -1 is none, and then the number is -1.
    """
    code, there = np.zeros(count, np.int64), np.ones(count, bool)
    for column in columns:
        there &= column >= 0
        code = np.unique(np.stack([code, column], 1), axis=0, return_inverse=True)[1].reshape(-1)
    return np.where(there, code, -1)


def repeated(rows: np.ndarray) -> np.ndarray:
    """The places of rows int64 [N, columns] that repeat an earlier one; rows with -1 do not count."""
    known = np.flatnonzero((rows >= 0).all(1))
    _, first = np.unique(rows[known], axis=0, return_index=True)
    again = np.ones(len(known), bool)
    again[first] = False
    return known[again]
