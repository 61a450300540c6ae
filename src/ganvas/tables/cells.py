"""A column's values as numbered cells, and a cell's number as one to three tokens of at most 256 values each.

A cell of numbers is one value that many rows have, or a range that many rows fall into; a cell of a category is one
value. So spikes stay spikes, whole numbers stay whole, and nothing outside the data's range is ever drawn. Where there
are many cells they are put into groups of about equally many rows: the first token is the group, the others the place
in it: 100,000 values need no network with 100,000 outputs.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ganvas.core.errors import UserError

ONE_LEVEL = 128  # cells up to which one token is enough
GROUPS = 96  # groups of cells otherwise, for 65,000 cells at most; more groups for more
LARGEST = 200 * 200 * 200  # cells of a column at most
WAVES = 8  # lengths of waves that a number is shown in
NEVER = -1e4  # the logarithm of the frequency of what cannot be
MANY = 12  # different values that show that all numbers are multiples of so many apart


@dataclass(frozen=True)
class Cells:
    """The cells of a column, or of one part of it.

    `low`, `high`: the smallest and the largest value of each cell of numbers, ascending; empty for categories.
    `step`: whole numbers of a cell are its smallest one and every `step`-th above: amounts may be in hundreds.
    `values`: the value of each cell of a category; empty for numbers.
    `counts`: training rows in each cell. `missing`: training rows without a value. `rare`: those with a value that too
    few rows have for it to be drawn. Missing values have a cell of their own after the others if there are some;
    categories always have one for rare and unknown values.
    """

    counts: tuple[int, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    missing: int = 0
    rare: int = 0
    step: int = 1

    def __post_init__(self) -> None:
        """Check what may come from a file of others.

        Raises:
            UserError: the entries do not go together.
        """
        numbers = bool(self.low) or bool(self.high)
        lengths = {len(self.counts), *((len(self.low), len(self.high)) if numbers else (len(self.values),))}
        if len(lengths) != 1 or not (self.counts or self.missing or self.rare) or len(self.counts) > LARGEST:
            raise UserError(f"it has {len(self.counts)} cells, and other numbers of values for them.")
        if min((*self.counts, self.missing, self.rare)) < 0 or (numbers and self.values):
            raise UserError("its cells are of an unknown kind.")
        edges = [edge for pair in zip(self.low, self.high, strict=True) for edge in pair]
        if not all(map(math.isfinite, edges)) or any(a > b for a, b in itertools.pairwise(edges)):
            raise UserError("its cells do not ascend.")
        if len(set(self.values)) != len(self.values):
            raise UserError("it has a value twice.")
        if not 1 <= self.step <= 2**52:
            raise UserError(f"its numbers have a step of {self.step}.")

    @property
    def is_category(self) -> bool:
        return not self.low

    @property
    def specials(self) -> tuple[str, ...]:
        """The cells after those of values: 'rare' and 'missing', as far as there are such."""
        return (*(("rare",) if self.is_category else ()), *(("missing",) if self.missing else ()))

    @cached_property
    def starts(self) -> np.ndarray:
        """The first cell of each group, int64 [groups + 1]; with one token there is a group a cell."""
        count = len(self.counts)
        if count <= ONE_LEVEL:
            return np.arange(count + 1)
        groups = min(250, max(GROUPS, math.ceil(count / 40_000)))
        share = np.cumsum(self.counts) - np.array(self.counts) / 2
        group = np.minimum(share * groups // max(1, sum(self.counts)), groups - 1).astype(np.int64)
        _, first = np.unique(group, return_index=True)
        return np.append(first, count)

    @cached_property
    def base(self) -> int:
        """The number of values of each token after the first; 0: there is one token only."""
        widest = int(np.diff(self.starts).max(initial=1))
        if widest == 1:
            return 0
        return widest if widest <= 250 else math.ceil(widest**0.5)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values each token may have."""
        first = len(self.starts) - 1 + len(self.specials)
        widest = int(np.diff(self.starts).max(initial=1))
        deeper = 0 if not self.base else 1 if self.base == widest else 2
        return (first, *([self.base] * deeper))

    def cell_of(self, special: str) -> int:
        """The number of the cell 'missing' or 'rare'."""
        return len(self.counts) + self.specials.index(special)

    def token_of(self, special: str) -> int:
        """The first token of the cell 'missing' or 'rare'."""
        return len(self.starts) - 1 + self.specials.index(special)

    def tokens(self, cells: np.ndarray) -> np.ndarray:
        """Numbers of cells int64 [N] -> tokens uint8 [N, tokens]."""
        count, groups = len(self.counts), len(self.starts) - 1
        special = cells >= count
        group = np.where(special, groups + cells - count, np.searchsorted(self.starts, cells, side="right") - 1)
        columns = [group]
        if self.base:
            within = np.where(special, 0, cells - self.starts[np.minimum(group, groups - 1)])
            columns += [within] if len(self.sizes) == 2 else [within // self.base, within % self.base]
        return np.stack(columns, 1).astype(np.uint8)

    def cells(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens uint8 [N, tokens] -> numbers of cells int64 [N]; the inverse of `tokens`."""
        count, groups = len(self.counts), len(self.starts) - 1
        group = tokens[:, 0].astype(np.int64)
        special = group >= groups
        known = np.minimum(group, max(0, groups - 1))
        cells = self.starts[known] if groups else np.zeros_like(group)
        if self.base:
            within = tokens[:, 1].astype(np.int64)
            if len(self.sizes) == 3:
                within = within * self.base + tokens[:, 2]
            cells = np.minimum(cells + within, self.starts[known + 1] - 1)
        return np.where(special, count + group - groups, cells)

    def priors(self) -> list[np.ndarray]:
        """Logarithms of the tokens' frequencies: float32 [first], then [combinations of those before, size] each."""
        rows = np.array([*self.counts, *({"rare": self.rare, "missing": self.missing}[s] for s in self.specials)])
        tokens, priors = self.tokens(np.arange(len(rows))).astype(np.int64), []
        before, combinations = np.zeros(len(rows), np.int64), 1
        for level, size in enumerate(self.sizes):
            total = np.zeros((combinations, size))
            np.add.at(total, (before, tokens[:, level]), rows + 0.5)
            with np.errstate(divide="ignore"):
                logs = np.where(total > 0, np.log(total / np.maximum(total.sum(1, keepdims=True), 1e-9)), NEVER)
            logs[(total == 0).all(1), 0] = 0.0  # combinations that are never: any token will do
            priors.append((logs if level else logs[0]).astype(np.float32))
            before, combinations = before * size + tokens[:, level], combinations * size
        return priors

    def features(self, days: bool = False) -> np.ndarray:
        """Features of the number in the middle of each cell, float32 [product of the tokens' sizes, n], within -5 to 5.

        Its distance from the mean in standard deviations and the share of rows below it, both as they are and as waves
        of shorter and shorter length, so that small differences can be seen: Tancik et al. 2020.

        Args:
            days: the numbers are days since 1970: their weekday and day of the year are features too.
        """
        count = len(self.counts)
        middle = (np.array(self.low) + np.array(self.high)) / 2
        rows = np.maximum(np.array(self.counts, np.float64), 1e-9)
        share = (np.cumsum(rows) - rows / 2) / rows.sum()
        mean = (middle * rows).sum() / rows.sum()
        spread = max(((middle - mean) ** 2 * rows).sum() / rows.sum(), 1e-30) ** 0.5
        far = np.clip((middle - mean) / spread, -5, 5)
        columns = [far, 2 * share - 1]
        for value in (far, 2 * share - 1):
            for k in range(WAVES):
                columns += [np.sin(np.pi * 2.0**k * value / 2), np.cos(np.pi * 2.0**k * value / 2)]
        if days:
            columns += [(np.floor(middle) % 7 == day).astype(np.float64) for day in range(7)]
            columns += [np.sin(2 * np.pi * middle / 365.25), np.cos(2 * np.pi * middle / 365.25)]
        digits = self.tokens(np.arange(count)).astype(np.int64)
        table = np.zeros((math.prod(self.sizes), len(columns)), np.float32)
        table[np.ravel_multi_index(tuple(digits.T), self.sizes)] = np.stack(columns, 1)
        return table

    def numbers(self, cells: np.ndarray, place: np.ndarray, whole: bool) -> np.ndarray:
        """A number of each cell, float64 [N].

        Args:
            cells: numbers of cells that have values.
            place: where in the cell's range, 0 to 1.
            whole: only whole numbers.
        """
        low, high = np.array(self.low)[cells], np.array(self.high)[cells]
        if whole:
            return low + self.step * np.floor(place * self.width(low, high)).clip(max=(high - low) // self.step)
        return low + place * (high - low)

    def width(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """How many whole numbers there are in cells with these smallest and largest ones."""
        return (high - low) // self.step + 1

    def find(self, numbers: np.ndarray) -> np.ndarray:
        """The cell of each number, the nearest one where it is in none; int64 [N]. NaN counts as the first."""
        low, high = np.array(self.low), np.array(self.high)
        after = np.searchsorted(low, numbers, side="right")
        before, after = np.clip(after - 1, 0, len(low) - 1), np.clip(after, 0, len(low) - 1)
        return np.where(numbers - high[before] > low[after] - numbers, after, before)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        entries: dict[str, Any] = {"counts": list(self.counts)}
        for name in ("low", "high", "values"):
            if getattr(self, name):
                entries[name] = list(getattr(self, name))
        entries |= {"step": self.step} if self.step > 1 else {}
        return entries | {name: getattr(self, name) for name in ("missing", "rare") if getattr(self, name)}

    @classmethod
    def from_dict(cls, entries: Any) -> Cells:
        """The cells of a JSON form.

        Raises:
            UserError: it is none.
        """
        types = {"counts": int, "low": int | float, "high": int | float, "values": str}
        if not isinstance(entries, dict) or not {"counts"} <= entries.keys() <= {*types, "missing", "rare", "step"}:
            raise UserError("its cells are invalid.")
        for name, kind in types.items():
            entry = entries.get(name, [])
            if not isinstance(entry, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in entry):
                raise UserError(f"the entry {name} of its cells is invalid.")
        if any(type(entries.get(name, 0)) is not int for name in ("missing", "rare", "step")):
            raise UserError("its cells count missing rows or steps wrongly.")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()}
        return cls(**values)


def of_numbers(numbers: np.ndarray, rare: int, most: int = 4_096) -> Cells:
    """The cells of a column of numbers.

    A value that many rows have becomes a cell of its own; the others share ranges that at least `rare` rows fall into.
    Values beyond the `rare`-th smallest and largest are taken for these: they would give single rows away.

    Args:
        numbers: float64 [N]; NaN is missing.
        rare: the fewest rows that a cell must have.
        most: cells at most.
    """
    known = np.sort(numbers[~np.isnan(numbers)])
    missing = len(numbers) - len(known)
    if not len(known):
        return Cells((), missing=missing)
    edge = min(rare, (len(known) + 1) // 2) - 1
    values, counts = np.unique(np.clip(known, known[edge], known[-1 - edge]), return_counts=True)
    own = max(rare, 1)  # rows that a value needs for a cell of its own
    if len(values) > most // 2:
        own = max(own, int(np.sort(counts)[-most // 2]) + 1)
    full = max(rare, -(-len(known) * 2 // most))  # rows of a range
    low: list[float] = []
    high: list[float] = []
    rows: list[int] = []
    start, inside = 0, 0
    is_own = counts >= own
    for i in range(len(values) + 1):
        ends = i == len(values) or is_own[i]
        if inside and (ends or inside >= full):
            if inside >= rare or not rows:
                low.append(values[start])
                high.append(values[i - 1])
                rows.append(inside)
            else:  # too few for a cell: they count for the one before, whose value they then get
                rows[-1] += inside
            inside = 0
        if i == len(values):
            break
        if is_own[i]:
            low.append(values[i])
            high.append(values[i])
            rows.append(int(counts[i]))
        else:
            start = i if not inside else start
            inside += int(counts[i])
    edges = tuple(map(float, low)), tuple(map(float, high))
    return Cells(tuple(rows), *edges, missing=missing, step=step_of(values))


def step_of(values: np.ndarray) -> int:
    """The largest number that divides the distances between these ascending values; 1 where few or broken ones say so.

    Args:
        values: different numbers, float64 [N].
    """
    far = np.abs(values).max() > 2**52
    if len(values) < MANY or far or (values != np.round(values)).any():
        return 1
    return max(1, int(np.gcd.reduce(np.diff(values).astype(np.int64))))


def of_category(values: Any, rare: int, order: tuple[str, ...] = ()) -> Cells:
    """The cells of a category: a value each, but for those that fewer than `rare` rows have.

    Args:
        values: a pandas Series of text; NaN is missing.
        order: the values in their order, if they have one; else they are sorted as text.
    """
    counts = values.value_counts()
    enough = counts[counts >= rare]
    names = [v for v in order if v in enough.index] if order else sorted(enough.index)
    names += [v for v in sorted(enough.index) if v not in set(names)] if order else []
    kept = tuple(int(enough[name]) for name in names)
    return Cells(kept, values=tuple(names), missing=int(values.isna().sum()), rare=int(counts.sum()) - sum(kept))
