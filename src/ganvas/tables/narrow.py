"""The tokens that conditions allow, asked for while rows are drawn; together with those that a table's rules allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganvas.tables.spec import TableSpec
from ganvas.tables.where import Allowed


class Walk(Protocol):
    """What the rows that are being drawn may still become."""

    def allowed(self, place: int, size: int) -> Tensor | None:
        """Which values the token at a place may have, bool [B, size] (or [1, size]); None: all."""
        ...

    def drawn(self, place: int, tokens: Tensor) -> None:
        """Take note of the tokens int64 [B] that were drawn (or given) at a place."""
        ...


class Limits(Protocol):
    """What rows may become."""

    def start(self, rows: Tensor, given: Tensor | None) -> Walk:
        """Begin to draw rows, of which the tokens int64 [B, tokens] are given where `given` is true; None: none is."""
        ...


class Narrowed:
    """The limits of conditions, and of rules if there are any."""

    def __init__(self, spec: TableSpec, conditions: Sequence[Allowed], rules: Limits | None = None) -> None:
        self.rules = rules
        self.masks: dict[int, tuple[int, Tensor]] = {}  # place -> tokens of its part before it, bool [before, size]
        for condition in conditions:
            place = spec.places[condition.column.name].start
            for cells, part in zip(condition.column.parts, condition.parts, strict=True):
                tokens = cells.tokens(np.flatnonzero(part.share)).astype(np.int64)
                before = np.zeros(len(tokens), np.int64)
                combinations = 1
                for level, size in enumerate(cells.sizes):
                    mask = torch.zeros(combinations, size, dtype=torch.bool)
                    mask[torch.from_numpy(before), torch.from_numpy(tokens[:, level])] = True
                    self.masks[place + level] = level, mask
                    before = before * size + tokens[:, level]
                    combinations *= size
                place += len(cells.sizes)

    def start(self, rows: Tensor, given: Tensor | None) -> NarrowedWalk:
        return NarrowedWalk(self, None if self.rules is None else self.rules.start(rows, given))


class NarrowedWalk:
    """One drawing of rows within conditions."""

    def __init__(self, limits: Narrowed, rules: Walk | None) -> None:
        self.limits, self.rules = limits, rules
        self.tokens: dict[int, Tensor] = {}

    def condition(self, place: int) -> Tensor | None:
        """What the conditions alone allow, bool [B or 1, size]; None: all."""
        if place not in self.limits.masks:
            return None
        level, mask = self.limits.masks[place]
        if not level:
            return mask
        index = torch.zeros_like(self.tokens[place - 1])
        for before in range(place - level, place):
            index = index * self.limits.masks[before][1].shape[1] + self.tokens[before]
        return mask.to(index.device)[index]

    def allowed(self, place: int, size: int) -> Tensor | None:
        mask = self.condition(place)
        rules = None if self.rules is None else self.rules.allowed(place, size)
        if mask is None or rules is None:
            return rules if mask is None else mask
        both = mask.to(rules.device) & rules
        return torch.where(both.any(1, keepdim=True), both, rules)  # nothing is left: such a row gets no weight

    def drawn(self, place: int, tokens: Tensor) -> None:
        if place in self.limits.masks:
            self.tokens[place] = tokens
        if self.rules is not None:
            self.rules.drawn(place, tokens)
