"""Makes the plan of a database (see `plan`): looks at the schema, the keys, and the first rows of each table."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

from ganvas.core.errors import UserError, unknown
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.tables import chosen, columns_file, databases, ids, read
from ganvas.tables.columns import Column
from ganvas.tables.data import FEWEST, DataConfig
from ganvas.tables.several import keys, order, reflect, sums, taken
from ganvas.tables.several import plan as plans
from ganvas.tables.several.asked import Asked
from ganvas.tables.several.joined import Joined
from ganvas.tables.several.known import LEARNED, Known
from ganvas.tables.several.plan import Plan, TablePlan, Tie
from ganvas.tables.several.schema import OTHER, TEXTS, Schema, SqlTable

MOST_COPIED = 10_000  # rows of a table that is copied
UNMADE = ("Date", "DateTime", "Time", "Boolean", "Float", "Interval")  # types in which no new ids can be made


def several(config: DataConfig) -> bool:
    """Does this name a database with several tables, and none of them?"""
    if config.is_frame or config.table or config.related or not databases.is_address(config.source):
        return False
    with databases.reading(config.source, "cannot be reached") as (_, connection):
        return len(reflect.names_of(connection)) > 1


def make(config: DataConfig) -> Generator[Counted, None, Plan]:
    """The plan of the database that `config.source` names.

    Raises:
        UserError: it cannot be reached, or its tables cannot be learned together.
    """
    with databases.reading(config.source, "was lost") as (opened, connection):
        yield Counted(0, 1, "Reading the database's schema")
        return (yield from Planner(opened, reflect.read(connection), config).plan())


def now(config: DataConfig) -> Schema:
    """The schema of the database that `config.source` names, as a plan has it.

    Raises:
        UserError: it cannot be reached, or its tables cannot be learned together.
    """
    with databases.reading(config.source, "was lost") as (_, connection):
        known = Known(reflect.read(connection), [], {})
        for table in known.schema.tables:
            keys.without_overlaps(known, table)
        return known.schema


class Planner:
    """See `make`."""

    def __init__(self, opened: databases.Opened, schema: Schema, config: DataConfig) -> None:
        self.place, self.config, self.asked = opened.place, config, Asked(opened, config)
        copied = [name.strip() for name in config.copied.split(",") if name.strip()]
        self.known = Known(schema, copied, plans.single(config.parents), list(schema.notes))
        names = [table.name for table in schema.tables]
        for name in (*copied, *self.known.wished):
            if name not in names:
                raise unknown("table", name, names)
        known = [f"{table.name}.{column.name}" for table in schema.tables for column in table.columns]
        for name in config.said():
            if name not in known:
                raise unknown("column TABLE.NAME", name, known)
        if columns_file.read(config.columns).rules:
            raise UserError(
                f"{config.columns} has [rules]: with several tables, rules are found in each table separately."
            )

    def plan(self) -> Generator[Counted, None, Plan]:
        """The whole plan."""
        known = self.known
        for table in known.schema.tables:
            keys.without_overlaps(known, table)
        for table in known.schema.tables:
            for key in table.keys:
                known.shares[table.name, key] = self.asked.share(table, key)
                yield Counted(0, 1, "Following the database's keys")
        for number, name in enumerate(keys.order(known)):
            yield Counted(number, len(known.schema.tables), f"Looking at the table {one_line(name)}")
            known.done[name] = self._copied(name) if name in known.copied else self._table(name)
        for name, plan in list(known.done.items()):
            if plan.way == "learned" and (first := plan.first) is not None:
                self._sums(name, first)
        if not any(plan.way == "learned" for plan in known.done.values()):
            raise UserError(f"{self.place}: no table has enough rows and columns to learn from.")
        return Plan(known.schema, tuple(known.done.values()), notes=tuple(known.notes))

    def _sums(self, name: str, first: Tie) -> None:
        """Note which columns of the table that a key leads to are sums over these rows."""
        schema, done = self.known.schema, self.known.done
        above, table = done[first.key.table], schema[name]
        if above.way != "learned":
            return
        tables = self.asked.reflected(first.key.table), self.asked.reflected(name)
        found = sums.find(self.asked.connection, *tables, schema[first.key.table], table, first)
        there = {one.column for one in above.sums}
        new = tuple(one for one in found if one.column not in there)
        done[first.key.table] = dataclasses.replace(above, sums=(*above.sums, *new))
        self.known.notes += [
            f"{one_line(first.key.table)}: {one_line(one.column)} is always the sum of {one_line(one.of)} of its "
            f"{one_line(name)}, and stays so in drawn rows." for one in new
        ]  # fmt: skip

    def _copied(self, name: str) -> TablePlan:
        """A table that is copied, with its rows."""
        table = self.known.schema[name]
        if table.rows > MOST_COPIED:
            raise UserError(
                f"copied={one_line(name)}: it has {table.rows:,} rows; at most {MOST_COPIED:,} can be copied."
            )
        if away := [key for key in table.keys if key.table not in self.known.copied]:
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
        table = self.known.schema[name]
        plan = self._bare(table)
        columns = self._look(plan)
        learns = table.rows >= FEWEST
        if more := _texts_to_tell(plan, table, columns, learns):
            plan = dataclasses.replace(plan, ids=(*plan.ids, *more))
            columns = self._look(plan)
        self.known.kinds[name] = columns
        above = {title for parent in plan.joined.parents for p in parent.above() for title in p.titles()}
        own = [c for c in columns.values() if c.kind in LEARNED and c.name not in above]
        if table.rows >= FEWEST and (own or above):
            return self._ordered(plan)
        why = f"has {table.rows:,} rows, at least {FEWEST} are needed to learn from" if table.rows < FEWEST else (
            "has only ids, texts and constants"
        )  # fmt: skip
        self.known.notes.append(
            f"{one_line(name)} {why}: it gets {'new rows with new keys' if table.rows else 'no rows'}. If it holds "
            f"nothing personal, copied={one_line(name)} keeps its rows as they are."
        )
        return self._made(plan)

    def _ordered(self, plan: TablePlan) -> TablePlan:
        """The plan with the order of the table's rows."""
        table, kinds = self.known.schema[plan.name], self.known.kinds[plan.name]
        dates = [c.name for c in table.columns if c.name in kinds and kinds[c.name].kind == "date"]
        dates = [name for name in dates if not kinds[name].form and name not in table.primary]
        found = order.find(self.asked.connection, self.asked.reflected(plan.name), table, plan, dates)
        if found.column:
            self.known.notes.append(found.words(plan))
        return dataclasses.replace(plan, ordered=found.column, throughout=found.throughout, mixed=found.mixed)

    def _bare(self, table: SqlTable) -> TablePlan:
        """The plan of a table by its keys alone, before its rows are looked at.

        Raises:
            UserError: its rows are told by a column of which no new values can be made.
        """
        ties = keys.ties(self.known, table)
        first = next((tie.key for tie in ties if tie.role == "first"), None)
        if first is not None:
            ties = tuple(
                dataclasses.replace(tie, within=self.asked.within(table, tie.key, first))
                if tie.role == "late" and tie.key.table == table.name else tie for tie in ties
            )  # fmt: skip
        keyed = {column for key in table.keys for column in key.columns}
        unread = [c.name for c in table.columns if c.type == OTHER]
        if unread:
            self.known.notes.append(
                f"{one_line(table.name)}: {', '.join(map(one_line, unread))} (JSON, lists, bytes or the like) "
                f"{'is' if len(unread) == 1 else 'are'} not learned, and empty in a drawn database."
            )
        joined = taken.joined(self.known, table, ties, (*keyed, *unread))
        there = next((tie.there for tie in ties if tie.role == "first"), 1.0)
        starts, anew = self.asked.starts(table, joined, there)
        if anew:
            self.known.notes.append(f"{one_line(table.name)}: {one_line(anew)} distinguishes rows of one "
                                    f"{joined.first[0].table}: renumbered from 1.")  # fmt: skip
        alone = [n for group in (table.primary, *table.unique) if len(group) == 1 for n in group if n not in keyed]
        made = tuple(n for n in dict.fromkeys(alone) if n not in starts)
        for column in made:
            if table.column(column).type in UNMADE:
                raise UserError(
                    f"The column {one_line(column)} of the table {one_line(table.name)} identifies its rows, and is of "
                    f"type {table.column(column).type}: new ones cannot be made. copied={one_line(table.name)} keeps "
                    "the table as it is, if it holds nothing personal."
                )
        joined = dataclasses.replace(joined, skip=(*joined.skip, *starts))
        return TablePlan(table.name, "learned", ties, joined, made, starts)

    def _made(self, plan: TablePlan) -> TablePlan:
        """A table of which nothing can be learned: keys, constants, and categories that enough rows have."""
        table = self.known.schema[plan.name]
        if not table.rows:
            return dataclasses.replace(plan, way="made", joined=Joined())
        frame = self.asked.frame(plan.name, Joined(skip=plan.joined.skip))
        made = []
        for column in self.known.kinds[plan.name].values():
            if column.name not in frame:
                continue
            if column.kind == "category":
                typed = read.values(frame[column.name], column)
                column = column.fitted(frame[column.name] if typed is None else typed, self.config.rare)
                known = {*column.parts[0].values}
                column = dataclasses.replace(column, doubt="", order=tuple(v for v in column.order if v in known))
            if column.kind in LEARNED and not (column.kind == "category" and column.parts[0].counts):
                column = Column(column.name, "text")
            if column.kind == "id":
                column = ids.fitted(column, frame[column.name], len(frame) == table.rows)
            made.append(column.to_dict())
        return dataclasses.replace(plan, way="made", joined=Joined(), made=tuple(made))

    def _look(self, plan: TablePlan) -> dict[str, Column]:
        """What the table's columns look like."""
        table = self.known.schema[plan.name]
        if not table.rows:
            return {}
        frame = self.asked.frame(plan.name, plan.joined)
        said = taken.said_of(plan, table, self.config)
        own = {column.name for column in table.columns}
        found = chosen.columns(frame, {n: e for n, e in said.items() if n in frame})
        for i, column in enumerate(found):  # of a category no value may be drawn: as free text
            if column.kind == "category" and column.name in own:
                counts = frame[column.name].value_counts()
                if not len(counts) or int(counts.iloc[0]) < self.config.rare:
                    found[i] = Column(column.name, "text")
        return {c.name: c for c in found}


def _texts_to_tell(plan: TablePlan, table: SqlTable, columns: dict[str, Column], learns: bool) -> list[str]:
    """Texts that are made anew as ids are, so that columns which are unique together by the schema can be so.

    Args:
        learns: whether the table's categories are learned, and may do.
    """
    found: list[str] = []
    for names in plan.groups(table):
        own = [columns[n] for n in names if n in columns and table.column(n).type in TEXTS]
        texts = [c.name for c in own if c.kind in ("text", "constant") or (c.kind == "category" and not learns)]
        if texts and not {*found} & {*names}:
            found.append(texts[0])
    return found


def _json(value: Any) -> Any:
    """A value of a copied row as JSON has it; dates as text."""
    if value is None or value != value:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat(" ") if hasattr(value, "hour") else value.isoformat()
    if isinstance(value, bool | int | float | str):
        return value
    return value.item() if hasattr(value, "item") else str(value)
