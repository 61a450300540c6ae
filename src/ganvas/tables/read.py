"""Tables from files and databases, as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError, first_line
from ganvas.tables.columns import Column
from ganvas.tables.recognise import parse_dates

if TYPE_CHECKING:
    import pandas as pd


def table(source: str, name: str = "") -> pd.DataFrame:
    """The rows of a file.

    Raises:
        UserError: it cannot be read, or pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UserError("Tables need pandas and pyarrow: pip install 'ganvas[tables]'") from error
    path = Path(source)
    if not path.is_file():
        raise UserError(f"There is no file {source}.")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, UnicodeError) as error:
        raise UserError(f"{source} cannot be read as a table: {first_line(error)}.") from error


def dates(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame with the texts of date columns as dates."""
    from pandas.api import types

    changed = {}
    for column in columns:
        series: Any = frame[column.name]
        if column.kind == "date" and not types.is_datetime64_any_dtype(series):
            known = parse_dates(series.dropna().astype(str))
            assert known is not None
            changed[column.name] = known[0].reindex(frame.index)
    return frame.assign(**changed) if changed else frame
