"""Rows of which some cells are known: what follows from these by the rules, and the others as they are drawn.

Known cells never change. What a rule computes from known cells is known too, also backwards where only one value will
do (`tax` is `total` less `net`). The rest is drawn, and made to keep the rules where a cell that is not known can give
way; where none can, the row is to be drawn again (`Partial.broken`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Rule, is_missing
from ganvas.tables.rules.dates import CLOCK, DatePart
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Missing, Together
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

STEPS = 8  # rules in a row by which a cell can follow
PASSES = 3  # over the rules, until what is drawn keeps them
DAYS = 45  # that a date is moved by at most
FACTORS = 128  # values of a factor that are tried


@dataclass(eq=False)
class Full:
    """Rows with all cells.

    frame: the columns of the table that are not made up, by name. hints: cells that were not known and that are about
    right now, bool [N] a column: rows that are drawn again with these given are more probable. outside: rows in which
    a value that a rule gave lies outside of what its column has. broken: see `Partial.broken`.
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


@dataclass(eq=False)
class Partial:
    """Rows of which some cells are known.

    Attributes:
        frame: the columns `spec.read`, as `read.typed` gives them.
        known: of each column, which cells are known (also: known to be missing), bool [N].
        lost: by the number of a rule, rows with values that it does not have: what follows from these is not known.
            Such values are drawn as if they were not there, and what is computed from those stands.
        was: the same before anything was deduced.
    """

    spec: TableSpec
    frame: dict[str, pd.Series]
    known: dict[str, np.ndarray]
    was: dict[str, np.ndarray] = field(init=False)
    _given: tuple[Tensor, Tensor] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.columns = self.spec.by_name
        self.frame = {name: series.reset_index(drop=True) for name, series in self.frame.items()}
        self.distances = {r.target: r for r in self.spec.rules if isinstance(r, Order) and r.form}
        self.was = {name: mask.copy() for name, mask in self.known.items()}
        self._deduce()
        self.lost = {
            i: np.logical_and.reduce([self.known[n] for n in rule.free])
            & np.logical_or.reduce([~self.known[n] for n in rule.targets])
            & (rule.find(self.frame, self.columns) < 0)
            for i, rule in enumerate(self.spec.rules)
            if isinstance(rule, Together) and rule.targets
        }

    def __len__(self) -> int:
        return len(next(iter(self.known.values())))

    def take(self, rows: np.ndarray) -> Partial:
        """Some of the rows; rows: int64."""
        if len(rows) == len(self) and (rows == np.arange(len(self))).all():
            return self
        some = Partial.__new__(Partial)
        some.spec, some.columns, some.distances = self.spec, self.columns, self.distances
        some.frame = {name: series.iloc[rows].reset_index(drop=True) for name, series in self.frame.items()}
        some.known, some.was = ({n: m[rows] for n, m in masks.items()} for masks in (self.known, self.was))
        some.lost, some._given = {i: mask[rows] for i, mask in self.lost.items()}, None
        return some

    def given(self, full: Full | None = None) -> tuple[Tensor, Tensor]:
        """What the generator is given: tokens int64 [N, tokens], and which, bool [N, tokens].

        Args:
            full: rows whose hints are given as well.
        """
        import pandas as pd

        if full is None and self._given is not None:
            return self._given
        spec, none = self.spec, np.zeros(len(self), bool)
        hints = {} if full is None else full.hints
        frame = self.frame if full is None else full.frame
        tokens = spec.encode(pd.DataFrame(frame)).long()
        given = torch.zeros(tokens.shape, dtype=torch.bool)
        for column in spec.learned:
            there = self.known[column.name] | hints.get(column.name, none)
            gone = is_missing(frame[column.name])
            if not all(part.missing for part in column.parts):
                there = there & ~gone
            if rule := self.distances.get(column.name):
                there = there & (gone | self.known[rule.other] | hints.get(rule.other, none))
            for i, mask in self.lost.items():
                if column.name in spec.rules[i].needs:
                    there = there & ~mask
            given[:, spec.places[column.name]] = torch.from_numpy(there)[:, None]
        if full is None:
            self._given = tokens, given
        return tokens, given

    def _set(self, name: str, rows: np.ndarray, series: pd.Series) -> None:
        if rows.any():
            self.frame[name] = joined(self.columns[name], ~rows, self.frame[name], series)
            self.known[name] = self.known[name] | rows

    def _deduce(self) -> None:
        for _ in range(STEPS):
            before = sum(int(mask.sum()) for mask in self.known.values())
            for rule in self.spec.rules:
                self._follow(rule)
            if sum(int(mask.sum()) for mask in self.known.values()) == before:
                break

    def _follow(self, rule: Rule) -> None:
        """What follows from known cells by one rule."""
        frame, known = self.frame, self.known
        if isinstance(rule, Missing):
            self._gaps(rule)
        if not rule.targets or isinstance(rule, Order):
            return
        due = np.logical_and.reduce([known[n] for n in rule.needs])
        if isinstance(rule, Together):
            due &= rule.find(frame, self.columns) >= 0
        for name in rule.targets:
            if (rows := due & ~known[name]).any():
                self._set(name, rows, _computed(rule, frame, self.columns)[name])
        if isinstance(rule, Formula):
            there = known[rule.target] & ~is_missing(frame[rule.target])
            for name in rule.needs:
                others = [known[n] & ~is_missing(frame[n]) for n in rule.needs if n != name]
                rows = np.logical_and.reduce([there, ~known[name], *others])
                if rows.any():
                    series = vl.series_of(self.columns[name], solved_for(rule, name, frame, self.columns))
                    rows &= ~rule.wrong({**frame, name: series}, self.columns) & ~is_missing(series)
                    self._set(name, rows, series)
        elif isinstance(rule, DatePart) and rule.part == "date" and self.columns[rule.source].type == "date":
            rows = known[rule.target] & ~known[rule.source]
            days = vl.numbers(self.columns[rule.target], frame[rule.target]) - rule.plus
            self._set(rule.source, rows, vl.series_of(self.columns[rule.source], days))

    def _gaps(self, rule: Missing) -> None:
        """Cells that are missing because others are, or have a value."""
        frame, known = self.frame, self.known
        gone = known[rule.leader] & rule.state(frame, self.columns)
        for name in rule.names:
            self._set(name, gone & ~known[name], empty(self.columns[name], len(gone)))
        if rule.when == "value":
            there = np.logical_or.reduce([known[n] & ~is_missing(frame[n]) for n in rule.names])
            self._set(rule.leader, there & ~known[rule.leader], empty(self.columns[rule.leader], len(gone)))

    def complete(self, tokens: Tensor, place: Tensor) -> Full:
        """The rows with what was drawn in cells that are not known; see `TableSpec.decode`."""
        spec, columns = self.spec, self.columns
        found = spec.decode_learned(tokens, place)
        drawn = dict(found)
        away = {n: vl.numbers(r.form, found[n]) * r.step for n, r in self.distances.items() if r.form}
        waiting = {name for rule in spec.rules for name, form in rule.forms.items() if form is not None}
        for name in found:
            if name not in waiting:
                self._overlay(found, name)
        for i, rule in enumerate(spec.rules):
            rule.decode(found, columns)
            if i in self.lost and self.lost[i].any():
                other = _computed(rule, {**found, **{n: drawn[n] for n in rule.needs if n in drawn}}, columns)
                for name in rule.targets:
                    found[name] = joined(columns[name], ~self.lost[i], found[name], other[name])
            waiting -= rule.forms.keys()
            for name in rule.columns:
                if name in found and name not in waiting:
                    self._overlay(found, name)
        full = Full(found, {}, np.zeros(len(self), bool), {})
        for name, rule in self.distances.items():
            rows = self.known[name] & ~self.known[rule.other] & ~is_missing(found[name])
            if rows.any():
                far = np.nan_to_num(away[name])
                value = vl.numbers(columns[name], found[name]) + (far if name == rule.low else -far)
                self._give_way(full, rule.other, rows, np.clip(value, *span_of(spec, rule.other)))
        self.mend(full)
        return full

    def mend(self, full: Full) -> None:
        """Make rows keep the rules, where cells that are not known can give way; notes which rules are still broken."""
        rules, columns = self.spec.rules, self.columns
        for _ in range(PASSES):
            fine = True
            for rule in rules:
                if (rows := rule.wrong(full.frame, columns)).any():
                    self._mend(full, rule, rows)
                    fine = False
            if fine:
                full.broken = {}
                return
        full.broken = self.broken(full.frame)
        dated = [i for i in full.broken if isinstance(rule := rules[i], DatePart) and rule.part not in CLOCK]
        for source in dict.fromkeys(rules[i].needs[0] for i in dated):
            self._near_day(full, source, np.logical_or.reduce([full.broken[i] for i in dated]) & ~self.known[source])
        for i in [i for i in full.broken if isinstance(rule := rules[i], Formula) and rule.product]:
            self._factors(full, cast("Formula", rules[i]), full.broken[i] & self.known[rules[i].targets[0]])
        if full.broken:
            full.broken = self.broken(full.frame)

    def _near_day(self, full: Full, source: str, rows: np.ndarray) -> None:
        """Move a date to the nearest day on which its parts are those that are known."""
        at, column = np.flatnonzero(rows), self.columns[source]
        some = [rule for rule in self.spec.rules if source in rule.columns and isinstance(rule, DatePart | Order)]
        start = vl.numbers(column, full.frame[source].iloc[at])
        frame = {n: full.frame[n].iloc[at].reset_index(drop=True) for rule in some for n in rule.columns}
        best, left = start.copy(), ~np.isnan(start)
        for away in sorted(range(-DAYS, DAYS + 1), key=abs):
            if not left.any():
                break
            moved = {**frame, source: vl.series_of(column, start + away)}
            good = left & ~np.logical_or.reduce([rule.wrong(moved, self.columns) for rule in some])
            best, left = np.where(good, start + away, best), left & ~good
        values = np.full(len(rows), np.nan)
        values[at] = best
        self._give_way(full, source, rows & ~np.isnan(values), values)

    def _factors(self, full: Full, rule: Formula, rows: np.ndarray) -> None:
        """Take the factors that are nearest to what was drawn and whose product is what is known."""
        free = sorted((n for n in rule.needs if not self.known[n].all()), key=lambda n: vl.unit(self.columns[n]))
        part = self.columns[free[-1]].parts[0] if len(free) > 1 else None
        if part is None or len(part.low) > FACTORS:
            return
        fine, coarse = free[0], free[-1]
        at = np.flatnonzero(rows & ~self.known[fine] & ~self.known[coarse])
        frame = {n: full.frame[n].iloc[at].reset_index(drop=True) for n in rule.columns}
        drawn, scale = vl.numbers(self.columns[coarse], frame[coarse]), vl.unit(self.columns[coarse]) or 1.0
        low, high = span_of(self.spec, fine)
        best, value, other = np.full(len(at), np.inf), np.full(len(at), np.nan), np.full(len(at), np.nan)
        for number in np.array(part.low) * scale:
            moved = {**frame, coarse: vl.series_of(self.columns[coarse], np.full(len(at), number))}
            moved[fine] = vl.series_of(self.columns[fine], solved_for(rule, fine, moved, self.columns))
            found = vl.numbers(self.columns[fine], moved[fine])
            good = ~rule.wrong(moved, self.columns) & (found >= low) & (found <= high) & (np.abs(number - drawn) < best)
            best, value, other = (
                np.where(good, new, old)
                for new, old in ((np.abs(number - drawn), best), (number, value), (found, other))
            )
        for name, new in ((coarse, value), (fine, other)):
            every = np.full(len(rows), np.nan)
            every[at] = new
            self._give_way(full, name, ~np.isnan(every), every)
            full.outside &= np.isnan(every)

    def _overlay(self, found: dict[str, pd.Series], name: str) -> None:
        if name in self.known:
            found[name] = joined(self.columns[name], self.known[name], self.frame[name], found[name])

    def _give_way(self, full: Full, name: str, rows: np.ndarray, value: np.ndarray) -> None:
        """Set cells that are not known, and take note of them."""
        full.frame[name] = joined(self.columns[name], ~rows, full.frame[name], vl.series_of(self.columns[name], value))
        full.hints[name] = full.hints.get(name, False) | rows

    def _mend(self, full: Full, rule: Rule, wrong: np.ndarray) -> None:
        """Make rows keep a rule, by cells that are not known."""
        found, columns = full.frame, self.columns
        if isinstance(rule, Order):
            for name in (rule.target, rule.other) if rule.target else ():
                if (rows := wrong & ~self.known[name]).any():
                    fixed = dataclasses.replace(rule, target=name, form=None)
                    self._give_way(full, name, rows, vl.numbers(columns[name], _computed(fixed, found, columns)[name]))
                    wrong = wrong & ~rows
            return
        if isinstance(rule, Missing):
            gone = wrong & rule.state(found, columns)
            for name in rule.names:
                rows = gone & ~self.known[name] & ~is_missing(found[name])
                if rows.any():
                    found[name] = joined(columns[name], ~rows, found[name], empty(columns[name], len(rows)))
            return
        for name in rule.targets:
            if (rows := wrong & ~self.known[name]).any():
                found[name] = joined(columns[name], ~rows, found[name], _computed(rule, found, columns)[name])
        if isinstance(rule, Formula):
            left = wrong & self.known[rule.target] & ~is_missing(found[rule.target])
            spans = {n: span_of(self.spec, n) for n in rule.needs}
            fine = sorted(rule.needs, key=lambda n: (vl.unit(columns[n]), spans[n][0] - spans[n][1]))
            for name in fine:  # the one with the finest values gives way, then the one with the widest span
                if (rows := left & ~self.known[name]).any():
                    value = solved_for(rule, name, found, columns)
                    rows &= ~np.isnan(value)
                    slack = 1e-9 * max(1.0, *map(abs, spans[name]))
                    with np.errstate(invalid="ignore"):
                        full.outside |= rows & ((value < spans[name][0] - slack) | (value > spans[name][1] + slack))
                    self._give_way(full, name, rows, value)
                    left = left & ~rows

    def broken(self, frame: Mapping[str, pd.Series]) -> dict[int, np.ndarray]:
        """By the number of a rule, the rows that break it and have cells in it that were not known, bool [N]."""
        out = {}
        for i, rule in enumerate(self.spec.rules):
            made = np.logical_or.reduce([~self.was[n] for n in rule.columns])
            wrong = rule.wrong(frame, self.columns) & made
            if wrong.any():
                out[i] = wrong
        return out


