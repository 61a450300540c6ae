"""What the search for rules knows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.columns import Column

FIRST = 5_000  # rows that show first what cannot be a rule
SURE = 30  # rows that a rule would be broken in if it were none
NEARLY = 0.005  # share of rows that break a rule which nearly holds


@dataclass(frozen=True, eq=False)
class Look:
    """What the search for rules knows of a table.

    Attributes:
        frame: rows of a DataFrame, LOOKED_AT at most.
        columns: those that can be in a rule, by name.
        rare: fewest rows that a value must have to be drawn.
    """

    frame: Any
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
        """Whether its values can be in a table of what occurs: many rows for nearly each of them."""
        column, counts = self.columns[name], self.counts[name]
        if column.kind == "category":
            return self.sizes(name) > 1
        covered = counts[counts >= self.rare].sum() / len(self)
        return column.kind == "number" and column.decimals >= 0 and covered >= 0.98 and 1 < self.sizes(name) <= 2_000

    @cached_property
    def first(self) -> np.ndarray:
        """The rows that are looked at first, int64 [up to FIRST]."""
        return np.sort(np.random.default_rng(0).permutation(len(self))[:FIRST])
