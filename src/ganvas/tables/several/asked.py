"""Questions that the plan of a database puts to the database itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ganvas.tables import databases, pack, read
from ganvas.tables.several.joined import Joined, Query
from ganvas.tables.several.schema import WHOLE, Key, SqlTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ganvas.tables.data import DataConfig

LOOKED_AT = 50_000  # first rows of each table
FEWEST = 20  # rows that show that something is not by chance


class Asked:
    """A database that is being looked at, within one transaction."""

    def __init__(self, opened: databases.Opened, config: DataConfig) -> None:
        self.opened, self.config = opened, config

    @property
    def connection(self) -> Connection:
        assert self.opened.connection is not None
        return self.opened.connection

    def reflected(self, name: str) -> Any:
        """A table as SQLAlchemy knows it."""
        import warnings

        from sqlalchemy import MetaData, Table

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table(name, MetaData(), autoload_with=self.connection, resolve_fks=False)

    def share(self, table: SqlTable, key: Key) -> float:
        """The share of rows whose key leads to a row."""
        from sqlalchemy import and_, func, select

        if not table.rows:
            return 1.0
        own, other = self.reflected(table.name).alias("t"), self.reflected(key.table).alias("p")
        pairs = [own.c[a] == other.c[b] for a, b in zip(key.columns, key.target, strict=True)]
        query = select(func.count()).select_from(own.join(other, and_(*pairs)))
        return min(1.0, int(self.connection.execute(query).scalar_one()) / table.rows)

    def within(self, table: SqlTable, key: Key, first: Key) -> bool:
        """Do the rows that a key to the own table leads to always have the parent of the row that has it?"""
        from sqlalchemy import and_, case, func, select

        own, other = self.reflected(table.name).alias("t"), self.reflected(table.name).alias("p")
        pairs = [own.c[a] == other.c[b] for a, b in zip(key.columns, key.target, strict=True)]
        same = and_(*(own.c[name] == other.c[name] for name in first.columns))
        query = select(func.count(), func.sum(case((same, 1), else_=0))).select_from(own.join(other, and_(*pairs)))
        count, alike = self.connection.execute(query).one()
        return int(count) >= FEWEST and int(count) == int(alike)

    def starts(self, table: SqlTable, joined: Joined, there: float) -> tuple[dict[str, int], str]:
        """The columns of whole numbers that count siblings, and from where; and one that is to count them from 1.

        Args:
            there: the share of rows whose key leads to a row.

        Returns:
            The columns, and the name of one of them that does not count them yet, or ''.
        """
        from sqlalchemy import func, select

        if not joined.position or not table.rows:
            return {}, ""
        whole = [c.name for c in table.columns if c.type in WHOLE]
        names = [n for n in whole if n not in joined.skip and (n not in table.primary or len(table.primary) > 1)]
        if not names:
            return {}, ""
        rows = self._siblings(table, joined, names)
        away = [rows.c[name] - rows.c[joined.position] for name in names]
        figures = [figure(x) for x in away for figure in (func.min, func.max, func.count)]
        found = [int(x or 0) for x in self.connection.execute(select(*figures)).one()]
        starts, anew = {}, ""
        for i, name in enumerate(names):
            low, high, count = found[3 * i : 3 * i + 3]
            if low == high and count >= round(there * table.rows) > 0:
                starts[name] = low + 1
            elif {*table.primary} == {*joined.first[0].columns, name}:
                starts[name], anew = 1, name
        return starts, anew

    def _siblings(self, table: SqlTable, joined: Joined, names: list[str]) -> Any:
        """Some columns of a table's rows and their position among their siblings, as a subquery."""
        first = tuple(dataclasses.replace(p, take=(), numbered=(), parents=()) for p in joined.first)
        bare = Joined(first, position=joined.position, only=tuple(names))
        return Query(self.reflected(table.name), self.connection, bare).whole().order_by(None).subquery()

    def frame(self, name: str, joined: Joined) -> Any:
        """The first rows of a table, as they are stored."""
        source = read.opened(self.config.source, name, joined=joined, most=LOOKED_AT)
        try:
            rows = read.Rows(source, self.config.missing)
            looked = pack.look(rows, LOOKED_AT)
            while True:
                try:
                    next(looked)
                except StopIteration as end:
                    return end.value.frame
        finally:
            source.close()
