"""Keys between the tables of a database: how they are read, which rows are made by them, and what cannot be."""

# SQLAlchemy is an extra

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.tables.data import DataConfig
from ganvas.tables.several import plan as plans
from ganvas.tables.several import planner
from ganvas.tables.several.plan import Plan
from ganvas.tables.several.schema import from_json

pytestmark = pytest.mark.long


def database(place: Path, *statements: str) -> str:
    """The address of a new database: tables, and 40 rows of each of the statements with '?' in it."""
    connection = sqlite3.connect(place / "x.db")
    for statement in statements:
        if "?" in statement:
            values = [(i + 1,) * statement.count("?") for i in range(40)]
            connection.executemany(statement, values)
        else:
            connection.execute(statement)
    connection.commit()
    connection.close()
    return f"sqlite:///{place / 'x.db'}"


def planned(source: str, **settings: Any) -> Plan:
    return last(planner.make(DataConfig(source=source, **settings)))


def test_a_circle_is_broken_at_the_key_that_may_be_empty(tmp_path: Path) -> None:
    plan = planned(database(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER, b INTEGER NOT NULL REFERENCES b (id))",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, y INTEGER, a INTEGER REFERENCES a (id))",
        "INSERT INTO a VALUES (?, ? % 7, ?)", "INSERT INTO b VALUES (?, ? % 5, ?)",
    ))  # fmt: skip
    assert [(t.name, [tie.role for tie in t.ties]) for t in plan.tables] == [("b", ["late"]), ("a", ["first"])]
    assert any("is a circle of keys: b.a is filled" in note for note in plan.notes)


def test_keys_of_several_columns(tmp_path: Path) -> None:
    plan = planned(database(
        tmp_path,
        "CREATE TABLE a (p INTEGER, q INTEGER, x INTEGER, PRIMARY KEY (p, q))",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, q INTEGER, y INTEGER, "
        "FOREIGN KEY (p, q) REFERENCES a (p, q))",
        "INSERT INTO a VALUES (?, ? % 3, ? % 7)", "INSERT INTO c VALUES (?, ?, ? % 3, ? % 5)",
    ))  # fmt: skip
    assert plan["c"].ties[0].key.columns == ("p", "q")
    assert plan["c"].ties[0].there == 1
    assert plan["c"].joined.first[0].take == ("x",)


def test_two_keys_that_share_a_column_are_refused(tmp_path: Path) -> None:
    source = database(
        tmp_path, "CREATE TABLE a (id INTEGER PRIMARY KEY)", "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, k INTEGER, FOREIGN KEY (k) REFERENCES a (id), "
        "FOREIGN KEY (k) REFERENCES b (id))",
    )  # fmt: skip
    with pytest.raises(UserError, match=r"The table c has two keys that share a column, k -> . \(id\) and k -> "):
        planned(source)


def test_a_key_that_leads_nowhere_is_an_ordinary_column(tmp_path: Path) -> None:
    plan = planned(database(
        tmp_path, "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER, k INTEGER REFERENCES gone (id))",
        "INSERT INTO a VALUES (?, ? % 7, ? % 3)",
    ))  # fmt: skip
    assert plan["a"].ties == ()
    assert any("leads to no table of this database" in note for note in plan.notes)


def test_the_key_by_which_rows_are_made_can_be_said(tmp_path: Path) -> None:
    source = database(
        tmp_path, "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, x TEXT)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a, b INTEGER REFERENCES b, y INTEGER)",
        "INSERT INTO a VALUES (?, ? % 7)", "INSERT INTO b VALUES (?, ? % 7)", "INSERT INTO c VALUES (?, ?, ?, ? % 7)",
    )  # fmt: skip
    assert {tie.key.name: tie.role for tie in planned(source)["c"].ties} == {"a": "first", "b": "other"}
    found = planned(source, parents='{"c": "b"}')
    assert {tie.key.name: tie.role for tie in found["c"].ties} == {"a": "other", "b": "first"}
    with pytest.raises(UserError, match=r"parent\.c=y: rows can be made by: a, b"):
        planned(source, parents='{"c": "y"}')
    with pytest.raises(UserError, match="There is no table 'd'"):
        planned(source, copied="d")
    with pytest.raises(UserError, match="There is no file"):
        planned(f"sqlite:///{tmp_path}/gone.db")
    assert from_json(Plan, json.loads(found.text())) == found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 9}, "has the format 9"),
        ({"tables": []}, "do not match the plan"),
        ({"schema": {"tables": 5}}, "which is not allowed"),
        ({"strange": 1}, "has an entry 'strange'"),
    ],
)
def test_a_damaged_plan_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    found = planned(database(
        tmp_path, "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER)", "INSERT INTO a VALUES (?, ? % 7)"
    ))  # fmt: skip
    (tmp_path / plans.FILE).write_text(json.dumps(json.loads(found.text()) | change))
    with pytest.raises(UserError, match=words):
        plans.read(tmp_path)
    (tmp_path / plans.FILE).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        plans.read(tmp_path)


def test_two_ways_to_the_same_table_have_names_of_their_own(tmp_path: Path) -> None:
    """A prescription leads to its visit, and that to a doctor and to a patient who has a family doctor."""
    plan = planned(database(
        tmp_path,
        "CREATE TABLE doctors (id INTEGER PRIMARY KEY, x INTEGER)",
        "CREATE TABLE patients (id INTEGER PRIMARY KEY, y INTEGER, doctor INTEGER REFERENCES doctors)",
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, z INTEGER, patient INTEGER NOT NULL REFERENCES patients, "
        "doctor INTEGER REFERENCES doctors)",
        "CREATE TABLE drugs (id INTEGER PRIMARY KEY, v INTEGER, visit INTEGER NOT NULL REFERENCES visits)",
        "INSERT INTO doctors VALUES (?, ? % 7)", "INSERT INTO patients VALUES (?, ? % 6, ?)",
        "INSERT INTO visits VALUES (?, ? % 5, ?, 41 - ?)", "INSERT INTO drugs VALUES (?, ? % 5, ?)",
    ))  # fmt: skip
    titles = [title for parent in plan["drugs"].joined.parents for above in parent.above() for title in above.titles()]
    assert len({*titles}) == len(titles)
    assert {"visits.z", "doctors.x", "patients.y", "patients.doctors.x"} <= {*titles}
