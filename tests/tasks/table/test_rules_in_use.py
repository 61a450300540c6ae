"""Restore, detect, expand and export with a table that has rules of every kind."""

from __future__ import annotations

import copy
import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ganvas
from ganvas.tables import read
from ganvas.tables.rules.completing import Partial
from ganvas.tasks.table import detect as dt
from ganvas.tasks.table import expand as ex
from ganvas.tasks.table import export
from ganvas.tasks.table.broken import broken_in

pytestmark = pytest.mark.long

INPUTS = ("noise", "rows", "given", "allowed")
CITIES = {"Utrecht": "NL", "Delft": "NL", "Gent": "BE", "Brugge": "BE", "Bern": "CH", "Lyon": "FR"}
RULES = {
    "total = net + tax",
    "amount = price * quantity",
    "shipped >= ordered",
    "closed > opened",
    "month = month of ordered",
    "country from city",
    "brand, sort occur together",
    "reason missing where status is kept",
}


def orders(count: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    city = random.choice(list(CITIES), count)
    net = np.round(random.gamma(2.0, 40.0, count), 2) + 1
    tax = np.round(net * random.choice([0.06, 0.09, 0.21], count), 2)
    price, quantity = np.round(random.uniform(1, 90, count), 2), random.integers(1, 9, count)
    ordered: Any = pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 365, count), unit="D")
    brand = random.integers(0, 8, count)
    back = random.random(count) < 0.3
    opened = random.integers(8 * 60, 18 * 60, count)
    closed = opened + random.integers(1, 200, count)
    return pd.DataFrame(
        {
            "city": city,
            "country": [CITIES[c] for c in city],
            "ordered": ordered.astype("str"),
            "shipped": (ordered + pd.to_timedelta(random.geometric(0.4, count) - 1, unit="D")).astype("str"),
            "month": ordered.month,
            "net": net.round(2),
            "tax": tax,
            "total": np.round(net + tax, 2),
            "price": price,
            "quantity": quantity,
            "amount": np.round(price * quantity, 2),
            "brand": [f"brand {i}" for i in brand],
            "sort": [f"sort {i}" for i in (brand * 3 + random.integers(0, 3, count)) % 18],
            "status": np.where(back, "returned", "kept"),
            "reason": pd.Series(random.choice(["broken", "late"], count)).where(back),
            "opened": [f"{m // 60:02d}:{m % 60:02d}" for m in opened],
            "closed": [f"{m // 60:02d}:{m % 60:02d}" for m in closed],
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = tmp_path_factory.mktemp("orders") / "run"
    small: Any = {"images": 12_000, "width": 16, "d_width": 16, "batch": 256, "seed": 1, "sample_every": 12_000}
    list(ganvas.train("table", data=orders(3_000), run=run, **small))
    return ganvas.load(run)


def wrong(model: Any, frame: Any) -> dict[str, int]:
    """How many rows break which rule."""
    typed = read.typed(frame, model.spec.read)
    return {model.spec.rules[i].text: int(rows.sum()) for i, rows in broken_in(model.spec, typed).items()}


def test_the_rules_are_those_of_the_table(model: Any) -> None:
    assert {rule.text for rule in model.spec.rules} == RULES
    assert wrong(model, model.sample(500)) == {}


@pytest.mark.parametrize(("share", "best"), [(0.1, False), (0.5, False), (0.5, True), (1.0, False)])
def test_filled_rows_keep_all_rules(model: Any, share: float, best: bool) -> None:
    frame = orders(120, 5)
    holes = frame.mask(np.random.default_rng(1).random(frame.shape) < share)
    filled = model.restore(holes, best=best)
    assert wrong(model, filled) == {}
    known = holes.notna()
    assert filled.where(known).equals(holes.where(known))
    left = filled.isna().sum()
    assert set(left[left > 0].index) <= {"reason"}


def test_a_cell_that_follows_is_filled_with_what_follows(model: Any) -> None:
    frame = orders(60, 6)
    gone = frame.copy()
    gone.loc[::2, "tax"] = np.nan
    gone.loc[1::2, "total"] = np.nan
    gone.loc[::3, "country"] = None
    gone["month"] = None
    gone.loc[1::2, "quantity"] = None
    filled = model.restore(gone)
    for name in ("tax", "total", "country"):
        assert (filled[name] == frame[name]).all(), name
    assert (filled["month"].astype(int) == frame["month"]).all()
    assert (filled["quantity"].astype(int) == frame["quantity"]).all()


def test_what_is_computed_says_what_it_comes_from(model: Any) -> None:
    frame = orders(60, 7)
    filled = model.restore(frame.assign(city=None, ordered=None, net=np.nan, tax=np.nan, price=np.nan, quantity=None))
    assert (filled["city"].map(CITIES) == frame["country"]).all()
    ordered = pd.to_datetime(filled["ordered"])
    assert (ordered.dt.month == frame["month"]).all()
    assert (ordered <= pd.to_datetime(frame["shipped"])).all()
    assert ((filled["net"] + filled["tax"] - frame["total"]).abs() < 0.001).all()
    assert ((filled["price"] * filled["quantity"].astype(float) - frame["amount"]).abs() < 0.001).all()
    unseen = frame.assign(city="Atlantis", country=None)
    assert model.restore(unseen)["country"].isin(set(CITIES.values())).all()


def test_only_the_cells_of_named_columns_are_filled(model: Any) -> None:
    frame = orders(40, 8).assign(total=np.nan, month=None)
    filled = model.restore(frame, columns=["total"])
    assert filled["total"].notna().all()
    assert filled["month"].isna().all()
    without = model.restore(frame.drop(columns="month"))  # a column that is computed need not be there
    assert (without["total"] == filled["total"]).all()


def test_a_row_that_breaks_a_rule_is_odd_and_the_rule_says_why(model: Any) -> None:
    frame = orders(400, 12)
    calm = model.detect(frame)
    assert (calm["odd"] == "yes").mean() < 0.1
    frame.loc[1, "total"] = frame.loc[1, "net"] + frame.loc[1, "tax"] + 5
    frame.loc[2, "country"] = "CH" if frame.loc[2, "country"] != "CH" else "NL"
    frame.loc[3, "shipped"] = "2022-12-25"
    frame.loc[4, "month"] = frame.loc[4, "month"] % 12 + 1
    frame.loc[5, ["status", "reason"]] = "kept", "late"
    found = model.detect(frame)
    columns = [{"total", "net", "tax"}, {"country"}, {"shipped", "ordered"}, {"month"}, {"status", "reason"}]
    words = ["net + tax", "follows from city", "never below ordered", "month of ordered", "missing exactly where"]
    for row, (names, why) in enumerate(zip(columns, words, strict=True), 1):
        assert found.loc[row, "odd"] == "yes"
        assert found.loc[row, "column"] in names
        assert why in found.loc[row, "why"]
    assert found.loc[2, "expected"] == CITIES[frame.loc[2, "city"]]
    assert found.loc[4, "expected"] == str(pd.Timestamp(frame.loc[4, "ordered"]).month)
    assert (found["odd"] == calm["odd"])[10:].all()


def test_the_report_has_all_columns(model: Any) -> None:
    report = dt.report_on(model, None)
    assert list(report["columns"]) == list(orders(1).columns)
    for name in ("total", "month", "country", "amount"):
        assert report["columns"][name]["auroc"] > 0.95


def test_trees_see_the_columns_of_the_table(model: Any) -> None:
    frame = orders(50, 10)
    typed = read.typed(frame, model.spec.read)
    x, which = ex.matrix(typed, list(model.spec.read))
    assert x.shape == (50, 17)
    assert x[:, 4].tolist() == frame["month"].tolist()
    assert sum(which) == 6
    drawn, _ = model.expand(orders(3_000), "country", "CH", count=30, repeats=0)
    assert set(drawn["city"]) == {"Bern"}


def test_known_cells_are_given_only_where_the_tokens_can_say_them(model: Any) -> None:
    frame: Any = dict(read.typed(orders(4, 11), model.spec.read))
    known = {name: np.ones(4, bool) for name in frame}
    known["ordered"][:2] = False
    known["month"][:] = False
    _, given = Partial(model.spec, frame, known).given()
    for name, there in (("ordered", [False, False, True, True]), ("shipped", [False, False, True, True])):
        assert given[:, model.spec.places[name]].all(1).tolist() == there
    assert torch.equal(given[2:].all(1), torch.ones(2, dtype=torch.bool))


def test_exported_rows_keep_all_rules(
    model: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the network as PyTorch has it; that ONNX draws the same is seen in test_sample."""
    pytest.importorskip("onnxruntime")
    (tmp_path / "out").mkdir()
    for name, content in export.files(model).items():
        (tmp_path / "out" / name).write_bytes(content)
    drawing = export.Drawing(copy.deepcopy(model.generator).cpu()).eval()

    class Session:
        def __init__(self, path: str, providers: Any) -> None:
            assert Path(path) == tmp_path / "out" / "generator.onnx"

        def run(self, names: list[str], inputs: dict[str, Any]) -> tuple[Any, ...]:
            assert names == ["tokens", "place"]
            with torch.inference_mode():
                return drawing(*(torch.from_numpy(inputs[name]) for name in INPUTS))

    for name in ("rows", "row_rules", "row_values"):
        monkeypatch.delitem(sys.modules, name, raising=False)  # of another test's export
    monkeypatch.syspath_prepend(str(tmp_path / "out"))
    program = importlib.import_module("rows")
    monkeypatch.setattr(program, "onnxruntime", types.SimpleNamespace(InferenceSession=Session))
    monkeypatch.setattr(program, "PORTION", 300)
    assert program.TRIES == export.TRIES
    monkeypatch.setattr(program, "TRIES", 1)  # no row of these rules needs another try
    columns = program.draw(800, seed=3)
    rows = pd.DataFrame(columns).replace("", None)
    assert capsys.readouterr().err == ""
    assert list(rows) == list(orders(1))
    assert wrong(model, rows) == {}
    assert {name for name in columns if "" in columns[name]} == {"reason"}
    shipped = pd.to_datetime(rows["shipped"]) - pd.to_datetime(rows["ordered"])
    assert 0.5 < shipped.dt.days.mean() < 4  # 1.5 in the table
    again = program.draw(800, seed=3)
    assert all((columns[name] == again[name]).all() for name in columns)
    assert {*program.draw(50, given={"status": "kept"})["reason"]} == {""}
    with pytest.raises(SystemExit, match="country=NL cannot be given"):
        program.draw(5, given={"country": "NL"})
    some = program.draw(50, given={"sort": "sort 4"})
    assert {*some["brand"]} <= {*orders(3_000).query("sort == 'sort 4'")["brand"]}
    with pytest.raises(SystemExit, match="never occur together are given: brand, sort"):
        program.draw(5, given={"brand": "brand 0", "sort": "sort 4"})
    said = " ".join(export.kept(model.spec))
    assert all(name in said for name in ("country", "shipped", "total", "brand, sort occur together"))
    assert said in (tmp_path / "out" / "README.md").read_text().replace("\n- ", " ")


def test_rows_that_repeat_a_unique_pair_are_drawn_again(tmp_path: Any) -> None:
    random = np.random.default_rng(3)
    order, line = np.divmod(random.choice(60 * 40, 1_500, replace=False), 40)
    frame = pd.DataFrame({"order": order + 1, "line": line + 1, "amount": random.integers(1, 9, 1_500)})
    small: Any = {"images": 3_000, "width": 16, "d_width": 16, "batch": 256, "rare": 1, "column.order": "number"}
    list(ganvas.train("table", data=frame, run=tmp_path / "run", **small, **{"column.line": "number"}))
    made = ganvas.load(tmp_path / "run")
    assert "order, line unique" in {rule.text for rule in made.spec.rules}
    drawn = made.sample(1_200)
    assert not drawn.duplicated(["order", "line"]).any()
    assert made.repeated == {}
    assert drawn.head(100).equals(made.sample(100))
    few = made.sample(100, where="order=7")
    assert few["line"].nunique() == 100 - made.repeated["order, line unique"]


def test_rows_with_a_computed_value_that_the_table_does_not_have_are_drawn_again(tmp_path: Any) -> None:
    random = np.random.default_rng(5)
    local: Any = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 366, 4_000), "D")
    hours = random.integers(8, 18, 4_000)
    at = (local + pd.to_timedelta(hours, "h")).tz_localize("Europe/Amsterdam").tz_convert("UTC").tz_localize(None)
    frame = pd.DataFrame({"at": at, "hour": hours, "amount": random.integers(1, 9, 4_000)})
    small: Any = {"images": 2_000, "width": 16, "d_width": 16, "batch": 256}
    list(ganvas.train("table", data=frame, run=tmp_path / "run", **small))
    model = ganvas.load(tmp_path / "run")
    assert "hour = hour of at in Europe/" in " ".join(rule.text for rule in model.spec.rules)
    drawn = model.sample(2_000)
    assert {*drawn["hour"]} == {*range(8, 18)}
    assert model.repeated == {}
