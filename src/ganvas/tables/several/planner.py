"""Makes the plan of a database (see `plan`): looks at the schema, the keys, and the first rows of each table."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

from ganvas.core.errors import UserError, unknown
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.tables import chosen, columns_file, databases, pack, read
from ganvas.tables.columns import Column
from ganvas.tables.data import FEWEST, DataConfig
from ganvas.tables.several import plan as plans
from ganvas.tables.several import schema as schemas
from ganvas.tables.several import sums
from ganvas.tables.several.joined import Count, Joined, Numbered, Parent, Query
from ganvas.tables.several.plan import Plan, TablePlan, Tie
from ganvas.tables.several.schema import OTHER, Key, Schema, SqlTable

LOOKED_AT = 50_000  # first rows of each table
MOST_TAKEN = 40  # columns of the rows that keys lead to
SMALL = 1_000  # rows of a table that is made, up to which its rows are a category
MOST_COPIED = 10_000  # rows of a table that is copied
USUAL = 0.5  # share of rows whose key leads to a row, from which they can be made by it
LEARNED = ("number", "category", "date")


def several(config: DataConfig) -> bool:
    """Does this name a database with several tables, and none of them?"""
    if config.is_frame or config.table or config.related or not databases.is_address(config.source):
        return False
    opened = databases.Opened(config.source)
    try:
        with opened.heard("cannot be reached"):
            assert opened.connection is not None
            return len(schemas.names_of(opened.connection)) > 1
    finally:
        opened.close()


def make(config: DataConfig) -> Generator[Counted, None, Plan]:
    """The plan of the database that `config.source` names.

    Raises:
        UserError: it cannot be reached, or its tables cannot be learned together.
    """
    opened = databases.Opened(config.source)
    try:
        with opened.heard("was lost"):
            assert opened.connection is not None
            yield Counted(0, 1, "Reading the database's schema")
            return (yield from Planner(opened, schemas.read(opened.connection), config).plan())
    finally:
        opened.close()


class Planner:
    """See `make`."""

    def __init__(self, opened: databases.Opened, schema: Schema, config: DataConfig) -> None:
        self.opened, self.schema, self.config = opened, schema, config
        self.notes = list(schema.notes)
        names = [table.name for table in schema.tables]
        self.copied = [name.strip() for name in config.copied.split(",") if name.strip()]
        self.wished = plans.single(config.parents)
        for name in (*self.copied, *self.wished):
            if name not in names:
                raise unknown("table", name, names)
        known = [f"{table.name}.{column.name}" for table in schema.tables for column in table.columns]
        for name in config.said():
            if name not in known:
                raise unknown("column TABLE.NAME", name, known)
        if columns_file.read(config.columns).rules:
            raise UserError(f"{config.columns} has [rules]: of several tables, what holds is found in each alone.")
        self.late: set[tuple[str, Key]] = set()
        self.done: dict[str, TablePlan] = {}
        self.kinds: dict[str, dict[str, Column]] = {}  # of each table, its columns as they look
        self.shares: dict[tuple[str, Key], float] = {}

    def plan(self) -> Generator[Counted, None, Plan]:
        """The whole plan."""
        for table in self.schema.tables:
            self._overlaps(table)
        for table in self.schema.tables:
            for key in table.keys:
                self.shares[table.name, key] = self._share(table, key)
                yield Counted(0, 1, "Following the database's keys")
        for number, name in enumerate(self._order()):
            yield Counted(number, len(self.schema.tables), f"Looking at the table {one_line(name)}")
            self.done[name] = self._copied(name) if name in self.copied else self._table(name)
        for name, plan in self.done.items():
            if plan.way == "learned" and (first := plan.first) is not None:
                self._sums(name, first)
        if not any(plan.way == "learned" for plan in self.done.values()):
            raise UserError(f"{self.opened.place}: no table has enough rows and columns to learn from.")
        return Plan(self.schema, tuple(self.done.values()), notes=tuple(self.notes))

    def _sums(self, name: str, first: Tie) -> None:
        """Note which columns of the table that a key leads to are sums over these rows."""
        above, table = self.done[first.key.table], self.schema[name]
        if above.way != "learned":
            return
        assert self.opened.connection is not None
        tables = self._reflected(first.key.table), self._reflected(name)
        found = sums.find(self.opened.connection, *tables, self.schema[first.key.table], table, first)
        known = {one.column for one in above.sums}
        new = tuple(one for one in found if one.column not in known)
        self.done[first.key.table] = dataclasses.replace(above, sums=(*above.sums, *new))
        self.notes += [
            f"{one_line(first.key.table)}: {one_line(one.column)} is always the sum of {one_line(one.of)} of its "
            f"{one_line(name)}, and is kept so." for one in new
        ]  # fmt: skip

    def _overlaps(self, table: SqlTable) -> None:
        """Leave out keys that follow from others; raise a UserError where two keys share a column otherwise."""
        for key in table.keys:
            for other in table.keys:
                if key is other or not {*key.columns} & {*other.columns}:
                    continue
                if {*key.columns} < {*other.columns} and self._follows(key, other):
                    keys = tuple(k for k in table.keys if k is not key)
                    kept = dataclasses.replace(table, keys=keys)
                    tables = tuple(kept if t.name == table.name else t for t in self.schema.tables)
                    self.schema = dataclasses.replace(self.schema, tables=tables)
                    self.notes.append(f"{one_line(table.name)}: the key {key.words()} follows from {other.words()}.")
                    return self._overlaps(kept)
                if {*other.columns} < {*key.columns} and self._follows(other, key):
                    continue
                raise UserError(
                    f"The table {one_line(table.name)} has two keys that share a column, {key.words()} and "
                    f"{other.words()}: such tables cannot be learned together yet. Leave one of the keys out in a "
                    f"copy of the database, or train the tables alone: --table {one_line(table.name)}."
                )
        return None

    def _follows(self, key: Key, other: Key) -> bool:
        """Does the row that `other` leads to have a key which leads where `key` does?"""
        there = dict(zip(other.columns, other.target, strict=True))
        columns = tuple(there[name] for name in key.columns)
        return any((k.columns, k.table, k.target) == (columns, key.table, key.target)
                   for k in self.schema[other.table].keys)  # fmt: skip

    def _share(self, table: SqlTable, key: Key) -> float:
        """The share of rows whose key leads to a row."""
        from sqlalchemy import and_, func, select

        if not table.rows:
            return 1.0
        own, other = self._reflected(table.name).alias("t"), self._reflected(key.table).alias("p")
        pairs = [own.c[a] == other.c[b] for a, b in zip(key.columns, key.target, strict=True)]
        query = select(func.count()).select_from(own.join(other, and_(*pairs)))
        assert self.opened.connection is not None
        return min(1.0, int(self.opened.connection.execute(query).scalar_one()) / table.rows)

    def _reflected(self, name: str) -> Any:
        import warnings

        from sqlalchemy import MetaData, Table

        assert self.opened.connection is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table(name, MetaData(), autoload_with=self.opened.connection, resolve_fks=False)

    def _order(self) -> list[str]:
        """The tables, those that keys lead to first; circles are broken at one key each."""
        for table in self.schema.tables:
            for key in table.keys:
                if key.table == table.name:
                    self.late.add((table.name, key))
                    self.notes.append(f"{one_line(table.name)}: {key.words()} leads to rows of its own table: "
                                      "filled once they are drawn.")  # fmt: skip
        order: list[str] = []
        while len(order) < len(self.schema.tables):
            left = [table for table in self.schema.tables if table.name not in order]
            ready = [t.name for t in left if not any(k.table not in order for k in self._now(t))]
            order += ready
            if not ready:
                self._break([t.name for t in left])
        return order

    def _now(self, table: SqlTable) -> list[Key]:
        return [key for key in table.keys if (table.name, key) not in self.late]

    def _break(self, left: list[str]) -> None:
        """Take one key out of a circle among these tables: one that may be empty, and the emptiest of them."""
        start = left[0]
        path = [start]
        while True:
            name = next(k.table for k in self._now(self.schema[path[-1]]) if k.table in left)
            if name in path:
                path = path[path.index(name) :]
                break
            path.append(name)
        keys = [(self.schema[name], key) for name in path for key in self._now(self.schema[name]) if key.table in path]
        table, key = min(
            keys, key=lambda k: (not k[0].nullable(k[1]), self.shares[k[0].name, k[1]], k[0].name, k[1].name)
        )
        self.late.add((table.name, key))
        circle = " -> ".join(map(one_line, (*path, path[0])))
        self.notes.append(f"{circle} is a circle of keys: {one_line(table.name)}.{one_line(key.name)} is filled once "
                          "all rows are drawn, by chance.")  # fmt: skip

    def _copied(self, name: str) -> TablePlan:
        """A table that is copied, with its rows."""
        table = self.schema[name]
        if table.rows > MOST_COPIED:
            raise UserError(f"copied={one_line(name)}: it has {table.rows:,} rows; up to {MOST_COPIED:,} are copied.")
        if away := [key for key in table.keys if key.table not in self.copied]:
            raise UserError(
                f"copied={one_line(name)}: its key {away[0].words()} leads to a table that is not copied. "
                "Name that too, or neither."
            )
        source = read.DatabaseTable(self.config.source, name)
        try:
            frames = list(source.portions())
        finally:
            source.close()
        records = [[_json(value) for value in row] for frame in frames for row in frame.itertuples(index=False)]
        ties = tuple(Tie(key, "late") for key in table.keys)
        return TablePlan(name, "copied", ties, copied=tuple(records))

    def _table(self, name: str) -> TablePlan:
        """A table that is learned, or made where nothing of it can be."""
        table = self.schema[name]
        ties = self._ties(table)
        counts = self._counts(table)
        keyed = {column for key in table.keys for column in key.columns}
        ids = [n for group in (table.primary, *table.unique) if len(group) == 1 for n in group if n not in keyed]
        unread = [c.name for c in table.columns if c.type == OTHER]
        joined = self._joined(table, ties, counts, (*keyed, *unread))
        starts = self._starts(table, joined)
        ids = [n for n in dict.fromkeys(ids) if n not in starts]
        for column in ids:
            if table.column(column).type in ("Date", "DateTime", "Time", "Boolean", "Float", "Interval"):
                raise UserError(
                    f"The column {one_line(column)} of the table {one_line(name)} tells its rows, and is of the type "
                    f"{table.column(column).type}: new ones cannot be made. copied={one_line(name)} keeps the table "
                    "as it is, if it holds nothing personal."
                )
        joined = dataclasses.replace(joined, skip=(*joined.skip, *starts))
        plan = TablePlan(name, "learned", ties, joined, tuple(ids), starts)
        columns = self._look(plan)
        self.kinds[name] = columns
        above = {title for parent in joined.parents for p in parent.above() for title in p.titles()}
        own = [c for c in columns.values() if c.kind in LEARNED and c.name not in above]
        if table.rows >= FEWEST and (own or above):
            return plan
        why = f"has {table.rows:,} rows, {FEWEST} are the fewest to learn from" if table.rows < FEWEST else (
            "has only ids, texts and constants"
        )  # fmt: skip
        self.notes.append(
            f"{one_line(name)} {why}: it gets {'new rows with new keys' if table.rows else 'no rows'}. If it holds "
            f"nothing personal, copied={one_line(name)} keeps its rows as they are."
        )
        return self._made(plan)

    def _made(self, plan: TablePlan) -> TablePlan:
        """A table of which nothing can be learned: keys and constants."""
        from ganvas.tables import ids

        table = self.schema[plan.name]
        if not table.rows:
            return dataclasses.replace(plan, way="made", joined=Joined())
        frame = self._frame(plan.name, Joined(skip=plan.joined.skip))
        made = []
        for column in self.kinds[plan.name].values():
            if column.name not in frame:
                continue
            if column.kind in LEARNED:
                column = Column(column.name, "text")
            if column.kind == "id":
                column = ids.fitted(column, frame[column.name], len(frame) == table.rows)
            made.append(column.to_dict())
        return dataclasses.replace(plan, way="made", joined=Joined(), made=tuple(made))

    def _ties(self, table: SqlTable) -> tuple[Tie, ...]:
        """The table's keys with their roles."""
        wish = self.wished.get(table.name, "")
        roles: dict[Key, str] = {}
        for key in table.keys:
            there = self.done.get(key.table)
            small = (
                there is not None
                and key.target == self.schema[key.table].primary
                and (
                    there.way == "copied"
                    or (there.way == "made" and there.first is None and self.schema[key.table].rows <= SMALL)
                )
            )
            late = (table.name, key) in self.late
            roles[key] = "late" if late else "row" if small else "other"
        able = [key for key, role in roles.items() if role == "other"]
        if wish and not (mine := [key for key in able if wish in key.columns]):
            could = ", ".join(one_line(key.name) for key in able) or "none"
            raise UserError(f"parent.{one_line(table.name)}={wish[:60]}: rows can be made by: {could}.")
        if wish:
            able = mine  # pyright: ignore[reportPossiblyUnboundVariable]
        best = max(
            able,
            key=lambda k: (self.shares[table.name, k] >= USUAL, self.schema[k.table].rows,
                           {*k.columns} <= {*table.primary}, -table.keys.index(k)),
            default=None,
        )  # fmt: skip
        if best is not None:
            roles[best] = "first"
            if len(able) > 1:
                others = ", ".join(one_line(k.name) for k in able if k is not best)
                self.notes.append(
                    f"{one_line(table.name)}: rows are made by {best.words()}, the table with the most rows, and not "
                    f"by {others} (parent.{one_line(table.name)}=COLUMN says otherwise)."
                )
        targets = [key.table for key in table.keys]
        ties, taken = [], {column.name for column in table.columns}
        for key, role in roles.items():
            name = key.table if targets.count(key.table) == 1 else key.name
            name = _free(f"{name} (row)" if role == "row" else name, taken)
            count = self._count_name(table.name, key) if role != "row" else ""
            ties.append(Tie(key, role, name, self.shares[table.name, key], count))
        return tuple(ties)

    def _count_name(self, child: str, key: Key) -> str:
        """The name of the column that says how many rows of `child` lead to a row by this key."""
        again = sum(k.table == key.table for k in self.schema[child].keys) > 1
        taken = {column.name for column in self.schema[key.table].columns}
        return _free(f"{child} by {key.name} (count)" if again else f"{child} (count)", taken)

    def _counts(self, table: SqlTable) -> tuple[Count, ...]:
        children = [t for t in self.schema.tables if t.name not in self.copied]
        return tuple(
            Count(child.name, key.columns, key.target, self._count_name(child.name, key))
            for child in children for key in child.keys if key.table == table.name
        )  # fmt: skip

    def _joined(
        self, table: SqlTable, ties: tuple[Tie, ...], counts: tuple[Count, ...], skip: tuple[str, ...]
    ) -> Joined:
        """What is read with a table; at most MOST_TAKEN columns of others, the nearest first."""
        taken = {column.name for column in table.columns} | {count.name for count in counts}
        parents: dict[str, list[Parent]] = {"first": [], "other": []}
        numbered = []
        for tie in ties:
            key = tie.key
            if tie.role == "row":
                numbered.append(Numbered(key.columns, key.table, key.target, tie.name))
            elif tie.role in parents:
                there = ""
                if tie.role == "other" and tie.there < 1 and table.nullable(key):
                    there = _free(f"{tie.name} (there)", taken)
                found = self._parent(key, tie.name, {tie.name for tie in ties} - {tie.name})
                parents[tie.role].append(dataclasses.replace(found, there=there))
        whole = [*parents["first"], *parents["other"]]
        kept = _nearest(whole)
        lost = sum(len(p.titles()) for parent in whole for p in parent.above()) - len(kept)
        if lost > 0:
            self.notes.append(f"{one_line(table.name)} is learned with {len(kept)} columns of the rows that its keys "
                              f"lead to; {lost} farther ones are left out.")  # fmt: skip
            parents = {role: [_cut(parent, kept) for parent in each] for role, each in parents.items()}
        first = next((tie for tie in ties if tie.role == "first"), None)
        position = _free(f"{first.name} (position)", taken) if first is not None and table.primary else ""
        return Joined(tuple(parents["first"]), tuple(parents["other"]), tuple(numbered), counts, position, tuple(skip))

    def _parent(self, key: Key, name: str, taken: set[str]) -> Parent:
        """The columns of the row that a key leads to, and of those that its keys lead to."""
        plan, table = self.done[key.table], self.schema[key.table]
        skip = {*plan.joined.skip, *plan.ids, *table.primary}
        kinds = self.kinds.get(key.table, {}) if plan.way == "learned" else {}
        take = [c.name for c in table.columns
                if c.name not in skip and c.name in kinds and kinds[c.name].kind in (*LEARNED, "constant")]  # fmt: skip
        parents = []
        for tie in plan.ties if plan.way == "learned" else ():
            if tie.role in ("first", "other"):
                title = tie.name if tie.name not in taken else f"{name}.{tie.name}"
                parents.append(self._parent(tie.key, title, taken | {title}))
        numbered = plan.joined.numbered if plan.way == "learned" else ()
        return Parent(key.columns, key.table, key.target, name, tuple(take), "", numbered, tuple(parents))

    def _starts(self, table: SqlTable, joined: Joined) -> dict[str, int]:
        """The columns of whole numbers that count siblings, and from where."""
        from sqlalchemy import func, select

        if not joined.position or not table.rows:
            return {}
        whole = [c.name for c in table.columns if c.type in ("Integer", "SmallInteger", "BigInteger")]
        names = [n for n in whole if n not in joined.skip and (n not in table.primary or len(table.primary) > 1)]
        if not names:
            return {}
        bare = Joined(tuple(dataclasses.replace(p, take=(), numbered=(), parents=()) for p in joined.first),
                      position=joined.position, only=tuple(names))  # fmt: skip
        assert self.opened.connection is not None
        rows = Query(self._reflected(table.name), self.opened.connection, bare).whole().order_by(None).subquery()
        away = [rows.c[name] - rows.c[joined.position] for name in names]
        figures = [figure(x) for x in away for figure in (func.min, func.max, func.count)]
        found = [int(x or 0) for x in self.opened.connection.execute(select(*figures)).one()]
        there = round(self.shares[table.name, next(k for k in table.keys if k.columns == joined.first[0].columns)]
                      * table.rows)  # fmt: skip
        starts = {}
        key = {*joined.first[0].columns}
        for i, name in enumerate(names):
            low, high, count = found[3 * i : 3 * i + 3]
            if low == high and count >= there > 0:
                starts[name] = low + 1
            elif {*table.primary} == {*key, name}:
                starts[name] = 1
                self.notes.append(f"{one_line(table.name)}: {one_line(name)} tells rows of one {joined.first[0].table} "
                                  "apart: numbered anew, from 1.")  # fmt: skip
        return starts

    def _frame(self, name: str, joined: Joined) -> Any:
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

    def _look(self, plan: TablePlan) -> dict[str, Column]:
        """What the table's columns look like."""
        table = self.schema[plan.name]
        if not table.rows:
            return {}
        frame = self._frame(plan.name, plan.joined)
        said = said_of(plan, self.config)
        return {c.name: c for c in chosen.columns(frame, {n: e for n, e in said.items() if n in frame})}