def joined(column: Column, keep: np.ndarray, first: pd.Series, second: pd.Series) -> pd.Series:
    """The first Series where `keep` bool [N] is true, else the second; categories as Python's values."""
    import pandas as pd

    if keep.all() or not keep.any():
        return (first if keep.all() else second).reset_index(drop=True)
    if column.kind == "number" and column.type not in ("clock", "span"):
        return vl.series_of(column, np.where(keep, vl.numbers(column, first), vl.numbers(column, second)))
    if column.kind in ("date", "number"):
        unit = "datetime64[s]" if column.kind == "date" else "timedelta64[s]"
        if column.kind == "date" and column.zone:
            return (
                first.reset_index(drop=True).dt.as_unit("s").where(keep, second.reset_index(drop=True).dt.as_unit("s"))
            )
        return pd.Series(np.where(keep, first.to_numpy(dtype=unit), second.to_numpy(dtype=unit)), name=column.name)
    values = np.where(keep, first.astype(object).to_numpy(), second.astype(object).to_numpy())
    return pd.Series(values, dtype=object, name=column.name)


def empty(column: Column, count: int) -> pd.Series:
    """Missing cells of a column."""
    import pandas as pd

    if column.kind in ("number", "date"):
        return vl.series_of(column, np.full(count, np.nan))
    return pd.Series([None] * count, dtype=object, name=column.name)


