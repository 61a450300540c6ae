"""A database of the same schema, filled in portions within one transaction."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError
from ganvas.tables import databases, write, write_database
from ganvas.tables.columns import Column
from ganvas.tables.several import declare
from ganvas.tables.several.schema import NUMBERS, OTHER, TEXTS, WHOLE, Schema, SqlColumn, SqlTable

if TYPE_CHECKING:
    import pandas as pd


def check(out: str, schema: Schema) -> None:
    """Can the tables be written there?

    Raises:
        UserError: it is not a database's address, or one of them exists already.
    """
    if not databases.is_address(out):
        raise UserError(f"--out {out}: several tables go into a database: --out sqlite:///twin.db")
    for table in schema.tables:
        write_database.check(out, table.name)


def save(
    out: str, schema: Schema, portions: Callable[[SqlTable], Iterable[pd.DataFrame]],
    columns: Callable[[SqlTable], dict[str, Column]], left_out: list[str] | None = None,
) -> Iterator[int]:  # fmt: skip
    """Write the tables; yields how many rows are written.

    Args:
        portions, columns: the rows of a table, and what its columns are as far as that is known.
        left_out: gets a sentence for each CHECK that drawn rows break or this database does not know.

    Raises:
        UserError: the database refused; nothing is left.
    """
    import sqlalchemy as sql

    check(out, schema)
    done, metadata, targets = 0, sql.MetaData(), {}
    with write_database.transaction(out) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        for table in schema.tables:
            keys = [] if not is_sqlite else [declare.key(key) for key in table.keys]
            targets[table.name] = sql.Table(
                table.name, metadata, *(declare.column(c, table, is_sqlite, metadata) for c in table.columns),
                *(sql.UniqueConstraint(*names) for names in table.unique), *keys,
            )  # fmt: skip
        declare.no_other_types(connection, schema, out)
        metadata.create_all(connection)
        checks = declare.Checks(connection, schema, targets, [] if left_out is None else left_out)
        checks.before()
        for table in schema.tables:
            known = columns(table)
            for frame in portions(table):
                ready = {c.name: _values(frame[c.name], c, known.get(c.name)) for c in table.columns}
                rows = [dict(zip(ready, row, strict=True)) for row in zip(*ready.values(), strict=True)]
                if rows:
                    connection.execute(targets[table.name].insert(), rows)
                done += len(rows)
                yield done
        if not is_sqlite:  # rows may come before those that their keys lead to
            later = [(targets[table.name], declare.key(key)) for table in schema.tables for key in table.keys]
            for target, constraint in later:
                target.append_constraint(constraint)
            for _, constraint in later:
                connection.execute(sql.schema.AddConstraint(constraint))
        checks.after()
        if connection.dialect.name == "postgresql":  # the next number of the database's own comes after these
            for table in schema.tables:
                for column in (column for column in table.columns if column.counted):
                    of = targets[table.name].c[column.name]
                    name = connection.dialect.identifier_preparer.quote(table.name)
                    sequence = sql.func.pg_get_serial_sequence(name, column.name)
                    last = sql.select(sql.func.max(of)).scalar_subquery()
                    connection.execute(sql.select(sql.func.setval(sequence, last)).where(last.is_not(None)))


def _values(series: pd.Series, column: SqlColumn, known: Column | None) -> list[Any]:
    """Values as the declared column takes them; where it must not be empty, an empty text or 0."""
    import datetime

    import pandas as pd
    from pandas.api import types

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype("object")
    missing = series.isna().to_numpy()
    if column.type in TEXTS and known is not None and not types.is_string_dtype(series) and (
        types.is_datetime64_any_dtype(series) or types.is_timedelta64_dtype(series)
        or (types.is_numeric_dtype(series) and not types.is_bool_dtype(series))
    ):  # fmt: skip
        values: list[Any] = [None] * len(series)
        for i, text in zip((~missing).nonzero()[0], write._written(series[~missing], known), strict=True):
            values[i] = text
    else:
        values = write_database.values_of(series)
        values = [None if gone else value for value, gone in zip(values, missing, strict=True)]
        if column.type in TEXTS:
            values = [value if value is None else str(value) for value in values]
        elif column.type == "Date":
            values = [_day(value) for value in values]
        elif column.type == "Time":
            values = [_clock(value) for value in values]
        elif column.type == "DateTime":
            values = [datetime.datetime.fromisoformat(v) if isinstance(v, str) else v for v in values]
        elif column.type in WHOLE:
            values = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    if column.values:
        values = [value if value in column.values else None for value in values]
    if not column.nullable:
        empty = (
            column.values[0]
            if column.values
            else ""
            if column.type in (*TEXTS, OTHER)
            else 0
            if column.type in NUMBERS
            else None
        )
        usual = next((v for v in values if v is not None), empty)
        values = [(empty if column.type in TEXTS and not column.values else usual) if v is None else v for v in values]
    return values


def _day(value: Any) -> Any:
    import datetime

    if isinstance(value, datetime.datetime):
        return value.date()
    return datetime.date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _clock(value: Any) -> Any:
    import datetime

    if isinstance(value, datetime.timedelta):
        return (datetime.datetime.min + value % datetime.timedelta(days=1)).time()
    return datetime.time.fromisoformat(value) if isinstance(value, str) else value
