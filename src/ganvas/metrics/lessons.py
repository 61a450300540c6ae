"""Do drawn samples help? The same small classifier learns from real ones, from drawn ones and from both.

It is tested on held-out ones. The drawn samples are said to help only if the mean gain exceeds its own spread.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.progress import Doing

SIZES = (100, 1_000, 10_000)  # numbers of real samples that a classifier learns from, besides all of them
LEAST = 5  # repeats from which anything can be said


@dataclass(frozen=True)
class Lesson:
    """Accuracy on held-out samples after learning from `size` real ones; one value for each repeat."""

    size: int
    real: tuple[float, ...]
    both: tuple[float, ...]
    synthetic: tuple[float, ...]

    @property
    def gains(self) -> tuple[float, ...]:
        return tuple(b - a for a, b in zip(self.real, self.both, strict=True))

    @property
    def verdict(self) -> str:
        return verdict_on(self.gains)


def verdict_on(gains: Sequence[float]) -> str:
    """'helps' or 'hurts' if the mean gain exceeds its spread (standard deviation) over five repeats or more."""
    if len(gains) < LEAST:
        return "too few repeats"
    mean, spread = statistics.fmean(gains), statistics.stdev(gains)
    return "helps" if mean > spread else "hurts" if mean < -spread else "makes no difference"


def conclusion(lessons: Sequence[Lesson], drawn: str, real: str) -> str:
    """One sentence about all sizes; `drawn`, `real`: what the samples are called, 'pictures' and 'images'."""
    helped = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict == "helps"]
    hurt = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict == "hurts"]
    if lessons and lessons[0].verdict == "too few repeats":
        return "At least five repeats are needed for a verdict."
    sentence = (
        f"The extra {drawn} help when added to {_and(helped)} real {real}"
        if helped
        else f"The extra {drawn} do not help"
    )
    if helped and len(helped) < len(lessons):
        rest = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict != "helps"]
        sentence += f", but not to {_and(rest)}"
    return sentence + (f" (added to {_and(hurt)} they hurt)." if hurt else ".")


class Learner(Protocol):
    """Teaches a fresh classifier, and returns its accuracy on held-out samples."""

    def __call__(self, real: Tensor | None, drawn: bool, seed: int) -> float:
        """
        Args:
            real: numbers of the training samples that it learns from, int64 [n]; None: none.
            drawn: does it learn from the drawn samples as well as these?
        """
        ...


def lessons(
    labels: Tensor, learner: Learner, seed: int, repeats: int, drawn: str, real: str
) -> Iterator[Doing | Lesson]:
    """Teach classifiers `repeats` times each; yields progress (0 to 1) and a lesson for each number of real samples.

    Args:
        labels: of the training samples, int64 [N].
        drawn, real: what the samples are called: 'pictures' and 'images'.
    """
    sizes = [n for n in SIZES if n < len(labels)] + [len(labels)]
    jobs, done = (2 * len(sizes) + 1) * repeats, 0
    synthetic = []
    for r in range(repeats):
        yield Doing(f"a classifier learns from the new {drawn}", done / jobs)
        synthetic.append(learner(None, True, seeds.key(seed, "alone", r)))
        done += 1
    for size in sizes:
        accuracies: dict[bool, list[float]] = {False: [], True: []}
        for r in range(repeats):
            some = stratified(labels, size, seeds.generator(seed, "lesson", size, r))
            for both in accuracies:
                text = f"a classifier learns from {size:,} real {real}{' and the new ones' * both}"
                yield Doing(text, done / jobs)
                accuracies[both].append(learner(some, both, seeds.key(seed, "classifier", size, r)))
                done += 1
        yield Lesson(size, tuple(accuracies[False]), tuple(accuracies[True]), tuple(synthetic))


def stratified(labels: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Numbers of `size` samples, with each class's share as near as possible to its share of the data.

    Args:
        labels: of all samples, int64 [N].
    """
    order = torch.randperm(len(labels), generator=random)
    shuffled = labels[order]
    rank = torch.empty(len(order), dtype=torch.double)  # each sample's place within its class, from 0 to 1
    for c in shuffled.unique():
        of_class = shuffled == c
        rank[of_class] = (torch.arange(int(of_class.sum())) + 0.5).double() / int(of_class.sum())
    return order[rank.argsort(stable=True)[:size]]


def share_of_real(real: int, drawn: int) -> float:
    """How much of each batch of a classifier that learns from both is real: at least half."""
    return max(0.5, real / (real + drawn)) if real else 0.0


def _and(items: Sequence[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
