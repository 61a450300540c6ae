"""Conditions on rows: what is said, and which cells meet it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ganvas.core.errors import UserError
from ganvas.tables import where as wh
from ganvas.tables.data import DataConfig, of_frame
from ganvas.tables.spec import TableSpec
from ganvas.tables.terms import Term


@pytest.fixture(scope="module")
def spec() -> TableSpec:
    random = np.random.default_rng(0)
    count = 4_000
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 60, count), unit="D")
    frame = pd.DataFrame({
        "id": np.arange(count),
        "age": random.integers(18, 91, count),
        "price": np.round(random.gamma(2, 30, count), 2),
        "plan": random.choice(["free", "silver", "gold, old"], count, p=[0.7, 0.2, 0.1]),
        "size": pd.Categorical(random.choice(["S", "M", "L"], count), ["S", "M", "L"], ordered=True),
        "city": pd.Series(random.choice(["Rome", "Bern"], count), dtype="str").mask(random.random(count) < 0.3),
        "day": days,
        "at": days + pd.to_timedelta(random.integers(0, 24, count) * 3_600, unit="s"),
        "member": random.random(count) < 0.5,
        "note": [f"some words of row {i} that are long enough to be taken for free text" for i in range(count)],
        "same": ["x"] * count,
    })  # fmt: skip
    return of_frame(frame, "people", DataConfig(rules=False)).spec


def cells(spec: TableSpec, where: str) -> wh.Allowed:
    (found,) = wh.allowed(spec, where)
    return found


def test_what_is_said_is_read() -> None:
    assert wh.parse("country=NL, plan=gold|silver ,age>=65,city=") == [
        Term("country", "=", ("NL",)),
        Term("plan", "=", ("gold", "silver")),
        Term("age", ">=", ("65",)),
        Term("city", "=", ("",)),
    ]
    assert wh.parse('"a, b"="x|y, ""z""",c<1') == [Term("a, b", "=", ('x|y, "z"',)), Term("c", "<", ("1",))]
    assert wh.parse("income=<=50K") == [Term("income", "=", ("<=50K",))]
    assert wh.parse({"a": 1, "b": None, "c": ["x", None]}) == [
        Term("a", "=", ("1",)),
        Term("b", "=", ("",)),
        Term("c", "=", ("x", "")),
    ]
    for wrong in ("age", "=5", "age!=5", 'a="b'):
        with pytest.raises(UserError, match="condition"):
            wh.parse(wrong)


def test_values_and_ranges_of_cells(spec: TableSpec) -> None:
    plan = cells(spec, 'plan="gold, old"|silver')
    assert [v for v, s in zip(plan.column.parts[0].values, plan.parts[0].share, strict=False) if s] == [
        "gold, old",
        "silver",
    ]
    age = cells(spec, "age>=65,age<70")
    low = np.array(age.column.parts[0].low)
    assert low[age.parts[0].share[: len(low)] > 0].tolist() == [65, 66, 67, 68, 69]
    assert cells(spec, "size>=M").parts[0].share.sum() == 2
    assert cells(spec, "member=yes").is_one
    assert cells(spec, "city=").parts[0].share.tolist() == [0, 0, 0, 1]
    assert cells(spec, "city=|Rome").parts[0].share.sum() == 2


def test_part_of_a_cell(spec: TableSpec) -> None:
    price = cells(spec, "price<20.5")
    part, column = price.parts[0], price.column.parts[0]
    edge = int(np.flatnonzero(part.share)[-1])
    assert column.low[edge] < 2050
    assert 0 < part.share[edge] <= 1
    place = np.array([part.start[edge], part.end[edge] - 1e-9])
    assert column.numbers(np.array([edge, edge]), place, whole=True).max() <= 2049
    exact = cells(spec, "price=20.5")
    edge = int(np.flatnonzero(exact.parts[0].share)[0])
    place = np.array([exact.parts[0].start[edge], exact.parts[0].end[edge] - 1e-9])
    assert set(column.numbers(np.array([edge, edge]), place, whole=True)) == {2050}


@pytest.mark.parametrize("term", ["amount>=5010", "amount>5000", "amount<=5010", "amount<5100", "amount=5000"])
def test_ranges_of_amounts_in_hundreds(term: str) -> None:
    amounts = 100 * np.random.default_rng(0).integers(1, 100, 2_000) + 0.0
    spec = of_frame(pd.DataFrame({"amount": amounts}), "loans", DataConfig(rare=150, rules=False)).spec
    (part,) = cells(spec, term).parts
    (column,) = spec.learned
    assert column.parts[0].step == 100
    numbers = []
    for cell in np.flatnonzero(part.share):
        inside = np.linspace(part.start[cell], np.nextafter(part.end[cell], 0), 200)
        numbers += column.parts[0].numbers(np.full(200, cell), inside, whole=True).tolist()
    known = {
        n for a, b in zip(column.parts[0].low, column.parts[0].high, strict=True) for n in np.arange(a, b + 1, 100)
    }
    expected = {n for n in known if eval(term.replace("amount=5", "amount==5"), {"amount": n})}
    assert set(numbers) == expected


def test_dates_and_times(spec: TableSpec) -> None:
    day = cells(spec, "day>=2024-02-01,day<2024-02-03")
    low = np.array(day.column.parts[0].low)
    first = np.datetime64("2024-02-01").astype(int)
    assert low[day.parts[0].share[: len(low)] > 0].tolist() == [first, first + 1]
    at = cells(spec, "at=2024-02-01 13:00")
    assert at.is_one
    assert not cells(spec, "at<=2024-02-01").is_one
    with pytest.raises(UserError, match="whole days"):
        wh.allowed(spec, "at>=2024-02-01 13:00")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("plam=gold", "Did you mean 'plan'"),
        ("plan=golden", "Did you mean 'gold, old'.*plan has free, silver"),
        ("age>=200", "age is from 1[89] to"),
        ("age=20.5", "whole numbers"),
        ("age=old", "is not a number"),
        ("price=3.111", "2 digits after the point"),
        ("day=soon", "is not a date"),
        ("day>=2030-01-01", "from 2024-01-01 to 2024-02-29"),
        ("plan>gold", "have no order"),
        ("age=", "every row has a value"),
        ("id=5", "newly made.*Conditions are for: age"),
        ("note=x", "free text is not learned"),
        ("same=x", "all rows have the same"),
        ("age>=80,age<70", "no row meets this"),
    ],
)
def test_errors_say_what_there_is(spec: TableSpec, where: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        wh.allowed(spec, where)
