"""CHECK conditions, default values and enumerations of a database, kept in the drawn one as far as they are safe."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

from ganvas.core.errors import UserError
from ganvas.tables import databases
from ganvas.tables.several import reflect, terms_of_sql, write
from ganvas.tables.several import schema as schemas
from ganvas.tables.several.schema import Schema, SqlColumn, SqlTable

TABLES = """
CREATE TABLE a (
    id INTEGER PRIMARY KEY, "the %: price" REAL DEFAULT 1.5 CHECK ("the %: price" > 0), -- CHECK (id > 5)
    state VARCHAR(9) NOT NULL DEFAULT 'it''s', on_ BOOLEAN DEFAULT 1, day DATE DEFAULT CURRENT_DATE,
    seen DATETIME DEFAULT (datetime('now', 'localtime')), data JSON,
    CONSTRAINT known CHECK (state IN ('new', 'it''s', '12:30 %d')), CHECK (unicode(state) > 3)
);
CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a (id) ON DELETE CASCADE, CHECK (a <> id));
"""


def made(place: Path, tables: str = TABLES) -> Schema:
    connection = sqlite3.connect(place)
    connection.executescript(tables)
    connection.close()
    with databases.reading(f"sqlite:///{place}", "was lost") as (_, connection):
        return reflect.read(connection)


def rows(states: list[str], links: list[int]) -> Callable[[SqlTable], list[Any]]:
    import pandas as pd

    count = len(states)
    day = pd.Timestamp("2020-01-02")
    a = {"id": range(1, count + 1), "the %: price": 2.5, "state": states, "on_": True, "day": day, "seen": day,
         "data": None}  # fmt: skip
    frames = {"a": pd.DataFrame(a), "b": pd.DataFrame({"id": range(1, len(links) + 1), "a": links})}
    return lambda table: [frames[table.name]]


def test_what_is_kept_of_a_schema_and_what_is_not(tmp_path: Path) -> None:
    found = made(tmp_path / "shop.db")
    assert found["a"].checks == ('"the %: price" > 0', "\"state\" IN ( 'new' , 'it''s' , '12:30 %d' )")
    assert [found["a"].column(n).default for n in ("the %: price", "state", "on_", "day", "seen")] == [
        "1.5", "'it''s'", "true", "CURRENT_DATE", "",
    ]  # fmt: skip
    assert len(found.notes) == 2  # what is not read is said by the plan
    assert "default datetime('now', 'localtime') of seen is not kept" in found.notes[0]
    assert "CHECK (unicode ( state ) > 3) is not kept" in found.notes[1]
    assert schemas.from_json(Schema, json.loads(json.dumps(schemas.to_json(found)))) == found


def test_conditions_and_defaults_hold_in_the_drawn_database(tmp_path: Path) -> None:
    found, left = made(tmp_path / "shop.db"), []
    read = schemas.from_json(Schema, json.loads(json.dumps(schemas.to_json(found))))
    drawn = rows(["new", "12:30 %d"], [2, 1])
    list(write.save(f"sqlite:///{tmp_path}/twin.db", read, drawn, lambda table: {}, left))
    assert not left
    connection = sqlite3.connect(tmp_path / "twin.db")
    connection.execute("INSERT INTO a (id) VALUES (7)")
    new = connection.execute('SELECT "the %: price", state, on_, day = CURRENT_DATE FROM a WHERE id = 7').fetchone()
    assert new == (1.5, "it's", 1, 1)
    for wrong in ("a (id, state) VALUES (8, 'odd')", 'a (id, "the %: price") VALUES (8, 0)', "b VALUES (9, 9)"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute(f"INSERT INTO {wrong}")
    connection.close()
    again = made(tmp_path / "twin.db", "")
    assert [table.keys for table in again.tables] == [table.keys for table in found.tables]
    assert [c.default for c in again["a"].columns] == [c.default for c in found["a"].columns]
    assert [table.checks for table in again.tables] == [table.checks for table in found.tables]


def test_a_condition_that_drawn_rows_break_is_left_out_and_said_and_no_row_is_lost(tmp_path: Path) -> None:
    found, left = made(tmp_path / "shop.db"), []
    drawn = rows(["new", "odd", "odd"], [2, 2])
    list(write.save(f"sqlite:///{tmp_path}/twin.db", found, drawn, lambda table: {}, left))
    assert left == [
        "a: CHECK (\"state\" IN ( 'new' , 'it''s' , '12:30 %d' )) was left out: 2 drawn rows do not meet it.",
        'b: CHECK ("a" <> "id") was left out: 1 drawn row does not meet it.',
    ]
    again = made(tmp_path / "twin.db", "")
    assert [table.rows for table in again.tables] == [3, 2]
    assert [table.checks for table in again.tables] == [('"the %: price" > 0',), ()]
    assert [c.default for c in again["a"].columns] == [c.default for c in found["a"].columns]
    assert again["b"].keys == found["b"].keys
    assert again["b"].keys[0].deleted == "CASCADE"


@pytest.mark.parametrize(
    "text",
    [
        "id > 0) ; DROP TABLE a ; --", "id > ( SELECT 1 )", "pg_sleep ( 9 ) > id", "load_extension ( 'x' )",
        "id > $$1$$", "other > 1", '"other" > 1',
        "id = E'\\x'", "id > 1 )", "( id > 1", "id > 'a", "id = '\\'", "id :: regclass > 1",
    ],
)  # fmt: skip
def test_a_condition_of_a_run_that_is_more_than_one_is_refused(text: str) -> None:
    assert terms_of_sql.condition(text, ["id"]) == ""
    with pytest.raises(UserError, match="CHECK that cannot be kept"):
        SqlTable("a", 0, (SqlColumn("id", "Integer"),), checks=(text,))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1; DROP TABLE a", "Integer"), ("'a'; DROP", "Text"), ("pg_sleep(9)", "Integer"), ("'a' || b", "Text"),
     ("'a\\'", "Text"), ("'", "Text"), ("1) --", "Numeric"), ("'2020'; x", "Date"), ("random()", "Boolean")],
)  # fmt: skip
def test_a_default_of_a_run_that_is_more_than_a_value_is_refused(text: str, kind: str) -> None:
    assert terms_of_sql.default(text, kind) == ""
    with pytest.raises(UserError, match="default that cannot be kept"):
        SqlColumn("id", kind, default=text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
         "( \"status\" IN ( 'a' , 'b' ) )"),
        ("price > 0::numeric AND day >= '2000-01-01'::date", "\"price\" > 0 AND \"day\" >= '2000-01-01'"),
        ("Status = 'gold'::public.plan OR price IS NOT NULL", "\"status\" = 'gold' OR \"price\" IS NOT NULL"),
        ("char_length(status::text) >= 2 -- two", 'char_length ( "status" ) >= 2'),
    ],
)  # fmt: skip
def test_conditions_as_postgresql_writes_them(text: str, kept: str) -> None:
    names = ["status", "price", "day"]
    assert terms_of_sql.condition(text, names) == kept
    assert terms_of_sql.condition(kept, names) == kept
