"""A training on several tables goes on only with the database that it began with."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

import ganvas as gv
from ganvas.core.errors import UserError
from ganvas.training.events import Stepped, Warned

pytestmark = pytest.mark.long

SCHEMA = """
CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER, y TEXT);
CREATE TABLE b (id INTEGER PRIMARY KEY, z INTEGER, a INTEGER REFERENCES a);
CREATE TABLE c (id INTEGER PRIMARY KEY, v INTEGER);
"""
SETTINGS = {"images": 1_000, "width": 16, "d_width": 16}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and a training that was stopped within its first table."""
    place = tmp_path_factory.mktemp("begun")
    with sqlite3.connect(place / "x.db") as connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO a VALUES (?, ?, ?)", [(i, i % 7, "pqr"[i % 3]) for i in range(60)])
        connection.executemany("INSERT INTO b VALUES (?, ?, ?)", [(i, i % 5, i % 60) for i in range(90)])
        connection.executemany("INSERT INTO c VALUES (?, ?)", [(i, i % 5) for i in range(40)])
    connection.close()
    events = gv.train("table", data=f"sqlite:///{place}/x.db", run=place / "run", **SETTINGS)  # pyright: ignore[reportArgumentType]
    next(event for event in events if isinstance(event, Stepped))
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    return place


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DROP TABLE c", "the table c is gone"),
        ("CREATE TABLE d (id INTEGER)", "the table d is new"),
        ("ALTER TABLE b ADD COLUMN more INTEGER", "the table b now has the column more"),
        ("ALTER TABLE a DROP COLUMN y", "the table a no longer has the column y"),
        ("DROP TABLE c; CREATE TABLE c (id INTEGER PRIMARY KEY, v TEXT)", "in the table c, v is declared otherwise"),
        (
            "DROP TABLE b; CREATE TABLE b (id INTEGER PRIMARY KEY, z INTEGER, a INTEGER)",
            r"the table b no longer has the key a -> a \(id\)",
        ),
        ("CREATE UNIQUE INDEX one ON b (z, a, id)", r"other columns tell the rows apart \(PRIMARY KEY, UNIQUE\)"),
        ("DELETE FROM a WHERE id = 3", "was trained on other rows than"),
    ],
)
def test_a_changed_database_is_refused(begun: Path, tmp_path: Path, change: str, words: str) -> None:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.executescript(change)
    connection.close()
    before = (tmp_path / "run" / "database.json").read_bytes()
    with pytest.raises(UserError, match=words):
        list(gv.train("table", data=f"sqlite:///{tmp_path}/x.db", run=tmp_path / "run", **SETTINGS))  # pyright: ignore[reportArgumentType]
    assert (tmp_path / "run" / "database.json").read_bytes() == before


def test_rows_that_came_since_are_said(begun: Path, tmp_path: Path) -> None:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("INSERT INTO c VALUES (1000, 3)")
    connection.close()
    events = gv.train("table", data=f"sqlite:///{tmp_path}/x.db", run=tmp_path / "run", **SETTINGS)  # pyright: ignore[reportArgumentType]
    said = [event.text for event in events if isinstance(event, Warned)]
    assert any("c has 41 rows now and had 40 when the training began" in text for text in said)
