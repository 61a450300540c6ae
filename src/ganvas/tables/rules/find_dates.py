"""Columns that are a part of a date: its month, its hour in some time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables.rules.dates import DATED, PARTS, DatePart, part_of
from ganvas.tables.rules.look import SURE, Look

if TYPE_CHECKING:
    import pandas as pd


TRIED = 2_000  # rows that show first what cannot be
ZONES = (
    "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Athens", "Europe/Moscow", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Toronto", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Shanghai", "Asia/Tokyo", "Asia/Singapore", "Asia/Dubai", "Australia/Sydney", "Africa/Johannesburg",
)  # fmt: skip  # of zones whose clocks agree, the first of these is named


def parts(look: Look) -> list[DatePart]:
    """The columns that are always a part of a date."""
    rules: list[DatePart] = []
    taken: set[str] = set()
    dates = [n for n in look.numbers if look.columns[n].kind == "date"]
    for source in dates:
        targets = [n for n in look.numbers if n != source and n not in taken and _could(look, n)]
        targets = [n for n in targets if (look.missing[n] == look.missing[source]).all()]
        if not targets:
            continue
        series = look.frame[source]
        known = np.flatnonzero(~look.missing[source])
        zones = ["", *_zones(look, series, known[:TRIED], targets)] if look.columns[source].type == "time" else [""]
        for zone in zones:
            for part in PARTS:
                if look.columns[source].type == "date" and part in ("date", "hour", "minute", "second"):
                    continue
                value = part_of(series.iloc[known[:TRIED]], part, zone)
                for target in targets:
                    if target in taken or (part in DATED) != (look.columns[target].kind == "date"):
                        continue
                    off = look.numbers[target][known[:TRIED]] - value
                    plus = off[0] if len(off) else np.nan
                    allowed = (-1, 0, 1) if part in ("weekday", "week") else (0,)
                    if plus not in allowed or (off != plus).any():
                        continue
                    rule = DatePart(target, part, source, zone, int(plus))
                    if rule.broken(look.frame, look.columns) == 0:
                        rules.append(rule)
                        taken.add(target)
    return rules


def _could(look: Look, name: str) -> bool:

    column = look.columns[name]
    whole = column.type == "int" or (column.kind == "date" and column.type == "date")
    return whole and look.mixed(name) * len(look) >= SURE


def _zones(look: Look, series: pd.Series, rows: np.ndarray, targets: list[str]) -> list[str]:
    """The zone whose clock a column of hours shows, if it is not the date's own."""
    import zoneinfo

    times = series.iloc[rows]
    hours = part_of(times, "hour")
    for name in targets:
        if look.columns[name].kind == "date":
            continue
        value = look.numbers[name][rows]
        if value.min() < 0 or value.max() > 23 or len(np.unique(value)) < 3 or (value == hours).all():
            continue
        if len(np.unique((value - hours) % 24)) > 2:
            continue
        for zone in (*ZONES, *sorted(zoneinfo.available_timezones())):
            if (part_of(times.iloc[:50], "hour", zone) == value[:50]).all() and (
                part_of(times, "hour", zone) == value
            ).all():
                return [zone]
    return []
