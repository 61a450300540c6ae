"""Rows as numbers that can be compared: real ones, drawn ones and other people's, all by the same columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables.columns import DAY, Column
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Values:
    """Rows as float64 [N, columns]: a number, a date in days or seconds since 1970, or the number of a category.

    NaN is missing. Numbers of categories are those of one `Coder`: only such rows can be compared.
    """

    columns: tuple[Column, ...]
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray | slice) -> Values:
        return dataclasses.replace(self, numbers=self.numbers[rows])

    def hashes(self) -> np.ndarray:
        """A 64-bit number for each row, uint64 [N], the same for equal rows."""
        mixed = np.zeros(len(self), np.uint64)
        for column in self.numbers.T:
            bits = np.where(np.isnan(column), np.nan, column + 0.0).view(np.uint64)  # + 0.0: there is no -0.0
            mixed = mix(mixed ^ mix(bits))
        return mixed


def mix(bits: np.ndarray) -> np.ndarray:
    """A one-to-one function of 64 bits whose every bit depends on all. Source: Steele et al. 2014 (SplitMix)."""
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@dataclass
class Coder:
    """Turns DataFrames into `Values`; a value of a category gets a number when it is first seen.

    `numbers`: of each category's values, by the column's name.
    """

    columns: tuple[Column, ...]
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: TableSpec) -> Coder:
        """For all columns but ids, texts and constants; values of categories that can be drawn are numbered first."""
        columns = tuple(column for column in spec.columns if column.kind in ("number", "category", "date"))
        values = {c.name: c.parts[0].values if c.parts else () for c in columns if c.kind == "category"}
        return cls(columns, {name: {v: i for i, v in enumerate(each)} for name, each in values.items()})

    def __call__(self, frame: pd.DataFrame) -> Values:
        """The rows of a frame with these columns.

        Raises:
            UserError: a column is missing, or its values are of another kind.
        """
        out = np.empty((len(frame), len(self.columns)))
        for j, column in enumerate(self.columns):
            if column.name not in frame:
                raise UserError(f"The rows to compare have no column {column.name[:60]!r}.")
            try:
                out[:, j] = self._column(column, frame[column.name])
            except (TypeError, ValueError, AttributeError) as error:
                what = f"The column {column.name[:60]!r} of the rows to compare is not a {column.kind}"
                raise UserError(f"{what}: {str(error)[:200]}.") from error
        return Values(self.columns, out)

    def _column(self, column: Column, series: Any) -> np.ndarray:
        import pandas as pd

        if column.kind != "category":
            return numbers_of(column, series)
        codes, found = pd.factorize(column.as_text(series))
        known = self.numbers.setdefault(column.name, {})
        numbers = np.array([known.setdefault(text, len(known)) for text in found], dtype=np.float64)
        return np.where(codes < 0, np.nan, np.append(numbers, np.nan)[codes])

    def sizes(self) -> list[int]:
        """How many values each category has; 0 for numbers and dates."""
        return [len(self.numbers[c.name]) if c.kind == "category" else 0 for c in self.columns]


def numbers_of(column: Column, series: Any) -> np.ndarray:
    """The values of a number, or of a date in days or seconds since 1970, float64 [N]; NaN where they are missing."""
    parts = column.as_numbers(series)
    return parts[0] if len(parts) == 1 else parts[0] * DAY + parts[1] * column.step


def ranks(column: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Which share of `among` is below each number, 0 to 1, the middle of equal ones; NaN where it is missing."""
    known = np.sort(among[~np.isnan(among)])
    if not len(known):
        return np.where(np.isnan(column), np.nan, 0.5)
    place = (np.searchsorted(known, column, "left") + np.searchsorted(known, column, "right")) / (2 * len(known))
    return np.where(np.isnan(column), np.nan, place)


def commonness(column: np.ndarray, among: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Numbers of categories -> 0 for the commonest value in all of `among`, 1 for the next, `most` - 1 for the rest."""
    every = np.concatenate([a[~np.isnan(a)] for a in among])
    values, counts = np.unique(every, return_counts=True)
    place = np.empty(len(values))
    place[np.lexsort((values, -counts))] = np.arange(len(values))
    found = np.searchsorted(values, np.nan_to_num(column, nan=-1.0)).clip(0, max(0, len(values) - 1))
    known = place[found] if len(values) else np.zeros(len(column))
    inside = (values[found] == column) if len(values) else np.zeros(len(column), bool)
    return np.where(np.isnan(column), np.nan, np.minimum(np.where(inside, known, most - 1), most - 1))
