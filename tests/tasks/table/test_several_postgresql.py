"""All tables of a PostgreSQL database in, and their twin out into PostgreSQL, with a server of the test's own."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOptionalSubscript=false, reportGeneralTypeIssues=false

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ganvas
from postgresql import running

pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

pytestmark = pytest.mark.long

SCHEMA = """
CREATE TYPE plan AS ENUM ('free', 'gold');
CREATE TABLE customers (
    id SERIAL PRIMARY KEY, uid UUID NOT NULL UNIQUE, phone VARCHAR(6) NOT NULL UNIQUE,
    plan plan NOT NULL DEFAULT 'free', old plan,
    vip BOOLEAN NOT NULL DEFAULT false, credit NUMERIC(10, 2) DEFAULT 0.5 CHECK (credit >= 0 AND credit < 1000.5),
    score DOUBLE PRECISION, born DATE, since TIMESTAMPTZ NOT NULL,
    note TEXT DEFAULT 'a: %b', extra JSONB, CHECK (plan = 'free' OR plan = ANY (ARRAY['gold'::plan]))
);
CREATE TABLE orders (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
    placed TIMESTAMP NOT NULL, slot TIME, wait INTERVAL, referrer INTEGER REFERENCES customers
);
CREATE TABLE subscriptions (
    customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, kind CHAR(2) NOT NULL, price NUMERIC(6, 2),
    CONSTRAINT known CHECK (kind IN ('A1', 'B2', 'C3')),
    UNIQUE (customer_id, kind)
);
"""
TYPES = {
    "customers": [
        "integer", "uuid", "character varying", "USER-DEFINED", "USER-DEFINED", "boolean", "numeric",
        "double precision", "date", "timestamp with time zone", "text", "text",
    ],
    "orders": ["bigint", "integer", "timestamp without time zone", "time without time zone", "interval", "integer"],
    "subscriptions": ["integer", "character varying", "numeric"],
}  # fmt: skip


def fill(connection: Any) -> None:
    """200 customers with orders and subscriptions."""
    chance = random.Random(0)
    connection.execute(SCHEMA)
    customers, orders, subscriptions = [], [], []
    for i in range(200):
        day = f"2022-{i % 12 + 1:02d}-{i % 28 + 1:02d}"
        customers.append((
            f"{i:08x}-0000-4000-8000-{chance.randrange(16**12):012x}", f"9{i:05d}", chance.choice(["free", "gold"]),
            i % 3 == 0, None if i % 7 == 0 else i * 2.25, chance.gauss(0, 1), f"19{i % 40 + 50}-03-0{i % 9 + 1}",
            f"{day} {i % 24:02d}:15:00+02", f"came by way {i}", '{"a": 1}',
        ))  # fmt: skip
        for _ in range(chance.randint(0, 3)):
            time = f"{chance.randint(8, 18):02d}:{chance.choice(['00', '30'])}"
            referrer = chance.randint(1, 200) if i % 2 else None
            orders.append((i + 1, f"2023{day[4:]} {time}:07", time, f"{chance.randint(1, 9) * 10} minutes", referrer))
        subscriptions += [(i + 1, kind, chance.randint(1, 9) * 1.5) for kind in ["A1", "B2", "C3"][: i % 4]]
    tables = {
        "customers (uid, phone, plan, vip, credit, score, born, since, note, extra)": customers,
        "orders (customer_id, placed, slot, wait, referrer)": orders, "subscriptions": subscriptions,
    }  # fmt: skip
    for name, rows in tables.items():
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
    connection.commit()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server's databases; `shop` is filled, `twin` and `other` are empty."""
    with running() as server:
        import psycopg

        address = server.address.removesuffix("/postgres")
        with psycopg.connect(server.address, autocommit=True) as connection:
            for name in ("shop", "twin", "other"):
                connection.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(f"{address}/shop") as connection:
            fill(connection)
        yield address


