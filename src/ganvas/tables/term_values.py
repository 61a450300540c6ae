"""Values of conditions on rows, as the columns have them: numbers, dates and times; and what values a column has."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables import forms, number_forms
from ganvas.tables.columns import Column

LISTED = 12  # values that an error names at most


def typed(column: Column, value: str) -> Any:
    """A value of a number or a date as Python has it; a category's as it is; '': missing.

    Raises:
        UserError: it is not a number or not a date.
    """
    import pandas as pd

    if value == "" or column.kind not in ("number", "date"):
        return value
    if column.kind == "date":
        return pd.Timestamp(as_moment(column, value), unit="s")
    scale = column.step if column.type in ("clock", "span") else 10.0 ** -max(0, column.decimals)
    return as_number(column, value) * scale


def as_float(text: str) -> float | None:
    """A finite number; None: it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_number(column: Column, value: str) -> float:
    """A number in units of the column's last digit, or a time of day or a duration in its steps."""
    if column.type in ("clock", "span"):
        found = re.fullmatch(r"\s*(\d{1,6}):(\d{1,2})(?::(\d{1,2}))?\s*", value)
        seconds = (
            sum(int(x or 0) * unit for x, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else None
        )
        if seconds is None:
            raise UserError(
                f"{one_line(column.name)}: '{one_line(value)[:60]}' is not a time: write hours:minutes:seconds."
            )
        return seconds / column.step
    number = as_float(value)
    if number is None and column.form:
        import pandas as pd

        read = float(number_forms.Notation.of(column.form).read(pd.Series([value], dtype="str")).iloc[0])
        number = None if math.isnan(read) else read
    if number is None:
        raise UserError(f"{one_line(column.name)}: '{one_line(value)[:60]}' is not a number. {what_there_is(column)}")
    return number * 10.0**column.decimals if column.decimals > 0 else number


def as_moment(column: Column, value: str) -> int:
    """A date or a time in seconds since 1970, on the clock of the column's zone."""
    import pandas as pd

    text = pd.Series([value], dtype="str")
    times = forms.read_dates(text, column.form) if column.form else None
    if times is None or times.isna().any():
        times = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if times.isna().any():
        raise UserError(f"{one_line(column.name)}: '{one_line(value)[:60]}' is not a date: write it as 2024-12-31.")
    time = times.iloc[0]
    if time.tzinfo is not None:
        time = time.tz_convert(column.zone or "UTC").tz_localize(None)
    return int(time.timestamp())


def what_there_is(column: Column) -> str:
    """A sentence on a column's values."""
    cells, name = column.parts[0], one_line(column.name)
    if column.kind == "category":
        order = np.argsort([-count for count in cells.counts], kind="stable")
        names = [one_line(cells.values[i])[:40] for i in order[:LISTED]]
        more = f" and {len(cells.values) - LISTED:,} more" if len(cells.values) > LISTED else ""
        return f"{name} has {', '.join(names)}{more}."
    if not cells.low:
        return f"{name} has no values."
    low, high = cells.low[0], cells.high[-1]
    if column.kind == "date":
        first, last = (np.datetime64(int(day), "D") for day in (low, high))
        return f"{name} is from {first} to {last}."
    if column.type in ("clock", "span"):
        first, last = (forms.write_span(int(n * column.step), "H:M:S") for n in (low, high))
        return f"{name} is from {first} to {last}."
    if column.decimals >= 0:
        first, last = (f"{n / 10**column.decimals:.{column.decimals}f}" for n in (low, high))
        return f"{name} is from {first} to {last}."
    return f"{name} is from {low:g} to {high:g}."