def said_of(plan: TablePlan, config: DataConfig) -> dict[str, dict[str, Any]]:
    """What is said of the columns of a table's query: by its keys, and by the user as column.TABLE.NAME=KIND."""
    joined = plan.joined
    found: dict[str, dict[str, Any]] = {name: {"kind": "id"} for name in plan.ids}
    found |= {one.name: {"kind": "category"} for one in joined.numbered}
    found |= {count.name: {"kind": "number"} for count in joined.counts}
    found |= {parent.there: {"kind": "category"} for parent in joined.others if parent.there}
    if joined.position:
        found[joined.position] = {"kind": "number"}
    places = [(plan.name, "")]
    for parent in joined.parents:
        for above in parent.above():
            places.append((above.table, f"{above.name}."))
            found |= {f"{above.name}.{one.name}": {"kind": "category"} for one in above.numbered}
    for name, entries in config.said().items():
        for table, prefix in places:
            if name.startswith(f"{table}."):
                found[prefix + name[len(table) + 1 :]] = entries
    return found


def _free(name: str, taken: set[str]) -> str:
    """This name, or with underscores behind it where it is taken; it is taken then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _nearest(parents: list[Parent]) -> list[str]:
    """The titles of the columns that are taken: those of the parents, then of theirs, up to MOST_TAKEN."""
    found: list[str] = []
    level = parents
    while level:
        found += [title for parent in level for title in parent.titles()]
        level = [above for parent in level for above in parent.parents]
    return found[:MOST_TAKEN]


def _cut(parent: Parent, kept: list[str]) -> Parent:
    return dataclasses.replace(
        parent,
        take=tuple(name for name in parent.take if f"{parent.name}.{name}" in kept),
        numbered=tuple(one for one in parent.numbered if f"{parent.name}.{one.name}" in kept),
        parents=tuple(_cut(above, kept) for above in parent.parents),
    )


def _json(value: Any) -> Any:
    """A value of a copied row as JSON has it; dates as text."""
    if value is None or value != value:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat(" ") if hasattr(value, "hour") else value.isoformat()
    if isinstance(value, bool | int | float | str):
        return value
    return value.item() if hasattr(value, "item") else str(value)
