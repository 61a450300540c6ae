"""A table joined with those that it hangs together with, as one query of the database's own.

Besides its own columns a row gets the columns of the rows that its keys lead to, how many rows of other tables lead to
it, and which of its siblings it is. The query runs in the transaction in which the table is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError
from ganvas.tables.several.schema import from_json, to_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

YES, NO = "yes", "no"


@dataclass(frozen=True)
class Numbered:
    """The number of the row that a key leads to, in the order of that table's keys: the column `name`.

    made: the rows there are made anew, so that a number tells nothing of a row of the real table.
    """

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    name: str
    made: bool = False


@dataclass(frozen=True)
class Parent:
    """The row that a key leads to.

    columns: of the table that has the key; target: what they are called in `table`; name: prefix of the names of
    the columns `take` and a point; there: the name of a column that says whether there is such a row ('': none).
    """

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    name: str
    take: tuple[str, ...] = ()
    there: str = ""
    numbered: tuple[Numbered, ...] = ()
    parents: tuple[Parent, ...] = ()

    def titles(self) -> dict[str, str]:
        """The columns that are taken here: the name in the query, and there."""
        return {f"{self.name}.{name}": name for name in (*self.take, *(n.name for n in self.numbered))}

    def above(self) -> Iterator[Parent]:
        """This parent, its parents, theirs and so on."""
        yield self
        for parent in self.parents:
            yield from parent.above()


@dataclass(frozen=True)
class Count:
    """How many rows of `table` lead to a row: the column `name`."""

    table: str
    columns: tuple[str, ...]
    target: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Joined:
    """What is read with a table.

    first: the parent by which its rows are made (none or one); others: those of its other keys; position: the name of
    the column that says which of its siblings a row is, in the order of the primary key ('': none); skip: its own
    columns that are not read; only: those that are (none: all others).
    """

    first: tuple[Parent, ...] = ()
    others: tuple[Parent, ...] = ()
    numbered: tuple[Numbered, ...] = ()
    counts: tuple[Count, ...] = ()
    position: str = ""
    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def text(self) -> str:
        return json.dumps(to_json(self))

    @classmethod
    def of(cls, text: str) -> Joined | None:
        """What a text says; None: nothing.

        Raises:
            UserError: it is none.
        """
        if not text:
            return None
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"related={text[:60]} is written by Ganvas, for tables of one database.") from error
        return from_json(cls, entries, "related")

    def made(self) -> frozenset[str]:
        """The columns with numbers of rows that are made anew."""
        return frozenset(one.name for one in self.numbered if one.made)

    @property
    def parents(self) -> tuple[Parent, ...]:
        return (*self.first, *self.others)

    def select(self, table: Any, connection: Connection) -> Any:
        """The query, in the order of the primary key.

        Args:
            table: of SQLAlchemy.
        """
        return Query(table, connection, self).whole()


class Query:
    """The query of a table and what it is joined with."""

    def __init__(self, table: Any, connection: Connection, joined: Joined) -> None:
        self.table, self.connection, self.joined = table, connection, joined
        self.own = table.alias("t")
        self.source: Any = self.own
        self.aliases = 0

    def _reflected(self, name: str) -> Any:
        import warnings

        from sqlalchemy import Table

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table(
                name, self.table.metadata, schema=self.table.schema, autoload_with=self.connection, resolve_fks=False
            )

    def _alias(self, selectable: Any) -> Any:
        self.aliases += 1
        return selectable.alias(f"j{self.aliases}")

    def _join(self, left: Any, names: tuple[str, ...], right: Any, target: tuple[str, ...]) -> None:
        from sqlalchemy import and_

        pairs = zip(names, target, strict=True)
        self.source = self.source.outerjoin(right, and_(*(left.c[a] == right.c[b] for a, b in pairs)))

    def _parent(self, left: Any, parent: Parent) -> tuple[Any, list[Any]]:
        """Join a parent and its parents; the alias, and the columns that are taken."""
        alias = self._alias(self._reflected(parent.table))
        self._join(left, parent.columns, alias, parent.target)
        taken = [alias.c[name].label(f"{parent.name}.{name}") for name in parent.take]
        taken += [self._number(alias, one).label(f"{parent.name}.{one.name}") for one in parent.numbered]
        for above in parent.parents:
            taken += self._parent(alias, above)[1]
        return alias, taken

    def _number(self, left: Any, one: Numbered) -> Any:
        """The number of the row that a key leads to."""
        from sqlalchemy import func, select

        other = self._reflected(one.table)
        target = [other.c[name] for name in one.target]
        rows = self._alias(select(*target, func.row_number().over(order_by=target).label("n")))
        self._join(left, one.columns, rows, one.target)
        return rows.c.n

    def whole(self) -> Any:
        """The query."""
        from sqlalchemy import case, func, literal, select

        joined, own, columns = self.joined, self.own, []
        primary = [own.c[c.name] for c in self.table.primary_key.columns]
        for parent in joined.first:
            alias, taken = self._parent(own, parent)
            columns += taken
            there = alias.c[parent.target[0]].isnot(None)
            if joined.position:
                key = [own.c[name] for name in parent.columns]
                place = func.row_number().over(partition_by=key, order_by=primary or None)
                columns.append(case((there, place), else_=None).label(joined.position))
        for parent in joined.others:
            alias, taken = self._parent(own, parent)
            columns += taken
            if parent.there:
                there = alias.c[parent.target[0]].isnot(None)
                columns.append(case((there, literal(YES)), else_=literal(NO)).label(parent.there))
        columns += [self._number(own, one).label(one.name) for one in joined.numbered]
        for count in joined.counts:
            child = self._reflected(count.table)
            key = [child.c[name] for name in count.columns]
            labels = tuple(f"k{i}" for i in range(len(key)))
            named = [c.label(label) for c, label in zip(key, labels, strict=True)]
            rows = self._alias(select(*named, func.count().label("n")).group_by(*key))
            self._join(own, count.target, rows, labels)
            columns.append(func.coalesce(rows.c.n, 0).label(count.name))
        mine = [c.name for c in self.table.columns if c.name not in joined.skip]
        columns += [own.c[name].label(name) for name in mine if not joined.only or name in joined.only]
        return select(*columns).select_from(self.source).order_by(*primary)
