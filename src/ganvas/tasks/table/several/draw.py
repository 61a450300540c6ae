"""The rows of a database's tables, drawn one table after the other: parents first, children given their parents' rows.

Tokens and places are kept in files while the tables are drawn.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.tables.several.joined import YES
from ganvas.tables.several.plan import Tie
from ganvas.tasks.table.several import match, order, unique
from ganvas.tasks.table.several.rows import PORTION, DrawnRows

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel


class Drawn(DrawnRows):
    """The rows of one table, being drawn."""

    @property
    def learned_by(self) -> TableModel:
        """The model of the table; only for tables that are learned."""
        assert self.model is not None
        return self.model

    def draw(self, count: int) -> None:
        """Draw the table's rows.

        Args:
            count: how many, where no key says it.
        """
        first = self.plan.first
        if self.plan.way == "copied":
            self.count = len(self.plan.copied)
        elif first is None:
            self.count = count
        else:
            self._siblings(first)
        if self.model is not None:
            self._tokens()
            self._others()
            self._portions(None)
            unique.settle(self)
            order.settle(self)
        elif self.plan.way == "made":
            for tie in self.plan.ties:
                if tie.role in ("other", "row"):
                    self.rows[tie] = self._apart(tie, self._by_chance(tie))

    def _siblings(self, first: Tie) -> None:
        """How many rows each parent has, and which of its siblings each is."""
        parent = self.others[first.key.table]
        counts = parent.numbers(first.count)
        rows = np.repeat(np.arange(parent.count), counts)
        starts = np.cumsum(counts) - counts
        position = np.arange(len(rows)) - np.repeat(starts, counts) + 1
        alone = 0
        if first.there < 1 and self.table.nullable(first.key):
            alone = round(len(rows) * (1 - first.there) / first.there)
        self.rows[first] = np.r_[rows, np.full(alone, -1)]
        self.position = np.r_[position, np.zeros(alone, np.int64)]
        self.count = len(self.position)

    def _tokens(self) -> None:
        shape = (self.count, len(self.learned_by.spec.sizes))
        self.tokens = np.zeros(shape, np.uint8)
        self.place = np.zeros(shape, np.float32)
        if self.count:
            name = self.folder / f"{len(self.others)}"
            self.tokens = np.memmap(f"{name}.tokens", np.uint8, "w+", shape=shape)
            self.place = np.memmap(f"{name}.place", np.float32, "w+", shape=shape)

    def _others(self) -> None:
        """Draw the columns that rows of other keys are to have, and choose these rows."""
        ties = self.plan.of("other")
        if not ties:
            return
        spec = self.learned_by.spec
        parents = dict(zip(ties, self.plan.joined.others, strict=True))
        names = {tie: [n for p in parent.above() for n in p.titles() if n in spec.places]
                 for tie, parent in parents.items()}  # fmt: skip
        last = [spec.places[n].stop for each in names.values() for n in each]
        last += [spec.places[p.there].stop for p in parents.values() if p.there and p.there in spec.places]
        if last:
            self._portions(max(last))
        for tie, parent in parents.items():
            there = np.ones(self.count, bool)
            if parent.there and parent.there in spec.places and self.table.nullable(tie.key):
                said = [self.raw(rows)[parent.there].astype(str).to_numpy() == YES for rows in self.portions()]
                there = np.concatenate([*said, np.zeros(0, bool)])
            other = self.others[tie.key.table]
            wanted = self._numbered(self.tokens, names[tie])
            offered = np.zeros((other.count, len(names[tie])), np.int64)
            for rows in other.portions():
                values = other.above(parent, rows)
                encoded = np.zeros((len(rows), len(spec.sizes)), np.uint8)
                self._give(encoded, None, values)
                offered[rows] = self._numbered(encoded, names[tie])
            random = self.random(f"key {tie.key.name}")
            chosen = np.full(self.count, -1, np.int64)
            if other.count:
                chosen[there] = match.match(wanted[there], offered, other.numbers(tie.count), random)
            self.rows[tie] = self._apart(tie, chosen)

    def _apart(self, tie: Tie, chosen: np.ndarray) -> np.ndarray:
        """The rows that a key leads to, changed so that those are unique which the schema wants so.

        Raises:
            UserError: there are not enough rows to lead to.
        """
        there = {name: other for other in (*self.rows, tie) for name in other.key.columns}
        for names in self.plan.groups(self.table):
            if not {*tie.key.columns} & {*names} or not {*names} <= there.keys():
                continue
            ties = {there[name] for name in names} - {tie}
            first = match.codes([self.rows[other] for other in self.rows if other in ties], self.count)
            count = self.others[tie.key.table].count
            chosen = match.apart(first, chosen, self.random(f"apart {tie.key.name}"), count)
            if len(left := match.repeated(np.stack([first, chosen], 1))):
                if not self.table.nullable(tie.key):
                    raise unique.too_few(self.table, names, len(left))
                chosen[left] = -1
        return chosen

    def _numbered(self, tokens: np.ndarray, names: list[str]) -> np.ndarray:
        """The cells of columns as whole numbers, int64 [N, columns]."""
        out = np.zeros((len(tokens), len(names)), np.int64)
        for j, name in enumerate(names):
            for at in range(*self.learned_by.spec.places[name].indices(len(self.learned_by.spec.sizes))):
                out[:, j] = out[:, j] * self.learned_by.spec.sizes[at] + tokens[:, at]
        return out

    def _by_chance(self, tie: Tie) -> np.ndarray:
        """The row that a key leads to, by how often each is to be used."""
        other, random = self.others[tie.key.table], self.random(f"key {tie.key.name}")
        if not other.count:
            return np.full(self.count, -1, np.int64)
        rows = match.slots(other.numbers(tie.count), self.count, random)
        if self.table.nullable(tie.key):
            rows = np.where(random.random(self.count) < tie.there, rows, -1)
        return rows

    def late(self) -> None:
        """Fill the keys that close a circle or lead to the table itself."""
        for tie in self.plan.of("late"):
            if self.plan.way == "copied":
                continue
            rows = self._earlier(tie) if tie.key.table == self.table.name else self._by_chance(tie)
            self.rows[tie] = self._apart(tie, rows)

    def _earlier(self, tie: Tie) -> np.ndarray:
        """Of a key to the own table, earlier rows, so that none is above itself; of the same parent where it is so."""
        first, every = self.plan.first, np.arange(self.count)
        order = np.argsort(self.places(every), kind="stable")
        start = np.zeros(self.count, np.int64)  # the first place in the order that may be led to
        if tie.within and first is not None:
            order, parents = every, self.rows[first]  # siblings are together
            is_first = np.r_[True, (parents[1:] != parents[:-1]) | (parents[1:] < 0)][: self.count]
            start = np.maximum.accumulate(np.where(is_first, every, 0))
        random, none = self.random(f"key {tie.key.name}"), start == every
        sums = np.cumsum(np.minimum(self.numbers(tie.count)[order], 10**6) + 1e-9)
        before = np.r_[0.0, sums[:-1]][: self.count]
        marks = before[start] + random.random(self.count) * (before - before[start])
        found = np.clip(np.searchsorted(sums, marks, side="right"), start, np.maximum(every - 1, start))
        if self.table.nullable(tie.key):
            there = min(1.0, tie.there * self.count / max(1, self.count - int(none.sum())))
            found = np.where(none | (random.random(self.count) >= there), -1, found)
        rows = np.empty(self.count, np.int64)
        rows[order] = np.where(found >= 0, order[found], -1)
        return rows

    def _portions(self, until: int | None) -> None:
        """Draw tokens, up to the one of this number."""
        for rows in self.portions():
            noise = self.learned_by.noise(self.count, self.seed, int(rows[0]), f"rows of {self.table.name}")
            self.draw_rows(rows, noise, until)

    @torch.inference_mode()
    def draw_rows(
        self, rows: np.ndarray, noise: Tensor, until: int | None = None, kept: frozenset[str] = frozenset()
    ) -> None:
        """Draw the tokens of some rows given what is known of them.

        Args:
            noise: uniform, [rows, tokens].
            until: how many tokens; None: all.
            kept: columns that stay as they were drawn.
        """
        model, spec = self.learned_by, self.learned_by.spec
        tokens = np.zeros(noise.shape, np.uint8)
        given = np.zeros(noise.shape[1], bool)
        self._give(tokens, given, self._given(rows))
        for name in kept & spec.places.keys():
            tokens[:, spec.places[name]], given[spec.places[name]] = self.tokens[rows][:, spec.places[name]], True
        device = next(model.generator.parameters()).device
        mask = torch.from_numpy(given).expand(noise.shape).to(device)
        drawn, place = model.generator.draw(
            noise.to(device), torch.from_numpy(tokens).long().to(device), mask,
            limits=model.generator.limits, until=until,
        )  # fmt: skip
        where = place.cpu().numpy()
        for name in kept & spec.places.keys():
            where[:, spec.places[name]] = self.place[rows][:, spec.places[name]]
        self.tokens[rows], self.place[rows] = drawn.cpu().numpy().astype(np.uint8), where

    def again(self, rows: np.ndarray, attempt: int, kept: frozenset[str] = frozenset()) -> None:
        """Draw some rows once more."""
        width = len(self.learned_by.spec.sizes)
        for start in range(0, len(rows), PORTION):
            some = rows[start : start + PORTION]
            source = seeds.generator(self.seed, f"again {self.table.name}", attempt, start)
            self.draw_rows(some, torch.rand(len(some), width, generator=source), kept=kept)

    def _give(self, tokens: np.ndarray, given: np.ndarray | None, values: dict[str, pd.Series]) -> None:
        """Write values into tokens uint8 [N, tokens], and which they are into bool [tokens]."""
        for column in self.learned_by.spec.learned:
            if column.name in values:
                place = self.learned_by.spec.places[column.name]
                tokens[:, place] = column.encode(values[column.name])
                if given is not None:
                    given[place] = True