@pytest.fixture(scope="module")
def run(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on all tables, by its command."""
    place = tmp_path_factory.mktemp("runs")
    shop = address.replace("postgresql:", "postgresql+psycopg:") + "/shop"
    done = ganvas("train", "table", "--data", shop, "--run", "run", "images=1500", "width=16", "d_width=16", cwd=place)
    assert done.returncode == 0, done.stderr
    assert not [path for path in place.rglob("*.json") if "s3cret" in path.read_text()]
    return place / "run"


def test_the_twin_is_drawn_into_postgresql(run: Path, address: str) -> None:
    import psycopg

    done = ganvas("sample", "run", "--out", f"{address}/twin", "--seed", "1", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout
    with psycopg.connect(f"{address}/twin") as twin, psycopg.connect(f"{address}/shop") as shop:
        for table, types in TYPES.items():
            columns = ("SELECT data_type, is_nullable, column_name, numeric_precision, numeric_scale FROM "
                       "information_schema.columns WHERE table_name = %s ORDER BY ordinal_position")  # fmt: skip
            made, real = (connection.execute(columns, [table]).fetchall() for connection in (twin, shop))
            assert [row[0] for row in made] == types
            assert [row[1:] for row in made] == [row[1:] for row in real]
            kept = ("SELECT column_name, column_default FROM information_schema.columns WHERE table_name = %s AND "
                    "column_default NOT LIKE 'nextval%%' ORDER BY 1")  # fmt: skip
            defaults = [
                [(name, text.split("::")[0].strip("'")) for name, text in connection.execute(kept, [table]).fetchall()]
                for connection in (twin, shop)
            ]
            assert defaults[0] == defaults[1]
            assert len(defaults[0]) == {"customers": 4}.get(table, 0)
        assert twin.execute("SELECT enum_range(NULL::plan)::text").fetchone() == ("{free,gold}",)
        assert twin.execute("SELECT count(*) FROM customers WHERE plan = 'gold'").fetchone()[0] > 20
        keys = (
            "SELECT conrelid::regclass::text, contype, confdeltype, confupdtype FROM pg_constraint "
            "WHERE contype IN ('f', 'u', 'p', 'c') ORDER BY 1, 2, 3, 4"
        )
        assert twin.execute(keys).fetchall() == shop.execute(keys).fetchall()
        assert twin.execute("SELECT count(*), count(DISTINCT uid), min(length(phone)), max(length(phone)) FROM "
                            "customers").fetchone() == (200, 200, 6, 6)  # fmt: skip
        counts = twin.execute("SELECT count(*), count(referrer) FROM orders").fetchone()
        assert counts[0] > 100
        assert 0.2 < counts[1] / counts[0] < 0.8
        (common,) = twin.execute("SELECT count(*) FROM subscriptions").fetchone()
        assert common > 150
        slots = twin.execute("SELECT min(slot)::text, max(slot)::text FROM orders").fetchone()
        assert slots[0] >= "08:00:00"
        assert slots[1] <= "18:30:00"
        for table in ("customers", "orders"):  # the next number comes after those drawn
            row = {"customers": "(uid, phone, plan, vip, since) SELECT gen_random_uuid(), '1', 'free', true, now()",
                   "orders": "(customer_id, placed) SELECT min(id), now() FROM customers"}[table]  # fmt: skip
            (highest,) = twin.execute(f"SELECT max(id) FROM {table}").fetchone()
            assert twin.execute(f"INSERT INTO {table} {row} RETURNING id").fetchone() == (highest + 1,)


def test_what_is_there_already_is_kept(run: Path, address: str) -> None:
    import psycopg

    with psycopg.connect(f"{address}/other") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    done = ganvas("sample", "run", "--out", f"{address}/other", cwd=run.parent)
    assert done.returncode == 2
    assert "already has a table orders" in done.stderr
    with psycopg.connect(f"{address}/other") as connection:
        tables = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        assert tables.fetchall() == [("orders",)]


def test_the_twin_of_postgresql_can_be_drawn_into_sqlite(run: Path) -> None:
    done = ganvas("sample", "run", "--out", "sqlite:///twin.db", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(run.parent / "twin.db") as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert len(connection.execute("SELECT uid FROM customers").fetchone()[0]) == 36
    connection.close()


def test_an_enumeration_that_is_another_there_is_left_alone(run: Path, address: str) -> None:
    import psycopg

    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE typed")
    with psycopg.connect(f"{address}/typed") as connection:
        connection.execute("CREATE TYPE plan AS ENUM ('silver')")
    done = ganvas("sample", "run", "--out", f"{address}/typed", cwd=run.parent)
    assert done.returncode == 2
    assert "has a type plan with other values already" in done.stderr
    with psycopg.connect(f"{address}/typed") as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
