"""Rows of a table that break its rules, and in which column that shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.usual import CANNOT

if TYPE_CHECKING:
    import pandas as pd

COMPUTED = 3.0  # by this oddity another cell must exceed one that a rule computes, for the rule to show there


def broken_in(spec: TableSpec, frame: Mapping[str, pd.Series] | Any) -> dict[int, np.ndarray]:
    """By the number of a rule, the rows that break it, bool [N]; no rules that all keep."""
    each = {i: rule.wrong(frame, spec.by_name) for i, rule in enumerate(spec.rules)}
    return {i: rows for i, rows in each.items() if rows.any()}


def named(spec: TableSpec, oddities: np.ndarray, broken: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The oddities with those of broken rules, and for each cell the number of the rule that shows there, or -1.

    A rule shows in the cell that breaks most rules; of several, in the oddest, or in the one that the rule computes.

    Args:
        oddities: float [N, columns that are read]; see `usual`.
        broken: see `broken_in`.
    """
    names = [column.name for column in spec.read]
    odd, which = oddities.copy(), np.full(oddities.shape, -1)
    times = np.zeros(oddities.shape)
    for number, rows in broken.items():
        for name in spec.rules[number].columns:
            times[rows, names.index(name)] += 1
    for number, rows in broken.items():
        rule, at = spec.rules[number], np.flatnonzero(rows)
        places = np.array([names.index(n) for n in rule.columns])
        mine = at[:, None], places[None]
        bonus = np.array([COMPUTED if n in rule.targets else 0.0 for n in rule.columns])
        cell = places[(100 * times[mine] + np.minimum(oddities[mine], 49) + bonus).argmax(1)]
        odd[at, cell] = np.maximum(odd[at, cell], oddity_of(spec, rule))
        which[at, cell] = np.where(which[at, cell] < 0, number, which[at, cell])
    return odd, which


def oddity_of(spec: TableSpec, rule: Rule) -> float:
    """How odd a row is that breaks a rule: of combinations that occur, some training rows had others, but too few."""
    if not (isinstance(rule, Together) and not rule.targets):
        return CANNOT
    part = spec.by_name[rule.names[0]].parts[0]
    return float(np.log((sum(part.counts) + part.rare + part.missing + 1) / (rule.rare + 1)))
