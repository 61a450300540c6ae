"""The rows of a database's tables, drawn one table after the other: parents first, children given their parents' rows.

Tokens, places and the numbers of the rows that keys lead to are kept in files while the tables are drawn; values and
keys are made of them when rows are asked for.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganvas.core import seeds
from ganvas.tables import ids
from ganvas.tables.columns import Column
from ganvas.tables.rows import constant_of
from ganvas.tables.several.joined import YES, Parent
from ganvas.tables.several.plan import Sum, TablePlan, Tie
from ganvas.tables.several.schema import SqlTable
from ganvas.tasks.table.several import match

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel

PORTION = 8_000


class Drawn:
    """The drawn rows of one table."""

    def __init__(
        self, table: SqlTable, plan: TablePlan, model: TableModel | None, others: dict[str, Drawn], folder: Path,
        seed: int,
    ) -> None:  # fmt: skip
        self.table, self.plan, self.model, self.others, self.folder = table, plan, model, others, folder
        self.seed, self.count = seed, 0
        self.rows: dict[Tie, np.ndarray] = {}  # of each key, the number of the row that it leads to; -1: none
        self.position = np.zeros(0, np.int64)
        self.sums: dict[str, np.ndarray] = {}
        self.made = [Column.from_dict(entries) for entries in plan.made]
        columns = model.spec.columns if model is not None else tuple(self.made)
        self.columns = {column.name: column for column in columns}

    def random(self, what: str) -> np.random.Generator:
        return np.random.default_rng(seeds.key(self.seed, what, self.table.name))

    # Drawing

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
        else:
            for tie in self.plan.of("other"):
                self.rows[tie] = self._by_chance(tie)

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

    def numbers(self, name: str) -> np.ndarray:
        """A column of whole numbers, int64 [rows]; one for each row where it is not learned."""
        if name not in self.columns:
            return np.ones(self.count, np.int64)
        parts = [self.learned(rows)[name].to_numpy(dtype=np.float64, na_value=0) for rows in self.portions()]
        return np.maximum(0, np.nan_to_num(np.concatenate(parts or [np.zeros(0)]))).astype(np.int64)

    def portions(self) -> list[np.ndarray]:
        return [np.arange(start, min(start + PORTION, self.count)) for start in range(0, self.count, PORTION)]

    def _tokens(self) -> None:
        assert self.model is not None
        shape = (self.count, len(self.model.spec.sizes))
        self.tokens: Any = np.zeros(shape, np.uint8)
        self.place: Any = np.zeros(shape, np.float32)
        if self.count:
            name = self.folder / f"{len(self.others)}"
            self.tokens = np.memmap(f"{name}.tokens", np.uint8, "w+", shape=shape)
            self.place = np.memmap(f"{name}.place", np.float32, "w+", shape=shape)

    def _others(self) -> None:
        """Draw the columns that rows of other keys are to have, and choose these rows."""
        ties = self.plan.of("other")
        if not ties:
            return
        assert self.model is not None
        spec = self.model.spec
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
            first = self.plan.first
            unique = {*tie.key.columns, *(first.key.columns if first else ())}
            if first is not None and self.table.is_unique(tuple(unique)):
                chosen = match.apart(self.rows[first], chosen, random)
            self.rows[tie] = chosen

    def _numbered(self, tokens: np.ndarray, names: list[str]) -> np.ndarray:
        """The cells of columns as whole numbers, int64 [N, columns]."""
        assert self.model is not None
        out = np.zeros((len(tokens), len(names)), np.int64)
        for j, name in enumerate(names):
            for at in range(*self.model.spec.places[name].indices(len(self.model.spec.sizes))):
                out[:, j] = out[:, j] * self.model.spec.sizes[at] + tokens[:, at]
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
            rows = self._by_chance(tie)
            if tie.key.table == self.table.name:  # an earlier row, so that no row is above itself
                random = self.random(f"earlier {tie.key.name}")
                sums = np.cumsum(np.minimum(self.numbers(tie.count), 10**6) + 1e-9)
                marks = random.random(self.count) * np.r_[0.0, sums[:-1]]
                earlier = np.searchsorted(sums, marks, side="right")
                earlier = np.minimum(earlier, np.maximum(np.arange(self.count) - 1, 0))
                rows = np.where(rows >= 0, earlier, -1)
                if self.count:
                    rows[0] = -1 if self.table.nullable(tie.key) else min(1, self.count - 1)
            self.rows[tie] = rows

    @torch.inference_mode()
    def _portions(self, until: int | None) -> None:
        """Draw tokens, up to the one of this number."""
        assert self.model is not None
        model, what = self.model, f"rows of {self.table.name}"
        for rows in self.portions():
            noise = model.noise(self.count, self.seed, int(rows[0]), what)
            tokens = np.zeros(noise.shape, np.uint8)
            given = np.zeros(noise.shape[1], bool)
            self._give(tokens, given, self._given(rows))
            device = next(model.generator.parameters()).device
            mask = torch.from_numpy(given).expand(noise.shape).to(device)
            drawn, place = model.generator.draw(
                noise.to(device), torch.from_numpy(tokens).long().to(device), mask,
                limits=model.generator.limits, until=until,
            )  # fmt: skip
            self.tokens[rows], self.place[rows] = drawn.cpu().numpy().astype(np.uint8), place.cpu().numpy()

    def _give(self, tokens: np.ndarray, given: np.ndarray | None, values: dict[str, pd.Series]) -> None:
        """Write values into tokens uint8 [N, tokens], and which they are into bool [tokens]."""
        assert self.model is not None
        for column in self.model.spec.learned:
            if column.name in values:
                place = self.model.spec.places[column.name]
                tokens[:, place] = column.encode(values[column.name])
                if given is not None:
                    given[place] = True

    def _given(self, rows: np.ndarray) -> dict[str, pd.Series]:
        """What is known of rows before they are drawn: their parents' columns and their position."""
        import pandas as pd

        joined, found = self.plan.joined, {}
        first = self.plan.first
        ties = [*([first] if first else []), *self.plan.of("other")]
        for tie, parent in zip(ties, joined.parents, strict=True):
            if tie in self.rows:
                found |= self.others[tie.key.table].above(parent, self.rows[tie][rows])
                if parent.there:
                    there = np.where(self.rows[tie][rows] >= 0, YES, "no")
                    found[parent.there] = pd.Series(there, dtype="str")
        if joined.position and len(self.position):
            place = self.position[rows]
            found[joined.position] = pd.Series(np.where(place > 0, place, np.nan))
        return found

    # Values

    def above(self, parent: Parent, rows: np.ndarray) -> dict[str, pd.Series]:
        """The columns that others take of these rows and of those above them; -1: missing ones."""
        found = {}
        unique, back = np.unique(rows, return_inverse=True)
        known = unique[unique >= 0]
        values = self.learned(known) if parent.titles() else {}
        at = np.where(rows >= 0, back - (len(unique) - len(known)), -1)
        for title, name in parent.titles().items():
            if name in values:
                found[title] = values[name].reset_index(drop=True).reindex(at).reset_index(drop=True)
        for above in parent.parents:
            tie = next(tie for tie in self.plan.ties if tie.key.columns == above.columns)
            mine = np.where(rows >= 0, self.rows[tie][np.maximum(rows, 0)], -1) if self.count else rows
            found |= self.others[tie.key.table].above(above, mine)
        return found

    def raw(self, rows: np.ndarray) -> dict[str, pd.Series]:
        """The columns of these rows as they are learned."""
        assert self.model is not None
        tokens, place = (torch.from_numpy(np.asarray(x[rows])) for x in (self.tokens, self.place))
        return self.model.spec.decode_learned(tokens, place)

    def learned(self, rows: np.ndarray) -> dict[str, pd.Series]:
        """The values of the learned columns of these rows, and of those that follow from them."""
        if self.model is None:
            return {}
        spec, found = self.model.spec, self.raw(rows)
        if spec.rules:  # what they compute is of the parents' own values, not of others in the same cells
            found |= {name: series for name, series in self._given(rows).items() if name in spec.by_name}
        for rule in spec.rules:
            rule.decode(found, spec.by_name)
        return found

    def values(self, rows: np.ndarray, names: list[str]) -> dict[str, Any]:
        """Columns of the table, of these rows; -1: missing ones."""
        import pandas as pd

        found: dict[str, Any] = {}
        known = np.maximum(rows, 0)
        if self.plan.way == "copied":
            places = [column.name for column in self.table.columns]
            each = {n: [self.plan.copied[r][places.index(n)] for r in known] for n in names}
            return {n: pd.Series(v, dtype=object).where(rows >= 0, None) for n, v in each.items()}
        ruled = {n for rule in self.model.spec.rules for n in rule.columns} if self.model is not None else set()
        added = {
            one.column: one for one in self.plan.sums if one.column not in ruled
        }  # a rule of the row is kept first
        keyed = {name: (tie, tie.key.target[i]) for tie in self.plan.ties for i, name in enumerate(tie.key.columns)}
        learned: dict[str, pd.Series] | None = None
        for name in names:
            if name in keyed:
                tie, target = keyed[name]
                found[name] = self.others[tie.key.table].values(self._led(tie, known), [target])[target]
            elif name in added:
                found[name] = pd.Series(self._sum(added[name])[known])
            elif name in self.plan.starts:
                start = self.plan.starts[name] - 1
                found[name] = pd.Series(np.maximum(self.position[known], 1) + start)
            else:
                column = self.columns.get(name)
                if column is not None and column.kind == "id":
                    found[name] = ids.make_for(column, known, self.seed)
                elif column is not None and column.kind == "constant":
                    found[name] = pd.Series([constant_of(column)] * len(rows), dtype=object)
                else:
                    learned = self.learned(known) if learned is None else learned
                    empty = pd.Series([None] * len(rows), dtype=object)
                    found[name] = learned.get(name, empty).reset_index(drop=True)
            if (rows < 0).any():
                found[name] = found[name].astype(object).where(rows >= 0, None)
        return found

    def _sum(self, one: Sum) -> np.ndarray:
        """The sums of a column over the rows that lead to each of these, [rows]; once all tables are drawn."""
        if one.column not in self.sums:
            child = self.others[one.table]
            first = child.plan.first
            assert first is not None
            total = np.zeros(self.count)
            for rows in child.portions():
                above = child.rows[first][rows]
                values = child.values(rows, [one.of])[one.of].to_numpy(dtype=np.float64, na_value=0)
                np.add.at(total, above[above >= 0], values[above >= 0])
            self.sums[one.column] = np.round(total, one.digits) if one.digits else np.round(total).astype(np.int64)
        return self.sums[one.column]

    def _led(self, tie: Tie, rows: np.ndarray) -> np.ndarray:
        """The numbers of the rows that a key leads to."""
        if tie.role != "row":
            return self.rows[tie][rows] if self.count else rows
        other = self.others[tie.key.table]
        column = self.columns.get(tie.name)
        if column is None or not column.parts or not other.count:
            return np.full(len(rows), 0 if other.count and not self.table.nullable(tie.key) else -1)
        numbers = self.learned(rows)[tie.name].astype("object").to_numpy()
        found = np.array([-1 if n is None or n != n else int(n) - 1 for n in numbers], np.int64)
        found = np.where(found < other.count, found, -1)
        if not self.table.nullable(tie.key):
            found = np.where(found < 0, rows % other.count, found)
        return found
