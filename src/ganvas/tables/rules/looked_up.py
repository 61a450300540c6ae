"""What may be drawn where columns are known that follow from it: cities of a known country, days of a known month.

A combination's tokens are followed by digits of what follows from them. The digits count as tokens that are given, so
that the trees of `limits` say which of the others can go with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.tables import values as vl
from ganvas.tables.columns import DAY
from ganvas.tables.limits import BothWalk
from ganvas.tables.rules.combinations import Group
from ganvas.tables.rules.date_cells import HOUR, NEAR
from ganvas.tables.rules.dates import CLOCK, DatePart
from ganvas.tables.rules.limits import RuleLimits, group_of
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.rules.completing import Partial

DIGITS = 3  # of base 256, of each value

Codes = Callable[["pd.Series"], np.ndarray]  # a column's values -> their numbers int64 [N]; -1: none


class Backwards:
    """The rules by which columns follow from others, as limits for rows in which they are known."""

    def __init__(self, spec: TableSpec) -> None:
        self.each: list[tuple[RuleLimits, tuple[str, ...], list[Codes], tuple[str, ...]]] = []
        width, learned = len(spec.sizes), {column.name: column for column in spec.learned}
        changed = {name for rule in spec.rules for name in rule.forms if not isinstance(rule, Together)}
        for rule in spec.rules:
            if isinstance(rule, Together) and rule.targets and rule.rows:
                if all(n in learned and n not in changed and learned[n].kind == "category" for n in rule.free):
                    digits = np.concatenate([_digits(rule.table[:, i]) for i in range(rule.by, len(rule.names))], 1)
                    group = group_of(spec, rule, rule.table, digits, width)
                    codes = [
                        lambda series, n=n, v=v: vl.codes(spec.by_name[n], series, v)
                        for n, v in zip(rule.targets, rule.values[rule.by :], strict=True)
                    ]
                    self.each.append((RuleLimits((group,)), rule.targets, codes, rule.free))
            elif isinstance(rule, DatePart) and rule.source in {*learned} - changed:
                made = _dated(spec, rule, width)
                if made is not None:
                    self.each.append((RuleLimits((made[0],)), (rule.target,), [made[1]], (rule.source,)))

    def of(self, partial: Partial) -> Seen | None:
        """The limits of these rows; None: there are none."""
        found = []
        for limits, names, codes, free in self.each:
            known = np.stack([partial.known[n] for n in names], 1)
            open_ones = ~np.logical_and.reduce([partial.known[n] for n in free])
            if not (known.any(1) & open_ones).any():
                continue
            numbers = np.stack([code(partial.frame[n]) for n, code in zip(names, codes, strict=True)], 1)
            known &= numbers >= 0
            digits = np.concatenate([_digits(np.maximum(column, 0)) for column in numbers.T], 1).astype(np.int64)
            found.append((limits, torch.from_numpy(digits), torch.from_numpy(known.repeat(DIGITS, 1))))
        return Seen(found) if found else None


class Seen:
    """Limits of some rows by what is known of them."""

    def __init__(self, each: Sequence[tuple[RuleLimits, Tensor, Tensor]]) -> None:
        self.each = each

    def start(self, rows: Tensor, given: Tensor | None) -> BothWalk:
        known = torch.zeros(rows.shape, dtype=torch.bool, device=rows.device) if given is None else given
        return BothWalk(
            [
                limits.start(torch.cat([rows, digits.to(rows)], 1), torch.cat([known, there.to(known)], 1))
                for limits, digits, there in self.each
            ]
        )


def _digits(numbers: np.ndarray) -> np.ndarray:
    """Numbers int64 [N] -> uint8 [N, DIGITS]."""
    return np.stack([numbers >> 8 * i & 255 for i in reversed(range(DIGITS))], 1).astype(np.uint8)


def _dated(spec: TableSpec, rule: DatePart, width: int) -> tuple[Group, Codes] | None:
    """The cells of a date in which a part of it is the same throughout; None: they cannot be told."""
    import pandas as pd

    column = next(c for c in spec.learned if c.name == rule.source)
    days, *times = column.parts
    clock, start = rule.part in CLOCK, spec.places[rule.source].start
    if rule.zone or (clock and not times):
        return None
    part, unit, wide = (times[0], column.step, HOUR / column.step) if clock else (days, DAY, NEAR)
    low, high = np.array(part.low), np.array(part.high)
    first, last = (
        rule.value({rule.source: pd.Series((edge * unit).astype(np.int64).astype("datetime64[s]"))}, spec.by_name)
        for edge in (low, high)
    )
    good = np.flatnonzero((first == last) & (high - low <= wide))
    if not len(good):
        return None
    values, numbers = np.unique(first[good], return_inverse=True)
    tokens = part.tokens(good)
    start += len(days.sizes) if clock else 0
    places = (*range(start, start + tokens.shape[1]), *range(width, width + DIGITS))

    def code(series: pd.Series) -> np.ndarray:
        have = vl.numbers(spec.by_name[rule.target], series)
        at = np.searchsorted(values, np.nan_to_num(have)).clip(0, len(values) - 1)
        return np.where(values[at] == have, at, -1)

    return Group(places, np.concatenate([tokens, _digits(numbers)], 1)), code
