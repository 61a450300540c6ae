"""What pictures are wanted for: how a check of them judges, and what it recommends, differs from task to task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganvas.sources.findings import Finding


@dataclass(frozen=True)
class Amount:
    """How much there is to learn from.

    `sizes` are width and height in pixels of the pictures that can be read and `count` is their number; with only some
    of them looked at, `sizes` are those of the ones looked at.
    """

    count: int
    sizes: Sequence[tuple[int, int]]
    size: int
    channels: int
    classes: int

    def pieces(self, side: int) -> int:
        """Squares of so many pixels that can be cut from the pictures without overlap."""
        looked = sum((w // side) * (h // side) for w, h in self.sizes)
        return round(looked * self.count / len(self.sizes)) if self.sizes else 0


@dataclass(frozen=True)
class Use:
    """What a task does with pictures, as far as a check of them depends on it."""

    words: str  # "drawing new pictures"
    recipe: Callable[[Amount], str]  # the name of the one that is recommended
    judge: Callable[[Amount], tuple[bool, list[Finding]]]  # are there enough, and what is to be said of that
    others: tuple[str, ...] = ()  # recipes for the same pictures besides the recommended one
    more: tuple[str, ...] = ()  # what `ganvas train RECIPE --data FOLDER` needs besides: ("--to", "OTHER-FOLDER")
    piece: int = 0  # pixels a side of the pieces that are learned from; 0: whole pictures, cut or padded to squares
    classes: bool = True  # are classes learned?
    mirror: bool = True  # does it depend on a setting whether pictures are mirrored?
