"""The tokens that conditions allow, asked for while rows are drawn; see `limits`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganvas.tables.spec import TableSpec
from ganvas.tables.where import Allowed


class Narrowed:
    """The limits of conditions."""

    def __init__(self, spec: TableSpec, conditions: Sequence[Allowed]) -> None:
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
        return NarrowedWalk(self, rows.device)


class NarrowedWalk:
    """One drawing of rows within conditions."""

    def __init__(self, limits: Narrowed, device: torch.device) -> None:
        self.limits, self.device = limits, device
        self.tokens: dict[int, Tensor] = {}

    def allowed(self, place: int, size: int) -> Tensor | None:
        if place not in self.limits.masks:
            return None
        level, mask = self.limits.masks[place]
        if not level:
            return mask.to(self.device)
        index = torch.zeros_like(self.tokens[place - 1])
        for before in range(place - level, place):
            index = index * self.limits.masks[before][1].shape[1] + self.tokens[before]
        return mask.to(index.device)[index]

    def drawn(self, place: int, tokens: Tensor) -> None:
        if place in self.limits.masks:
            self.tokens[place] = tokens
