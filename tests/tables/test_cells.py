"""Cells: values to cells to tokens and back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ganvas.core.errors import UserError
from ganvas.tables.cells import Cells, of_category, of_numbers


@pytest.mark.parametrize("count", [1, 2, 128, 129, 5_000, 70_000])
def test_tokens_and_cells_are_inverse(count: int) -> None:
    cells = Cells(tuple([3] * count), values=tuple(f"v{i:06}" for i in range(count)), missing=4, rare=2)
    numbers = np.arange(count + 2)  # with those for rare and missing values
    tokens = cells.tokens(numbers)
    assert tokens.shape == (count + 2, len(cells.sizes))
    assert (tokens < np.array(cells.sizes)).all()
    assert max(cells.sizes) <= 256
    np.testing.assert_array_equal(cells.cells(tokens), numbers)


def test_a_hundred_thousand_values_need_few_outputs() -> None:
    cells = Cells(tuple([1] * 100_000), values=tuple(map(str, range(100_000))))
    assert sum(cells.sizes) < 600


@pytest.mark.parametrize("count", [5, 500, 70_000])
def test_priors_are_the_frequencies(count: int) -> None:
    """The product of the tokens' shares is the share of the cell; what cannot be has none."""
    rows = np.random.default_rng(0).integers(1, 50, count)
    cells = Cells(tuple(map(int, rows)), values=tuple(map(str, range(count))), missing=7)
    tokens = cells.tokens(np.arange(count + 2)).astype(np.int64)
    priors, shares, place = cells.priors(), np.zeros(count + 2), np.zeros(count + 2, np.int64)
    for level, prior in enumerate(priors):
        table = prior if level else prior[None]
        shares += table[place, tokens[:, level]]
        place = place * cells.sizes[level] + tokens[:, level]
        assert np.exp(table).sum(1) == pytest.approx(1, abs=1e-4)
    expected = np.array([*rows, 0, 7]) + 0.5
    assert np.exp(shares) == pytest.approx(expected / expected.sum(), rel=1e-3)


def test_spikes_stay_spikes_and_whole_numbers_whole() -> None:
    random = np.random.default_rng(0)
    numbers = np.where(random.random(20_000) < 0.9, 0.0, random.integers(1, 50_000, 20_000)).astype(float)
    cells = of_numbers(numbers, rare=5)
    found = cells.find(numbers)
    back = cells.numbers(found, random.random(len(numbers)), whole=True)
    assert (back == np.round(back)).all()
    assert (back == 0).mean() == pytest.approx((numbers == 0).mean())
    assert numbers.min() <= back.min()
    assert back.max() <= numbers.max()
    assert np.quantile(back, [0.92, 0.95, 0.99]) == pytest.approx(np.quantile(numbers, [0.92, 0.95, 0.99]), rel=0.01)


def test_numbers_that_are_so_many_apart_stay_so() -> None:
    """Amounts in steps of 25 from 10 on: what is drawn between them is as the table's."""
    random = np.random.default_rng(0)
    numbers = 10 + 25.0 * random.integers(0, 4_000, 3_000)
    cells = of_numbers(numbers, 5)
    assert cells.step == 25
    assert Cells.from_dict(json.loads(json.dumps(cells.to_dict()))) == cells
    drawn = cells.numbers(random.integers(0, len(cells.counts), 50_000), random.random(50_000), whole=True)
    assert set(drawn % 25) == {10}
    assert numbers.min() <= drawn.min() <= drawn.max() <= numbers.max()
    assert len(np.unique(drawn)) > 3_000
    assert of_numbers(numbers + 0.5, 5).step == 1  # no whole numbers
    assert of_numbers(np.append(numbers, [11.0]), 1).step == 1
    assert of_numbers(np.repeat(25.0 * np.arange(8), 100), 5).step == 1  # too few values to tell


def test_no_cell_has_fewer_rows_than_may_be_shown() -> None:
    """Neither single numbers nor the extremes can be found in a model."""
    random = np.random.default_rng(1)
    for numbers in (random.lognormal(3, 2, 5_000), random.integers(0, 3_000, 4_000).astype(float), np.arange(30.0)):
        for rare in (1, 5, 20):
            cells = of_numbers(numbers, rare)
            assert min(cells.counts) >= min(rare, len(numbers))
            assert sum(cells.counts) == len(numbers)
            if rare > 1:
                edges = {*cells.low, *cells.high}
                assert numbers.min() not in edges
                assert numbers.max() not in edges


def test_a_number_goes_to_the_nearest_cell() -> None:
    cells = Cells((5, 5, 5), low=(0.0, 10.0, 30.0), high=(0.0, 20.0, 30.0))
    numbers = np.array([-9.0, 0.0, 4.0, 6.0, 15.0, 24.0, 26.0, 99.0])
    assert cells.find(numbers).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_rare_values_have_no_cell() -> None:
    values = pd.Series(["a"] * 10 + ["b"] * 4 + ["c"] * 6 + [None] * 3)
    cells = of_category(values, rare=5)
    assert (cells.values, cells.counts, cells.rare, cells.missing) == (("a", "c"), (10, 6), 4, 3)
    assert of_category(values, rare=1).values == ("a", "b", "c")
    assert of_category(values, rare=1, order=("c", "b", "a")).values == ("c", "b", "a")


def test_they_survive_json() -> None:
    for cells in (
        of_category(pd.Series(["x", "y", None] * 9), 1),
        of_numbers(np.array([1.5, np.nan, 2.0] * 9), 1),
        of_numbers(np.full(9, np.nan), 1),
    ):
        assert Cells.from_dict(json.loads(json.dumps(cells.to_dict()))) == cells


@pytest.mark.parametrize(
    "entries",
    [
        None,
        {},
        {"counts": []},
        {"counts": [1], "values": []},
        {"counts": [1, 1], "values": ["a", "a"]},
        {"counts": [-1], "values": ["a"]},
        {"counts": [True], "values": ["a"]},
        {"counts": [1, 1], "low": [2, 1], "high": [2, 1]},
        {"counts": [1], "low": [2], "high": [1]},
        {"counts": [1], "low": [float("nan")], "high": [1]},
        {"counts": [1], "low": [1], "high": [1], "values": ["a"]},
        {"counts": [1], "values": [1]},
        {"counts": [1], "values": ["a"], "missing": "2"},
        {"counts": [1], "values": ["a"], "strange": 2},
    ],
)
def test_entries_of_others_are_checked(entries: object) -> None:
    with pytest.raises(UserError):
        Cells.from_dict(entries)
