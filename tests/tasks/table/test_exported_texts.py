"""The program beside an exported generator writes values as `ganvas sample` does."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganvas.tables import write
from ganvas.tables.columns import Column
from ganvas.tables.rows import constant_of
from ganvas.tasks.table import export

DAY = 86_400
DATES = [0, 19_800 * DAY + 7, 20_178 * DAY, 19_812 * DAY + 9_000, 20_023 * DAY + 9_000]
SPANS = [0, 59, 3_600, 90_061, 180_000]
COLUMNS = {
    "iso day": Column("c", "date", "date"),
    "day": Column("c", "date", "date", form="%d.%m.%Y"),
    "month": Column("c", "date", "date", form="%b-%Y"),
    "iso time": Column("c", "date", "time", step=1),
    "time": Column("c", "date", "time", step=1, form="%m/%d/%Y %I:%M:%S %p"),
    "fractions": Column("c", "date", "time", step=1, form="%Y-%m-%d %H:%M:%S.%f"),
    "zone": Column("c", "date", "time", step=1, zone="Europe/Amsterdam"),  # with hours that it skips and has twice
    "zone and form": Column("c", "date", "time", step=1, zone="Europe/Amsterdam", form="%Y-%m-%d %H:%M:%S%:z"),
    "offset": Column("c", "date", "time", step=1, zone="UTC+05:30", form="%Y-%m-%dT%H:%M:%S%z"),
    "utc": Column("c", "date", "time", step=1, zone="UTC", form="%Y-%m-%dT%H:%M:%SZ"),
    "no zone": Column("c", "date", "time", step=1, form="%Y-%m-%d %H:%M:%S%z"),
    "clock": Column("c", "number", "clock", step=60, form="%I:%M %p"),
    "plain clock": Column("c", "number", "clock", step=1),
    **{f: Column("c", "number", "span", step=1, form=f) for f in ("H:M:S", "H:M", "D days H:M:S", "PTHMS", "Hh Mm Ss")},
    "price": Column("c", "number", "float", decimals=2, digits=2),
    "money": Column("c", "number", "float", decimals=2, form="€ 1.234,5"),
    "spaces": Column("c", "number", "int", form="1 234,5 kg"),
    "number": Column("c", "number", "float", decimals=3),
    "any": Column("c", "number", "float", decimals=-1),
    "whole": Column("c", "number", "int"),
    "whole with a point": Column("c", "number", "int", digits=1),
    "codes": Column("c", "category", "int", digits=1),
    "floats": Column("c", "category", "float", decimals=2),
    "truth": Column("c", "category", "bool"),
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(export.PROGRAM)))
    return importlib.import_module("row_values")


def values(column: Column) -> tuple[Any, Any]:
    """As the program has them, the last one missing; and as pandas has them."""
    if column.kind == "date":
        step = DAY if column.type == "date" else 1
        seconds = np.array(DATES) // step * step
        times: Any = pd.Series(seconds.astype("datetime64[s]"))
        if column.zone:
            twice = np.ones(len(times), bool)
            times = times.dt.tz_localize(column.zone, ambiguous=twice, nonexistent="shift_forward")
        return np.append(seconds / DAY, np.nan), times
    if column.type in ("clock", "span"):
        seconds = np.array(SPANS) % DAY // column.step * column.step if column.type == "clock" else np.array(SPANS)
        return np.append(seconds.astype(float), np.nan), pd.Series(seconds.astype("timedelta64[s]"))
    if column.kind == "category":
        kind = {"int": int, "float": float, "bool": lambda v: v == "true"}[column.type]
        known = {"int": ["1", "12"], "float": ["1.5", "2.0"], "bool": ["true", "false"]}[column.type]
        return np.array([*known, None], object), pd.Series(pd.Categorical([kind(v) for v in known]))
    whole = column.type == "int"
    numbers = np.array([0, 1_234_567, -12] if whole else [0.0, 1_234_567.25, -12.5, 0.1])
    return np.append(numbers.astype(float), np.nan), pd.Series(numbers)


def entries(column: Column) -> dict[str, Any]:
    names = ("kind", "type", "decimals", "step", "digits", "form", "zone", "value")
    return {name: getattr(column, name) for name in names}


@pytest.mark.parametrize("name", COLUMNS)
def test_values_are_written_as_in_the_table(name: str, program: Any) -> None:
    own, series = values(COLUMNS[name])
    expected = [text.strip('"') for text in write.texts_of(series, COLUMNS[name]).to_pylist()]
    assert program.texts_of(entries(COLUMNS[name]), own).tolist() == [*expected, ""]


@pytest.mark.parametrize(("kind", "digits", "value"), [("float", 2, "1.5"), ("int", 1, "2"), ("float", -1, "7.0")])
def test_constants_are_too(kind: str, digits: int, value: str, program: Any) -> None:
    column = Column("c", "constant", kind, decimals=1, digits=digits, value=value)
    expected = write.texts_of(pd.Series([constant_of(column)]), column).to_pylist()
    assert [program.constant(entries(column))] == expected
