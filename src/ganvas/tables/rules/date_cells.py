"""The cells of a date in which parts of it are what they are to be: days of a known month, times of a known hour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.cells import Cells
from ganvas.tables.rules.combinations import Group
from ganvas.tables.rules.dates import CLOCK, DatePart
from ganvas.tables.spec import TableSpec

MOST = 1_000_000  # days and times of day that are looked through for a part of a date
NEAR = 6  # days between the ends of a cell at most, so that a part of the date is the same in between
HOUR = 3_600  # seconds, as much for times of day


def date_groups(spec: TableSpec, source: str, parts: Sequence[tuple[DatePart, float]]) -> list[Group]:
    """The tokens of a learned date with which its parts have these values: days and times apart where that can be.

    Raises:
        UserError: there are too many times to look through.
    """
    column = spec.by_name[source]
    learned = next(c for c in spec.learned if c.name == source)
    days, *times = learned.parts
    zoned = any(rule.zone for rule, _ in parts)
    which = [(0,), (1,)] if times and not zoned else [(0, 1)] if times else [(0,)]
    groups, at = [], spec.places[source].start
    for together in which:
        chosen = [(days, *times)[i] for i in together]
        mine = [p for p in parts if zoned or not times or (p[0].part in CLOCK) == (together == (1,))]
        if not mine:
            continue
        if (count := int(np.prod([len(part.counts) for part in chosen]))) > MOST:
            raise UserError(f"{source} has {count:,} different times: set {source} itself and not a part of it.")
        cells = np.stack(np.unravel_index(np.arange(count), [len(part.counts) for part in chosen]), 1)
        units = [column.step if i else vl.DAY for i in together]
        good = _narrow(chosen, [HOUR / column.step if i else NEAR for i in together], cells)
        for end in ("low", "high"):  # a cell counts if the part is the same at both ends, and nothing is between
            seconds = _seconds(chosen, units, cells, end)
            for rule, value in mine:
                good &= _part_at(spec, source, rule, seconds) == value
        starts = [at, at + len(days.sizes)]
        tokens = [part.tokens(cells[good, k]) for k, part in enumerate(chosen)]
        places = [starts[i] + j for i, t in zip(together, tokens, strict=True) for j in range(t.shape[1])]
        groups.append(Group(tuple(places), np.concatenate(tokens, 1)))
    return groups


def _narrow(chosen: Sequence[Cells], widest: Sequence[float], cells: np.ndarray) -> np.ndarray:
    """Which cells are so narrow that nothing is between their ends, bool [cells]."""
    wide = [(np.array(part.high) - np.array(part.low))[cells[:, k]] for k, part in enumerate(chosen)]
    return np.logical_and.reduce([w <= most for w, most in zip(wide, widest, strict=True)])


def _seconds(chosen: Sequence[Cells], units: Sequence[int], cells: np.ndarray, end: str) -> np.ndarray:
    """One end of each cell, in seconds since 1970."""
    each = [np.array(getattr(part, end))[cells[:, k]] * units[k] for k, part in enumerate(chosen)]
    return np.sum(each, axis=0)


def _part_at(spec: TableSpec, source: str, rule: DatePart, seconds: np.ndarray) -> np.ndarray:
    import pandas as pd

    moments = pd.Series(seconds.astype(np.int64).astype("datetime64[s]"))
    return rule.value({source: moments}, spec.by_name)
