"""The figures of tables are what they say: known cases, copies are found, chance is no finding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ganvas.core.errors import UserError
from ganvas.tables.data import DataConfig, of_frame
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.evaluate import experts, nearness, shapes, sound, source
from ganvas.tasks.table.evaluate.experts import Target
from ganvas.tasks.table.evaluate.measure import measure
from ganvas.tasks.table.evaluate.metrics import METRICS, choose
from ganvas.tasks.table.evaluate.sides import Found, Sides
from ganvas.tasks.table.evaluate.values import Coder, Values


def people(rows: int, seed: int = 0) -> pd.DataFrame:
    """Numbers, categories and dates that hang together; some are missing."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 90, rows)
    plan = np.where(random.random(rows) < age / 100, "gold", "basic").astype(object)
    plan[random.random(rows) < 0.1] = None
    pay = np.round(age * 10 + random.normal(0, 40, rows), 2)
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(age + random.integers(0, 9, rows), "D")
    return pd.DataFrame({"id": np.arange(rows), "age": age, "plan": plan, "pay": pay, "since": since})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experts, "TREES", 25)


@pytest.fixture(scope="module")
def spec() -> TableSpec:
    return of_frame(people(1_200), "people", DataConfig()).spec


def sides(spec: TableSpec, *drawn: pd.DataFrame, rows: int = 400) -> Sides:
    real = people(1_200)
    return Sides(spec, source.of_frames(spec, real.iloc[:800], real.iloc[800 : 800 + rows], 0), list(drawn), 0)


def found(of: Sides, *names: str) -> dict[str, Found]:
    return {k: v for event in measure(of, names) if isinstance(event, dict) for k, v in event.items()}


def test_values_are_numbers_that_compare_over_frames(spec: TableSpec) -> None:
    coder = Coder.of(spec)
    frame = people(50)
    first = coder(frame)
    again = coder(frame.assign(plan=frame["plan"].iloc[::-1].to_numpy()).iloc[::-1])
    assert [c.name for c in first.columns] == ["age", "plan", "pay", "since"]
    assert np.array_equal(first.numbers[:, 1], again.numbers[:, 1], equal_nan=True)
    assert first.numbers[0, 2] == round(float(frame["pay"].iloc[0]) * 100)
    assert len(np.unique(first.hashes())) == 50
    assert np.array_equal(first.hashes(), coder(frame).hashes())
    with pytest.raises(UserError, match="no column 'pay'"):
        coder(frame.drop(columns="pay"))


def one_column(spec: TableSpec, name: str, numbers: list[float]) -> Values:
    return Values((spec.column(name),), np.array(numbers, dtype=float)[:, None])


def test_shapes_of_known_columns(spec: TableSpec) -> None:
    low, high = one_column(spec, "age", [1, 2, 3, 4]), one_column(spec, "age", [3, 4, 5, 6])
    assert shapes.shapes(low, low)[0] == 1
    assert shapes.shapes(low, high)[0] == pytest.approx(0.5)  # half of the rows are below all of the others
    gaps = one_column(spec, "age", [1, 2, np.nan, np.nan])
    assert shapes.shapes(low, gaps)[0] == pytest.approx(0.5)
    a, b = one_column(spec, "plan", [0, 0, 0, np.nan]), one_column(spec, "plan", [0, 0, 1, 1])
    assert shapes.shapes(a, b)[0] == pytest.approx(0.5)


def test_trends_see_what_columns_alone_do_not(spec: TableSpec) -> None:
    coder, frame = Coder.of(spec), people(2_000)
    mixed = frame.assign(pay=frame["pay"].sample(frac=1, random_state=0).to_numpy())
    real, other = coder(frame), coder(mixed)
    assert shapes.shapes(real, other).min() == 1
    pairs = shapes.pairs_of(4, 0)
    bins = shapes.binned(real, real, other)
    found_trends = dict(zip(pairs, shapes.trends(bins[0], bins[2], pairs), strict=True))
    assert shapes.trends(bins[0], bins[1], pairs).min() == 1
    assert found_trends[0, 2] < 0.5 < 0.99 < found_trends[0, 1]
    assert shapes.correlations(real, other, [(0, 2)])[0] == pytest.approx(0.5, abs=0.03)  # nearly 1, and then 0


def test_many_pairs_are_a_choice_by_the_seed() -> None:
    pairs = shapes.pairs_of(100, 3)
    assert len(set(pairs)) == shapes.PAIRS
    assert pairs == shapes.pairs_of(100, 3) != shapes.pairs_of(100, 4)


def test_the_area_under_the_curve_counts_ties_half() -> None:
    truth = np.array([1, 1, 0, 0])
    assert experts.auc(truth, np.array([4.0, 3, 2, 1])) == 1
    assert experts.auc(truth, np.array([1.0, 1, 1, 1])) == 0.5
    assert experts.auc(truth, np.array([3.0, 1, 2, 0])) == 0.75


@pytest.mark.parametrize("linear", [False, True])
def test_an_expert_tells_what_is_unlike_and_nothing_else(spec: TableSpec, linear: bool) -> None:
    coder = Coder.of(spec)
    real, like, unlike = coder(people(600)), coder(people(600, 1)), coder(people(600, 2).assign(plan="gold"))
    assert abs(experts.distinguish(real, like, 0, linear).auc - 0.5) < 0.08
    assert experts.distinguish(real, unlike, 0, linear).auc > 0.7
    assert experts.gives_away(real, unlike, 0).argmax() == 1


