"""Tables in databases: SQLite, and PostgreSQL with a server of the test's own."""

# ruff: noqa: E402  # pandas is an extra
# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql import Server, running

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("pyarrow", reason="needs the extra `tables`")
sqlalchemy = pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

from ganvas import api
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.tables import databases, pack, read
from ganvas.tables.data import DataConfig, TableData

pytestmark = pytest.mark.long

ORDERS = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total NUMERIC(10, 2), placed TIMESTAMP, day DATE,
                     paid BOOLEAN, zip VARCHAR(10), note TEXT)
"""


def fill(connection: Any, count: int, mark: str = "?") -> None:
    """The table `orders` with so many rows."""
    cursor = connection.cursor()
    cursor.execute(ORDERS)
    rows = [
        (i, i % 30, round(i % 77 * 1.25, 2), f"2024-0{i % 9 + 1}-11 {i % 24:02d}:30:00", f"2024-0{i % 9 + 1}-17",
         i % 3 == 0, f"0{i % 40 + 1000}", None if i % 5 else f"came late {i}")
        for i in range(count)
    ]  # fmt: skip
    cursor.executemany(f"INSERT INTO orders VALUES ({', '.join([mark] * 8)})", rows)
    connection.commit()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A database of SQLite with 400 orders."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        fill(connection, 400)
    connection.close()
    return tmp_path / "shop.db"


def data(source: str, **settings: Any) -> TableData:
    return last(DataConfig(source=source, **settings).loading())


def kinds(found: TableData) -> dict[str, str]:
    return {column.name: f"{column.kind} {column.type}" for column in found.spec.columns}


EXPECTED = {
    "id": "id int",
    "customer": "number int",
    "total": "number float",
    "placed": "date time",
    "day": "date date",
    "paid": "category bool",
    "zip": "category text",
    "note": "text text",
}


def test_a_table_of_sqlite(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.read_bytes()
    found = data(f"sqlite:///{shop}", table="orders")
    assert kinds(found) | {"note": "text text"} == EXPECTED
    assert found.name == "orders"
    assert len(found.train.samples) + len(found.held_out.samples) == 400
    assert data(f"sqlite:///{shop}").fingerprint == found.fingerprint  # its only table
    monkeypatch.chdir(shop.parent)
    assert data("sqlite:///shop.db").fingerprint == found.fingerprint
    assert shop.read_bytes() == before
    assert [p.name for p in shop.parent.iterdir()] == ["shop.db"]


def test_an_address_is_not_taken_for_a_path(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.parent)
    experiment = api.experiment("table", "sqlite:///shop.db", {"table": "orders"})
    assert experiment.data.source == "sqlite:///shop.db"
    assert experiment.to_dict()["data"]["source"] == f"sqlite:///{shop}"  # a resume finds it from anywhere


def test_a_password_is_kept_nowhere() -> None:
    experiment = api.experiment("table", "postgresql://me:s3cret@host/shop", {"table": "orders"})
    assert "s3cret" not in str(experiment.to_dict())
    assert experiment.to_dict()["data"]["source"] == "postgresql+psycopg://me@host/shop"
    assert "s3cret" not in databases.shown("postgresql://me:s3cret@host/shop")
    assert experiment.data.source == "postgresql://me:s3cret@host/shop"


def test_what_is_no_table_is_refused(shop: Path) -> None:
    address = f"sqlite:///{shop}"
    with pytest.raises(UserError, match=r"There is no table in .* 'order'\. Did you mean 'orders'"):
        data(address, table="order")
    with pytest.raises(UserError, match=r"There is no file .*gone\.db"):
        data(f"sqlite:///{shop.parent}/gone.db", table="orders")
    assert not (shop.parent / "gone.db").exists()
    odd = shop.parent / "a?b.db"
    odd.write_bytes(shop.read_bytes())
    with pytest.raises(UserError, match="rename it"):
        data(str(odd), table="orders")
    with pytest.raises(UserError, match="not the address of a database"):
        data("klingon://host/db", table="x")
    (shop.parent / "words.db").write_text("no database " * 500)
    with pytest.raises(UserError, match="cannot be reached: file is not a database"):
        data(f"sqlite:///{shop.parent}/words.db", table="x")
    with sqlite3.connect(shop) as connection:
        connection.execute("CREATE TABLE items (id INTEGER)")
        connection.execute("CREATE VIEW large AS SELECT customer, total FROM orders WHERE total > 20")
    connection.close()
    with pytest.raises(UserError, match=r"has 3 tables \(items, large, orders\): choose one with --table NAME"):
        data(address)
    with pytest.raises(UserError, match=r"items has columns \(id\) but no rows|items has no rows"):
        data(address, table="items")
    assert kinds(data(address, table="large")) == {"customer": "number int", "total": "number float"}


def test_a_table_that_changes_while_it_is_read_is_refused(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read.DatabaseTable(f"sqlite:///{shop}", "orders")
    counts = iter([401])
    monkeypatch.setattr(table, "_count", lambda: next(counts))
    with pytest.raises(UserError, match=r"orders of sqlite:.* changes while it is read: 400 rows at first, 401 now"):
        list(table.portions())
    table.close()


def test_what_is_written_meanwhile_is_not_seen(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PORTION", 100)
    with sqlite3.connect(shop) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    table = read.DatabaseTable(f"sqlite:///{shop}", "orders")
    counts = []
    for frame in table.portions():
        counts.append(len(frame))
        with sqlite3.connect(shop) as connection:
            connection.execute("INSERT INTO orders (id, total) VALUES (?, 1)", [10_000 + len(counts)])
        connection.close()
    assert counts == [100] * 4
    table.close()


def test_rows_come_in_portions_and_the_same_tokens(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = data(f"sqlite:///{shop}", table="orders")
    monkeypatch.setattr(databases, "PORTION", 37)
    assert data(f"sqlite:///{shop}", table="orders").fingerprint == whole.fingerprint


# PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        import psycopg

        with psycopg.connect(started.address) as connection:
            fill(connection, 3_000, "%s")
            connection.execute("CREATE SCHEMA crm")
            connection.execute("CREATE TABLE crm.people AS SELECT customer, zip, now() - placed AS since FROM orders")
            connection.execute("ALTER TABLE crm.people ADD COLUMN at TIMESTAMPTZ, ADD COLUMN tags TEXT[]")
            connection.execute("UPDATE crm.people SET tags = ARRAY['a', zip], at = '2024-03-31 01:00+01'")
        yield started


def test_a_table_of_postgresql(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data(server.address, table="orders")
    assert kinds(found) == EXPECTED
    assert len(found.train.samples) + len(found.held_out.samples) == 3_000
    monkeypatch.setattr(databases, "PORTION", 211)
    monkeypatch.setattr(pack, "sample_size", lambda _: 1_000)  # so that it is read twice
    again = data(server.address, table="orders")
    assert len(again.train.samples) == len(found.train.samples)
    assert again.fingerprint == data(server.address, table="orders").fingerprint
    people = data(server.address, table="crm.people")
    assert kinds(people)["zip"] == "category text"
    assert kinds(people)["at"].startswith("constant")
    with pytest.raises(UserError, match="There is no table in postgresql"):
        data(server.address, table="crm.gone")


def test_what_is_written_meanwhile_is_not_seen_in_postgresql(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr(databases, "PORTION", 500)
    table = read.DatabaseTable(server.address, "orders")
    counts = []
    for _ in range(2):
        for frame in table.portions():
            counts.append(len(frame))
            with psycopg.connect(server.address) as connection:
                connection.execute("INSERT INTO orders (id, total) VALUES (%s, 1)", [10_000 + len(counts)])
    assert counts == [500] * 12
    table.close()
    with psycopg.connect(server.address) as connection:
        connection.execute("DELETE FROM orders WHERE id >= 10000")


def test_a_wrong_password_or_database_is_said_without_the_password(server: Server) -> None:
    with pytest.raises(UserError, match=r"cannot be reached: .*gone.* does not exist") as caught:
        data(server.address.replace("/postgres", "/gone"), table="orders")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be reached: "):
        data("postgresql://me:s3cret@127.0.0.1:1/shop", table="orders")


@pytest.mark.filterwarnings("ignore:.*while still open:ResourceWarning")  # psycopg cannot close what is gone
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_goes_away_in_the_middle(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Last, since the server is stopped."""
    monkeypatch.setattr(databases, "PORTION", 100)
    table = read.DatabaseTable(server.address, "orders")
    portions = table.portions()
    next(portions)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopping.join()
    with pytest.raises(UserError, match=r"The database postgresql.* was lost after [\d,]+ of 3,000 rows: ") as caught:
        list(portions)
    assert "No table was written; start again when it answers." in str(caught.value)
    assert "s3cret" not in str(caught.value)
    del caught, portions, table
    gc.collect()  # so that what psycopg warns of is heard here
