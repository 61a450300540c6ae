"""The values of large categories in an order in which neighbours are alike in the table's other columns.

A category of many values is drawn as a group of neighbours first and then as one of the group. In the order of their
texts a group is a mixture of everything; of values that are alike it says what goes with it: aircraft by their airline,
towns by their country.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 3  # others that say how alike values are: those that depend on them most
LEAST = 0.1  # the weakest dependence that counts, as Cramer's V
DOUBT = 2.0  # rows of the average value that are added to each value's own
STEPS = 30  # of the power iteration


def ordered(columns: Sequence[Column], frame: Mapping[str, pd.Series], fixed: Container[str] = ()) -> list[Column]:
    """The columns, large categories that have no order, with their values ordered by likeness.

    Args:
        columns: fitted ones.
        frame: the rows that they were fitted to, typed, of each column that has cells.
        fixed: names of columns that stay as they are.
    """
    learned = [c for c in columns if c.parts]
    large = [c for c in learned if c.kind == "category" and not c.order and c.parts[0].base and c.name not in fixed]
    if not large:
        return list(columns)
    tokens = {c.name: c.encode(frame[c.name])[:, 0].astype(np.int64) for c in learned}
    done = {}
    for column in large:
        (part,) = column.parts
        cells = part.cells(column.encode(frame[column.name]))
        known = cells < len(part.counts)
        others = [(tokens[c.name][known], c.sizes[0]) for c in learned if c is not column]
        tables = [_table(cells[known], other, len(part.counts), size) for other, size in others]
        strength = [_dependence(table) for table in tables]
        best = np.argsort(strength, kind="stable")[::-1][:COLUMNS]
        places = [strength[i] * _place(tables[i]) for i in best if strength[i] >= LEAST]
        if places:
            order = _order(np.concatenate(places, 1), np.array(part.counts, np.float64))
            values, counts = np.array(part.values, object)[order], np.array(part.counts)[order]
            part = dataclasses.replace(part, values=tuple(values.tolist()), counts=tuple(counts.tolist()))
            done[column.name] = dataclasses.replace(column, parts=(part,))
    return [done.get(c.name, c) for c in columns]


def _table(values: np.ndarray, tokens: np.ndarray, count: int, size: int) -> np.ndarray:
    """How many rows have each value with each token, float64 [values, tokens that occur]."""
    table = np.bincount(values * size + tokens, minlength=count * size).reshape(count, size)
    return table[:, table.any(0)].astype(np.float64)


def _dependence(table: np.ndarray) -> float:
    """Cramer's V, corrected for chance: Bergsma 2013."""
    rows, columns, total = *table.shape, table.sum()
    if min(rows, columns) < 2 or total < 2:
        return 0.0
    expected = np.outer(table.sum(1), table.sum(0)) / total
    square = float((np.square(table - expected) / np.maximum(expected, 1e-12)).sum()) / total
    square = max(0.0, square - (rows - 1) * (columns - 1) / (total - 1))
    least = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return float(np.sqrt(square / least)) if least > 0 else 0.0


def _place(table: np.ndarray) -> np.ndarray:
    """Where each value is by the tokens in its rows, [values, tokens]: distances are those of chi squared."""
    average = table.sum(0) / table.sum()
    shares = (table + DOUBT * average) / (table.sum(1, keepdims=True) + DOUBT)
    return (shares - average) / np.sqrt(average)


def _order(places: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The values, with like ones near each other: cut in two along the direction of most variance, where the gap is
    widest within the middle half of the rows, and each part in the same way."""
    parts, done = [np.arange(len(places))], []
    while parts:
        part = parts.pop()
        if len(part) <= 2:
            done.append(part)
            continue
        along = np.round(_along(places[part], counts[part]), 6)
        order = np.argsort(along, kind="stable")
        part, along = part[order], along[order]
        share = np.cumsum(counts[part])[:-1] / counts[part].sum()
        middle = np.flatnonzero(np.abs(share - 0.5) <= 0.25)
        cuts = middle if len(middle) else [np.abs(share - 0.5).argmin()]
        cut = 1 + max(cuts, key=lambda i: (along[i + 1] - along[i], -abs(share[i] - 0.5)))
        parts += [part[cut:], part[:cut]]
    return np.concatenate(done)


def _along(places: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Where points are along the direction of their largest variance, weighted."""
    middle = counts @ places / counts.sum()
    far = places - middle
    direction = far[np.argmax(np.square(far).sum(1) * counts)]
    for _ in range(STEPS):
        direction = (far @ direction * counts) @ far
        length = np.linalg.norm(direction)
        if length < 1e-12:
            return np.zeros(len(places))
        direction /= length
    return far @ direction