def _computed(rule: Rule, frame: Mapping[str, pd.Series], columns: Mapping[str, Column]) -> dict[str, pd.Series]:
    """The columns once a rule has computed its targets, whatever they are."""
    new = dict(frame)
    if isinstance(rule, Formula):
        rule = dataclasses.replace(rule, form=None, free=())
    rule.decode(new, columns)
    return new


def solved_for(rule: Formula, name: str, frame: Mapping[str, pd.Series], columns: Mapping[str, Column]) -> np.ndarray:
    """The value of a term with which a formula holds, float64 [N], not rounded; NaN: there is none."""
    target = vl.numbers(columns[rule.target], frame[rule.target])
    others = [(c, vl.numbers(columns[n], frame[n])) for c, n in rule.terms if n != name]
    factor = next(c for c, n in rule.terms if n == name)
    with np.errstate(divide="ignore", invalid="ignore"):
        if rule.product:
            value = target / (rule.terms[0][0] * np.prod([v for _, v in others], axis=0))
        else:
            value = (target - rule.constant - sum((c * v for c, v in others), np.zeros(1))) / factor
    return np.where(np.isfinite(value), value, np.nan)


def span_of(spec: TableSpec, name: str) -> tuple[float, float]:
    """The smallest and the largest value that a column of numbers or dates has, as `values.numbers` gives them."""
    column = spec.by_name[name]
    if not column.parts or not column.parts[0].counts:
        return (0.0, 0.0)
    part, scale = column.parts[0], vl.unit(column) or 1.0
    if column.kind == "category":
        known = [float(v) for v in part.values]
        return (min(known), max(known))
    if column.kind == "date":
        return (part.low[0], part.high[-1] + (1 - scale if column.type == "time" else 0))
    return (part.low[0] * scale, part.high[-1] * scale)