def test_a_column_that_another_one_tells_is_learned(spec: TableSpec) -> None:
    """Of many values, too: steps that are too large once lost them."""
    random = np.random.default_rng(0)
    kinds = random.choice(16, 3_000, p=np.geomspace(1, 0.02, 16) / np.geomspace(1, 0.02, 16).sum()).astype(float)
    columns = (spec.column("plan"), spec.column("age"), spec.column("pay"))
    rows = Values(columns, np.stack([kinds, kinds * 3, random.random(3_000)], 1))
    train, test = rows.take(slice(2_000)), rows.take(slice(2_000, None))
    assert experts.learned(Target(0, True), train, test, train, 0) > 0.99
    assert experts.learned(Target(1, False), train, test, train, 0) > 0.99
    assert abs(experts.learned(Target(2, False), train, test, train, 0)) < 0.2


def test_a_column_without_values_is_no_obstacle(spec: TableSpec) -> None:
    coder = Coder.of(spec)
    real, empty = coder(people(300)), coder(people(300, 1).assign(plan=None))
    assert experts.distinguish(empty, empty, 0).auc < 0.7
    assert np.isfinite(experts.learned(Target(0, False), empty, real, real, 0))


def test_copies_of_training_rows_are_found_by_every_measure(spec: TableSpec) -> None:
    real = people(1_200)
    names = ("nearer-training", "neighbour-ratio", "copies", "membership-distance")
    copied = found(sides(spec, real.iloc[:800]), *names)
    assert copied["copies"].value == 1
    assert copied["copies"].floor < 0.01
    assert copied["nearer-training"].value > 0.65  # half of the copied rows are among those that it is asked of
    assert copied["neighbour-ratio"].value < 0.1 < copied["neighbour-ratio"].floor
    assert copied["membership-distance"].value > 0.9
    fresh = found(sides(spec, people(800, 5)), *names)
    assert fresh["copies"].value < 0.01
    assert abs(fresh["nearer-training"].value - 0.5) < 0.08
    assert abs(fresh["membership-distance"].value) < 0.12


def test_repeated_rows_and_their_floor(spec: TableSpec) -> None:
    few = people(40, 5)
    repeats = found(sides(spec, pd.concat([few] * 20, ignore_index=True)), "repeats")["repeats"]
    assert repeats.value == pytest.approx(0.9)
    assert repeats.floor < 0.01


def test_real_rows_are_as_good_as_real_rows(spec: TableSpec) -> None:
    """Every figure of real rows is near its floor."""
    of = sides(spec, people(500, 5), people(500, 6))
    out = found(of, *[name for name in METRICS if METRICS[name].group not in ("sound", "likelihood")])
    for name, tolerance in {
        "shape": 0.03,
        "trend": 0.05,
        "correlations": 0.02,
        "c2st": 0.08,
        "tstr": 0.15,
        "coverage": 0.07,
    }.items():
        assert out[name].value == pytest.approx(out[name].floor, abs=tolerance), name
        assert len(out[name].values) == 2


def test_the_same_seed_gives_the_same_figures(spec: TableSpec) -> None:
    names = ("trend", "c2st", "tstr", "membership-distance")
    first, again = (found(sides(spec, people(200, 5)), *names) for _ in range(2))
    assert {name: first[name].values for name in names} == {name: again[name].values for name in names}


def test_too_few_rows_are_a_reason_and_not_a_number(spec: TableSpec) -> None:
    out = found(sides(spec, people(300, 5), rows=12), "shape", "c2st", "coverage")
    assert out["shape"].value > 0.5
    assert out["c2st"].note == "it needs 50 rows of each side, and there are 12"
    assert np.isnan(out["coverage"].value)


def test_impossible_values_are_counted_one_by_one(spec: TableSpec) -> None:
    known = sides(spec, people(100, 5)).real.known
    assert sound.impossible(people(1_200).drop(columns="id"), spec, known) == {}
    wrong = people(10, 5).assign(id=[5000, 5000, 3, *range(6000, 6007)])
    wrong["age"] = [17, 200, *[40] * 8]
    wrong["plan"] = ["silver", *["gold"] * 9]
    wrong["pay"] = [400.123, np.nan, *[400.25] * 8]
    wrong["since"] = pd.Timestamp("2024-05-05")
    counts = sound.impossible(wrong, spec, known)
    low, high = people(1_200)["since"].min().date(), people(1_200)["since"].max().date()
    assert counts == {
        "id: repeated ids": 1,
        "id: ids of real rows": 1,
        "age: outside 18 to 89": 2,
        "plan: unknown values": 1,
        "pay: missing": 1,
        "pay: too many digits": 1,
        f"since: outside {low} to {high}": 10,
    }


def test_names_of_metrics() -> None:
    assert choose(None) == choose("all") == list(METRICS)
    assert choose("shape, trend") == ["shape", "trend"]
    with pytest.raises(UserError, match="Did you mean 'shape'"):
        choose("shap")


def test_many_valued_categories_need_no_place_each(spec: TableSpec) -> None:
    column = (spec.column("plan"),)
    rows = Values(column, np.r_[np.arange(5_000), np.arange(5_000)].astype(float)[:, None])
    vectors = nearness.Space(rows, [5_000])(rows)
    assert vectors.shape == (10_000, nearness.DIRECTIONS)
    distances = nearness.distance(vectors[:50], vectors[50:5_000])
    assert distances.min() > 0.4
    assert nearness.distance(vectors[:50], vectors[5_000:]).max() == 0


def test_an_advantage_is_not_found_by_chance() -> None:
    random = np.random.default_rng(0)
    a, b = random.random(500), random.random(500)
    assert abs(nearness.advantage(a, b, 0)) < 0.1
    assert nearness.advantage(a + 2, b, 0) > 0.99
    assert nearness.advantage(a, a, 0) < 0.1
