"""The order of rows by their key: dates that never fall, siblings that stand together or not, managers of one team."""

# ruff: noqa: E402  # pandas is an extra
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import json
import random
import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

import ganvas as gv
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.tables.data import DataConfig
from ganvas.tables.several import plan as plans
from ganvas.tables.several import planner

pytestmark = pytest.mark.long

SCHEMA = """
CREATE TABLE people (id INTEGER PRIMARY KEY, sex TEXT NOT NULL, joined DATE NOT NULL);
CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people, day DATE NOT NULL, paid DATE);
CREATE TABLE notes (person INTEGER NOT NULL REFERENCES people, no INTEGER NOT NULL, day DATE NOT NULL, kind TEXT,
                    PRIMARY KEY (person, no));
CREATE TABLE teams (id INTEGER PRIMARY KEY, city TEXT NOT NULL);
CREATE TABLE staff (id INTEGER PRIMARY KEY, team INTEGER NOT NULL REFERENCES teams, level TEXT NOT NULL,
                    hired DATE NOT NULL, boss INTEGER REFERENCES staff);
"""


def write(place: Path, late: bool = False) -> str:
    """A database: visits are numbered as they come, notes are within a person, staff has bosses in the same team.

    Args:
        late: one visit is numbered later than it was.
    """
    chance, start = random.Random(0), date(2024, 1, 1)
    people = [(i + 1, chance.choice("FM"), str(start - timedelta(days=chance.randint(0, 900)))) for i in range(80)]
    visits, notes, staff = [], [], []
    for i in range(80):
        days = sorted(chance.randint(0, 700) for _ in range(chance.randint(1, 6)))
        visits += [(i + 1, str(start + timedelta(days=d)), str(start + timedelta(days=d + 9))) for d in days]
        notes += [(i + 1, j + 1, str(start + timedelta(days=d)), chance.choice("ab")) for j, d in enumerate(days)]
    visits = [(j + 1, *visit) for j, visit in enumerate(sorted(visits, key=lambda v: v[1]))]
    if late:
        visits[-1] = (visits[-1][0], visits[0][1], "2023-01-01", None)
    teams = [(i + 1, chance.choice(["Rome", "Oslo"])) for i in range(30)]
    for i in range(30):
        boss = len(staff) + 1
        for j in range(chance.randint(2, 5)):
            hired = str(start - timedelta(days=chance.randint(0, 900)))
            staff.append((len(staff) + 1, i + 1, "clerk" if j else "head", hired, boss if j else None))
    connection = sqlite3.connect(place)
    connection.executescript(SCHEMA)
    for name, rows in {"people": people, "visits": visits, "notes": notes, "teams": teams, "staff": staff}.items():
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{place}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("club")
    source = write(place / "club.db")
    for _ in gv.train("table", data=source, run=place / "run", images=1_000, width=16, d_width=16):
        pass
    return place / "run"


@pytest.fixture(scope="module")
def twin(run: Path) -> dict[str, Any]:
    return gv.load(run).sample(seed=4)


def test_the_order_is_found_and_said(tmp_path: Path) -> None:
    plan = last(planner.make(DataConfig(source=write(tmp_path / "a.db"))))
    found = {t.name: (t.ordered, t.throughout, t.mixed) for t in plan.tables}
    assert found == {
        "people": ("", False, False), "visits": ("day", True, True), "notes": ("day", False, False),
        "teams": ("", False, False), "staff": ("", False, False),
    }  # fmt: skip
    assert "visits: day never decreases from one row to the next, by its key, and stays so in drawn rows." in plan.notes
    assert (
        "notes: day never decreases from one row of one people to the next, by its key, and stays so in drawn rows."
        in plan.notes
    )
    assert [tie.within for tie in plan["staff"].ties] == [False, True]
    plan = last(planner.make(DataConfig(source=write(tmp_path / "b.db", late=True))))
    assert (plan["visits"].ordered, plan["visits"].mixed) == ("", True)


def test_dates_do_not_fall(twin: dict[str, Any]) -> None:
    visits, notes = twin["visits"], twin["notes"]
    assert visits["id"].is_monotonic_increasing
    assert visits["day"].is_monotonic_increasing
    assert (visits["person"] != visits["person"].shift()).mean() > 0.8  # those of one person do not stand together
    assert len(notes) > 100
    assert notes.sort_values(["person", "no"]).groupby("person")["day"].is_monotonic_increasing.all()
    assert (notes.groupby("person")["no"].max() == notes.groupby("person").size()).all()
    assert not notes.duplicated(["person", "no"]).any()


def test_bosses_are_of_the_same_team(twin: dict[str, Any]) -> None:
    staff = twin["staff"]
    both = staff.dropna(subset=["boss"]).merge(staff, left_on="boss", right_on="id")
    assert len(both) > 30
    assert (both["team_x"] == both["team_y"]).all()
    assert (both["id_x"] > both["id_y"]).all()
    assert (staff.groupby("team")["boss"].count() < staff.groupby("team").size()).all()


def test_an_order_by_a_column_that_there_is_not_is_refused(run: Path, tmp_path: Path) -> None:
    entries = json.loads((run / "database.json").read_text())
    next(table for table in entries["tables"] if table["name"] == "visits")["ordered"] = "night"
    (tmp_path / "database.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match="does not have all the columns that are planned"):
        plans.read(tmp_path)
