"""Tables in databases, by SQLAlchemy: read in portions within one transaction, that is, as of one moment."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError, first_line, unknown
from ganvas.core.text import one_line

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import URL, Connection, Engine

    from ganvas.tables.several.joined import Joined

PORTION = 50_000  # rows at a time
DRIVERS = {  # what to install where a driver is missing
    "postgresql": "psycopg[binary]", "mysql": "pymysql", "mariadb": "pymysql", "mssql": "pyodbc", "oracle": "oracledb",
}  # fmt: skip


def is_address(source: str) -> bool:
    """Is this a database's address, such as sqlite:///shop.db?"""
    return re.match(r"[A-Za-z][\w+.-]*://", source) is not None


def url_of(source: str) -> URL:
    """The address of a database; of a file of SQLite with its whole path.

    Raises:
        UserError: it is not a database, SQLAlchemy is missing, or there is no such file.
    """
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError as error:
        raise UserError("Databases need SQLAlchemy: pip install 'ganvas[tables]'") from error
    try:
        url = make_url(source)
    except (ArgumentError, ValueError) as error:
        scheme = source.partition("://")[0][:40]
        raise UserError(f"This is not the address of a database: {scheme}://... ({first_line(error)[:80]}).") from error
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        url = url.set(database=os.path.abspath(os.path.expanduser(url.database)))
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url


def shown(source: str) -> str:
    """The address without its password, for people and for files."""
    with contextlib.suppress(UserError, ValueError):
        return url_of(source)._replace(password=None).render_as_string()
    return re.sub(r"//[^/]*@", "//", source)


def told(source: str) -> str:
    """As `shown`, for people: a file of SQLite below the folder that one works in has its short path."""
    text = shown(source)
    start, here = "sqlite:///", os.path.join(os.getcwd(), "")
    return start + text[len(start + here) :] if text.startswith(start + here) else text


