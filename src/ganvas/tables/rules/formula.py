"""Columns of numbers and dates that are computed from others."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import EXACT, Columns, Frame, Rule, is_missing, quoted, rows_of, span

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Formula(Rule):
    """`total = net + tax`, `tax = 0.19 * net`, `total = price * quantity`: a column that is computed from others.

    `terms`: factors and columns; their sum, or their product. `constant` is added; dates count in days.
    `tolerance`: in last digits of the target, what the table's own rounding is off by; drawn rows are not.
    `form`: how the target's missing values are learned; None: it is missing where a term is.
    `spans`: the smallest and largest value of the target and of each term.
    """

    kind: ClassVar[str] = "formula"
    target: str
    terms: tuple[tuple[float, str], ...]
    constant: float = 0.0
    product: bool = False
    tolerance: float = EXACT
    form: Column | None = None
    spans: tuple[tuple[float, float], ...] = ()
    free: tuple[str, ...] = ()  # terms that no other rule speaks of: they give way where the target left its span

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.target, *self.needs)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, name in self.terms))

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: self.form}

    @property
    def text(self) -> str:
        def factor(value: float) -> str:
            return "" if abs(value) == 1 else f"{abs(value):.15g} * "

        if self.product:
            return f"{quoted(self.target)} = {factor(self.terms[0][0])}" + " * ".join(quoted(n) for _, n in self.terms)
        parts = [("-" if c < 0 else "+", factor(c) + quoted(n)) for c, n in self.terms]
        if self.constant:
            parts.append(("-" if self.constant < 0 else "+", f"{abs(self.constant):.15g}"))
        first = "- " if parts[0][0] == "-" else ""
        return f"{quoted(self.target)} = {first}{parts[0][1]}" + "".join(f" {s} {p}" for s, p in parts[1:])

    def words(self) -> str:
        if len(self.terms) == 1 and self.terms[0][0] == 1 and not self.constant:
            return f"{self.target} is always the same as {self.terms[0][1]}."
        off = " (except for its last digit)" if self.tolerance > EXACT else ""
        return f"{self.target} is always {self.text.split(' = ', 1)[1]}{off}."

    def value(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The target's values, float64 [N], not rounded."""
        each = [(c, vl.numbers(columns[n], frame[n])) for c, n in self.terms]
        if self.product:
            return each[0][0] * np.prod([v for _, v in each], axis=0)
        return sum((c * v for c, v in each), np.zeros(1)) + self.constant

    def distance(self, frame: Frame, columns: Columns) -> np.ndarray:
        """How far the target is from the formula, in its last digits, float64 [N]; NaN: a value is missing.

        What floats of this size cannot tell does not count.
        """
        have, step = vl.numbers(columns[self.target], frame[self.target]), vl.unit(columns[self.target]) or 1e-9
        return np.maximum(np.abs(have - self.value(frame, columns)) - 1e-12 * np.abs(have), 0) / step

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        alone = np.isnan(self.value(frame, columns)) & ~is_missing(frame[self.target])
        return (self.distance(frame, columns) > self.tolerance) | alone

    def encode(self, frame: Frame, columns: Columns) -> dict[str, pd.Series]:
        import pandas as pd

        missing = is_missing(frame[self.target])
        return {self.target: pd.Series(np.where(missing, np.nan, 0.0), frame[self.target].index)} if self.form else {}

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        value = self.value(frame, columns)
        if self.spans and self.free and not self.product:
            value = self._inside(value, frame, columns)
        if self.form:
            value = np.where(is_missing(frame[self.target]), np.nan, value)
        frame[self.target] = vl.series_of(columns[self.target], value)

    def _inside(self, value: np.ndarray, frame: dict[str, pd.Series], columns: Columns) -> np.ndarray:
        """The target within its span: where it is not, a free term gives way, within its own span."""
        low, high = self.spans[0]
        for (factor, name), (least, most) in zip(self.terms, self.spans[1:], strict=True):
            over = np.nan_to_num(np.maximum(value - high, 0) + np.minimum(value - low, 0))
            if name in self.free and over.any():
                moved = np.clip(vl.numbers(columns[name], frame[name]) - over / factor, least, most)
                changed = vl.series_of(columns[name], moved)
                frame[name] = changed.where(pd_series(over != 0), frame[name].reset_index(drop=True))
                value = self.value(frame, columns)
        return value

    def fitted(self, frame: Frame, columns: Columns, rare: int) -> Formula:
        """With what the rows say: how exact it is, spans, and how the target's missing values are learned.

        Raises:
            UserError: it does not hold in them.
        """
        distance = self.distance(frame, columns)
        steps = np.nanmax(distance, initial=0.0)
        allowed = (EXACT,) if columns[self.target].kind == "date" else (EXACT, 0.5 + EXACT, 1 + EXACT)
        tolerance = next((t for t in allowed if steps <= t), None)
        value_missing = np.isnan(self.value(frame, columns))
        missing = is_missing(frame[self.target])
        if tolerance is None or (value_missing & ~missing).any():
            wrong = int(((distance > allowed[-1]) | (value_missing & ~missing)).sum())
            raise UserError(f"The rule '{self.text}' does not hold in {rows_of(wrong)}: change or refuse it.")
        form = None
        if (missing != value_missing).any():
            cells = Cells((int((~missing).sum()),), (0.0,), (0.0,), missing=int(missing.sum()))
            form = Column(self.target, "number", "float", parts=(cells,))
        spans = tuple(
            span(columns[n], vl.numbers(columns[n], frame[n]), rare) for n in (self.target, *(n for _, n in self.terms))
        )
        return dataclasses.replace(self, tolerance=float(tolerance), form=form, spans=spans)


def pd_series(values: np.ndarray) -> pd.Series:
    import pandas as pd

    return pd.Series(values)


def solved(formula: Formula, name: str, columns: Columns) -> Formula | None:
    """A sum solved for one of its terms; None: that would lose digits."""
    factor = next(c for c, n in formula.terms if n == name)
    if formula.product or (abs(factor) != 1 and not float(factor).is_integer() and not float(1 / factor).is_integer()):
        return None
    target, column = columns[formula.target], columns[name]
    if vl.unit(column) > vl.unit(target) * (1 + EXACT) and column.kind == target.kind:
        return None
    terms = [(1 / factor, formula.target), *((-c / factor, n) for c, n in formula.terms if n != name)]
    terms.sort(key=lambda term: term[0] < 0)
    return Formula(name, tuple(terms), -formula.constant / factor or 0.0, False)
