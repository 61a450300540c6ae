"""Which drawn rows are drawn again: those that repeat others in columns where the table's rows never do, and those in
which a rule computes a value that the table does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from ganvas.tables import values
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Unique
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

TRIES = 30  # drawings of such a row
NEAR = 1e-6  # what the arithmetic of floats may be off by

Draw = Callable[[int, int], tuple[Tensor, Tensor]]  # how many rows, and which try -> tokens and places
Decode = Callable[[Tensor, Tensor], "pd.DataFrame"]


class Repeats:
    """What was drawn in the columns that are unique together, portion after portion.

    Attributes:
        left: by what they should be, the rows that were not so in the last drawing either.
    """

    def __init__(self, spec: TableSpec, rare: bool = False) -> None:
        """Args: rare: whether values may be drawn that few rows have."""
        self.computed = [c for c in spec.columns if c.parts and c not in spec.learned and not rare]
        self.rules = [rule for rule in spec.rules if isinstance(rule, Unique)]
        self.seen: dict[str, list[np.ndarray]] = {rule.text: [] for rule in self.rules}  # ascending, ever shorter
        self.left: dict[str, int] = {}

    def without(self, tokens: Tensor, place: Tensor, draw: Draw, decode: Decode) -> pd.DataFrame:
        """The rows of a portion, those that repeat others drawn again, TRIES times at most."""
        frame = decode(tokens, place)
        for attempt in range(TRIES if self.rules or self.computed else 0):
            wrong = [*(self._wrong(r, frame) for r in self.rules), *(_strange(c, frame) for c in self.computed)]
            bad = torch.from_numpy(np.flatnonzero(np.logical_or.reduce(wrong)))
            if not len(bad):
                break
            tokens, place = tokens.clone(), place.clone()
            new, where = draw(len(bad), attempt)
            tokens[bad], place[bad] = new.to(tokens), where.to(place)
            frame = decode(tokens, place)
        for rule in self.rules:
            if count := int(self._wrong(rule, frame).sum()):
                self.left[rule.text] = self.left.get(rule.text, 0) + count
            self._add(rule, _keys(rule, frame)[0])
        for column in self.computed:
            if count := int(_strange(column, frame).sum()):
                text = f"{column.name} has values of the table"
                self.left[text] = self.left.get(text, 0) + count
        return frame

    def _wrong(self, rule: Unique, frame: pd.DataFrame) -> np.ndarray:
        keys, there = _keys(rule, frame)
        wrong = rule.wrong(frame, {})
        for known in self.seen[rule.text]:
            place = np.searchsorted(known, keys).clip(0, len(known) - 1)
            wrong |= there & (known[place] == keys)
        return wrong

    def _add(self, rule: Unique, keys: np.ndarray) -> None:
        seen = self.seen[rule.text]
        seen.append(np.unique(keys))
        while len(seen) > 1 and len(seen[-2]) <= 2 * len(seen[-1]):
            last = seen.pop()
            seen[-1] = np.union1d(seen[-1], last)


def _strange(column: Column, frame: pd.DataFrame) -> np.ndarray:
    """Which rows have a value that is none of a category's or outside a number's or date's range, bool [N]."""
    series = cast("pd.Series", frame[column.name])
    if column.kind == "category":
        return values.codes(column, series, column.parts[0].values) < 0
    with np.errstate(invalid="ignore"):
        spans = zip(column.parts, column.as_numbers(series), strict=True)
        wrong = [(n < p.low[0] - NEAR) | (n > p.high[-1] + NEAR) for p, n in spans if p.counts]
    return np.logical_or.reduce([np.zeros(len(series), bool), *wrong])


def _keys(rule: Unique, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit number for the values of each row, and whether there are such, bool [N]."""
    from pandas import util

    some: Any = frame[list(rule.names)]
    hashed = cast("Any", util).hash_pandas_object(some, index=False).to_numpy(dtype=np.uint64)
    return hashed, some.notna().all(axis=1).to_numpy(dtype=bool)
