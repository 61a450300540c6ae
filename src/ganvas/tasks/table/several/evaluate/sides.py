"""One database, real or drawn, as it is measured: rows of each table as numbers, and the rows that keys lead to."""

# pandas types most of its results as several things that they are not here:
# pyright: reportArgumentType=false

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ganvas.core.progress import Doing
from ganvas.core.text import one_line
from ganvas.tables import read
from ganvas.tables.several.joined import Joined, Numbered
from ganvas.tables.several.plan import Plan, TablePlan
from ganvas.tables.several.schema import Key
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.evaluate.values import Coder, Values, mix

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10_000  # rows of a side that are looked at, at most
CHILDREN = 20 * ROWS  # rows below them, at most


@dataclass
class Rows:
    """The rows of one table, in the order of its primary key.

    Attributes:
        values: of the rows that are looked at; at: the place of each row among them, int64 [rows], -1: it is not.
        unit: of each row, what it hangs together with by the keys that rows are made by: the same for all below one
            row that no such key leads from, int64 [rows].
        chosen: which rows are looked at for their own sake, bool [rows], the others for the sake of those above them.
        keys: of each foreign key, by its columns, the number of the row that it leads to, int64 [rows], -1: none.
        numbered: by the columns that keys lead to, the rows by this number, int64 [numbers].
        broken: in how many rows each rule with columns of other tables does not hold, by its text.
    """

    values: Values
    at: np.ndarray
    unit: np.ndarray
    chosen: np.ndarray
    keys: dict[tuple[str, ...], np.ndarray]
    numbered: dict[tuple[str, ...], np.ndarray]
    broken: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Known:
    """What a table's rows are read by: the columns of its model, and numbers for values of categories."""

    spec: TableSpec
    coder: Coder


@dataclass
class Base:
    """The tables of a database by their names.

    shares: of each table's units, how many are kept; thin: of each foreign key, of the rows below these.
    """

    plan: Plan
    known: Mapping[str, Known]
    tables: dict[str, Rows]
    shares: dict[str, float]
    thin: dict[tuple[str, tuple[str, ...]], float]

    def leads(self, table: str, key: Key) -> np.ndarray:
        """The row that each row's key leads to, int64 [rows], -1: none."""
        number, rows = self.tables[table].keys[key.columns], self.tables[key.table].numbered[key.target]
        return np.where(number >= 0, rows[number], -1) if len(rows) else np.full(len(number), -1)


def reading(
    source: str,
    plan: Plan,
    known: Mapping[str, Known],
    counts: Mapping[str, int],
    missing: str,
    text: str,
    share: float,
) -> Iterator[Doing | Base]:
    """Read a database; yields what is done, and at the end the tables.

    Of large tables only some rows are kept, with everything that belongs to them, to limit memory.

    Args:
        known: of the tables that have a model.
        counts: rows of each table.
        missing: texts that mean a missing cell.
        text, share: what is said to be done, and how far everything is.

    Raises:
        UserError: it cannot be read.
    """
    shares = {name: min(1.0, 2 * ROWS / max(1, count)) for name, count in counts.items()}
    thin = {
        (table.name, key.columns): min(1.0, CHILDREN / max(1, counts[table.name] * shares[key.table]))
        for table in plan.schema.tables for key in table.keys
    }  # fmt: skip
    base = Base(plan, known, {}, shares, thin)
    for table in plan.tables:
        yield Doing(f"{text}: {one_line(table.name)}", share)
        base.tables[table.name] = _Reader(base, table, known.get(table.name)).read(source, missing)
    yield base


