"""The order of the values of large categories."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from ganvas.tables.data import DataConfig, of_frame
from ganvas.tables.spec import TableSpec


def spec_of(frame: pd.DataFrame, **settings: object) -> TableSpec:
    return of_frame(frame, "towns", DataConfig("x", rules=False, **settings)).spec  # pyright: ignore[reportArgumentType]


def frame_of(depends: float, count: int = 12_000) -> pd.DataFrame:
    """400 towns in 8 countries; a share of the rows has the town's own country."""
    random = np.random.default_rng(0)
    towns = np.array([f"town {i:03d}" for i in random.permutation(400)])
    at = random.integers(0, 400, count)
    country = np.where(random.random(count) < depends, at // 50, random.integers(0, 8, count))
    return pd.DataFrame(
        {
            "town": towns[at],
            "country": np.array(list("ABCDEFGH"))[country],
            "size": random.integers(0, 90, count),
        }
    )


def test_towns_of_a_country_stand_together() -> None:
    frame = frame_of(0.9)
    (part,) = spec_of(frame).column("town").parts
    assert part.base  # a group, then one of it
    home = frame.groupby("town")["country"].agg(lambda c: c.mode()[0])
    countries = [home[value] for value in part.values]
    changes = sum(a != b for a, b in itertools.pairwise(countries))
    assert changes <= 12  # 7 where all stand together; 350 in the order of their names


def test_counts_go_with_their_values() -> None:
    frame = frame_of(0.9)
    data = of_frame(frame, "towns", DataConfig("x", rules=False, held_out=0.25))
    rows = frame.drop(data.held_out_rows.numpy())["town"].value_counts()
    (part,) = data.spec.column("town").parts
    counts = np.array([rows[value] for value in part.values])
    assert (counts == np.array(part.counts)).all()
    assert len(counts) == int((rows >= 5).sum())


def test_where_nothing_depends_on_a_value_the_order_of_texts_stays() -> None:
    (part,) = spec_of(frame_of(0)).column("town").parts
    assert list(part.values) == sorted(part.values)


def test_the_same_rows_give_the_same_order() -> None:
    frame = frame_of(0.5)
    assert spec_of(frame).column("town").parts == spec_of(frame.copy()).column("town").parts
