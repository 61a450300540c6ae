"""Several tables with keys: trained from a database, drawn as one in which every key resolves."""

# ruff: noqa: E402  # pandas is an extra
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import json
import runpy
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ganvas

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

import ganvas as gv
from ganvas.core.errors import UserError
from ganvas.tables.several import plan as plans
from ganvas.tasks.table.several.match import apart, match, repeated, slots

pytestmark = pytest.mark.long

SETTINGS: dict[str, Any] = {"images": 3_000, "copied": "ways", "width": 16, "d_width": 16}
MAKE = Path(__file__).parents[3] / "examples" / "orders" / "make_shop.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, with employees who have managers and serve customers, and a table of three rows."""
    place = tmp_path_factory.mktemp("shop") / "shop.db"
    code = runpy.run_path(str(MAKE))
    code["write"](place, code["make"](120))
    connection = sqlite3.connect(place)
    connection.executescript(
        """
        CREATE TABLE staff (id INTEGER PRIMARY KEY, pay INTEGER, office TEXT, boss INTEGER REFERENCES staff (id));
        CREATE TABLE ways (code TEXT PRIMARY KEY, title TEXT NOT NULL);
        INSERT INTO ways VALUES ('post', 'by post'), ('van', 'by our van'), ('none', 'collected');
        ALTER TABLE orders ADD COLUMN way TEXT REFERENCES ways (code);
        ALTER TABLE orders ADD COLUMN seller INTEGER REFERENCES staff (id);
        UPDATE orders SET way = CASE WHEN id % 10 < 7 THEN 'post' WHEN id % 10 < 9 THEN 'van' ELSE 'none' END;
        """
    )
    staff = [(i + 1, 2_000 + 100 * (i % 9), "NW"[i % 2], None if i == 0 else 1 + i // 5) for i in range(40)]
    connection.executemany("INSERT INTO staff VALUES (?, ?, ?, ?)", staff)
    connection.execute("UPDATE orders SET seller = CASE WHEN id % 4 = 0 THEN NULL ELSE id % 40 + 1 END")
    connection.execute("UPDATE orders SET seller = 999 WHERE id % 20 = 1")  # leads nowhere
    connection.commit()
    connection.close()
    return place


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "shop"
    for _ in gv.train("table", data=f"sqlite:///{shop}", run=place, **SETTINGS):
        pass
    return place


@pytest.fixture(scope="module")
def twin(run: Path) -> dict[str, Any]:
    return gv.load(run).sample(seed=3)


def test_data_check_shows_tables_and_keys(shop: Path) -> None:
    done = ganvas("data", "check", f"sqlite:///{shop}", "copied=ways", cwd=shop.parent)
    assert done.returncode == 0, done.stderr
    assert "key product_id -> products (id): a row that fits" in done.stdout
    assert "items: rows are made by order_id" in done.stdout


def test_an_order_s_total_is_the_sum_of_its_items(run: Path, twin: dict[str, Any]) -> None:
    """Found in the whole database, and kept though totals and items are drawn apart."""
    items = twin["items"].groupby("order_id")["amount"].sum()
    added = twin["orders"].set_index("id")["total"].astype(float)
    assert len(added) > 100
    assert (added - items.reindex(added.index).fillna(0).astype(float)).abs().max() < 0.006
    plans = {table["name"]: table for table in json.loads((run / "database.json").read_text())["tables"]}
    assert [(one["column"], one["table"], one["of"]) for one in plans["orders"]["sums"]] == [
        ("total", "items", "amount")
    ]
    assert not plans["items"].get("sums")


def test_sums_are_not_taken_from_a_file_of_others_untried(run: Path, tmp_path: Path) -> None:
    entries = json.loads((run / "database.json").read_text())
    orders = next(table for table in entries["tables"] if table["name"] == "orders")
    orders["sums"][0]["table"] = "customers"
    (tmp_path / "database.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match="sums of rows that do not lead to it"):
        plans.read(tmp_path)


def test_each_table_is_a_run_of_its_own(run: Path) -> None:
    found = sorted(p.name for p in run.iterdir() if p.is_dir())
    assert found == ["customers", "items", "orders", "products", "staff"]
    names = [column.name for column in gv.load(run / "orders").spec.columns]
    assert names[:5] == [f"customers.{n}" for n in ("segment", "country", "city", "signed_up", "newsletter")]
    assert {"customers (position)", "items (count)", "ways (row)", "staff (there)"} <= {*names}
    assert not {"customer_id", "seller", "way"} & {*names}
    rules = [rule.text for rule in gv.load(run / "items").spec.rules]
    assert "price = products.price" in rules


def test_every_key_resolves(twin: dict[str, Any]) -> None:
    assert list(twin["items"])[:3] == ["order_id", "line", "product_id"]
    keys = [("orders", "customer_id", "customers"), ("items", "order_id", "orders"), ("orders", "seller", "staff")]
    keys += [("items", "product_id", "products"), ("staff", "boss", "staff")]
    for child, key, parent in keys:
        assert {*twin[child][key].dropna()} <= {*twin[parent]["id"]}, key
    assert {*twin["orders"]["way"].dropna()} <= {"post", "van", "none"}
    assert not twin["orders"]["customer_id"].isna().any()
    assert not twin["items"][["order_id", "line"]].duplicated().any()
    staff = twin["staff"]
    assert (staff["boss"].isna() | (staff["boss"].astype(float) < staff["id"])).all()  # no row is above itself
    assert twin["ways"]["title"].tolist() == ["collected", "by post", "by our van"]


def test_counts_and_gaps_are_about_the_real_ones(twin: dict[str, Any], shop: Path) -> None:
    with sqlite3.connect(shop) as connection:
        real = pd.read_sql("SELECT seller, seller IN (SELECT id FROM staff) AS there FROM orders", connection)
        sizes = pd.read_sql("SELECT customer_id, count(*) AS n FROM orders GROUP BY 1", connection)["n"]
    connection.close()
    assert abs(twin["orders"]["seller"].isna().mean() - (real["there"] != 1).mean()) < 0.15
    assert 0.5 * sizes.mean() < twin["orders"].groupby("customer_id").size().mean() < 2 * sizes.mean()
    line = twin["items"].groupby("order_id")["line"]
    assert (line.max() == line.size()).all()  # 1, 2, 3 ...
    assert (line.min() == 1).all()


def test_a_child_has_the_values_of_the_parent_that_its_key_leads_to(twin: dict[str, Any]) -> None:
    both = twin["items"].merge(twin["products"], left_on="product_id", right_on="id")
    np.testing.assert_allclose(both["price_x"].astype(float), both["price_y"].astype(float), atol=0.005)
    both = twin["orders"].merge(twin["customers"], left_on="customer_id", right_on="id")
    assert (pd.to_datetime(both["ordered"]) >= pd.to_datetime(both["signed_up"])).mean() > 0.95


def test_the_twin_is_a_database_of_the_same_schema(run: Path, shop: Path, tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        assert ganvas("sample", str(run), "--out", f"sqlite:///{name}", "--seed", "5", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    with sqlite3.connect(tmp_path / "a.db") as twin, sqlite3.connect(shop) as real:
        assert twin.execute("PRAGMA foreign_key_check").fetchall() == []
        for table in ("customers", "orders", "items", "staff", "ways"):
            info = [c.execute(f"PRAGMA table_info({table})").fetchall() for c in (twin, real)]
            assert [(r[1], r[3], r[5]) for r in info[0]] == [(r[1], r[3], r[5]) for r in info[1]]
        ids = [{r[0] for r in c.execute("SELECT id FROM customers")} for c in (twin, real)]
        assert not ids[0] & ids[1]
    twin.close()
    real.close()
    again = ganvas("sample", str(run), "--out", "sqlite:///a.db", cwd=tmp_path)
    assert again.returncode == 2


def test_fewer_rows(run: Path) -> None:
    small = gv.load(run).sample(50)
    assert 48 <= sum(len(small[name]) for name in ("customers", "products", "staff")) <= 52
    with pytest.raises(UserError, match="at least 3 rows"):
        gv.load(run).sample(2)


def test_other_commands_name_the_folders(run: Path) -> None:
    done = ganvas("info", str(run), cwd=run)
    assert done.returncode == 2
    assert "holds several trainings" in done.stderr


def test_it_goes_on_between_and_within_tables(shop: Path, run: Path, tmp_path: Path) -> None:
    from ganvas.training.events import Stepped

    for stop in (5, 30):  # within the first table, and within a later one
        events = gv.train("table", data=f"sqlite:///{shop}", run=tmp_path / "run", **SETTINGS)
        steps = 0
        for event in events:
            steps += isinstance(event, Stepped)
            if steps > stop * 2:
                break
        events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert ganvas("resume", "run", cwd=tmp_path).returncode == 0
    for name in ("staff", "orders"):
        a, b = (gv.load(place / name).sample(200) for place in (run, tmp_path / "run"))
        pd.testing.assert_frame_equal(a, b)
    with pytest.raises(UserError, match="other settings"):
        next(iter(gv.train("table", data=f"sqlite:///{shop}", run=run, **{**SETTINGS, "seed": 9})))


def test_rows_are_matched_and_used_as_often_as_they_are_to_be() -> None:
    random = np.random.default_rng(0)
    offered = np.array([[0, 10], [0, 50], [1, 90]])
    wanted = np.array([[0, 10]] * 20 + [[0, 52]] * 30 + [[1, 90]] * 50)
    found = match(wanted, offered, np.array([2, 3, 5]), random)
    assert np.bincount(found).tolist() == [20, 30, 50]
    assert found[:20].tolist() == [0] * 20
    assert found[50:].tolist() == [2] * 50
    assert np.bincount(slots(np.array([1, 0, 3]), 8, random)).tolist() == [2, 0, 6]
    first = np.repeat(np.arange(50), 2)
    rows = apart(first, random.integers(0, 20, 100), random, 20)
    assert not len(repeated(np.stack([first, rows], 1)))
    rows = apart(np.array([0, 0, 0, -1, -1]), np.array([1, 1, 1, 1, 1]), random, 3)  # nothing to swap with
    assert sorted(rows[:3].tolist()) == [0, 1, 2]
    assert rows[3:].tolist() == [1, 1]
