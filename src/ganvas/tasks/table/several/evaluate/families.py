"""Rows that a key leads to, each with the rows that lead to it: how many they are, joined, and in sum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganvas.tables.columns import Column
from ganvas.tables.several.plan import Tie
from ganvas.tasks.table.evaluate.values import Values
from ganvas.tasks.table.several.evaluate.sides import Base, Rows


@dataclass(frozen=True)
class Family:
    """A key of a database: `up` is the row that each row of the table `child` leads to, int64 [rows], -1: none."""

    base: Base
    child: str
    tie: Tie
    up: np.ndarray

    @classmethod
    def of(cls, base: Base, child: str, tie: Tie) -> Family:
        return cls(base, child, tie, base.leads(child, tie.key))

    @property
    def parents(self) -> Rows:
        return self.base.tables[self.tie.key.table]

    @property
    def children(self) -> Rows:
        return self.base.tables[self.child]

    def counts(self) -> np.ndarray:
        """How many rows lead to each row, int64 [parents]."""
        return np.bincount(self.up[self.up >= 0], minlength=len(self.parents))

    def whole(self) -> bool:
        """Are all rows below those that are looked at kept?"""
        late = self.tie.role == "late" and self.base.shares[self.child] < 1
        return self.base.thin[self.child, self.tie.key.columns] >= 1 and not late

    def below(self, chosen: np.ndarray) -> np.ndarray:
        """The rows that are kept and lead to these, int64 [N]."""
        marked = np.zeros(len(self.parents), bool)
        marked[chosen] = True
        return np.flatnonzero((self.up >= 0) & marked[self.up] & (self.children.at >= 0)) if len(marked) else chosen[:0]

    def joined(self, chosen: np.ndarray) -> Values:
        """The rows below these: their own columns, those of the row that they lead to, and of rows above that.

        See `groups` for which is which.
        """
        rows, groups = self.below(chosen), self.groups()
        values, above = self.children.values, self.parents.values
        sides = [values.numbers[self.children.at[rows]][:, groups["child"]]]
        sides.append(above.numbers[self.parents.at[self.up[rows]]][:, groups["parent"]])
        sides.append(values.numbers[self.children.at[rows]][:, groups["above"]])
        columns = [_named(self.child, values.columns[j]) for j in groups["child"]]
        columns += [_named(self.tie.key.table, above.columns[j]) for j in groups["parent"]]
        columns += [values.columns[j] for j in groups["above"]]
        return Values(tuple(columns), np.concatenate(sides, 1))

    def groups(self) -> dict[str, list[int]]:
        """Places of columns: the child's own, the parent's own, and among the child's those from above the parent."""
        plan = self.base.plan[self.child]
        names = [column.name for column in self.children.values.columns]
        parent = next((p for p in plan.joined.parents if p.columns == self.tie.key.columns), None)
        above = {title for each in (parent.parents if parent else ()) for p in each.above() for title in p.titles()}
        return {
            "child": own(self.base, self.child),
            "parent": own(self.base, self.tie.key.table),
            "above": [j for j, name in enumerate(names) if name in above],
        }

    def texts(self) -> dict[str, Mapping[str, int]]:
        """The numbers of the values of categories, by the names of the columns that `joined` gives."""
        out: dict[str, Mapping[str, int]] = {}
        for table in (self.tie.key.table, self.child):
            known = self.base.known.get(table)
            out |= {f"{table}.{name}": numbers for name, numbers in known.coder.numbers.items()} if known else {}
        return {**self.base.known[self.child].coder.numbers, **out} if self.child in self.base.known else out

    def summary(self, chosen: np.ndarray) -> Values:
        """These rows: how many lead to each, their own columns, and what the rows below have.

        Of numbers and dates the mean, the smallest and the largest; of categories the commonest and how many there are.
        """
        parents, values = self.parents.values, self.children.values
        mine = own(self.base, self.tie.key.table)
        columns = [Column(f"number of {self.child}", "number", "int")]
        sides = [self.counts()[chosen].astype(np.float64)]
        for j in mine:
            columns.append(_named(self.tie.key.table, parents.columns[j]))
            sides.append(parents.numbers[self.parents.at[chosen], j])
        rows = self.below(chosen)
        place = np.full(len(self.parents), -1)
        place[chosen] = np.arange(len(chosen))
        group = place[self.up[rows]]
        for j in own(self.base, self.child):
            column = values.columns[j]
            summed = _categories if column.kind == "category" else _numbers
            for words, kind, made in summed(values.numbers[self.children.at[rows], j], group, len(chosen)):
                columns.append(Column(f"{words} {column.name} of {self.child}", kind))
                sides.append(made)
        return Values(tuple(columns), np.stack(sides, 1))


def own(base: Base, table: str) -> list[int]:
    """The places of a table's own columns among its values, not those of rows that keys lead to; which row of a copied
    table a key leads to is one of them."""
    names = {column.name for column in base.plan.schema[table].columns}
    names |= {tie.name for tie in base.plan[table].of("row") if base.plan[tie.key.table].way == "copied"}
    return [j for j, column in enumerate(base.tables[table].values.columns) if column.name in names]


def _named(table: str, column: Column) -> Column:
    return dataclasses.replace(column, name=f"{table}.{column.name}")


def _numbers(x: np.ndarray, group: np.ndarray, count: int) -> list[tuple[str, str, np.ndarray]]:
    known = ~np.isnan(x)
    x, group = x[known], group[known]
    rows = np.bincount(group, minlength=count)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, group, x)
    np.maximum.at(high, group, x)
    mean = np.bincount(group, x, minlength=count) / np.maximum(rows, 1)
    return [(words, "number", np.where(rows > 0, made, np.nan))
            for words, made in (("mean", mean), ("smallest", low), ("largest", high))]  # fmt: skip


def _categories(x: np.ndarray, group: np.ndarray, count: int) -> list[tuple[str, str, np.ndarray]]:
    known = ~np.isnan(x)
    codes, group = x[known].astype(np.int64), group[known]
    size = int(codes.max(initial=0)) + 1
    pairs, rows = np.unique(group * size + codes, return_counts=True)
    order = np.lexsort((pairs % size, rows, pairs // size))  # the last of a group is its commonest
    commonest = np.full(count, np.nan)
    commonest[pairs[order] // size] = pairs[order] % size
    return [
        ("commonest", "category", commonest),
        ("different", "number", np.bincount(pairs // size, minlength=count).astype(np.float64)),
    ]


def shuffled(rows: np.ndarray, unit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """These rows in random order, those of one unit behind each other, int64 [N].

    Args:
        unit: of every row of the table.
    """
    unique, back = np.unique(unit[rows], return_inverse=True)
    return rows[np.argsort(random.permutation(len(unique))[back], kind="stable")]
