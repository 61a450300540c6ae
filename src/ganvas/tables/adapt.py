"""Tables that write numbers or dates in another form than the one that a model was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganvas.tables import forms, number_forms, read
from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd


def adapted(columns: Sequence[Column], raw: pd.DataFrame) -> list[Column]:
    """The columns with the forms in which these rows write their values, where most cannot be read in the columns' own.

    Args:
        raw: as `read.Rows` gives it; columns that it lacks stay as they are.
    """
    return [_adapted(column, raw[column.name]) if column.name in raw else column for column in columns]


def _adapted(column: Column, series: Any) -> Column:
    known = series.dropna()
    is_number = column.kind == "number" and column.type in ("int", "float")
    if known.dtype != "str" or not len(known) or not (is_number or column.kind == "date"):
        return column
    found = read.values(known, column)
    own = 1.0 if found is None else float(found.notna().mean())
    if own >= number_forms.MOSTLY:
        return column
    other = number_forms.number_form(known) if is_number else forms.date_form(known)
    return column if other is None or other.share <= own else dataclasses.replace(column, form=other.form)
