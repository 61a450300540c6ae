"""Rows of which some cells are known: what follows from these by the rules, and the others as they are drawn.

Known cells never change. What a rule computes from known cells is known too, also backwards where only one value will
do (`tax` is `total` less `net`). The rest is drawn, and made to keep the rules where a cell that is not known can give
way; where none can, the row is to be drawn again (`Partial.broken`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.tables import values as vl
from ganvas.tables.rules.base import is_missing
from ganvas.tables.rules.following import deduce
from ganvas.tables.rules.mending import Full, give_way, mend
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.solving import computed, joined, span_of
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


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
        deduce(self)
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

    def know(self, name: str, rows: np.ndarray, series: pd.Series) -> None:
        """Mark cells as known, those of `rows` bool [N]."""
        if rows.any():
            self.frame[name] = joined(self.columns[name], ~rows, self.frame[name], series)
            self.known[name] = self.known[name] | rows

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
                other = computed(rule, {**found, **{n: drawn[n] for n in rule.needs if n in drawn}}, columns)
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
                give_way(self, full, rule.other, rows, np.clip(value, *span_of(columns[rule.other])))
        mend(self, full)
        return full

    def _overlay(self, found: dict[str, pd.Series], name: str) -> None:
        if name in self.known:
            found[name] = joined(self.columns[name], self.known[name], self.frame[name], found[name])

    def broken(self, frame: Mapping[str, pd.Series]) -> dict[int, np.ndarray]:
        """By the number of a rule, the rows that break it and have cells in it that were not known, bool [N]."""
        out = {}
        for i, rule in enumerate(self.spec.rules):
            made = np.logical_or.reduce([~self.was[n] for n in rule.columns])
            wrong = rule.wrong(frame, self.columns) & made
            if wrong.any():
                out[i] = wrong
        return out
