"""Cells that follow from known ones by the rules of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from ganvas.tables import read  # noqa: E402
from ganvas.tables.data import DataConfig, of_frame  # noqa: E402
from ganvas.tables.rules.completing import Partial  # noqa: E402


def flights(count: int) -> Any:
    rng = np.random.default_rng(2)
    hours = pd.Timestamp("2013-01-01T05:00", tz="UTC") + pd.to_timedelta(rng.integers(0, 360 * 24, count), unit="h")
    there = hours.tz_convert("America/New_York")
    return pd.DataFrame(
        {
            "time": hours.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "month": there.month,
            "day": there.day,
            "hour": there.hour,
            "late": rng.normal(0, 9, count).round(1),
        }
    )


def test_a_time_follows_from_its_parts_in_another_zone() -> None:
    table = flights(6_000)
    spec = of_frame(table, "flights", DataConfig()).spec
    assert {rule.text for rule in spec.rules} == {
        f"{part} = {part} of time in America/New_York" for part in ("month", "day", "hour")
    }
    rows = table.head(400)
    typed = read.typed(rows.astype("str"), spec.read)
    known = {name: np.ones(len(rows), bool) for name in typed}
    known["time"][:] = False
    known["hour"][::2] = False
    gone = typed["time"].where(known["time"])
    frame: Any = {n: gone if n == "time" else typed[n] for n in typed}
    partial = Partial(spec, frame, known)
    twice = ((rows["month"] == 11) & (rows["day"] == 3) & (rows["hour"] == 1)).to_numpy()  # as clocks go back
    assert (partial.known["time"] == known["hour"] & ~twice).all()
    found = partial.known["time"]
    assert (partial.frame["time"][found] == typed["time"][found]).all()