class Opened:
    """A database within one transaction that only reads."""

    def __init__(self, source: str) -> None:
        """
        Args:
            source: the database's address.

        Raises:
            UserError: it cannot be reached.
        """
        self.url = url_of(source)
        self.place = told(source)
        self.rows: int | None = None
        self.done = 0
        self.engine = self._engine()
        self.connection: Connection | None = None
        try:
            with self.heard("cannot be reached"):
                self.connection = self._begin()
        except UserError:
            self.close()
            raise

    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        backend = self.url.get_backend_name()
        path = self.url.database or ""
        if backend == "sqlite" and not path.startswith((":memory:", "file:")) and not os.path.isfile(path):
            raise UserError(f"There is no file {path or 'in ' + self.place}.")  # SQLite would make an empty one
        try:
            return create_engine(self.url)
        except ImportError as error:
            package = DRIVERS.get(backend, "its driver")
            raise UserError(f"{backend} needs a driver that is not installed: pip install '{package}'.") from error
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise UserError(f"{self.place} is not the address of a database: {first_line(error)[:120]}.") from error

    def _begin(self) -> Connection:
        """A connection in a transaction that only reads and sees one state of the table, where the database can."""
        backend = self.url.get_backend_name()
        if backend == "sqlite":
            connection = self.engine.connect()
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.rollback()
            connection.exec_driver_sql("BEGIN")
            return connection
        options: dict[str, Any] = (
            {"isolation_level": "REPEATABLE READ"} if backend in ("postgresql", "mysql", "mariadb") else {}
        )
        if backend == "postgresql":
            options["postgresql_readonly"] = True
        connection = self.engine.connect().execution_options(**options)
        if backend == "postgresql":  # else a large table may begin where another query is
            connection.exec_driver_sql("SET LOCAL synchronize_seqscans = off")
        return connection

    @contextlib.contextmanager
    def heard(self, what: str) -> Iterator[None]:
        """A context in which what the database complains of becomes a sentence."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except SQLAlchemyError as error:
            reason = first_line(getattr(error, "orig", None) or error)[:200]
            after = f" after {self.done:,} of {self.rows or 0:,} rows" if what == "was lost" else ""
            self.close()
            raise UserError(
                f"The database {self.place} {what}{after}: {one_line(reason).rstrip('.')}. No table was written; "
                "start again when it answers."
            ) from error
        except ImportError as error:
            package = DRIVERS.get(self.url.get_backend_name(), "its driver")
            raise UserError(f"{self.place} needs a driver that is not installed: pip install '{package}'.") from error

    def close(self) -> None:
        """End the transaction."""
        if self.connection is not None:
            raw = None
            with contextlib.suppress(Exception):  # the server may be gone
                raw = self.connection.connection.dbapi_connection
            for each in (self.connection, raw):
                with contextlib.suppress(Exception):
                    if each is not None:
                        each.close()
        self.engine.dispose()


@contextlib.contextmanager
def reading(source: str, what: str) -> Iterator[tuple[Opened, Connection]]:
    """A database that is open as long as the context lasts.

    Args:
        source: its address.
        what: an error that it raises within the context means, as "was lost".

    Raises:
        UserError: it cannot be reached, or such an error.
    """
    opened = Opened(source)
    try:
        with opened.heard(what):
            assert opened.connection is not None
            yield opened, opened.connection
    finally:
        opened.close()


class Database(Opened):
    """One table of a database, alone or joined with those that it hangs together with."""

    def __init__(self, source: str, table: str = "", joined: Joined | None = None, most: int = 0) -> None:
        """
        Args:
            source: the database's address.
            table: its table's or view's name, with its schema before a point where it needs one; '': the only one.
            joined: what is read besides its own columns, and which of these are not.
            most: rows that are read at most; 0: all.

        Raises:
            UserError: it cannot be reached, or has no such table.
        """
        super().__init__(source)
        self.name = table or Path(self.url.database or "database").stem
        self.notes: list[str] = []
        self.joined, self.most = joined, most
        try:
            with self.heard("cannot be reached"):
                self.table = self._found(table)
                self.name = self.table.name
                self.rows = self._count()
        except UserError:
            self.close()
            raise

    def _found(self, table: str) -> Any:
        """The table, with its columns as the database declares them."""
        import warnings

        from sqlalchemy import MetaData, Table, inspect

        assert self.connection is not None
        looked = inspect(self.connection)
        schema, _, bare = table.rpartition(".") if table not in looked.get_table_names() else ("", "", table)
        names = [*looked.get_table_names(schema or None), *looked.get_view_names(schema or None)]
        if not table:
            if len(names) != 1:
                listed = ", ".join(map(one_line, sorted(names)[:20]))
                raise UserError(f"{self.place} has {len(names)} tables ({listed}): choose one with --table NAME.")
            bare = names[0]
        if bare not in names:
            raise unknown(f"table in {self.place}", bare, names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know: they come as text
            return Table(bare, MetaData(), schema=schema or None, autoload_with=self.connection, resolve_fks=False)

    def _count(self) -> int:
        from sqlalchemy import func, select

        assert self.connection is not None
        return int(self.connection.execute(select(func.count()).select_from(self.table)).scalar_one())

    def portions(self) -> Iterator[pd.DataFrame]:
        """The rows, in the order of the primary key where there is one.

        Raises:
            UserError: the connection is lost, or the table has other rows than in the beginning.
        """
        import pandas as pd
        from sqlalchemy import select

        assert self.connection is not None
        self.done = 0
        with self.heard("was lost"):
            if self.joined is None:
                query = select(self.table).order_by(*self.table.primary_key.columns)
            else:
                query = self.joined.select(self.table, self.connection)
            if self.most:
                query = query.limit(self.most)
            names = [column.name for column in query.selected_columns]
            result = self.connection.execution_options(stream_results=True, yield_per=PORTION).execute(query)
            for part in result.partitions(PORTION):
                self.done += len(part)
                yield pd.DataFrame([tuple(row) for row in part], columns=names)
            if not self.most:
                self._check(self._count())

    def _check(self, after: int) -> None:
        if after != self.rows or self.done != self.rows:
            now = after if after != self.rows else self.done
            raise UserError(
                f"The table {self.name} of {self.place} changes while it is read: {self.rows:,} rows at first, "
                f"{now:,} now. Read it when nothing writes to it, or read a copy."
            )
