"""Columns of which one is never above another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import EXACT, Columns, Frame, Rule, quoted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Order(Rule):
    """`low <= high` (`strict`: `low < high`), wherever both have values.

    `target`: which of the two is limited by the other once both are drawn; '': other rules already see to it.
    `form`: the target is learned as its distance from the other, in steps of `step`; None: as it is.
    `least`, `most`: the target's span.
    """

    kind: ClassVar[str] = "order"
    low: str
    high: str
    strict: bool = False
    target: str = ""
    step: float = 0.0
    least: float = 0.0
    most: float = 0.0
    form: Column | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.low, self.high)

    @property
    def other(self) -> str:
        return self.low if self.target == self.high else self.high

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,) if self.target else ()

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.other,) if self.target else ()

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: self.form} if self.form else {}

    @property
    def text(self) -> str:
        return f"{quoted(self.high)} {'>' if self.strict else '>='} {quoted(self.low)}"

    def words(self) -> str:
        return (
            f"{self.high} is {'always' if self.strict else 'never'} {'above' if self.strict else 'below'} {self.low}."
        )

    def numbers(self, frame: Frame, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        low, high = (vl.numbers(columns[n], frame[n]) for n in (self.low, self.high))
        fine = min((u for u in (vl.unit(columns[self.low]), vl.unit(columns[self.high])) if u), default=0.0)
        return (np.round(low / fine) * fine, np.round(high / fine) * fine) if fine else (low, high)

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        low, high = self.numbers(frame, columns)
        slack = (min(vl.unit(columns[self.low]), vl.unit(columns[self.high])) or 0.0) * EXACT
        with np.errstate(invalid="ignore"):
            return high <= low + slack if self.strict else high < low - slack

    def distance(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The target's distance from the other, in steps; from its own span's end where the other is missing."""
        low, high = self.numbers(frame, columns)
        low = np.where(np.isnan(low), self.least, low) if self.target == self.high else low
        high = np.where(np.isnan(high), self.most, high) if self.target == self.low else high
        return np.round((high - low) / self.step)

    def encode(self, frame: Frame, columns: Columns) -> dict[str, pd.Series]:
        import pandas as pd

        return {self.target: pd.Series(self.distance(frame, columns), frame[self.target].index)} if self.form else {}

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        if not self.target:
            return
        column, up = columns[self.target], self.target == self.high
        other = vl.numbers(columns[self.other], frame[self.other])
        if self.form:
            away = vl.numbers(self.form, frame[self.target]) * self.step
            start = np.where(np.isnan(other), self.least if up else self.most, other)
            value = np.clip(start + away if up else start - away, self.least, self.most)
        else:
            value = vl.numbers(column, frame[self.target])
        grid = vl.unit(column)
        fine = min((u for u in (grid, vl.unit(columns[self.other])) if u), default=0.0)
        bound = other
        if self.strict and fine:
            bound = other + fine if up else other - fine
        elif self.strict:
            bound = np.nextafter(other, np.inf if up else -np.inf)
        if grid:  # to what the target's values can be, without crossing the other
            value = np.round(value / grid) * grid
            edge = bound / grid
            bound = (np.ceil(edge - EXACT) if up else np.floor(edge + EXACT)) * grid
        limited = np.fmax(value, bound) if up else np.fmin(value, bound)
        value = np.where(np.isnan(value), np.nan, limited)
        if self.form or (value != vl.numbers(column, frame[self.target])).any():
            frame[self.target] = vl.series_of(column, value)
