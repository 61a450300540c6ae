"""Columns of Python objects, as databases and DataFrames give them, as numbers, booleans, dates, durations or text."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns of objects as numbers, booleans, dates or text."""
    changed = {name: _plain(frame[name]) for name in frame if _is_odd(frame[name])}
    return frame.assign(**changed) if changed else frame


def _is_odd(series: pd.Series) -> bool:
    import pandas as pd

    dtype = series.dtype
    simple = dtype.kind in "biufmM" or dtype == "str" or isinstance(dtype, pd.CategoricalDtype | pd.DatetimeTZDtype)
    return not simple or isinstance(dtype, pd.ArrowDtype)


def _plain(series: pd.Series) -> pd.Series:
    import pandas as pd
    from pandas.api import types

    if types.is_string_dtype(series.dtype) and series.dtype != object:
        return series.astype("str")
    if isinstance(series.dtype, pd.ArrowDtype) or series.dtype != object:
        if series.dtype.kind in "iuf":
            return series.astype("float64") if series.isna().any() else series.astype(series.dtype.kind + "8")
        series = series.astype(object)
    known = series.dropna()
    kind = types.infer_dtype(known, skipna=True)
    if kind == "integer" and len(known) == len(series):
        return _integers(series)
    if kind in ("decimal", "floating", "mixed-integer-float", "integer"):
        return pd.to_numeric(series.where(series.notna(), np.nan)).astype("float64")
    if kind in ("date", "datetime", "datetime64"):
        mixed = any(getattr(v, "tzinfo", None) is not None for v in known.iloc[:1_000])
        return pd.to_datetime(series, utc=mixed, errors="coerce")
    if kind in ("timedelta", "timedelta64"):
        return pd.to_timedelta(series)
    if kind == "boolean":
        return series
    texts = known.map(_as_text).astype("str")
    return texts.reindex(series.index)


def _integers(series: pd.Series) -> pd.Series:
    try:
        return series.astype("int64")
    except OverflowError:
        return series.astype("str")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)[:100].hex()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=str)
    return str(value)
