"""The keys of a database: which follow from others, in which order they put the tables, and which role each has."""

from __future__ import annotations

import dataclasses

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.several.known import Known, free
from ganvas.tables.several.plan import Tie
from ganvas.tables.several.schema import Key, SqlTable

SMALL = 1_000  # rows of a table that is made, up to which its rows are a category
USUAL = 0.5  # share of rows whose key leads to a row, from which they can be made by it


def without_overlaps(known: Known, table: SqlTable) -> None:
    """Leave out keys that follow from others.

    Raises:
        UserError: two keys share a column otherwise.
    """
    for key in table.keys:
        for other in table.keys:
            if key is other or not {*key.columns} & {*other.columns}:
                continue
            if {*key.columns} < {*other.columns} and _follows(known, key, other):
                kept = dataclasses.replace(table, keys=tuple(k for k in table.keys if k is not key))
                tables = tuple(kept if t.name == table.name else t for t in known.schema.tables)
                known.schema = dataclasses.replace(known.schema, tables=tables)
                known.notes.append(f"{one_line(table.name)}: the key {key.words()} follows from {other.words()}.")
                return without_overlaps(known, kept)
            if {*other.columns} < {*key.columns} and _follows(known, other, key):
                continue
            raise UserError(
                f"The table {one_line(table.name)} has two keys that share a column, {key.words()} and "
                f"{other.words()}: such tables cannot be learned together yet. Leave one of the keys out in a "
                f"copy of the database, or train the tables alone: --table {one_line(table.name)}."
            )
    return None


def _follows(known: Known, key: Key, other: Key) -> bool:
    """Does the row that `other` leads to have a key which leads where `key` does?"""
    there = dict(zip(other.columns, other.target, strict=True))
    columns = tuple(there[name] for name in key.columns)
    return any((k.columns, k.table, k.target) == (columns, key.table, key.target)
               for k in known.schema[other.table].keys)  # fmt: skip


def order(known: Known) -> list[str]:
    """The tables, those that keys lead to first; circles are broken at one key each."""
    for table in known.schema.tables:
        for key in table.keys:
            if key.table == table.name:
                known.late.add((table.name, key))
                known.notes.append(f"{one_line(table.name)}: {key.words()} leads to rows of its own table: "
                                   "filled once they are drawn.")  # fmt: skip
    found: list[str] = []
    while len(found) < len(known.schema.tables):
        left = [table for table in known.schema.tables if table.name not in found]
        ready = [t.name for t in left if not any(k.table not in found for k in _now(known, t))]
        found += ready
        if not ready:
            _break(known, [t.name for t in left])
    return found


def _now(known: Known, table: SqlTable) -> list[Key]:
    return [key for key in table.keys if (table.name, key) not in known.late]


def _break(known: Known, left: list[str]) -> None:
    """Take one key out of a circle among these tables: one that may be empty, and the emptiest of them."""
    path, schema = [left[0]], known.schema
    while True:
        name = next(k.table for k in _now(known, schema[path[-1]]) if k.table in left)
        if name in path:
            path = path[path.index(name) :]
            break
        path.append(name)
    keys = [(schema[name], key) for name in path for key in _now(known, schema[name]) if key.table in path]
    table, key = min(keys, key=lambda k: (not k[0].nullable(k[1]), known.shares[k[0].name, k[1]], k[0].name, k[1].name))
    known.late.add((table.name, key))
    circle = " -> ".join(map(one_line, (*path, path[0])))
    known.notes.append(f"{circle} is a circle of keys: {one_line(table.name)}.{one_line(key.name)} is filled once "
                       "all rows are drawn, at random.")  # fmt: skip


def ties(known: Known, table: SqlTable) -> tuple[Tie, ...]:
    """The table's keys with their roles."""
    roles = {key: _role(known, table, key) for key in table.keys}
    best = _first(known, table, [key for key, role in roles.items() if role == "other"])
    if best is not None:
        roles[best] = "first"
    targets = [key.table for key in table.keys]
    found, taken = [], {column.name for column in table.columns}
    for key, role in roles.items():
        name = key.table if targets.count(key.table) == 1 else key.name
        name = free(f"{name} (row)" if role == "row" else name, taken)
        count = count_name(known, table.name, key) if role != "row" else ""
        found.append(Tie(key, role, name, known.shares[table.name, key], count))
    return tuple(found)


def _role(known: Known, table: SqlTable, key: Key) -> str:
    """The role of a key, where rows are not made by it."""
    if (table.name, key) in known.late:
        return "late"
    there = known.done.get(key.table)
    if there is None or key.target != known.schema[key.table].primary:
        return "other"
    few = there.way == "made" and there.first is None and known.schema[key.table].rows <= SMALL
    return "row" if there.way == "copied" or few else "other"


def _first(known: Known, table: SqlTable, able: list[Key]) -> Key | None:
    """The key by which the table's rows are made.

    Raises:
        UserError: the user says one that cannot be.
    """
    if wish := known.wished.get(table.name, ""):
        mine = [key for key in able if wish in key.columns]
        if not mine:
            could = ", ".join(one_line(key.name) for key in able) or "none"
            raise UserError(f"parent.{one_line(table.name)}={wish[:60]}: rows can be made by: {could}.")
        able = mine
    best = max(
        able,
        key=lambda k: (known.shares[table.name, k] >= USUAL, known.schema[k.table].rows,
                       {*k.columns} <= {*table.primary}, -table.keys.index(k)),
        default=None,
    )  # fmt: skip
    if best is not None and len(able) > 1:
        others = ", ".join(one_line(k.name) for k in able if k is not best)
        known.notes.append(
            f"{one_line(table.name)}: rows are made by {best.words()}, the table with the most rows, and not "
            f"by {others} (parent.{one_line(table.name)}=COLUMN chooses another)."
        )
    return best


def count_name(known: Known, child: str, key: Key) -> str:
    """The name of the column that says how many rows of `child` lead to a row by this key."""
    again = sum(k.table == key.table for k in known.schema[child].keys) > 1
    taken = {column.name for column in known.schema[key.table].columns}
    return free(f"{child} by {key.name} (count)" if again else f"{child} (count)", taken)
