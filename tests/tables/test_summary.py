"""Rows in bins, as the studio shows them: the same bins for all rows, nothing of few people in a bin of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
import pandas as pd

from ganvas.tables.data import DataConfig, of_frame
from ganvas.tables.summary import bars, in_common, summary


def frame(count: int = 3_000) -> Any:
    random = np.random.default_rng(1)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 400, count), "D")
    return pd.DataFrame(
        {
            "age": random.integers(18, 95, count),
            "pay": np.round(random.lognormal(7, 1.5, count), 2),
            "code": random.choice(list("abcdefghijklmnop"), count),
            "day": days,
            "at": days + pd.to_timedelta(random.integers(0, 86_400, count), "s"),
            "paid": pd.Series(random.choice(["yes", "no"], count)).mask(random.random(count) < 0.2),
            "some": np.where(random.random(count) < 0.3, np.nan, random.integers(0, 4, count)),
        }
    )


def test_rows_in_bins() -> None:
    table = frame()
    data = of_frame(table, "made", DataConfig(rules=False))
    found = summary(data.spec, table)
    by_name = {column["name"]: column for column in found["columns"]}
    for column in found["columns"]:
        assert len(column["labels"]) == len(column["shares"])
        assert sum(column["shares"]) + column["missing"] == pytest.approx(1, abs=1e-3)
    assert by_name["code"]["labels"][-1] == "7 other values"
    for name in ("paid", "some"):
        assert by_name[name]["missing"] == pytest.approx(table[name].isna().mean(), abs=1e-4)
    even = np.array(by_name["age"]["shares"][1:-2])
    assert even.max() < 1.6 * even.min()  # whole numbers: each bar has equally many of them
    assert by_name["pay"]["shares"][0] < 0.2  # of a long tail no bar has nearly all
    place = data.spec.by_name["day"]
    first = (table["day"] < bars(place).labels[1].removeprefix("from ")).mean()
    assert by_name["day"]["shares"][0] == pytest.approx(first, abs=1e-4)
    pair = next(p for p in found["pairs"] if p["of"] == [0, 2])
    assert np.array(pair["table"]).shape == (len(found["sides"]["0"]), len(found["sides"]["2"]))
    assert np.array(pair["table"]).sum() == pytest.approx(1, abs=1e-3)
    assert len(found["pairs"]) == 21


def test_drawn_rows_have_the_bins_of_the_real_ones() -> None:
    data = of_frame(frame(), "made", DataConfig(rules=False))
    one, other = data.examples().files()[".json"], summary(data.spec, frame(50).assign(age=200, code="zz"))
    assert b'"rows":2000' in one
    ages, codes = (next(c for c in other["columns"] if c["name"] == name) for name in ("age", "code"))
    assert ages["shares"][-1] == 1  # beyond the last edge, and
    assert codes["shares"][-1] == 1  # a value that nobody had


def test_rows_of_the_same_table_have_as_much_in_common_as_chance_says() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"n": random.gamma(2, 9, 6_000).round(1), "c": random.choice(list("abcd"), 6_000)})
    spec = of_frame(table, "t", DataConfig(rules=False)).spec
    one, other = table.iloc[:2_000], table.iloc[2_000:4_000]
    found, chance = in_common(spec, one, other)
    assert abs(found - chance) < 0.01
    assert found > 0.95
    assert in_common(spec, one, one)[0] == 1
    assert in_common(spec, one, other.assign(c="a"))[0] < found - 0.3


def test_a_value_of_few_rows_is_another_value_and_not_missing() -> None:
    table = pd.DataFrame({"who": ["a", "b"] * 450 + [f"one {i}" for i in range(100)], "n": np.arange(1_000) % 7})
    data = of_frame(table, "t", DataConfig(rules=False, kinds='{"who": "category"}'))
    shown: Any = data.examples()
    (column,) = [c for c in summary(data.spec, shown.frame, shown.rare())["columns"] if c["name"] == "who"]
    assert column["missing"] == 0
    assert column["labels"][-1] == "other values"
    assert abs(column["shares"][-1] - 0.1) < 0.02


def test_rows_that_are_shown_are_from_all_over_a_sorted_table() -> None:
    table = pd.DataFrame({"year": np.repeat(np.arange(1950, 2020), 100), "n": np.arange(7_000) % 7})
    shown: Any = of_frame(table, "t", DataConfig(rules=False)).examples().frame
    assert len(shown) == 2_000
    assert abs(shown["year"].mean() - 1984.5) < 2
