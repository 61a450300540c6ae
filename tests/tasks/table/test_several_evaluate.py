"""`ganvas evaluate` of a database: what it sees of drawn ones, prints, keeps and refuses; and the report."""

from __future__ import annotations

import importlib.util
import json
import runpy
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")
if importlib.util.find_spec("sklearn") is None:  # which takes long to import
    pytest.skip("needs the extra `tables`", allow_module_level=True)

import ganvas as gv
from ganvas import cli
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.metrics.figures import Figure, figures_of
from ganvas.report import page
from ganvas.tasks.table.evaluate import experts
from ganvas.tasks.table.several.evaluate import details, evaluate, families, sides
from ganvas.tasks.table.several.evaluate.measure import Measuring
from ganvas.tasks.table.several.evaluate.metrics import METRICS
from ganvas.tasks.table.several.whole import Database
from ganvas.training.evaluate import Options

pytestmark = pytest.mark.long

MAKE = Path(__file__).parents[3] / "examples" / "orders" / "make_shop.py"
QUICK = [name for name in METRICS if "c2st" not in name]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop."""
    place = tmp_path_factory.mktemp("shop") / "shop.db"
    code = runpy.run_path(str(MAKE))
    code["write"](place, code["make"](150))
    return place


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "shop"
    settings: dict[str, Any] = {"images": 4_000, "width": 16, "d_width": 16}
    for _ in gv.train("table", data=f"sqlite:///{shop}", run=place, **settings):
        pass
    return place


@pytest.fixture(scope="module")
def database(run: Path) -> Database:
    return gv.load(run)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experts, "TREES", 8)


def said(*words: object) -> int:
    return cli.app([str(word) for word in words], result_action="return_value")


def address(place: Path) -> str:
    return f"sqlite:///{place}"


def changed(place: Path, to: Path, *statements: str) -> Path:
    """A copy of a database with something done to it."""
    shutil.copy(place, to)
    connection = sqlite3.connect(to)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return to


def measured(database: Database, real: Path, *drawn: Path, names: list[str] = QUICK) -> Measuring:
    """The figures of databases that stand for drawn ones."""
    return evaluate.in_place(database, address(real), [address(place) for place in drawn], names)


def figures(database: Database, real: Path, drawn: Path) -> dict[str, float]:
    return {name: one.value for name, one in measured(database, real, drawn).found().items()}


def shuffled(place: Path, to: Path) -> Path:
    """A copy of a database in which each order is that of a customer by chance."""
    shutil.copy(place, to)
    with sqlite3.connect(to) as connection:
        customers = [row[0] for row in connection.execute("SELECT id FROM customers")]
        orders = [row[0] for row in connection.execute("SELECT id FROM orders")]
        random = np.random.default_rng(0).integers(0, len(customers), len(orders))
        pairs = [(customers[i], order) for i, order in zip(random, orders, strict=True)]
        connection.executemany("UPDATE orders SET customer_id = ? WHERE id = ?", pairs)
    connection.close()
    return to


def test_shuffled_keys_are_worse_than_drawn_ones(database: Database, shop: Path, tmp_path: Path) -> None:
    """The keys resolve still, and each table alone is as good as it was."""
    with database.drawn(seed=1) as drawn:
        list(database.write(drawn, address(tmp_path / "twin.db")))
    twin = figures(database, shop, tmp_path / "twin.db")
    broken = figures(database, shop, shuffled(tmp_path / "twin.db", tmp_path / "shuffled.db"))
    assert broken["keys"] == twin["keys"] == 1
    for name in ("children", "family-trend", "children-trend"):
        assert broken[name] < twin[name], name
    assert broken["shape"] == pytest.approx(twin["shape"], abs=0.02)


def test_the_real_one_is_as_good_as_the_other_half_of_it(database: Database, shop: Path, tmp_path: Path) -> None:
    found = measured(database, shop, shop, names=list(METRICS)).found()
    for name, one in found.items():
        better = one.value - one.floor if METRICS[name].better == "higher" else one.floor - one.value
        assert better > -0.03, name
    assert found["children"].value > 0.85
    names = ["children", "family-c2st"]
    keys = measured(database, shop, shuffled(shop, tmp_path / "shuffled.db"), names=names).keys
    title = "orders.customer_id -> customers"
    part = next(part for part in keys.values() if part.title == title)
    drawn, floor = part.mean("family-c2st")
    assert drawn > floor + 0.2
    assert part.gives_away()
    drawn, floor = part.mean("children")
    assert drawn < floor - 0.05


def test_what_is_wrong_is_seen(database: Database, shop: Path, tmp_path: Path) -> None:
    wrong = changed(
        shop,
        tmp_path / "wrong.db",
        "UPDATE orders SET customer_id = 'nobody' WHERE id IN (SELECT id FROM orders LIMIT 7)",
        "UPDATE orders SET total = total + 1 WHERE id IN (SELECT id FROM orders LIMIT 5)",
        "UPDATE items SET price = price + 1000 WHERE line = 1 AND order_id IN (SELECT id FROM orders LIMIT 3)",
        "CREATE TABLE again AS SELECT * FROM items",
        "DROP TABLE items",
        "ALTER TABLE again RENAME TO items",
        "INSERT INTO items SELECT * FROM items LIMIT 4",
    )
    with sqlite3.connect(shop) as connection:
        orders, items = (connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("orders", "items"))
    measuring = measured(database, shop, wrong)
    found = measuring.found()
    assert found["keys"].value == pytest.approx(1 - 7 / (orders + 2 * (items + 4)))
    assert found["repeated-keys"].values == [4]
    told = details.wrong(measuring)
    assert told["orders.customer_id: leads to no row"] == 7
    assert told["items.order_id, line: repeated"] == 4
    assert told["orders: total = sum of amount of its items: broken"] >= 5
    assert told["items: price = products.price: broken"] >= 3
    assert found["broken-across"].floors == [0]


def test_numbers_of_children_and_summaries_are_those_of_the_rows(database: Database, shop: Path) -> None:
    base = measured(database, shop).real
    tie = next(tie for tie in database.plan["orders"].ties if tie.key.table == "customers")
    family = families.Family.of(base, "orders", tie)
    chosen = np.arange(20, 60)
    summary = family.summary(chosen)
    names = [column.name for column in summary.columns]
    with sqlite3.connect(shop) as connection:
        rows = connection.execute(
            "SELECT count(o.id), avg(o.total), min(o.total) FROM customers c LEFT JOIN orders o "
            "ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id LIMIT 40 OFFSET 20"
        ).fetchall()
    expected = np.array([[np.nan if v is None else float(v) for v in row] for row in rows])
    for j, (name, scale) in enumerate(
        {"number of orders": 1, "mean total of orders": 100, "smallest total of orders": 100}.items()
    ):
        np.testing.assert_allclose(summary.numbers[:, names.index(name)], expected[:, j] * scale, rtol=1e-6)
    assert len(family.joined(chosen)) == expected[:, 0].sum()


def test_of_large_tables_whole_families_are_kept(
    database: Database, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = measured(database, shop).real
    monkeypatch.setattr(sides, "ROWS", 40)
    some = measured(database, shop).real
    tie = next(tie for tie in database.plan["orders"].ties if tie.key.table == "customers")
    whole, kept = (families.Family.of(base, "orders", tie) for base in (every, some))
    chosen = np.flatnonzero(some.tables["customers"].chosen)
    assert 40 < len(chosen) < 120
    assert (some.tables["orders"].at >= 0).mean() < 0.8
    assert (kept.counts() == whole.counts()).all()
    np.testing.assert_array_equal(kept.summary(chosen).numbers, whole.summary(chosen).numbers)


@pytest.fixture(scope="module")
def evaluated(run: Path) -> Path:
    """A run that was measured once."""
    copy = run.parent / "evaluated"
    shutil.copytree(run, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "TREES", 8)
        assert said("evaluate", copy, "--repeats", "2") == 0
    return copy


def test_figures_are_kept_and_the_same_again(run: Path, evaluated: Path, tmp_path: Path) -> None:
    found = {figure.metric: figure for figure in figures_of(evaluated)}
    assert set(found) == set(METRICS)
    for name in ("keys", "repeated-keys", "broken-across"):
        assert found[name].value == (1 if name == "keys" else 0)
    assert 0.5 < found["children"].value < 1
    protocol = found["children"].protocol
    assert (protocol.count, protocol.repeats, protocol.data, protocol.split) == (190, 2, "shop.db", evaluate.SPLIT)
    assert protocol.form == METRICS["children"].form
    shutil.copytree(run, tmp_path / "again")
    assert said("evaluate", tmp_path / "again", "--repeats", "2") == 0
    assert [f.row() for f in figures_of(tmp_path / "again")] == [f.row() for f in figures_of(evaluated)]
    place = Path("evaluation") / "database.json"
    assert (tmp_path / "again" / place).read_bytes() == (evaluated / place).read_bytes()


def test_the_report_shows_keys_tables_and_pairs(evaluated: Path, tmp_path: Path) -> None:
    text = (evaluated / "report.html").read_text()
    assert "How good is a drawn database?" in text
    assert "Child rows per parent row" in text
    for words in (
        "orders.customer_id -&gt; customers",
        "the same products",
        'href="orders/report.html"',
        "All parts are",
    ):
        assert words in text, words
    assert "ganvas sample" in text
    shutil.copytree(evaluated, tmp_path / "damaged")
    file = tmp_path / "damaged" / "evaluation" / "database.json"
    entries = json.loads(file.read_text())
    entries["keys"][0]["name"] = "<script>alert(1)</script>"
    entries["tables"] = [{"name": "orders", "rows": "many"}]
    entries["worst"] = {"names": 3}
    file.write_text(json.dumps(entries))
    page.write(Run(tmp_path / "damaged"))
    text = (tmp_path / "damaged" / "report.html").read_text()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
    file.write_text("[]")
    page.write(Run(tmp_path / "damaged"))


def test_what_it_prints(evaluated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said("evaluate", evaluated, "--metrics", ",".join(QUICK), "--repeats", "1", "--count", "120") == 0
    out = capsys.readouterr().out
    assert "1 drawn database from seed 0 on, each with 120 rows of the tables that no key leads from" in out
    assert "Every key of a drawn row leads to a row." in out
    assert "Sums and rules over several tables hold in every drawn row." in out
    assert "orders.customer_id -> customers, 75 a side: numbers 0." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--metrics", "childrens"), "Did you mean 'children'"),
        (("--extractor", "pixels"), "--extractor belongs to pictures"),
        (("--count", "3"), "at least 20 rows are needed"),
        (("--data", "shop.csv"), "--data shop.csv is not a database address"),
        (("--data", "sqlite:///none.db"), "There is no file"),
    ],
)
def test_what_means_nothing_is_refused(run: Path, words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        said("evaluate", run, *words)


def test_another_database_is_refused(run: Path, shop: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop.db"
    away = changed(shop, copy, "DELETE FROM orders WHERE id % 9 = 0")
    entries = json.loads((run / "experiment.json").read_text())
    shutil.copytree(run, tmp_path / "run")
    entries["data"]["source"] = address(away)
    (tmp_path / "run" / "experiment.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match=r"The table orders of .* rows now, and .* when .* was trained on it"):
        list(evaluate.evaluate(tmp_path / "run", Options()))
    changed(shop, copy, "ALTER TABLE customers DROP COLUMN segment")
    with pytest.raises(UserError, match="customers has no column segment any longer"):
        list(evaluate.evaluate(run, Options(data=address(copy))))
    changed(shop, copy, "DROP TABLE items")
    with pytest.raises(UserError, match="has no table items"):
        list(evaluate.evaluate(run, Options(data=address(copy))))


def test_time_that_is_over_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, tmp_path / "run")
    events = evaluate.evaluate(tmp_path / "run", Options(time_limit=0.0, repeats=3))
    found = {event.metric: event for event in events if isinstance(event, Figure)}
    assert "time limit" in found["family-c2st"].note
    assert found["children"].value > 0
    assert found["children"].protocol.repeats == 1


def test_a_table_is_read_for_detect_with_what_it_was_learned_with(
    run: Path, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said("detect", run / "items", address(shop), "--out", tmp_path / "found.csv") == 0
    found: Any = pytest.importorskip("pandas").read_csv(tmp_path / "found.csv")
    with sqlite3.connect(shop) as connection:
        assert len(found) == connection.execute("SELECT count(*) FROM items").fetchone()[0]
    assert {"orders.status", "quantity", "odd"} <= {*found}
    with pytest.raises(UserError, match="lack columns that the model learned"):
        said("detect", run / "items", address(shop), "--table", "orders")
