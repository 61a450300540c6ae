"""Values that cannot be, and rules that do not hold: of both there must be none in drawn rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.tables.columns import DAY, Column
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.evaluate.source import Known, id_hashes
from ganvas.tasks.table.evaluate.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd

NEAR = 1e-6  # of a value's last digit: what the arithmetic of floats may be off by


def impossible(frame: pd.DataFrame, spec: TableSpec, known: Known) -> dict[str, int]:
    """How many cells of drawn rows cannot be, by what is wrong with them: 'age: outside 17 to 90'; no zeros.

    A number or date that is none, outside what the real rows have, or with more digits after the point; an unknown
    value of a category; a missing one where no real row misses it; an id that comes twice, is missing or is one of the
    real ones.
    """
    found: dict[str, int] = {}
    for column in spec.columns:
        if column.name not in frame:
            continue
        for what, count in _column(column, frame[column.name], known).items():
            if count:
                found[f"{column.name}: {what}"] = count
    return found


def _column(column: Column, series: Any, known: Known) -> dict[str, int]:
    if column.kind == "id":
        ids = id_hashes(series)
        return {
            "repeated ids": len(ids) - len(np.unique(ids)),
            "ids of real rows": int(np.isin(ids, known.ids.get(column.name, np.zeros(0, np.uint64))).sum()),
            "missing ids": int(series.isna().sum()),
        }
    if column.kind not in ("number", "category", "date"):
        return {}
    missing = int(series.isna().sum()) if column.name not in known.missing else 0
    if column.kind == "category":
        texts = column.as_text(series).dropna()
        return {"missing": missing, "unknown values": int((~texts.isin(known.categories[column.name])).sum())}
    numbers = numbers_of(column, series)
    unparsable = int((np.isnan(numbers) & series.notna().to_numpy()).sum())
    low, high = known.spans.get(column.name, (-np.inf, np.inf))
    with np.errstate(invalid="ignore"):
        outside = int(((numbers < low - NEAR) | (numbers > high + NEAR)).sum())
    wrong = {
        "missing": missing,
        f"no {column.kind}": unparsable,
        f"outside {told(column, low)} to {told(column, high)}": outside,
    }
    if column.kind == "number" and column.decimals >= 0:
        wrong["too many digits"] = _too_many_digits(column, series)
    return wrong


def _too_many_digits(column: Column, series: pd.Series) -> int:
    """Values with more digits after the point than the column has."""
    from pandas.api import types

    if not types.is_numeric_dtype(series):
        return 0
    scaled = series.to_numpy(dtype=np.float64, na_value=np.nan) * 10.0**column.decimals
    scaled = scaled[np.isfinite(scaled)]
    return int((np.abs(scaled - np.round(scaled)) > NEAR * np.maximum(1, np.abs(scaled))).sum())


def told(column: Column, value: float) -> str:
    """A number or date, as `Coder` gives it, for people."""
    if not np.isfinite(value):
        return "any"
    if column.kind == "date":
        seconds = int(value) * (DAY if column.type == "date" else 1)
        return str(np.datetime64(seconds, "s")).replace("T", " ").removesuffix(" 00:00:00")
    if column.decimals >= 0:
        return f"{value / 10.0**column.decimals:,.{column.decimals}f}"
    return f"{value:.6g}"


def broken(frame: pd.DataFrame, spec: TableSpec) -> dict[str, int] | None:
    """In how many drawn rows each rule of the table does not hold, by the rule's text; None: the table has no rules.

    A rule knows itself which rows break it: see `ganvas.tables.rules`.
    """
    rules: Sequence[Any] = getattr(spec, "rules", ())
    if not rules:
        return None
    columns = {column.name: column for column in spec.columns}
    series: dict[str, Any] = {str(name): frame[name] for name in frame}
    return {str(rule.text): int(rule.broken(series, columns)) for rule in rules if set(rule.columns) <= series.keys()}
