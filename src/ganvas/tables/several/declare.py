"""How columns, keys and conditions of a schema are declared in the database that is drawn."""

from __future__ import annotations

import contextlib
from typing import Any

from ganvas.core.errors import UserError, first_line
from ganvas.core.text import one_line
from ganvas.tables import databases
from ganvas.tables.several import terms_of_sql
from ganvas.tables.several.schema import OTHER, Key, Schema, SqlColumn, SqlTable


def column(column: SqlColumn, table: SqlTable, is_sqlite: bool, metadata: Any) -> Any:
    """A column for SQLAlchemy."""
    import sqlalchemy as sql

    kind: Any = sql.Text()
    if column.values:
        named = column.named or f"{table.name}_{column.name}"[:63]
        kind = sql.Enum(*column.values, name=named, metadata=metadata)
    elif column.type == "Numeric":
        kind = sql.Numeric(column.precision or None, column.scale or None, asdecimal=False)
    elif column.type in ("String", "Unicode"):
        kind = getattr(sql, column.type)(column.length or None)
    elif column.type == "Uuid":
        kind = sql.String(36) if is_sqlite else sql.Uuid(as_uuid=False)
    elif column.type == "DateTime":
        from sqlalchemy.dialects import sqlite

        kind = sqlite.DATETIME(truncate_microseconds=True) if is_sqlite else sql.DateTime(timezone=column.zone)
    elif column.type != OTHER:
        kind = getattr(sql, column.type)()
    default: Any = None
    if column.default and not column.counted:
        value = {"true": "1", "false": "0"}.get(column.default, column.default) if is_sqlite else column.default
        default = sql.text(_plain(value))
    return sql.Column(
        column.name, kind, *([sql.Identity()] if column.counted and not is_sqlite else []), nullable=column.nullable,
        primary_key=column.name in table.primary, autoincrement=column.counted and column.name in table.primary,
        server_default=default,
    )  # fmt: skip


def key(key: Key) -> Any:
    """A foreign key for SQLAlchemy."""
    from sqlalchemy import ForeignKeyConstraint

    target, actions = [f"{key.table}.{name}" for name in key.target], (key.deleted or None, key.updated or None)
    return ForeignKeyConstraint(list(key.columns), target, ondelete=actions[0], onupdate=actions[1])


def no_other_types(connection: Any, schema: Schema, out: str) -> None:
    """Is there no enumeration of the name of one that is drawn, with other values?

    Raises:
        UserError: there is one.
    """
    if connection.dialect.name != "postgresql":
        return
    from sqlalchemy import inspect

    there = {entry["name"]: tuple(entry["labels"]) for entry in inspect(connection).get_enums()}
    for column in (column for table in schema.tables for column in table.columns if column.values):
        if there.get(column.named, column.values) != column.values:
            raise UserError(
                f"{databases.told(out)} has a type {one_line(column.named)} with other values already. Name another "
                "database, or drop the type. The database was not changed."
            )


class Checks:
    """The conditions on rows (CHECK) of a database that is drawn: those that all drawn rows meet are declared.

    SQLite cannot add one to a table, so there they are declared before the rows come, and not looked at until then.
    `left_out`: gets a sentence for each that is not declared.
    """

    def __init__(self, connection: Any, schema: Schema, targets: dict[str, Any], left_out: list[str]) -> None:
        self.connection, self.schema, self.targets, self.left_out = connection, schema, targets, left_out
        self.is_sqlite = connection.dialect.name == "sqlite"
        self.declared: dict[str, dict[str, Any]] = {}  # by the table and the condition

    def before(self) -> None:
        """Declare what SQLite knows, in tables that are empty yet."""
        if not self.is_sqlite:
            return
        for table in self.schema.tables:
            good = [check for check in table.checks if self._holds(table, check)]
            if good:
                self.declared[table.name] = {check: self._declared(table, check) for check in good}
                self.targets[table.name].drop(self.connection)
                self.targets[table.name].create(self.connection)
        self.connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")

    def after(self) -> None:
        """Declare what the rows meet, and no more than that."""
        from sqlalchemy.schema import AddConstraint

        for table in self.schema.tables:
            if not self.is_sqlite:
                for check in table.checks:
                    if self._holds(table, check):
                        self.connection.execute(AddConstraint(self._declared(table, check)))
                continue
            known = self.declared.get(table.name, {})
            if broken := [check for check in known if not self._holds(table, check)]:
                self._again(table, [known[check] for check in broken])

    def _again(self, table: SqlTable, without: list[Any]) -> None:
        """Make a table of SQLite anew, with its rows, without some conditions; keys still lead to it."""
        quote, target = self.connection.dialect.identifier_preparer.quote, self.targets[table.name]
        names = {one.name for one in self.schema.tables}
        aside = next(name for i in range(len(names) + 1) if (name := f"drawn_{i}") not in names)
        self.connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")  # keys of others are not led to the new name
        self.connection.exec_driver_sql(f"ALTER TABLE {quote(table.name)} RENAME TO {quote(aside)}")
        target.constraints.difference_update(without)
        target.create(self.connection)
        self.connection.exec_driver_sql(f"INSERT INTO {quote(table.name)} SELECT * FROM {quote(aside)}")
        self.connection.exec_driver_sql(f"DROP TABLE {quote(aside)}")

    def _declared(self, table: SqlTable, check: str) -> Any:
        from sqlalchemy import CheckConstraint

        constraint = CheckConstraint(_plain(self._text(check)))
        self.targets[table.name].append_constraint(constraint)
        return constraint

    def _text(self, check: str) -> str:
        return terms_of_sql.in_dialect(check, self.connection.dialect.identifier_preparer.quote)

    def _holds(self, table: SqlTable, check: str) -> bool:
        """Do all rows meet a condition, and does the database know it? Else a sentence says so."""
        import sqlalchemy as sql
        from sqlalchemy.exc import SQLAlchemyError

        broken = sql.select(sql.func.count()).select_from(self.targets[table.name])
        broken = broken.where(sql.text(f"NOT ({_plain(self._text(check))})"))
        can = self.connection.dialect.name in ("sqlite", "postgresql")
        try:
            with self.connection.begin_nested() if can else contextlib.nullcontext():
                count = int(self.connection.execute(broken).scalar_one())
        except SQLAlchemyError as error:
            why = f"this database does not know it: {one_line(first_line(getattr(error, 'orig', None) or error))[:100]}"
        else:
            rows = "1 drawn row does" if count == 1 else f"{count:,} drawn rows do"
            why = f"{rows} not meet it" if count else ""
        if why:
            self.left_out.append(f"{one_line(table.name)}: CHECK ({one_line(check)[:80]}) was left out: {why}.")
        return not why


def _plain(text: str) -> str:
    """A text in which SQLAlchemy finds no parameters."""
    return text.replace(":", "\\:")
