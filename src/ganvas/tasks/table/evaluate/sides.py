"""What figures are taken of, drawn rows and real ones, and what comes out of it."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.evaluate import nearness
from ganvas.tasks.table.evaluate.source import Real
from ganvas.tasks.table.evaluate.values import Values

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Sides:
    """What is measured, and what it is compared with.

    frames: drawn rows, one a repeat, at most `count` each. chances: -log p of training and of held-out rows to the
    model; None: there is no model. strange: why nothing can be said about training rows; '' where it can.
    """

    spec: TableSpec
    real: Real
    frames: list[pd.DataFrame]
    seed: int
    chances: tuple[np.ndarray, np.ndarray] | None = None
    strange: str = ""
    drawn: list[Values] = field(init=False)

    def __post_init__(self) -> None:
        self.drawn = [self.real.coder(frame) for frame in self.frames]

    @property
    def count(self) -> int:
        """Rows of a side where drawn rows are compared with held-out ones."""
        return min(len(self.real.held_out), len(self.real.train), *map(len, self.drawn))

    @property
    def taught(self) -> int:
        """Rows of a side that something is learned from: half of the training rows at most, for the floor."""
        return min(len(self.real.train) // 2, *map(len, self.drawn))

    @cached_property
    def held_out(self) -> Values:
        return self.real.held_out.take(slice(self.count))

    @cached_property
    def pairs(self) -> list[tuple[Values, Values]]:
        """As many drawn and other real rows, training ones, for each repeat."""
        n, blocks = self.count, max(1, len(self.real.train) // self.count)
        starts = [r % blocks * n for r in range(len(self.drawn))]
        return [
            (d.take(slice(n)), self.real.train.take(slice(s, s + n))) for d, s in zip(self.drawn, starts, strict=True)
        ]

    @cached_property
    def space(self) -> nearness.Space:
        return nearness.Space(self.real.train, self.real.coder.sizes())


@dataclass
class Found:
    """What came out: a value for each repeat, and a floor for each (or one); `error`: where there is one repeat.

    `note`: why there is nothing. `parts`: what the report tells of it.
    """

    values: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    error: float = math.nan
    note: str = ""
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return statistics.fmean(self.values) if self.values and not self.note else math.nan

    @property
    def floor(self) -> float:
        return statistics.fmean(self.floors) if self.floors and not self.note else math.nan

    @property
    def spread(self) -> float:
        return statistics.stdev(self.values) if len(self.values) > 1 else self.error

    @property
    def floor_spread(self) -> float:
        return statistics.stdev(self.floors) if len(self.floors) > 1 else math.nan
