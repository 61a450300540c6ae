"""Columns that are unique together by the schema are so in a drawn database, and types are as they were."""

# ruff: noqa: E402  # pandas is an extra
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from conftest import ganvas

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

import ganvas as gv
from ganvas.tasks.table.several import unique
from ganvas.tasks.table.several.draw import Drawn

pytestmark = pytest.mark.long

SCHEMA = """
CREATE TABLE firms (id INTEGER PRIMARY KEY, code VARCHAR(3) NOT NULL UNIQUE, land CHAR(2) NOT NULL, form VARCHAR(4));
CREATE TABLE teams (id INTEGER PRIMARY KEY, firm_id INTEGER NOT NULL REFERENCES firms, name VARCHAR(9) NOT NULL,
                    size INTEGER, UNIQUE (firm_id, name));
CREATE TABLE people (id INTEGER PRIMARY KEY, badge VARCHAR(6) NOT NULL UNIQUE, team_id INTEGER NOT NULL,
                     level VARCHAR(6) NOT NULL, boss INTEGER REFERENCES people,
                     FOREIGN KEY (team_id) REFERENCES teams (id));
CREATE TABLE skills (id INTEGER PRIMARY KEY, title VARCHAR(9) NOT NULL, field VARCHAR(5) NOT NULL);
CREATE TABLE pay (person_id INTEGER NOT NULL REFERENCES people, month VARCHAR(3) NOT NULL, amount INTEGER NOT NULL,
                  PRIMARY KEY (person_id, month));
CREATE TABLE offices (id INTEGER PRIMARY KEY, firm_id INTEGER NOT NULL REFERENCES firms, town VARCHAR(9) NOT NULL,
                      UNIQUE (firm_id, town));
CREATE TABLE papers (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES people, pages INTEGER,
                     title VARCHAR(30) NOT NULL, UNIQUE (person_id, title));
CREATE TABLE known (person_id INTEGER NOT NULL REFERENCES people, skill_id INTEGER NOT NULL REFERENCES skills,
                    since INTEGER, PRIMARY KEY (person_id, skill_id));
"""
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun"]


def write(place: Path) -> None:
    """A small firm's database; each person has pay in some of six months, in no order."""
    chance, rows = random.Random(0), {"firms": [(i + 1, f"F{i:02d}", "DE" if i else "NL", "ltd") for i in range(8)]}
    teams = [(f + 1, name) for f in range(8) for name in ("sales", "stock", "lab")[: 1 + f % 3]]
    teams += [(f + 1, "board") for f in range(6)]
    rows["teams"] = [(i + 1, *team, chance.randint(3, 9)) for i, team in enumerate(teams)]
    people = [(t[0], j) for t in rows["teams"] for j in range(5)]
    rows["people"] = [
        (i + 1, f"{chance.randint(10, 99)}{i:04d}", team, "head" if not j else chance.choice(["junior", "senior"]),
         i + 1 - j if j else None)
        for i, (team, j) in enumerate(people)
    ]  # fmt: skip
    rows["skills"] = [(i + 1, f"skill {i}", chance.choice(["paper", "metal"])) for i in range(24)]
    rows["pay"] = [
        (i + 1, month, chance.randint(20, 40) * 100)
        for i in range(len(people)) for month in chance.sample(MONTHS, chance.randint(1, 5))
    ]  # fmt: skip
    rows["known"] = [
        (i + 1, s + 1, chance.randint(2000, 2020))
        for i in range(len(people)) for s in chance.sample(range(24), chance.randint(0, 6))
    ]  # fmt: skip
    rows["offices"] = [(i + 1, i % 8 + 1, "north" if i < 8 else "south") for i in range(12)]
    words = ["old", "new", "tall", "wide", "red", "blue", "round", "slow", "cold", "dry"]
    rows["papers"] = [(i + 1, i % 40 + 1, chance.randint(1, 5), " ".join(chance.sample(words, 4))) for i in range(90)]
    connection = sqlite3.connect(place)
    connection.executescript(SCHEMA)
    for name, each in rows.items():
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(each[0]))})", each)
    connection.commit()
    connection.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("firm")
    write(place / "firm.db")
    settings = {"images": 1_000, "width": 16, "d_width": 16}
    for _ in gv.train("table", data=f"sqlite:///{place}/firm.db", run=place / "run", **settings):
        pass
    return place / "run"


def test_groups_of_columns_are_unique(run: Path, tmp_path: Path) -> None:
    done = ganvas("sample", str(run), "--out", "sqlite:///twin.db", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr  # SQLite itself refuses what is not unique
    with sqlite3.connect(tmp_path / "twin.db") as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = {
            name: connection.execute(f"SELECT count(*), count(DISTINCT {key}) FROM {name}").fetchone()
            for name, key in {"pay": "person_id || month", "known": "person_id || '-' || skill_id"}.items()
        }
        months = connection.execute("SELECT month, count(*) FROM pay GROUP BY 1").fetchall()
        firms = connection.execute("SELECT count(DISTINCT firm_id), count(*) FROM teams").fetchone()
        badges = connection.execute("SELECT min(length(badge)), max(length(badge)) FROM people").fetchone()
    connection.close()
    assert counts["pay"][0] == counts["pay"][1] > 200
    assert counts["known"][0] == counts["known"][1] > 150
    assert {month for month, _ in months} == {*MONTHS}
    assert firms[0] >= 6  # also those that few teams belong to
    assert firms[1] == 21
    assert badges == (6, 6)  # texts of digits stay within the column
    again = gv.load(run).sample(seed=1)
    assert not again["pay"].duplicated(["person_id", "month"]).any()
    assert {*again["firms"]["land"]} == {"DE"}  # as enough rows of this small table have it
    assert {*again["firms"]["form"]} == {"ltd"}
    for name, columns in {"offices": ["firm_id", "town"], "papers": ["person_id", "title"]}.items():
        assert len(again[name]) >= 12
        assert not again[name].duplicated(columns).any()


def test_values_that_chance_does_not_find_are_taken_from_other_rows(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unique, "ROUNDS", 0)
    monkeypatch.setattr(Drawn, "again", lambda *_, **__: None)
    found = gv.load(run).sample(seed=2)
    for table, names in {"pay": ["person_id", "month"], "teams": ["firm_id", "name"]}.items():
        assert not found[table].duplicated(names).any()
    assert {*found["pay"]["month"]} <= {*MONTHS}


def test_too_few_values_are_said_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    plan = json.loads((run / "database.json").read_text())
    next(table for table in plan["schema"]["tables"] if table["name"] == "teams")["unique"] = [["name"]]
    (tmp_path / "run" / "database.json").write_text(json.dumps(plan))
    done = ganvas("sample", "run", "--out", "sqlite:///twin.db", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search("teams: no two rows may have the same name, and 1[0-9] of the drawn ones have to", done.stderr)
    assert "rare=1" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
