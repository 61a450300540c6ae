"""What a database does with rows whose key's row is deleted or changed, kept in the drawn one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

from ganvas.core.errors import UserError
from ganvas.tables import databases
from ganvas.tables.several import reflect, write
from ganvas.tables.several import schema as schemas
from ganvas.tables.several.schema import Key, Schema

TABLES = """
CREATE TABLE a (id INTEGER PRIMARY KEY);
CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id) ON DELETE CASCADE ON UPDATE SET NULL,
                other INTEGER REFERENCES a (id));
"""


def read(place: Path) -> Schema:
    with databases.reading(f"sqlite:///{place}", "was lost") as (_, connection):
        return reflect.read(connection)


def actions(place: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(place)
    rows = connection.execute("SELECT \"from\", on_delete, on_update FROM pragma_foreign_key_list('b')").fetchall()
    connection.close()
    return sorted(rows)


def test_on_delete_and_on_update_are_kept(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(TABLES)
    connection.close()
    found = schemas.from_json(Schema, schemas.to_json(read(tmp_path / "shop.db")))
    list(write.save(f"sqlite:///{tmp_path}/twin.db", found, lambda table: [], lambda table: {}))
    assert actions(tmp_path / "twin.db") == actions(tmp_path / "shop.db")
    assert actions(tmp_path / "twin.db")[0] == ("a", "CASCADE", "SET NULL")


def test_an_older_run_that_knows_no_actions_goes_on() -> None:
    assert Key(("a",), "a", ("id",), "CASCADE") == Key(("a",), "a", ("id",))
    with pytest.raises(UserError, match="has an unknown action"):
        Key(("a",), "a", ("id",), "DROP TABLE a")


def test_a_key_of_two_columns_keeps_its_actions(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(
        "CREATE TABLE a (x INTEGER, y INTEGER, PRIMARY KEY (x, y));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, x INTEGER, y INTEGER, "
        "FOREIGN KEY (x, y) REFERENCES a (x, y) ON UPDATE CASCADE ON DELETE SET NULL);"
    )
    connection.close()
    list(write.save(f"sqlite:///{tmp_path}/twin.db", read(tmp_path / "shop.db"), lambda table: [], lambda table: {}))
    assert actions(tmp_path / "twin.db") == [("x", "SET NULL", "CASCADE"), ("y", "SET NULL", "CASCADE")]
