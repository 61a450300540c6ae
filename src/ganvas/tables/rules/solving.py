"""Values of columns put together: known ones and others, and what a rule says that a cell must be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.formula import Formula

if TYPE_CHECKING:
    import pandas as pd


def joined(column: Column, keep: np.ndarray, first: pd.Series, second: pd.Series) -> pd.Series:
    """The first Series where `keep` bool [N] is true, else the second; categories as Python's values."""
    import pandas as pd

    if keep.all() or not keep.any():
        return (first if keep.all() else second).reset_index(drop=True)
    if column.kind == "number" and column.type not in ("clock", "span"):
        return vl.series_of(column, np.where(keep, vl.numbers(column, first), vl.numbers(column, second)))
    if column.kind in ("date", "number"):
        unit = "datetime64[s]" if column.kind == "date" else "timedelta64[s]"
        if column.kind == "date" and column.zone:
            return (
                first.reset_index(drop=True).dt.as_unit("s").where(keep, second.reset_index(drop=True).dt.as_unit("s"))
            )
        return pd.Series(np.where(keep, first.to_numpy(dtype=unit), second.to_numpy(dtype=unit)), name=column.name)
    values = np.where(keep, first.astype(object).to_numpy(), second.astype(object).to_numpy())
    return pd.Series(values, dtype=object, name=column.name)


def empty(column: Column, count: int) -> pd.Series:
    """Missing cells of a column."""
    import pandas as pd

    if column.kind in ("number", "date"):
        return vl.series_of(column, np.full(count, np.nan))
    return pd.Series([None] * count, dtype=object, name=column.name)


def computed(rule: Rule, frame: Mapping[str, pd.Series], columns: Mapping[str, Column]) -> dict[str, pd.Series]:
    """The columns once a rule has computed its targets, whatever they are."""
    new = dict(frame)
    if isinstance(rule, Formula):
        rule = dataclasses.replace(rule, form=None, free=())
    rule.decode(new, columns)
    return new


def solved_for(rule: Formula, name: str, frame: Mapping[str, pd.Series], columns: Mapping[str, Column]) -> np.ndarray:
    """The value of a term with which a formula holds, float64 [N], not rounded; NaN: there is none."""
    target = vl.numbers(columns[rule.target], frame[rule.target])
    others = [(c, vl.numbers(columns[n], frame[n])) for c, n in rule.terms if n != name]
    factor = next(c for c, n in rule.terms if n == name)
    with np.errstate(divide="ignore", invalid="ignore"):
        if rule.product:
            value = target / (rule.terms[0][0] * np.prod([v for _, v in others], axis=0))
        else:
            value = (target - rule.constant - sum((c * v for c, v in others), np.zeros(1))) / factor
    return np.where(np.isfinite(value), value, np.nan)


def span_of(column: Column) -> tuple[float, float]:
    """The smallest and the largest value that a column of numbers or dates can have, as `values.numbers` gives them."""
    if not column.parts or not column.parts[0].counts:
        return (0.0, 0.0)
    part, scale = column.parts[0], vl.unit(column) or 1.0
    if column.kind == "category":
        known = [float(v) for v in part.values]
        return (min(known), max(known))
    if column.kind == "date":
        return (part.low[0], part.high[-1] + (1 - scale if column.type == "time" else 0))
    return (part.low[0] * scale, part.high[-1] * scale)
