"""Reads the tables of a database, with their keys and what else is kept of their schema."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.several import terms_of_sql
from ganvas.tables.several.schema import ACTIONS, MOST, OTHER, TYPES, WHOLE, Key, Schema, SqlColumn, SqlTable

if TYPE_CHECKING:
    from sqlalchemy import Connection


def names_of(connection: Connection) -> list[str]:
    """The tables of a database, without views."""
    from sqlalchemy import inspect

    return sorted(inspect(connection).get_table_names())


def read(connection: Connection) -> Schema:
    """The tables of a database.

    Raises:
        UserError: it has none, or more than MOST.
    """
    import warnings

    from sqlalchemy import func, inspect, select, table

    looked, notes, tables = inspect(connection), [], []
    names = names_of(connection)
    if not 0 < len(names) <= MOST:
        raise UserError(f"The database has {len(names)} tables: 1 to {MOST:,} can be learned together.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
        for name in names:
            entries = looked.get_columns(name)
            columns = tuple(map(_column, entries))
            if connection.dialect.name == "sqlite":  # which lets texts be longer than declared
                columns = _as_long(connection, name, columns)
            primary = tuple(looked.get_pk_constraint(name).get("constrained_columns") or ())
            sets: list[Any] = [tuple(c["column_names"]) for c in looked.get_unique_constraints(name)]
            sets += [tuple(i["column_names"]) for i in looked.get_indexes(name) if i.get("unique")]
            sets = [s for s in dict.fromkeys(sets) if s and None not in s and {*s} != {*primary}]
            rows = int(connection.execute(select(func.count()).select_from(table(name))).scalar_one())
            keys = [(tuple(k["constrained_columns"]), k["referred_table"], tuple(k["referred_columns"] or ()),
                     k.get("referred_schema"), _actions(connection, name, k))
                    for k in looked.get_foreign_keys(name)]  # fmt: skip
            checks, lost = _checks(connection, looked, name, columns)
            notes += [f"{one_line(name)}: {sentence}" for sentence in (*_lost(entries, columns), *lost)]
            found = SqlTable(name, rows, columns, primary, tuple(sets), checks=checks)
            tables.append((found, keys))
    by_name = {found.name: found for found, _ in tables}
    whole = []
    for found, keys in tables:
        good = []
        for columns, target, named, schema, actions in keys:
            there = by_name.get(target) if not schema else None
            named = named or (there.primary if there else ())
            sentence = f"{one_line(found.name)}: the key {one_line(', '.join(columns))} -> {one_line(target)}"
            if there is None or len(named) != len(columns) or not {*named} <= {c.name for c in there.columns}:
                notes.append(f"{sentence} leads to no table of this database: read as an ordinary column.")
            elif not there.is_unique(named):
                notes.append(f"{sentence} does not identify one row there: read as an ordinary column.")
            else:
                good.append(Key(columns, target, named, *actions))
        good.sort(key=lambda k: [c.name for c in found.columns].index(k.columns[0]))
        whole.append(dataclasses.replace(found, keys=tuple(dict.fromkeys(good))))
    return Schema(tuple(whole), tuple(notes))


def _checks(
    connection: Connection, looked: Any, table: str, columns: tuple[SqlColumn, ...]
) -> tuple[tuple[str, ...], list[str]]:
    """The conditions on a table's rows that can be kept, and sentences on the others."""
    if connection.dialect.name == "sqlite":  # SQLAlchemy finds only some of those
        from sqlalchemy import text

        query = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
        found = terms_of_sql.conditions(str(connection.execute(query, {"table": table}).scalar_one_or_none() or ""))
    else:
        found = [str(entry["sqltext"]) for entry in looked.get_check_constraints(table)]
    kept = {text: terms_of_sql.condition(text, [column.name for column in columns]) for text in found}
    lost = [f"CHECK ({one_line(text)[:80]}) is not kept in a drawn database." for text in kept if not kept[text]]
    return tuple(dict.fromkeys(check for check in kept.values() if check))[:MOST], lost


def _lost(entries: list[Any], columns: tuple[SqlColumn, ...]) -> list[str]:
    """Sentences on defaults that are not kept."""
    return [
        f"the default {one_line(entry['default'])[:60]} of {one_line(column.name)} is not kept in a drawn database."
        for entry, column in zip(entries, columns, strict=True)
        if entry.get("default") and not column.default and not column.counted and str(entry["default"]) != "NULL"
    ]


def _actions(connection: Connection, table: str, key: Any) -> tuple[str, str]:
    """What is done when the row that a key leads to is deleted, and when it is changed; '' for what is usual."""
    options, names = key.get("options") or {}, key["constrained_columns"]
    found = [options.get("ondelete"), options.get("onupdate")]
    if connection.dialect.name == "sqlite":  # SQLAlchemy does not see those of a column's own REFERENCES
        from sqlalchemy import text

        query = text('SELECT on_delete, on_update FROM pragma_foreign_key_list(:table) WHERE "from" = :name')
        row = connection.execute(query, {"table": table, "name": names[0]}).first() if len(names) == 1 else None
        found = found if row is None else [*row]
    deleted, updated = (str(action or "").upper() for action in found)
    usual = ("", "NO ACTION")
    return (
        deleted if deleted in ACTIONS and deleted not in usual else "",
        updated if updated in ACTIONS and updated not in usual else "",
    )


def _as_long(connection: Connection, table: str, columns: tuple[SqlColumn, ...]) -> tuple[SqlColumn, ...]:
    """The columns of texts without a length where there are longer ones."""
    import sqlalchemy as sql

    limited = [column.name for column in columns if column.length]
    if not limited:
        return columns
    longest = [sql.func.max(sql.func.length(sql.column(name))) for name in limited]
    found = dict(
        zip(limited, connection.execute(sql.select(*longest).select_from(sql.table(table))).one(), strict=True)
    )
    return tuple(
        dataclasses.replace(column, length=0) if (found.get(column.name) or 0) > column.length else column
        for column in columns
    )


def _column(entry: Any) -> SqlColumn:
    """A column of the inspector's; types that another database does not know as the nearest that all know."""
    kind = entry["type"]
    try:
        kind = kind.as_generic()
    except NotImplementedError:
        return SqlColumn(entry["name"], "Text" if type(kind).__name__ == "NullType" else OTHER, bool(entry["nullable"]))
    name = next((c.__name__ for c in type(kind).__mro__ if c.__name__ in TYPES), "")
    if type(kind).__name__ in ("LargeBinary", "JSON", "ARRAY", "PickleType") or not name:
        return SqlColumn(entry["name"], "Text" if type(kind).__name__ == "NullType" else OTHER, bool(entry["nullable"]))

    def number(what: str) -> int:
        value = getattr(kind, what, None)
        return value if isinstance(value, int) else 0

    default = str(entry.get("default") or "")
    counted = name in WHOLE and (bool(entry.get("identity")) or default.startswith("nextval("))
    values = tuple(map(str, getattr(kind, "enums", None) or ()))
    return SqlColumn(
        entry["name"], name, bool(entry["nullable"]), number("length"), number("precision"), number("scale"),
        bool(getattr(kind, "timezone", False)), counted, "" if counted else terms_of_sql.default(default, name),
        values, str(getattr(entry["type"], "name", None) or "")[:63] if values else "",
    )  # fmt: skip
