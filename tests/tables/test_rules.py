"""Rules of tables: found where they were planted, kept in whatever a generator draws, also with conditions."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.core.errors import UserError
from ganvas.core.progress import last

pd = pytest.importorskip("pandas")

from ganvas.tables import pack, read  # noqa: E402
from ganvas.tables.check import check  # noqa: E402
from ganvas.tables.data import DataConfig, TableData, of_frame  # noqa: E402
from ganvas.tables.recognise import recognise  # noqa: E402
from ganvas.tables.rules import conditions, drawing, text  # noqa: E402
from ganvas.tables.rules.assemble import assemble, broken  # noqa: E402
from ganvas.tables.rules.combinations import Tree  # noqa: E402
from ganvas.tables.rules.find import find  # noqa: E402
from ganvas.tables.rules.limits import RuleLimits  # noqa: E402
from ganvas.tables.spec import TableSpec  # noqa: E402
from ganvas.tasks.table import network  # noqa: E402
from ganvas.tasks.table.conditions import Conditions  # noqa: E402

ROWS = 4_000
PLANTED = {
    "total = net + tax",
    "amount = price * quantity",
    "cents = 100 * net",
    "shipped >= ordered",
    "month = month of ordered",
    "weekday = weekday of ordered + 1",
    "country, currency from city",
    "brand, sort occur together",
    "left, right missing together",
    "reason missing where status is kept",
}


def orders(rows: int = ROWS, seed: int = 0) -> Any:
    """Orders of a shop in which the PLANTED rules hold, and no others."""
    rng = np.random.default_rng(seed)
    cities = {"Utrecht": "NL", "Delft": "NL", "Gent": "BE", "Brugge": "BE", "Bern": "CH", "Basel": "CH", "Lyon": "FR"}
    city = rng.choice(list(cities), rows)
    country = np.array([cities[c] for c in city])
    net = np.round(rng.gamma(2.0, 40.0, rows), 2) + 1
    tax = np.round(net * rng.choice([0.06, 0.09, 0.21], rows), 2)
    price = np.round(rng.uniform(1, 90, rows), 2)
    quantity = rng.integers(1, 12, rows)
    ordered = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D")
    brand = rng.integers(0, 12, rows)
    sort = (brand * 3 + rng.integers(0, 3, rows)) % 18
    gone = rng.random(rows) < 0.2
    back = rng.random(rows) < 0.15
    return pd.DataFrame(
        {
            "city": city,
            "country": country,
            "currency": np.where(country == "CH", "CHF", "EUR"),
            "ordered": ordered,
            "shipped": ordered + pd.to_timedelta(rng.geometric(0.4, rows) - 1, unit="D"),
            "month": ordered.month,
            "weekday": ordered.day_of_week + 1,
            "net": np.round(net, 2),
            "tax": tax,
            "total": np.round(net + tax, 2),
            "cents": np.round(net * 100).astype(int),
            "price": price,
            "quantity": quantity,
            "amount": np.round(price * quantity, 2),
            "brand": [f"brand {i}" for i in brand],
            "sort": [f"sort {i}" for i in sort],
            "left": np.where(gone, np.nan, np.round(rng.normal(0, 1, rows), 3)),
            "right": np.where(gone, np.nan, rng.integers(100, 130, rows)),
            "status": np.where(back, "returned", "kept"),
            "reason": pd.Series(rng.choice(["broken", "late", "wrong"], rows)).where(back),
            "noise": rng.integers(-50, 50, rows),
        }
    )


@pytest.fixture(scope="module")
def data() -> TableData:
    return of_frame(orders(), "orders", DataConfig())


@pytest.fixture(scope="module")
def generator(data: TableData) -> network.Generator:
    """A generator that learned nothing: the rules must hold whatever its weights are."""
    torch.manual_seed(0)
    made = network.Generator(data.spec, network.Config(width=16)).eval()
    for weight in made.heads:
        torch.nn.init.normal_(weight, std=0.3)
    return made


def noise(spec: TableSpec, rows: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(rows, len(spec.sizes), generator=torch.Generator().manual_seed(seed))


def rows_of(spec: TableSpec, generator: network.Generator, where: dict[str, Any], count: int = 3_000) -> dict[str, Any]:
    chosen = conditions.condition(spec, generator.limits, where)
    return drawing.drawn(generator.draw, spec, noise(spec, count), chosen)


def wrong(spec: TableSpec, frame: Any) -> dict[str, int]:
    return {rule: count for rule, count in broken(spec.rules, frame, spec.by_name).items() if count}


def test_what_was_planted_is_found_and_nothing_else() -> None:
    frame = orders()
    found = find(frame, [recognise(frame[name]) for name in frame])
    texts = {rule.text for rule in found.rules}
    texts = {{"net = 0.01 * cents": "cents = 100 * net"}.get(t, t) for t in texts}
    texts = {
        {"net = total - tax": "total = net + tax", "tax = total - net": "total = net + tax"}.get(t, t) for t in texts
    }
    assert texts == PLANTED


def test_shuffled_columns_have_no_rules() -> None:
    frame = orders()
    rng = np.random.default_rng(3)
    mixed = pd.DataFrame({name: frame[name].to_numpy()[rng.permutation(len(frame))] for name in frame})
    assert find(mixed, [recognise(mixed[name]) for name in mixed]).rules == ()


@pytest.mark.parametrize("follows", [False, True])
def test_a_column_that_is_mostly_missing_is_judged_by_its_values(follows: bool) -> None:
    """Filled in three of twelve years: that leaves out most pairs, but only in one case any pairs of values."""
    rng = np.random.default_rng(8)
    year, kind, other = rng.integers(0, 12, (3, 4_000))
    filled = (rng.random(4_000) < 0.36) & (follows | (year < 3))
    fat = (year + rng.integers(0, 3, 4_000)) % 12 if follows else other
    frame = pd.DataFrame(
        {"year": [f"y{y}" for y in year], "fat": pd.Series([f"f{f}" for f in fat]).where(filled), "kind": kind}
    )
    found = {rule.text for rule in find(frame, [recognise(frame[name]) for name in frame]).rules}
    gone = "fat missing if year is y10, y11, y3, y4, y5, y6, y7, y8, y9"
    assert found == {"year, fat occur together" if follows else gone}


def test_what_nearly_holds_is_said_and_not_kept() -> None:
    frame = orders()
    frame.loc[5, "shipped"] = frame.loc[5, "ordered"] - pd.Timedelta(days=3)
    frame.loc[[7, 9], "country"] = "FR"
    frame.loc[11, "total"] = 0.5
    found = find(frame, [recognise(frame[name]) for name in frame])
    texts = "; ".join(rule.text for rule in found.rules)
    for gone in ("shipped", "total", "country from", "country, currency from"):
        assert gone not in texts
    said = "\n".join(found.nearly)
    assert "shipped >= ordered except in 1 of 4,000 rows" in said
    assert "country from city except in" in said
    assert "total = net + tax in 99.9" in said or "total - " in said


def test_computed_columns_are_not_learned(data: TableData) -> None:
    learned = {column.name for column in data.spec.learned}
    assert not learned & {"country", "currency", "month", "weekday", "amount"}
    assert len(learned & {"net", "tax", "total", "cents"}) == 2
    distance = next(column for column in data.spec.learned if column.name == "shipped")
    assert distance.kind == "number"
    assert distance.parts[0].low[0] == 0  # days from ordered


def test_there_and_back(data: TableData) -> None:
    """What is computed from encoded rows is what stood in the table, where values are in cells of their own."""
    frame = orders()
    tokens = data.spec.encode(frame)
    back = data.spec.decode(tokens, torch.full(tokens.shape, 0.5))
    assert list(back) == list(frame)
    for name in ("country", "currency", "status"):
        assert (back[name].astype(str) == frame[name]).all()
    gap = (frame["shipped"] - frame["ordered"]).dt.days
    same = ((back["shipped"] - back["ordered"]).dt.days == gap).mean()
    assert same > 0.95  # but for the longest, which are clipped
    assert wrong(data.spec, back) == {}


def test_drawn_rows_keep_all_rules(data: TableData, generator: network.Generator) -> None:
    tokens, place = generator.draw(noise(data.spec, 20_000))
    drawn = data.spec.decode(tokens, place)
    assert wrong(data.spec, drawn) == {}
    assert set(drawn["shipped"].dt.date) & set(orders()["shipped"].dt.date)
    for name in ("total", "tax", "shipped"):  # rules keep values within what the table has
        assert drawn[name].max() <= orders()[name].max(), name
        assert drawn[name].min() >= orders()[name].min(), name
    sets = set(map(tuple, pd.DataFrame(drawn)[["brand", "sort"]].astype(str).to_numpy()))
    assert sets <= set(map(tuple, orders()[["brand", "sort"]].to_numpy()))
    assert len(sets) == 36


def test_without_rules_they_are_broken(generator: network.Generator) -> None:
    plain = of_frame(orders(), "orders", DataConfig(rules=False))
    torch.manual_seed(0)
    made = network.Generator(plain.spec, network.Config(width=16)).eval()
    drawn = plain.spec.decode(*made.draw(noise(plain.spec, 2_000)))
    frame = orders()
    found = find(frame, [recognise(frame[name]) for name in frame])
    rules = assemble(found.rules, plain.spec.by_name, frame, 5)
    assert all(count > 20 for count in broken(rules, drawn, plain.spec.by_name).values())


@pytest.mark.parametrize(
    "where",
    [
        {"city": "Delft"},
        {"country": "BE"},
        {"country": "CH", "currency": "CHF"},
        {"currency": "EUR", "sort": "sort 4"},
        {"month": 3},
        {"month": 3, "weekday": 2},
        {"sort": "sort 7"},
        {"shipped": "2024-03-05"},
        {"ordered": "2024-03-05"},
        {"ordered": "2024-03-05", "shipped": "2024-03-07"},
        {"total": 80.5},
        {"total": 80.5, "tax": 5.5},
        {"left": None},
        {"right": 117},
        {"status": "kept"},
        {"reason": "late"},
        {"reason": ""},
        {"price": 12.5, "quantity": 3},
    ],
)
def test_conditions_keep_them_too(data: TableData, generator: network.Generator, where: dict[str, Any]) -> None:
    drawn = rows_of(data.spec, generator, where)
    assert wrong(data.spec, drawn) == {}
    for name, value in where.items():
        if value in (None, ""):
            assert drawn[name].isna().all()
        elif name in ("ordered", "shipped"):
            assert (drawn[name] == pd.Timestamp(value)).all()
        else:
            assert (drawn[name].astype(str) == str(value)).all(), drawn[name].unique()
    assert len(drawn["noise"].unique()) > 50


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"city": "Delft", "country": "BE"}, "never occur together"),
        ({"brand": "brand 1", "sort": "sort 15"}, "never occur together"),
        ({"city": "Paris"}, "never Paris"),
        ({"price": 9_000.0}, "outside"),
        ({"amount": 20.0}, "set price and quantity as well"),
        ({"ordered": "2024-03-05", "shipped": "2024-03-01"}, "contradict"),
        ({"ordered": "2024-03-05", "month": 4}, "contradict"),
        ({"total": 10.0, "net": 5.0, "tax": 4.0}, "contradict"),
        ({"quantity": "many"}, "not a whole number"),
        ({"quantity": None}, "never missing"),
        ({"towns": "Delft"}, "no column"),
    ],
)
def test_conditions_that_cannot_be(
    data: TableData, generator: network.Generator, where: dict[str, Any], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        conditions.condition(data.spec, generator.limits, where)


def met(spec: TableSpec, generator: network.Generator, where: Any, count: int = 2_000) -> Any:
    """Rows that meet conditions, as a model draws them."""
    with torch.inference_mode():
        made = Conditions(spec, generator, where, 0, False)
        numbers = torch.rand(count, len(made.each) + 1, generator=torch.Generator().manual_seed(1))
        return pd.DataFrame(made.decode(*made.draw(noise(spec, count), numbers)))


@pytest.mark.parametrize(
    ("where", "query"),
    [
        ("country=BE,noise>=10", "country == 'BE' and noise >= 10"),
        ("country=BE|CH,noise<-5", "country in ['BE', 'CH'] and noise < -5"),
        ("currency=EUR,city=Delft|Gent", "currency == 'EUR' and city in ['Delft', 'Gent']"),
        ("month=3,net<60", "month == 3 and net < 60"),
        ("net<60", "net < 60"),
        ("net<60,tax>2", "net < 60 and tax > 2"),
        ("brand=brand 1|brand 2,sort=sort 5", "brand == 'brand 1' and sort == 'sort 5'"),
        ("total=80.5,price>=20", "total == 80.5 and price >= 20"),
        ("ordered>=2024-01-01,country=NL", "ordered >= '2024-01-01' and country == 'NL'"),
        (
            "shipped=2024-03-05,quantity=2|3",
            "shipped >= '2024-03-05' and shipped <= '2024-03-05' and quantity in [2, 3]",
        ),
        ("right>=117", "right >= 117"),
        ("left=,quantity>5", "left.isna() and quantity > 5"),
        ({"country": ["NL", "FR"], "amount": None}, None),
    ],
)
def test_ranges_and_alternatives_beside_rules(
    data: TableData, generator: network.Generator, where: Any, query: str | None
) -> None:
    if query is None:
        with pytest.raises(UserError):
            met(data.spec, generator, where)
        return
    drawn = met(data.spec, generator, where)
    assert wrong(data.spec, drawn) == {}
    assert len(drawn.query(query)) == len(drawn)
    assert drawn["noise"].nunique() > 5


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("shipped>=2024-03-01", "follow from those of other columns"),
        ("amount>=20", "follow from those of other columns"),
        ("city=Delft|Utrecht,country=BE", "No row|never occur"),
        ("brand=brand 1,sort=sort 15", "never occur together"),
        ("shipped=2024-03-05,ordered>=2024-01-01", "set ordered as well"),
    ],
)
def test_ranges_that_cannot_be(data: TableData, generator: network.Generator, where: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        met(data.spec, generator, where)


def test_a_looked_up_value_is_met_as_often_as_in_rows_drawn_freely() -> None:
    """What is before the limited column speaks of it: rows in which it is unlikely count less."""
    rng = np.random.default_rng(0)
    frame = orders()[["city", "country"]]
    frame.insert(0, "early", rng.choice(["a", "b", "c"], len(frame)))
    made = of_frame(frame, "few", DataConfig())
    assert [rule.text for rule in made.spec.rules] == ["country from city"]
    torch.manual_seed(0)
    generator = network.Generator(made.spec, network.Config(width=16)).eval()
    for weight in generator.heads:
        torch.nn.init.normal_(weight, std=2.0)
    free = pd.DataFrame(made.spec.decode(*generator.draw(noise(made.spec, 60_000))))
    expected = free[free["country"] == "NL"]["city"].astype(str).value_counts(normalize=True).sort_index()
    found = (
        met(made.spec, generator, "country=NL", 20_000)["city"].astype(str).value_counts(normalize=True).sort_index()
    )
    by_early = (
        free[free["country"] == "NL"].groupby("early", observed=True)["city"].apply(lambda c: (c == "Delft").mean())
    )
    unweighted = (by_early * free["early"].value_counts(normalize=True)).sum()
    assert abs(found - expected).max() < 0.02
    assert abs(unweighted - expected["Delft"]) > 0.03  # else this shows nothing


def test_given_cells_differ_from_row_to_row(data: TableData, generator: network.Generator) -> None:
    """As when missing cells are filled: in each row others are given."""
    rows = data.spec.encode(orders(2_000, seed=0)).long()
    given = torch.rand(rows.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    for place in data.spec.places.values():
        given[:, place] = given[:, place.start : place.start + 1]
    tokens, place = generator.draw(noise(data.spec, 2_000), rows, given)
    assert (tokens == rows)[given].all()
    assert wrong(data.spec, data.spec.decode(tokens, place)) == {}


def test_text_and_back() -> None:
    names = ["total sum", "net", "tax", "b", "from", "2nd"]
    for rule in (
        "`total sum` = net + tax", "net = 0.19 * tax", "b = - net + 3", "net = tax - b - `from`", "net = tax * b",
        "tax > b", "tax >= `2nd`", "b = hour of `from` in Europe/Berlin", "b = day of year of net", "b from net, tax",
        "net, tax, `total sum` occur together", "net, tax missing together", "net missing where tax has a value",
        "net, tax missing where b is x, y, `a, b`", "net between 1 and 2.5", "net, tax unique",
    ):  # fmt: skip
        parsed = text.parse(rule, names)
        assert parsed.text.replace("`a, b`", "a, b") == rule.replace("`a, b`", "a, b")
        assert parsed.words().endswith(".")
    assert text.parse("b <= tax", names).text == "tax >= b"
    assert text.to_toml([text.parse("tax > b", names)], ["net > b"]) == {"keep": ["tax > b"], "refuse": ["net > b"]}
    kept, refused = text.from_toml({"keep": ["tax > b"], "refuse": ["net > b"]}, names)
    assert [rule.text for rule in kept] == ["tax > b"]
    assert refused == ("net > b",)


@pytest.mark.parametrize(
    "rule", ["", "net", "net =", "net = net", "net + tax", "net = tax *", "a b c", "net = 1 +", "= net"]
)
def test_texts_that_are_no_rules(rule: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        text.parse(rule, ["net", "tax"])


def test_rules_of_a_user_that_do_not_hold() -> None:
    frame = orders()
    columns = {name: recognise(frame[name]) for name in frame}
    for rule in (
        "net = price + tax",
        "price >= net",
        "noise from city",
        "city, left missing together",
        "net between 1 and 2",
    ):
        with pytest.raises(UserError, match=r"does not hold in [\d,]+ rows"):
            assemble([text.parse(rule, list(columns))], columns, frame, 5)
    for rules, says in (
        (["country from city", "country = month of ordered"], "does not hold"),
        (["total = net + tax", "total = tax + net"], "Two rules compute"),
        (["brand, sort occur together", "sort, city occur together"], "into one"),
    ):
        with pytest.raises(UserError, match=says):
            assemble([text.parse(rule, list(columns)) for rule in rules], columns, frame, 5)


def test_json_and_back(data: TableData) -> None:
    entries = json.loads(json.dumps(data.spec.to_dict()))
    assert TableSpec.from_dict(entries) == data.spec
    assert "sort 4" in json.dumps(entries["rules"])


def test_damaged_rules_are_refused(data: TableData) -> None:
    """Whatever stands in a card, there is a UserError or a spec that decodes."""
    rng = np.random.default_rng(0)
    good = json.dumps(data.spec.to_dict())
    strange = [None, -1, 10**9, "x", [], {}, True, 1e308, "month", [["a"]]]
    for _ in range(60):
        entries = json.loads(good)
        rule = entries["rules"][rng.integers(len(entries["rules"]))]
        name = rng.choice(list(rule))
        rule[name] = strange[rng.integers(len(strange))]
        try:
            spec = TableSpec.from_dict(entries)
        except UserError:
            continue
        RuleLimits.of(spec)


def test_a_tree_of_combinations() -> None:
    tokens = np.array([[0, 1, 2], [0, 1, 3], [4, 1, 2], [4, 2, 2]], np.uint8)
    tree = Tree(tokens)
    root = torch.zeros(3, dtype=torch.int64)
    assert tree.allowed(0, root, 5)[0].tolist() == [True, False, False, False, True]
    node = tree.follow(0, root, torch.tensor([0, 4, 3]))
    assert node[2] == -1
    assert tree.allowed(1, node, 3).tolist() == [[False, True, False], [False, True, True], [True, True, True]]
    node = tree.follow(1, node, torch.tensor([1, 2, 0]))
    assert tree.allowed(2, node, 4)[:2].tolist() == [[False, False, True, True], [False, False, True, False]]


def test_hours_in_a_time_zone() -> None:
    rng = np.random.default_rng(0)
    hours = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 8_000, 3_000), unit="h")
    there = hours.tz_localize("UTC").tz_convert("America/New_York")
    frame = pd.DataFrame({"when": hours, "hour": there.hour, "day": there.day, "x": rng.integers(0, 9, 3_000)})
    rules = {rule.text for rule in find(frame, [recognise(frame[name]) for name in frame]).rules}
    assert rules == {"hour = hour of when in America/New_York", "day = day of when in America/New_York"}
    made = of_frame(frame, "hours", DataConfig())
    torch.manual_seed(0)
    generator = network.Generator(made.spec, network.Config(width=16)).eval()
    assert wrong(made.spec, rows_of(made.spec, generator, {"hour": 8, "day": 31})) == {}


def test_orders_in_a_chain_are_kept() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 40, 3_000)
    second = first + rng.integers(0, 30, 3_000)
    third = second + rng.integers(1, 30, 3_000)
    frame = pd.DataFrame({"c": third, "a": first, "b": np.where(rng.random(3_000) < 0.1, np.nan, second)})
    made = of_frame(frame, "chain", DataConfig())
    assert {rule.text for rule in made.spec.rules} >= {"b >= a", "c > a", "c > b"}
    torch.manual_seed(0)
    generator = network.Generator(made.spec, network.Config(width=16)).eval()
    for where in ({}, {"c": 20}, {"b": 10}, {"a": 30}, {"a": 5, "c": 9}, {"b": None}):
        drawn = rows_of(made.spec, generator, where)
        assert wrong(made.spec, drawn) == {}, where
        assert all((drawn[name] == value).all() for name, value in where.items() if value is not None)


def test_a_wide_table_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{i}": rng.integers(0, 10 ** (i % 5 + 1), 8_000) for i in range(30)})
    for i in range(25):
        frame[f"c{i}"] = rng.choice(list("abcdefgh"[: i % 7 + 2]), 8_000)
    columns = [recognise(frame[name]) for name in frame]
    start = time.process_time()
    assert find(frame, columns).rules == ()
    assert time.process_time() - start < 20


def test_rules_in_columns_toml(tmp_path: Any) -> None:
    """What `data check` writes is kept; what is refused is not; what does not hold is said."""
    frame = orders(1_000)
    frame.to_csv(tmp_path / "orders.csv", index=False)
    place = tmp_path / "columns.toml"
    lines, form = last(check(str(tmp_path / "orders.csv"), {}, place))
    shown = "\n".join(lines)
    assert "Rules that hold in every row" in shown
    assert "shipped is never below ordered." in shown
    assert {entry["rule"] for entry in form["rules"]} >= {"country, currency from city", "shipped >= ordered"}
    as_found = of_frame(frame, "orders", DataConfig()).spec
    source = str(tmp_path / "orders.csv")
    again = last(DataConfig(source, columns=str(place)).loading())
    assert {r.text for r in again.spec.rules} == {r.text for r in as_found.rules}
    place.write_text('[rules]\nrefuse = ["ordered <= shipped"]\n', "utf-8")
    fewer = last(DataConfig(source, columns=str(place)).loading())
    assert {r.text for r in as_found.rules} - {r.text for r in fewer.spec.rules} == {"shipped >= ordered"}
    place.write_text('[rules]\nkeep = ["shipped >= ordered"]\n', "utf-8")
    one = last(DataConfig(source, columns=str(place)).loading())
    assert [r.text for r in one.spec.rules] == ["shipped >= ordered"]
    place.write_text('[rules]\nkeep = ["net > tax", "noise > net"]\n', "utf-8")
    with pytest.raises(UserError, match=r"'noise > net' does not hold in [\d,]+ rows"):
        last(DataConfig(source, columns=str(place)).loading())


def test_a_rule_that_breaks_in_rows_not_looked_at_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = orders(6_000)
    monkeypatch.setattr(pack, "sample_size", lambda columns: 2_000)
    seen = set(last(pack.look(read.Rows(read.Frame(frame, "orders")))).frame.index)
    assert len(seen) == 2_000
    at = next(i for i in range(len(frame)) if i not in seen)
    frame.loc[at, "total"] = 0.5
    frame.loc[at, "country"] = "FR" if frame.loc[at, "country"] != "FR" else "NL"
    made = of_frame(frame, "orders", DataConfig())
    texts = " ".join(rule.text for rule in made.spec.rules)
    assert "total" not in texts
    assert "country" not in texts
    assert "shipped >= ordered" in texts
    assert sum("does not hold in 1 row beyond those examined" in note for note in made.notes) == 2
