"""The drawn rows of one table of a database, as values: what keys lead to, and what follows from others' rows.

Tokens, places and the numbers of the rows that keys lead to are kept while the tables are drawn; values and keys are
made of them when rows are asked for.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Mapping
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

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel

PORTION = 8_000


class DrawnRows:
    """The drawn rows of one table."""

    def __init__(
        self, table: SqlTable, plan: TablePlan, model: TableModel | None, others: Mapping[str, DrawnRows], folder: Path,
        seed: int,
    ) -> None:  # fmt: skip
        self.table, self.plan, self.model, self.others, self.folder = table, plan, model, others, folder
        self.seed, self.count = seed, 0
        self.rows: dict[Tie, np.ndarray] = {}  # of each key, the number of the row that it leads to; -1: none
        self.position = np.zeros(0, np.int64)
        self.rank: np.ndarray | None = None  # the place of each row in the order of their keys; None: as they are
        self.sums: dict[str, np.ndarray] = {}
        self.made = [Column.from_dict(entries) for entries in plan.made]
        columns = model.spec.columns if model is not None else tuple(self.made)
        self.columns = {column.name: column for column in columns}

        self.tokens: Any = None
        self.place: Any = None

    def random(self, what: str) -> np.random.Generator:
        return np.random.default_rng(seeds.key(self.seed, what, self.table.name))

    def numbers(self, name: str) -> np.ndarray:
        """A column of whole numbers, int64 [rows]; one for each row where it is not learned."""
        if name not in self.columns:
            return np.ones(self.count, np.int64)
        parts = [self.learned(rows)[name].to_numpy(dtype=np.float64, na_value=0) for rows in self.portions()]
        return np.maximum(0, np.nan_to_num(np.concatenate(parts or [np.zeros(0)]))).astype(np.int64)

    def portions(self) -> list[np.ndarray]:
        return [np.arange(start, min(start + PORTION, self.count)) for start in range(0, self.count, PORTION)]

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
                    found[name] = self._ids(column, self.places(known))
                elif column is not None and column.kind == "constant":
                    found[name] = pd.Series([constant_of(column)] * len(rows), dtype=object)
                elif column is not None and column.kind == "category" and self.model is None:
                    found[name] = self._by_share(column)[known].reset_index(drop=True)
                else:
                    learned = self.learned(known) if learned is None else learned
                    empty = pd.Series([None] * len(rows), dtype=object)
                    found[name] = learned.get(name, empty).reset_index(drop=True)
            if (rows < 0).any():
                found[name] = found[name].astype(object).where(rows >= 0, None)
        return found

    def _by_share(self, column: Column) -> pd.Series:
        """Values of a category for all rows, each about as often as it is in the table."""
        (part,) = column.parts
        counts = np.array([*part.counts, *({"rare": 0, "missing": part.missing}[name] for name in part.specials)])
        cells = self.random(f"values {column.name}").choice(len(counts), self.count, p=counts / counts.sum())
        return column.decode(part.tokens(cells), np.zeros((self.count, len(part.sizes))))

    def _ids(self, column: Column, rows: np.ndarray) -> pd.Series:
        """New ids, no longer than the database lets them be: else the numbers of the rows, with 36 digits."""
        import pandas as pd

        most = self.table.column(column.name).length
        ends = ids.make_for(column, np.array([0, self.count - 1]), self.seed)
        if not most or ends.astype(str).str.len().max() <= most:
            return ids.make_for(column, rows, self.seed)
        return pd.Series([np.base_repr(row, 36).rjust(most, "0") for row in rows.tolist()], dtype="str")

    def places(self, rows: np.ndarray) -> np.ndarray:
        """The places of rows in the order of their keys."""
        return rows if self.rank is None or not self.count else self.rank[rows]

    def written(self) -> list[np.ndarray]:
        """The rows in the order of their keys, in portions."""
        if self.rank is None:
            return self.portions()
        order = np.argsort(self.rank)
        return [order[start : start + PORTION] for start in range(0, self.count, PORTION)]

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
        if tie.role != "row" or tie in self.rows:
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
