"""What is counted in a whole database by queries of its own: keys that lead nowhere, repeated keys, broken sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables import databases
from ganvas.tables.several import reflect, sums
from ganvas.tables.several.plan import Plan
from ganvas.tables.several.schema import Key, Schema, SqlTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

Place = tuple[str, tuple[str, ...]]  # a table and columns of it


@dataclass
class Checks:
    """What was counted.

    rows: of each table; keys: of each foreign key, in how many rows it is set, and in how many of these it leads to a
    row; repeated: of each primary key and UNIQUE group, rows that have the values of another one; sums: of each column
    that is the sum of rows below, in how many rows it is not.
    """

    rows: dict[str, int] = field(default_factory=dict)
    keys: dict[Place, tuple[int, int]] = field(default_factory=dict)
    repeated: dict[Place, int] = field(default_factory=dict)
    sums: dict[Place, int] = field(default_factory=dict)

    @property
    def resolved(self) -> float:
        """The share of the keys that are set and lead to a row; 1 where none is set."""
        whole = sum(known for known, _ in self.keys.values())
        return sum(led for _, led in self.keys.values()) / whole if whole else 1.0


def check(source: str, plan: Plan) -> Checks:
    """Count in the database at this address.

    Raises:
        UserError: it cannot be reached, or lacks a table or a column.
    """
    with databases.reading(source, "was lost") as (opened, connection):
        return _Counting(connection, opened.place, plan).counted()


class _Counting:
    def __init__(self, connection: Connection, place: str, plan: Plan) -> None:
        self.connection, self.plan = connection, plan
        now = reflect.read(connection)
        _same_tables(plan.schema, now, place)
        self.rows = {table.name: table.rows for table in now.tables}
        self.tables = {table.name: self._reflected(table.name) for table in plan.schema.tables}

    def _reflected(self, name: str) -> Any:
        import warnings

        from sqlalchemy import MetaData, Table

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table(name, MetaData(), autoload_with=self.connection, resolve_fks=False)

    def counted(self) -> Checks:
        found = Checks({name: self.rows[name] for name in self.tables})
        for table in self.plan.schema.tables:
            for key in table.keys:
                found.keys[table.name, key.columns] = self._key(table, key)
            for columns in (table.primary, *table.unique):
                if columns:
                    found.repeated[table.name, columns] = self._repeated(table, columns)
            for one in self.plan[table.name].sums:
                target = next(key.target for key in self.plan.schema[one.table].keys if key.columns == one.key)
                found.sums[table.name, (one.column,)] = sums.broken(
                    self.connection, self.tables[table.name], self.tables[one.table], one, target
                )
        return found

    def _number(self, query: Any) -> int:
        return int(self.connection.execute(query).scalar_one() or 0)

    def _key(self, table: SqlTable, key: Key) -> tuple[int, int]:
        from sqlalchemy import and_, exists, func, select

        own, other = self.tables[table.name].alias("t"), self.tables[key.table].alias("p")
        known = and_(*(own.c[name].isnot(None) for name in key.columns))
        there = exists().where(and_(*(own.c[a] == other.c[b] for a, b in zip(key.columns, key.target, strict=True))))
        counts = [
            select(func.count()).select_from(own).where(known),
            select(func.count()).select_from(own).where(there),
        ]
        whole, led = map(self._number, counts)
        return whole, led

    def _repeated(self, table: SqlTable, columns: tuple[str, ...]) -> int:
        from sqlalchemy import and_, func, select

        own = self.tables[table.name]
        known = and_(*(own.c[name].isnot(None) for name in columns))
        distinct = select(*(own.c[name] for name in columns)).where(known).distinct().subquery()
        whole = self._number(select(func.count()).select_from(own).where(known))
        return whole - self._number(select(func.count()).select_from(distinct))


def _same_tables(planned: Schema, now: Schema, place: str) -> None:
    """Raise a UserError where the database lacks a table or a column."""
    known = {table.name: {column.name for column in table.columns} for table in now.tables}
    for table in planned.tables:
        if table.name not in known:
            raise UserError(f"{place} has no table {one_line(table.name)}, which the run was trained on.")
        if lost := [column.name for column in table.columns if column.name not in known[table.name]]:
            raise UserError(f"{place}: the table {one_line(table.name)} has no column {one_line(lost[0])} any longer.")
