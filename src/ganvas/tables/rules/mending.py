"""Drawn rows made to keep the rules, where cells that are not known can give way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Rule, is_missing
from ganvas.tables.rules.dates import CLOCK, DatePart
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.solving import computed, empty, joined, solved_for, span_of
from ganvas.tables.rules.together import Missing

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.rules.completing import Partial

PASSES = 3  # over the rules, until what is drawn keeps them
DAYS = 45  # that a date is moved by at most
FACTORS = 128  # values of a factor that are tried


@dataclass(eq=False)
class Full:
    """Rows with all cells.

    frame: the columns of the table that are not made up, by name. hints: cells that were not known and that are about
    right now, bool [N] a column: rows that are drawn again with these given are more probable. outside: rows in which
    a value that a rule gave is outside of what its column has. broken: see `Partial.broken`.
    """

    frame: dict[str, pd.Series]
    hints: dict[str, np.ndarray]
    outside: np.ndarray
    broken: dict[int, np.ndarray]

    @property
    def bad(self) -> np.ndarray:
        """The rows that are better drawn again, bool [N]."""
        return np.logical_or.reduce([self.outside, *self.broken.values()])

    def take(self, rows: np.ndarray) -> Full:
        """Some of the rows; rows: int64."""
        frame = {name: series.iloc[rows].reset_index(drop=True) for name, series in self.frame.items()}
        hints, broken = ({key: mask[rows] for key, mask in each.items()} for each in (self.hints, self.broken))
        return Full(frame, hints, self.outside[rows], broken)  # pyright: ignore[reportArgumentType]

    def put(self, rows: np.ndarray, other: Full, columns: Mapping[str, Column]) -> None:
        """Replace some of the rows."""
        mask = np.zeros(len(self.outside), bool)
        mask[rows] = True
        back = np.where(mask, np.cumsum(mask) - 1, 0)
        for name, series in self.frame.items():
            self.frame[name] = joined(columns[name], ~mask, series, other.frame[name].iloc[back])
        for key in {*self.broken, *other.broken}:
            new = other.broken[key][back] if key in other.broken else False
            self.broken[key] = np.where(mask, new, self.broken.get(key, False))
        self.outside = np.where(mask, other.outside[back], self.outside)


def mend(partial: Partial, full: Full) -> None:
    """Make rows keep the rules, where cells that are not known can give way; notes which rules are still broken."""
    rules, columns = partial.spec.rules, partial.columns
    for _ in range(PASSES):
        fine = True
        for rule in rules:
            if (rows := rule.wrong(full.frame, columns)).any():
                _mend(partial, full, rule, rows)
                fine = False
        if fine:
            full.broken = {}
            return
    full.broken = partial.broken(full.frame)
    dated = [i for i in full.broken if isinstance(rule := rules[i], DatePart) and rule.part not in CLOCK]
    for source in dict.fromkeys(rules[i].needs[0] for i in dated):
        _near_day(partial, full, source, np.logical_or.reduce([full.broken[i] for i in dated]) & ~partial.known[source])
    for i in [i for i in full.broken if isinstance(rule := rules[i], Formula) and rule.product]:
        _factors(partial, full, cast("Formula", rules[i]), full.broken[i] & partial.known[rules[i].targets[0]])
    if full.broken:
        full.broken = partial.broken(full.frame)


def _near_day(partial: Partial, full: Full, source: str, rows: np.ndarray) -> None:
    """Move a date to the nearest day on which its parts are those that are known."""
    at, column = np.flatnonzero(rows), partial.columns[source]
    some = [rule for rule in partial.spec.rules if source in rule.columns and isinstance(rule, DatePart | Order)]
    start = vl.numbers(column, full.frame[source].iloc[at])
    frame = {n: full.frame[n].iloc[at].reset_index(drop=True) for rule in some for n in rule.columns}
    best, left = start.copy(), ~np.isnan(start)
    for away in sorted(range(-DAYS, DAYS + 1), key=abs):
        if not left.any():
            break
        moved = {**frame, source: vl.series_of(column, start + away)}
        good = left & ~np.logical_or.reduce([rule.wrong(moved, partial.columns) for rule in some])
        best, left = np.where(good, start + away, best), left & ~good
    values = np.full(len(rows), np.nan)
    values[at] = best
    give_way(partial, full, source, rows & ~np.isnan(values), values)


def _factors(partial: Partial, full: Full, rule: Formula, rows: np.ndarray) -> None:
    """Take the factors that are nearest to what was drawn and whose product is what is known."""
    free = sorted((n for n in rule.needs if not partial.known[n].all()), key=lambda n: vl.unit(partial.columns[n]))
    part = partial.columns[free[-1]].parts[0] if len(free) > 1 else None
    if part is None or len(part.low) > FACTORS:
        return
    fine, coarse = free[0], free[-1]
    at = np.flatnonzero(rows & ~partial.known[fine] & ~partial.known[coarse])
    frame = {n: full.frame[n].iloc[at].reset_index(drop=True) for n in rule.columns}
    drawn, scale = vl.numbers(partial.columns[coarse], frame[coarse]), vl.unit(partial.columns[coarse]) or 1.0
    low, high = span_of(partial.columns[fine])
    best, value, other = np.full(len(at), np.inf), np.full(len(at), np.nan), np.full(len(at), np.nan)
    for number in np.array(part.low) * scale:
        moved = {**frame, coarse: vl.series_of(partial.columns[coarse], np.full(len(at), number))}
        moved[fine] = vl.series_of(partial.columns[fine], solved_for(rule, fine, moved, partial.columns))
        found = vl.numbers(partial.columns[fine], moved[fine])
        good = ~rule.wrong(moved, partial.columns) & (found >= low) & (found <= high) & (np.abs(number - drawn) < best)
        best, value, other = (
            np.where(good, new, old) for new, old in ((np.abs(number - drawn), best), (number, value), (found, other))
        )
    for name, new in ((coarse, value), (fine, other)):
        every = np.full(len(rows), np.nan)
        every[at] = new
        give_way(partial, full, name, ~np.isnan(every), every)
        full.outside &= np.isnan(every)


def give_way(partial: Partial, full: Full, name: str, rows: np.ndarray, value: np.ndarray) -> None:
    """Set cells that are not known, and take note of them."""
    full.frame[name] = joined(
        partial.columns[name], ~rows, full.frame[name], vl.series_of(partial.columns[name], value)
    )
    full.hints[name] = full.hints.get(name, False) | rows


def _mend(partial: Partial, full: Full, rule: Rule, wrong: np.ndarray) -> None:
    """Make rows keep a rule, by cells that are not known."""
    found, columns = full.frame, partial.columns
    if isinstance(rule, Order):
        for name in (rule.target, rule.other) if rule.target else ():
            if (rows := wrong & ~partial.known[name]).any():
                fixed = dataclasses.replace(rule, target=name, form=None)
                give_way(partial, full, name, rows, vl.numbers(columns[name], computed(fixed, found, columns)[name]))
                wrong = wrong & ~rows
        return
    if isinstance(rule, Missing):
        gone = wrong & rule.state(found, columns)
        for name in rule.names:
            rows = gone & ~partial.known[name] & ~is_missing(found[name])
            if rows.any():
                found[name] = joined(columns[name], ~rows, found[name], empty(columns[name], len(rows)))
        return
    for name in rule.targets:
        if (rows := wrong & ~partial.known[name]).any():
            found[name] = joined(columns[name], ~rows, found[name], computed(rule, found, columns)[name])
    if isinstance(rule, Formula):
        left = wrong & partial.known[rule.target] & ~is_missing(found[rule.target])
        spans = {n: span_of(partial.columns[n]) for n in rule.needs}
        fine = sorted(rule.needs, key=lambda n: (vl.unit(columns[n]), spans[n][0] - spans[n][1]))
        for name in fine:  # the one with the finest values gives way, then the one with the widest span
            if (rows := left & ~partial.known[name]).any():
                value = solved_for(rule, name, found, columns)
                rows &= ~np.isnan(value)
                slack = 1e-9 * max(1.0, *map(abs, spans[name]))
                with np.errstate(invalid="ignore"):
                    full.outside |= rows & ((value < spans[name][0] - slack) | (value > spans[name][1] + slack))
                give_way(partial, full, name, rows, value)
                left = left & ~rows
