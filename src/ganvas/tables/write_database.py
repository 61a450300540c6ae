"""Rows written into a table of a database, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ganvas.core.errors import UserError, first_line
from ganvas.core.text import one_line
from ganvas.tables import databases
from ganvas.tables.columns import Column
from ganvas.tables.rows import plain
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection


def check(address: str, table: str, force: bool = False) -> None:
    """Can rows be written into this table? See `write.check`."""
    engine = _engine(address)
    try:
        with _heard(address):
            path = engine.url.database or ""
            new = engine.url.get_backend_name() == "sqlite" and not os.path.exists(path)
            if not new and not force and _exists(engine, table):
                raise UserError(
                    f"{databases.told(address)} already has a table {table}. Choose another --table, or --force to "
                    "replace it."
                )
    finally:
        engine.dispose()


def _exists(engine: Any, table: str) -> bool:
    from sqlalchemy import inspect

    schema, _, bare = table.rpartition(".")
    return bool(inspect(engine).has_table(bare, schema=schema or None))


def _engine(address: str) -> Any:
    url = databases.url_of(address)  # says what to install where SQLAlchemy is missing
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        return create_engine(url)
    except ImportError as error:
        package = databases.DRIVERS.get(url.get_backend_name(), "its driver")
        raise UserError(
            f"{databases.told(address)} needs a driver that is not installed: pip install '{package}'."
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise UserError(
            f"{databases.told(address)} is not the address of a database: {first_line(error)[:120]}."
        ) from error


@contextmanager
def _heard(address: str) -> Iterator[None]:
    """A context in which what the database complains of becomes a sentence."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        reason = one_line(first_line(getattr(error, "orig", None) or error)[:200]).rstrip(".")
        raise UserError(
            f"The database {databases.told(address)} cannot be written: {reason}. It was not changed."
        ) from error


@contextmanager
def transaction(address: str) -> Iterator[Connection]:
    """A connection to a database in one transaction, committed at the end; a new file of SQLite goes where it fails."""
    engine = _engine(address)
    is_sqlite = engine.url.get_backend_name() == "sqlite"
    path = Path(engine.url.database or "") if is_sqlite else None
    new, whole = path is not None and not path.exists(), False
    try:
        with _heard(address), engine.connect() as connection:
            if is_sqlite:  # else the driver begins a transaction only after the table is made
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        whole = True
    finally:
        engine.dispose()
        if new and not whole and path is not None:
            path.unlink(missing_ok=True)


def save(address: str, portions: Iterable[pd.DataFrame], spec: TableSpec, table: str) -> Iterator[int]:
    """Make the table anew and fill it, in one transaction."""
    import sqlalchemy as sql

    schema, _, bare = table.rpartition(".")
    columns = [sql.Column(column.name, _sql_type(column, sql)) for column in spec.columns]
    target = sql.Table(bare, sql.MetaData(), *columns, schema=schema or None)
    done = 0
    with transaction(address) as connection:
        target.drop(connection, checkfirst=True)
        target.create(connection)
        for portion in portions:
            rows = _records(plain(portion, spec))
            connection.execute(target.insert(), rows)
            done += len(rows)
            yield done


def _sql_type(column: Column, sql: Any) -> Any:
    if column.kind == "date":
        return sql.Date() if column.type == "date" and not column.zone else sql.DateTime(timezone=bool(column.zone))
    if column.type == "clock":
        return sql.Time()
    if column.type == "span":
        return sql.Interval()
    if column.kind == "text" or (column.kind == "constant" and not column.value):
        return sql.Text()
    return {"int": sql.BigInteger(), "float": sql.Float(53), "bool": sql.Boolean()}.get(column.type, sql.Text())


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as drivers take them: Python's own values, None for missing ones."""
    columns = {name: values_of(cast("pd.Series", frame[name])) for name in frame}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values_of(series: pd.Series) -> list[Any]:
    """A column as drivers take it: Python's own values, None for missing ones."""
    import pandas as pd
    from pandas.api import types

    missing = series.isna().to_numpy()
    if types.is_datetime64_any_dtype(series):
        values = [None if gone else value.to_pydatetime() for value, gone in zip(series, missing, strict=True)]
    elif types.is_timedelta64_dtype(series):
        values = [None if gone else value.to_pytimedelta() for value, gone in zip(series, missing, strict=True)]
    else:
        values = series.astype("object").tolist()
        if missing.any():
            values = [None if gone else value for value, gone in zip(values, missing, strict=True)]
    return values if not isinstance(values, pd.Series) else values.tolist()
