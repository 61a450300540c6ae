"""Columns that are a part of a date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Columns, Frame, Rule, quoted

if TYPE_CHECKING:
    import pandas as pd


PARTS = (
    "date", "start of month", "year", "quarter", "month", "year and month", "week", "day", "day of year", "weekday",
    "hour", "minute", "second",
)  # fmt: skip
DATED = PARTS[:2]  # parts that are dates themselves: a period such as 2024-03 is the first day of a month
CLOCK = PARTS[-3:]  # parts of the time of day


@dataclass(frozen=True)
class DatePart(Rule):
    """`month = month of ordered`: a part of a date, in a zone of its own where one is named.

    "year and month" is 202403. Weekdays count from Monday, 0; `plus` is added to the part (a weekday that counts from
    1).
    """

    kind: ClassVar[str] = "part"
    target: str
    part: str
    source: str
    zone: str = ""
    plus: int = 0

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise UserError(f"a rule takes the part {self.part[:40]!r} of a date; the parts are {', '.join(PARTS)}.")
        if self.zone:
            import zoneinfo

            if self.zone not in zoneinfo.available_timezones():
                raise UserError(f"a rule names the time zone {self.zone[:40]!r}, which does not exist.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.target, self.source)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: None}

    @property
    def text(self) -> str:
        plus = f" + {self.plus}" if self.plus > 0 else f" - {-self.plus}" if self.plus else ""
        zone = f" in {self.zone}" if self.zone else ""
        return f"{quoted(self.target)} = {self.part} of {quoted(self.source)}{zone}{plus}"

    def words(self) -> str:
        plus = f" plus {self.plus}" if self.plus else ""
        part = self.part.replace("of month", "of the month")
        return f"{self.target} is always the {part} of {self.source}{plus}{f', in {self.zone}' if self.zone else ''}."

    def value(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The part, float64 [N]; NaN: the date is missing."""
        return part_of(frame[self.source], self.part, self.zone) + self.plus

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        have, due = vl.numbers(columns[self.target], frame[self.target]), self.value(frame, columns)
        return ~((have == due) | (np.isnan(have) & np.isnan(due)))

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        column, value = columns[self.target], self.value(frame, columns)
        if column.kind == "category":
            known = ~np.isnan(value)
            names = np.unique(value[known])
            places = np.where(known, np.searchsorted(names, np.where(known, value, 0)), -1)
            frame[self.target] = vl.from_codes(column, [str(int(v)) for v in names], places)
        else:
            frame[self.target] = vl.series_of(column, value)


def part_of(series: pd.Series, part: str, zone: str = "") -> np.ndarray:
    """A part of dates, float64 [N]; NaN: missing. Dates without a zone count as UTC where one is asked for."""
    times = series
    if zone:
        times = times.dt.tz_localize("UTC") if times.dt.tz is None else times
        times = times.dt.tz_convert(zone)
    clock = times.dt
    if part in DATED:
        days = times.dt.tz_localize(None) if times.dt.tz is not None else times
        dates = days.to_numpy(dtype="datetime64[s]").astype("datetime64[D]" if part == "date" else "datetime64[M]")
        return np.where(np.isnat(dates), np.nan, dates.astype("datetime64[D]").astype(np.int64)).astype(np.float64)
    if part == "year and month":
        return part_of(times, "year") * 100 + part_of(times, "month")
    if part == "week":
        values = clock.isocalendar().week
    else:
        values = getattr(clock, {"day of year": "day_of_year", "weekday": "day_of_week"}.get(part, part))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
