"""What a token may be while rows are drawn: what rules and conditions have in common, and several of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


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


class Both:
    """Several limits at once. Where they leave nothing, the first of them count."""

    def __init__(self, each: Sequence[Limits]) -> None:
        self.each = tuple(each)

    def start(self, rows: Tensor, given: Tensor | None) -> BothWalk:
        return BothWalk([limits.start(rows, given) for limits in self.each])


class BothWalk:
    """One drawing of rows within several limits."""

    def __init__(self, each: Sequence[Walk]) -> None:
        self.each = each

    def allowed(self, place: int, size: int) -> Tensor | None:
        mask = None
        for walk in self.each:
            found = walk.allowed(place, size)
            if mask is None or found is None:
                mask = found if mask is None else mask
                continue
            both = mask & found.to(mask.device)
            mask = torch.where(both.any(1, keepdim=True), both, mask)
        return mask

    def drawn(self, place: int, tokens: Tensor) -> None:
        for walk in self.each:
            walk.drawn(place, tokens)
