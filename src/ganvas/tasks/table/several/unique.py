"""Columns of which no two rows of a table may have the same values, by the schema: drawn rows are made so.

Rows that repeat others are drawn again, given what is fixed of them. Where chance does not find other values, they get
ones that other rows have and theirs do not.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.several.schema import SqlTable
from ganvas.tasks.table.several.rows import PORTION

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.several.draw import Drawn

ROUNDS = 30  # drawings of a row that repeats another
TRIES = 50  # changes of its values after these
NONE = np.uint64(0)  # the code of rows that repeat nothing, as a value is missing


def too_few(table: SqlTable, names: tuple[str, ...], rows: int) -> UserError:
    """Drawn rows repeat others, and there is nothing else that they could be."""
    title, columns = one_line(table.name), one_line(", ".join(names))
    return UserError(
        f"{title}: no two rows may have the same {columns}, and {rows:,} of the drawn ones have to, as the model knows "
        f"too few values. Train with rare=1 (then rare values are known too) or with copied={title}, or draw fewer "
        "rows with --count. No database was written."
    )


def settle(one: Drawn) -> None:
    """Change drawn rows so that they are unique where the schema wants it.

    Raises:
        UserError: the model knows too few different values.
    """
    keyed = {name for tie in one.plan.ties for name in tie.key.columns if tie.role != "row"}
    late = {name for tie in one.plan.of("late") for name in tie.key.columns}
    groups = [names for names in one.plan.groups(one.table) if not {*names} <= keyed and not {*names} & late]
    every = np.arange(one.count)
    codes = {names: _codes(one, every, names) for names in groups}
    for attempt in range(ROUNDS):
        wrong = np.unique(np.concatenate([np.zeros(0, np.int64), *map(repeated, codes.values())]))
        if not len(wrong):
            return
        one.again(wrong, attempt)
        for names in groups:
            codes[names][wrong] = _codes(one, wrong, names)
    for names in groups:
        _fill(one, repeated(codes[names]), names, [n for n in names if n in keyed or n in one.plan.starts])
        codes = {names: _codes(one, every, names) for names in groups}
    for names in groups:
        if len(wrong := repeated(codes[names])):
            raise too_few(one.table, names, len(wrong))


def _fill(one: Drawn, wrong: np.ndarray, names: tuple[str, ...], fixed: list[str]) -> None:
    """Give rows that repeat others a value that none with the same other columns has, in one of the free columns."""
    assert one.model is not None
    places = one.model.spec.places
    titles = {name: name for name in names if name not in fixed}
    titles |= {name: tie.name for tie in one.plan.of("row") for name in tie.key.columns if name in titles}
    free = [name for name, title in titles.items() if title in places]
    random, every, changed = one.random(f"unique {', '.join(names)}"), np.arange(one.count), wrong

    def take(name: str, rows: np.ndarray, others: np.ndarray) -> None:
        place = places[titles[name]]
        one.tokens[rows, place], one.place[rows, place] = one.tokens[others, place], one.place[others, place]

    for _ in range(0 if not len(wrong) else TRIES if len(free) > 1 else len(free)):
        for name in free:
            mine, values = _codes(one, every, tuple(n for n in names if n != name)), _codes(one, every, (name,))
            found = _unlike(mine, values, wrong, random)
            take(name, wrong[found >= 0], found[found >= 0])
            wrong = wrong[found < 0]
        if not len(wrong):
            break
        take(free[0], wrong, random.integers(0, one.count, len(wrong)))  # any: a value of another column may fit then
    if free and len(changed):
        one.again(changed, ROUNDS, frozenset(titles.values()))


def _unlike(mine: np.ndarray, values: np.ndarray, wrong: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each of some rows, one that has a value which none of its own group has; -1 where there is none.

    Args:
        mine: the group of each row; values: its value; both uint64 [N], of which `values` is changed.
        wrong: the rows.
    """
    order = np.argsort(mine, kind="stable")
    ends = [np.searchsorted(mine[order], mine[wrong], side=side).tolist() for side in ("left", "right")]
    known, sample, counts = np.unique(values, return_index=True, return_counts=True)
    sample, counts = sample[known != NONE], counts[known != NONE]
    found = np.full(len(wrong), -1, np.int64)
    for i, (row, start, end) in enumerate(zip(wrong.tolist(), *ends, strict=True)):
        weights = np.where(np.isin(values[sample], values[order[start:end]]), 0, counts)
        if weights.any():
            found[i] = random.choice(sample, p=weights / weights.sum())
            values[row] = values[found[i]]
    return found


def repeated(codes: np.ndarray) -> np.ndarray:
    """The places of codes uint64 [N] that come before; NONE does not count."""
    known = np.flatnonzero(codes != NONE)
    _, first = np.unique(codes[known], return_index=True)
    again = np.ones(len(known), bool)
    again[first] = False
    return known[again]


def _codes(one: Drawn, rows: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """A 64-bit number for the values of each row, uint64 [N]; NONE where one that may be is missing."""
    found = np.ones(len(rows), np.uint64)
    for start in range(0, len(rows), PORTION):
        part = slice(start, start + PORTION)
        values = one.values(rows[part], list(names))
        for name in names:
            hashed, missing = _hashed(values[name])
            mixed = (found[part] * np.uint64(0x9E3779B97F4A7C15)) ^ hashed
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            empty = missing & one.table.column(name).nullable
            found[part] = np.where(empty | (found[part] == NONE), NONE, np.where(mixed == NONE, np.uint64(1), mixed))
    return found


def _hashed(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit number for each value, and where there is none, bool [N]."""
    from pandas import util
    from pandas.api import types

    missing = series.isna().to_numpy(dtype=bool)
    if types.is_numeric_dtype(series) and not types.is_bool_dtype(series):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = series.astype(object).where(~missing, "").map(str).to_numpy(dtype=object)
    return util.hash_array(values), missing
