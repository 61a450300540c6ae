"""The order of drawn rows by their key: dates that never fall in the table do not in drawn rows."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ganvas.tasks.table.several.draw import Drawn


def settle(one: Drawn) -> None:
    """Put siblings into the order of their dates, and say in which order the table's rows stand by their key."""
    first, plan = one.plan.first, one.plan
    group = np.arange(one.count) if first is None else one.rows[first]
    group = np.where(group < 0, one.count + np.arange(one.count), group)  # those without a parent have no siblings
    dates = _dates(one)
    if dates is not None and first is not None:
        order = np.lexsort((dates, group))
        _move(one, order)
        dates = dates[order]
    if dates is not None and plan.throughout:
        one.rank = _ranks(dates)
    elif plan.mixed and plan.ids:
        random = one.random("order").random(one.count)
        one.rank = _ranks(random[np.lexsort((random, group))])


def _dates(one: Drawn) -> np.ndarray | None:
    """The dates by which rows are ordered, int64 [rows]; None: they are not ordered, or a date is missing."""
    if not one.plan.ordered or not one.count:
        return None
    found = []
    for rows in one.portions():
        series = one.learned(rows).get(one.plan.ordered)
        if series is None or series.isna().any():
            return None
        zoned = getattr(series.dt, "tz", None) is not None
        found.append((series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series).to_numpy("datetime64[s]"))
    return np.concatenate(found).astype(np.int64)


def _move(one: Drawn, order: np.ndarray) -> None:
    """Put rows into another order among siblings; which of its siblings a row is stays with the place."""
    moved = np.flatnonzero(order != np.arange(one.count))
    if len(moved):
        one.tokens[moved], one.place[moved] = one.tokens[order[moved]], one.place[order[moved]]
        for tie in one.rows:
            one.rows[tie] = one.rows[tie][order]


def _ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value in ascending order, int64 [N]; equal ones in their order."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks
