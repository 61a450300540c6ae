"""Rules found by looking at a table's rows.

A rule is proposed only if it holds in every row, and if so many rows would be unlikely to keep it by chance: shuffling
one of its columns must break it in at least `SURE` rows. What holds in 99.5% of the rows is named, and not kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables import find_dates, find_formulas, find_orders, find_together
from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules import Rule

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 200_000  # rows at most that rules are looked for in
FIRST = 5_000  # rows that show first what cannot be a rule
SURE = 30  # rows that a rule would be broken in if it were none
NEARLY = 0.005  # share of rows that break a rule which nearly holds


@dataclass(frozen=True)
class Found:
    """`rules` hold in all rows; `nearly`: sentences about what holds in nearly all."""

    rules: tuple[Rule, ...]
    nearly: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Look:
    """What the search for rules knows of a table.

    Attributes:
        frame: rows, LOOKED_AT at most.
        columns: those that can be in a rule, by name.
        rare: fewest rows that a value must have to be drawn.
    """

    frame: pd.DataFrame
    columns: dict[str, Column]
    rare: int

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def names(self) -> list[str]:
        return list(self.columns)

    @cached_property
    def codes(self) -> dict[str, np.ndarray]:
        """The number of each row's value, int64 [N]; missing ones have a number of their own, the largest."""
        import pandas as pd

        each = {}
        for name in self.names:
            places, found = pd.factorize(self.frame[name])
            each[name] = np.where(places < 0, len(found), places).astype(np.int64)
        return each

    @cached_property
    def missing(self) -> dict[str, np.ndarray]:
        return {name: self.frame[name].isna().to_numpy(dtype=bool) for name in self.names}

    @cached_property
    def numbers(self) -> dict[str, np.ndarray]:
        """The values of the columns that can be reckoned with, float64 [N]."""
        return {n: vl.numbers(c, self.frame[n]) for n, c in self.columns.items() if vl.is_ordered(c)}

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """The rows of each value, most frequent first."""
        return {name: -np.sort(-np.bincount(self.codes[name])) for name in self.names}

    def sizes(self, name: str) -> int:
        """How many different values there are."""
        return int((self.counts[name] > 0).sum())

    def mixed(self, name: str) -> float:
        """The probability that two rows have different values."""
        return 1.0 - float(((self.counts[name] / len(self)) ** 2).sum())

    def is_listed(self, name: str) -> bool:
        """Whether its values can stand in a table of what occurs: many rows for nearly each of them."""
        column, counts = self.columns[name], self.counts[name]
        if column.kind == "category":
            return 1 < self.sizes(name)
        covered = counts[counts >= self.rare].sum() / len(self)
        return column.kind == "number" and column.decimals >= 0 and covered >= 0.98 and 1 < self.sizes(name) <= 2_000

    @cached_property
    def first(self) -> np.ndarray:
        """The rows that are looked at first, int64 [up to FIRST]."""
        return np.sort(np.random.default_rng(0).permutation(len(self))[:FIRST])


def find(frame: pd.DataFrame, columns: Sequence[Column], rare: int = 5) -> Found:
    """The rules of a table, not yet fitted (see `assemble`), and what nearly holds.

    Args:
        frame: all rows, dates as dates.
        columns: what the columns are; ids, texts and constants are in no rule.
        rare: fewest rows that a value must have to be drawn.
    """
    sample = frame if len(frame) <= LOOKED_AT else frame.sample(LOOKED_AT, random_state=0)
    usable = {c.name: c for c in columns if c.kind in ("number", "category", "date")}
    look = Look(sample.reset_index(drop=True), usable, rare)
    nearly: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of columns without values
        rules = [*find_dates.parts(look)]
        computed = {t for rule in rules for t in rule.targets}
        formulas = find_formulas.formulas(look, computed, nearly)
        computed |= {f.target for f in formulas}
        follows, flags = find_together.dependencies(look, computed, nearly)
        computed |= {t for rule in follows for t in rule.targets}
        combined, more = find_together.combinations(look, computed)
        computed |= {t for rule in more for t in rule.targets}
        missing = find_together.missing(look, computed - {f.target for f in formulas}, flags, nearly)
        orders = find_orders.orders(look, [*rules, *follows, *formulas, *more], nearly)
        unique = find_together.unique(look)
    rules += [*follows, *formulas, *combined, *more, *missing, *orders, *unique]
    held = tuple(rule for rule in rules if _holds(rule, frame, sample, usable))
    return Found(held, tuple(nearly))


def _holds(rule: Rule, frame: pd.DataFrame, sample: pd.DataFrame, columns: dict[str, Column]) -> bool:
    """Whether it does in all rows, not only in those looked at."""
    from ganvas.core.errors import UserError
    from ganvas.tables.together import Together

    if len(frame) == len(sample):
        return True
    if isinstance(rule, Together):
        if not rule.targets:
            return True  # what occurs is what the rows have
        try:
            rule.fitted(frame, columns, 1)
        except UserError:
            return False
        return True
    return rule.broken(frame, columns) == 0