class _Reader:
    """Reads one table, after those that it is made by."""

    def __init__(self, base: Base, table: TablePlan, known: Known | None) -> None:
        self.base, self.table, self.known = base, table, known
        self.schema = base.plan.schema[table.name]
        targets = dict.fromkeys(
            key.target for each in base.plan.schema.tables for key in each.keys if key.table == table.name
        )
        taken = {*(column.name for column in self.schema.columns)} | ({*known.spec.by_name} if known else set())
        self.keys = {key: _free(f"key {i}", taken) for i, key in enumerate(self.schema.keys)}
        self.own = {target: _free(f"number {i}", taken) for i, target in enumerate(targets)}

    def joined(self) -> Joined:
        """What is read: what was learned from, and numbers of rows."""
        numbered = [Numbered(key.columns, key.table, key.target, name) for key, name in self.keys.items()]
        numbered += [Numbered(target, self.table.name, target, name) for target, name in self.own.items()]
        joined = self.table.joined
        if self.known is None:  # nothing of it is learned, but its keys are followed
            joined = Joined(only=(self.schema.columns[0].name,))
        return dataclasses.replace(joined, numbered=(*joined.numbered, *numbered))

    def read(self, source: str, missing: str) -> Rows:
        opened = read.opened(source, self.table.name, joined=self.joined())
        try:
            parts = [self._portion(frame) for frame in read.Rows(opened, missing).portions()]
        finally:
            opened.close()
        columns = self.known.coder.columns if self.known else ()
        kept = np.concatenate([np.zeros(0, bool), *(p["kept"] for p in parts)])
        at = np.where(kept, np.cumsum(kept) - 1, -1)
        values = np.concatenate([np.zeros((0, len(columns))), *(p["values"] for p in parts)])

        def whole(what: str, name: object) -> np.ndarray:
            return np.concatenate([np.zeros(0, np.int64), *(p[what][name] for p in parts)])

        numbered = {}
        for target in self.own:
            number = whole("own", target)
            rows = np.full(int(number.max(initial=-1)) + 1, -1, np.int64)
            rows[number[number >= 0]] = np.flatnonzero(number >= 0)
            numbered[target] = rows
        broken: dict[str, int] = {}
        for part in parts:
            for text, count in part["broken"].items():
                broken[text] = broken.get(text, 0) + count
        unit = np.concatenate([np.zeros(0, np.int64), *(p["unit"] for p in parts)])
        keys = {key.columns: whole("keys", key) for key in self.keys}
        chosen = _chosen(unit, self.base.shares[self.table.name])
        return Rows(Values(columns, values), at, unit, chosen, keys, numbered, broken)

    def _portion(self, frame: pd.DataFrame) -> dict:
        """What is kept of some rows."""
        rows, base = frame.index.to_numpy(), self.base
        keys = {key: _numbers(frame[name]) for key, name in self.keys.items()}
        unit = rows.astype(np.int64)
        late = {tie.key for tie in self.table.of("late")}
        first = self.table.first
        kept = np.zeros(len(frame), bool)
        for key, number in keys.items():
            if key in late:  # these rows are not there yet
                continue
            above = base.tables[key.table]
            found = above.numbered[key.target]
            up = np.where(number >= 0, found[number], -1) if len(found) else np.full(len(number), -1)
            if first is not None and key == first.key:
                alone = int(above.unit.max(initial=-1)) + 1 + rows
                unit = np.where(up >= 0, above.unit[up], alone) if len(above) else alone
            if len(above):
                below = (up >= 0) & above.chosen[up]
                kept |= below & _chosen(rows, base.thin[self.table.name, key.columns])
        kept |= _chosen(unit, base.shares[self.table.name])
        values, broken = np.zeros((int(kept.sum()), 0)), {}
        if self.known is not None:
            spec = self.known.spec
            frame = read.typed(frame, [column for column in spec.columns if column.name in frame])
            values = self.known.coder(frame[kept]).numbers
            own = {column.name for column in self.schema.columns}
            for rule in spec.rules:
                if not {*rule.columns} <= own and {*rule.columns} <= {*frame}:
                    broken[rule.text] = int(rule.wrong(frame, spec.by_name).sum())
        own = {target: _numbers(frame[name]) for target, name in self.own.items()}
        return {"kept": kept, "values": values, "keys": keys, "own": own, "unit": unit, "broken": broken}


def _numbers(series: pd.Series) -> np.ndarray:
    """Numbers of rows from 0; -1: none."""
    return np.nan_to_num(series.to_numpy(dtype=np.float64, na_value=np.nan), nan=0.0).astype(np.int64) - 1


def _chosen(units: np.ndarray, share: float) -> np.ndarray:
    """Which of these belong to a share of them, bool; always the same ones."""
    if share >= 1:
        return np.ones(len(units), bool)
    return mix(units.astype(np.uint64)) < np.uint64(share * 2.0**64)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
