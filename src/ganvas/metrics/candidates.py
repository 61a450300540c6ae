"""Samples that are drawn to scale a data set: near copies of training samples and rejected ones are dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.saving import Portion
from ganvas.core.text import one_line

PORTION, LEAST = 200, 32  # candidates at a time, at most and at least
TRIES = 8  # candidates for each sample that is wanted, at most
ALARM = 0.05  # the false-alarm rate of the threshold below which a detector rejects a sample


@dataclass(frozen=True)
class Expanded:
    """What was written: the number of samples, and how many candidates were dropped as near copies and as rejects."""

    path: Path
    kept: int
    copies: int
    rejected: int
    short: tuple[str, ...]  # classes with fewer samples than requested
    renamed: str = ""  # a sentence about classes whose folders are named differently
    notes: tuple[str, ...] = ()  # sentences: what could not be looked for

    def words(self, drawn: str, real: str, rejected: str = "that the detector rejects") -> Iterator[str]:
        """What was written, in sentences; `drawn`, `real`: what the samples are called, 'pictures' and 'images'."""
        yield (
            f"{self.kept:,} {drawn}: {self.path}\nDropped: {self.copies:,} near copies of training {real}, "
            f"{self.rejected:,} {rejected}."
        )
        if self.short:
            yield f"Fewer than requested: {', '.join(map(one_line, self.short))}."
        yield from self.notes
        if self.renamed:
            yield self.renamed


@dataclass
class Candidates:
    """Draws samples and drops some; counts both.

    draw: samples [n, ...] of n seeds and a class's number; near: which of samples are near copies of training samples,
    bool [n]; reject: which of samples of a class are rejected, bool [n].
    """

    draw: Callable[[list[int], int], Tensor]
    near: Callable[[Tensor], Tensor]
    reject: Callable[[Tensor, int], Tensor]
    seed: int
    copies: int = 0
    rejected: int = 0
    kept: Counter[int] = field(default_factory=Counter)  # by class

    def of_class(self, label: int, count: int) -> Iterator[Portion]:
        """`count` good samples of a class, or those among `TRIES` times as many candidates.

        Candidates after the last one that is needed do not count: how many are drawn together does not matter.
        """
        start, most = 0, max(TRIES * count, PORTION)
        while start < most and (left := count - self.kept[label]) > 0:
            size = min(PORTION, max(3 * left // 2, LEAST), most - start)
            numbers = [seeds.key(self.seed, "expand", label, start + i) for i in range(size)]
            samples = self.draw(numbers, label)
            near, rejected = self.near(samples), self.reject(samples, label)
            good = (~near & ~rejected).nonzero().flatten()[:left]
            end = int(good[-1]) + 1 if len(good) == left else size
            self.copies += int(near[:end].sum())
            self.rejected += int((rejected & ~near)[:end].sum())
            self.kept[label] += len(good)
            start += size
            yield Portion(samples[good], torch.full((len(good),), label), [numbers[i] for i in good.tolist()])

    def check(self, real: str, way: str, rejected: str = "and the detector rejects") -> None:
        """Raise a UserError where nothing was kept.

        Args:
            real: what the samples are called that were trained on.
            way: the command that says how good the model is.
            rejected: the words before the number of rejected ones.
        """
        if not self.kept.total():
            raise UserError(
                f"None of the samples could be kept: {self.copies:,} are near copies of training {real}, {rejected} "
                f"{self.rejected:,}. Train longer. How good it is now: {way}"
            )

    def written(self, path: Path, class_names: Sequence[str], count: int, renamed: str, *notes: str) -> Expanded:
        """What was kept of `count` a class, and written there; see `Expanded`."""
        kept = [(name, self.kept[number]) for number, name in enumerate(class_names)]
        short = tuple(f"{name} ({n:,})" for name, n in kept if n < count)
        return Expanded(path, self.kept.total(), self.copies, self.rejected, short, renamed, notes)
