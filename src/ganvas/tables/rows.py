"""Whole rows from tokens: every column of the table, in its order and of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from ganvas.tables import ids
from ganvas.tables.columns import Column
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


def frame_of(
    spec: TableSpec,
    tokens: Tensor,
    place: Tensor,
    start: int = 0,
    seed: int = 0,
    decode: Callable[[Tensor, Tensor], dict[str, pd.Series]] | None = None,
) -> pd.DataFrame:
    """Rows with all columns; ids are made anew, constants filled in, free texts left empty. Categories are categorical.

    Args:
        tokens, place: as for `TableSpec.decode`.
        start: the number of the first row: a row's ids follow from its number.
        seed: of ids that are random.
        decode: tokens and places to columns; None: `TableSpec.decode`.
    """
    import pandas as pd

    found, count = (decode or spec.decode)(tokens, place), len(tokens)
    return pd.DataFrame(
        {c.name: found[c.name] if c.name in found else _made(c, start, count, seed) for c in spec.columns}
    )


def _made(column: Column, start: int, count: int, seed: int) -> pd.Series:
    """A column that is not learned."""
    import pandas as pd

    if column.kind == "id":
        return ids.make(column, start, count, seed)
    value = constant_of(column) if column.kind == "constant" else None
    kind = {"int": "int64", "float": "float64", "bool": "bool"}.get(column.type, "str") if value is not None else "str"
    return pd.Series([value] * count, dtype=kind, name=column.name)


def constant_of(column: Column) -> Any:
    """The value of a constant; None: every row misses it."""
    if not column.value:
        return None
    try:
        if column.type == "int":
            return int(column.value)
        if column.type == "float":
            return float(column.value)
    except ValueError:
        return column.value
    return column.value.lower() == "true" if column.type == "bool" else column.value


def plain(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """Rows as `frame_of` gives them, with categories as text, numbers or booleans; those with an order stay so."""
    import pandas as pd

    changed = {}
    for column in spec.columns:
        series = cast("pd.Series", frame[column.name])
        by_rule = column.kind == "number" and str(series.dtype) == "Int64"  # as rules compute them
        if by_rule or (isinstance(series.dtype, pd.CategoricalDtype) and not column.order):
            changed[column.name] = series.astype(type_of(column, series))
    return frame.assign(**changed) if changed else frame


def plain_values(found: Mapping[str, pd.Series], spec: TableSpec) -> pd.DataFrame:
    """As `plain`, of the columns that `TableSpec.decode` gives."""
    import pandas as pd

    by_name = spec.by_name
    return pd.DataFrame(
        {
            name: s.astype(type_of(by_name[name], s)) if isinstance(s.dtype, pd.CategoricalDtype) else s
            for name, s in found.items()
        }
    )


def type_of(column: Column, series: pd.Series) -> str:
    """The pandas type of a category's values; whether some are missing follows from the column, not from these rows."""
    missing = any(part.missing for part in column.parts) or bool(series.isna().any())
    if column.type == "int":
        return "Int64" if missing else "int64"
    if column.type == "bool":
        return "boolean" if missing else "bool"
    return "float64" if column.type == "float" else "str"


def left_empty(spec: TableSpec) -> list[str]:
    """The names of the columns of free text."""
    return [column.name for column in spec.columns if column.kind == "text"]
