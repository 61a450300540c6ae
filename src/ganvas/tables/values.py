"""A column's values as numbers that can be reckoned with, as numbered values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.tables.columns import DAY, Column

if TYPE_CHECKING:
    import pandas as pd


def is_ordered(column: Column) -> bool:
    """Whether its values can be reckoned with."""
    return column.kind in ("number", "date") or (column.kind == "category" and column.type in ("int", "float"))


def unit(column: Column) -> float:
    """The step between one value and the next that can be; 0.0: none is known. Days for dates, seconds for times."""
    if column.kind == "date":
        return 1.0 if column.type == "date" else column.step / DAY
    if column.type in ("clock", "span"):
        return float(column.step)
    return 10.0**-column.decimals if column.decimals >= 0 else 0.0


def numbers(column: Column, series: pd.Series) -> np.ndarray:
    """Its values, float64 [N]; dates in days since 1970, times of day and durations in seconds; NaN: missing."""
    import pandas as pd

    if column.kind == "date":
        times = series
        if getattr(times.dt, "tz", None) is not None:
            times = times.dt.tz_convert(column.zone or "UTC").dt.tz_localize(None)
        seconds = times.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64) / DAY)
    if column.type in ("clock", "span") and series.dtype.kind == "m":
        spans = series.to_numpy(dtype="timedelta64[s]")
        return np.where(np.isnat(spans), np.nan, spans.astype(np.int64).astype(np.float64))
    if isinstance(series.dtype, pd.CategoricalDtype):
        each: Any = pd.to_numeric(series.cat.categories, errors="coerce")
        return np.append(each.to_numpy(dtype=np.float64), np.nan)[series.cat.codes.to_numpy()]
    found: Any = pd.to_numeric(series, errors="coerce")
    values = found.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def series_of(column: Column, values: np.ndarray) -> pd.Series:
    """A column of numbers float64 [N] as `numbers` gives them, rounded to what its values can be."""
    import pandas as pd

    missing = np.isnan(values)
    safe = np.where(missing, 0.0, values)
    if column.kind == "date":
        step = DAY if column.type == "date" else column.step
        times = (np.round(safe * (DAY / step)).astype(np.int64) * step).astype("datetime64[s]")
        times[missing] = np.datetime64("NaT")
        series = pd.Series(times, name=column.name)
        if column.zone:
            series = series.dt.tz_localize(
                column.zone, ambiguous=np.ones(len(series), bool), nonexistent="shift_forward"
            )
        return series
    if column.type in ("clock", "span"):
        spans = (np.round(safe / column.step).astype(np.int64) * column.step).astype("timedelta64[s]")
        spans[missing] = np.timedelta64("NaT")
        return pd.Series(spans, name=column.name)
    if column.type == "int":
        whole = np.round(safe).astype(np.int64)
        return pd.Series(pd.arrays.IntegerArray(whole, missing), name=column.name)
    rounded = np.round(safe, column.decimals) if column.decimals >= 0 else safe
    return pd.Series(np.where(missing, np.nan, rounded), name=column.name)


def as_text(column: Column, series: pd.Series) -> pd.Series:
    """Its values as text, missing ones as NaN; the same text for the same value however it is stored."""
    if column.kind == "date":
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S")
    if column.kind == "number":
        values = numbers(column, series)
        known = ~np.isnan(values)
        texts = series.astype(object)
        texts[:] = None
        texts[known] = [str(int(v)) if column.type == "int" else repr(float(v)) for v in values[known]]
        return texts
    return column.as_text(series.astype(object))


def codes(column: Column, series: pd.Series, values: Sequence[str]) -> np.ndarray:
    """The place of each value among `values`, int64 [N]; len(values): missing; -1: none of them."""
    import pandas as pd

    each, distinct = pd.factorize(series)
    texts = as_text(column, pd.Series(distinct))
    places = np.append(pd.Index(list(values), dtype=object).get_indexer(texts.astype(object)), len(values))
    return places[np.where(each < 0, len(distinct), each)].astype(np.int64)


def distinct(column: Column, series: pd.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """The texts of the values that there are, sorted, and each row's place among them; the count of texts: missing."""
    import pandas as pd

    each, found = pd.factorize(series)
    texts = as_text(column, pd.Series(found)).to_numpy(dtype=object)
    if is_ordered(column) and column.kind != "date":
        order = np.argsort([float(t) for t in texts], kind="stable")
    else:
        order = np.argsort(texts.astype(str), kind="stable")
    place = np.append(np.argsort(order, kind="stable"), len(texts))
    return tuple(texts[order]), place[each].astype(np.int64)


def from_codes(column: Column, values: Sequence[str], places: np.ndarray) -> pd.Series:
    """The inverse of `codes`; everything that is not a place among the values is missing."""
    import pandas as pd

    inside = (places >= 0) & (places < len(values))
    if column.kind == "number":
        known = np.array([*map(float, values), np.nan])
        return series_of(column, known[np.where(inside, places, len(values))])
    if column.kind == "date":
        stamps = pd.to_datetime(pd.Series([*values, None], dtype=object), format="%Y-%m-%dT%H:%M:%S")
        times = stamps.iloc[np.where(inside, places, len(values))].reset_index(drop=True).rename(column.name)
        return (
            times.dt.tz_localize(column.zone, ambiguous=np.ones(len(times), bool), nonexistent="shift_forward")
            if (column.zone)
            else times
        )
    categories: list[Any] = list(values)
    if column.type == "bool":
        categories = [value == "true" for value in values]
    elif column.type in ("int", "float"):
        categories = [int(v) if column.type == "int" else float(v) for v in values]
    chosen = pd.Categorical.from_codes(np.where(inside, places, -1), categories=categories, ordered=bool(column.order))
    return pd.Series(chosen, name=column.name)
