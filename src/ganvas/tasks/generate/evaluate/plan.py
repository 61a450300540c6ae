"""How long a measurement will take, from a probe of a second, so that the user knows it beforehand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganvas.core import distributed
from ganvas.core.progress import duration
from ganvas.images.features.extractors import Extractor
from ganvas.images.files import Pictures
from ganvas.metrics.figures import Protocol
from ganvas.tasks.generate.copies import SIDE
from ganvas.tasks.generate.evaluate.metrics import METRICS
from ganvas.tasks.generate.evaluate.reference import ReferenceFeatures
from ganvas.tasks.generate.evaluate.source import Sampler

LOOKED, DRAWN = 40, 16  # pictures of the probe
ROWS, COLUMNS = 250, 2_000  # of the product of the probe
WORK = 1.4  # time of all that is done with a product of matrices, relative to the product
NEIGHBOURS = {"precision", "recall", "density", "coverage"}
LEAST = 5.0  # seconds: less is not worth a number


@dataclass(frozen=True)
class Plan:
    """Seconds that the parts of a measurement will take: features of real images, pictures, metrics."""

    real: float
    pictures: float
    metrics: float

    @property
    def total(self) -> float:
        return self.real + self.pictures + self.metrics

    def share(self, part: str, done: float) -> float:
        """The share of everything that is done when the share `done` of a part is."""
        parts = {"real": (0.0, self.real), "pictures": (self.real, self.pictures)}
        before, seconds = parts.get(part, (self.real + self.pictures, self.metrics))
        return min(1.0, 0.02 + 0.98 * (before + done * seconds) / max(self.total, 1e-9))

    def words(self, p: Protocol, size: int, count: int, real: int) -> str:
        """What will be measured, and how long that takes, as a sentence.

        Args:
            size: pixels a side; count: metrics; real: real images of which there are no features yet.
        """
        repeats = f"{p.repeats} x " if p.repeats > 1 else ""
        what = f"measuring {count} metric{'s' * (count > 1)} of {repeats}{p.count:,} pictures of {size}x{size} pixels"
        text = f"{what} with {p.extractor}: {_about(self.total)}"
        if real and self.real >= LEAST:
            text += f", of which {_about(self.real)} for the features of {real:,} real images, kept for the next time"
        return f"{text}."


def _about(seconds: float) -> str:
    return "a few seconds" if seconds < LEAST else f"about {duration(math.ceil(seconds / LEAST) * LEAST)}"


def plan(
    sampler: Pictures | Sampler, extractor: Extractor, features: ReferenceFeatures, p: Protocol, names: list[str]
) -> Plan:
    """Probe the extractor, the generator and a product of matrices, and add up what they are needed for."""
    spec = sampler.spec
    black = torch.zeros(min(LOOKED, p.count), spec.channels, spec.size, spec.size, dtype=torch.uint8)
    width = extractor.extract(black[:2])[0].shape[1]
    looking = _seconds(lambda: extractor.extract(black), 1, warm=True) / len(black)
    drawing = 0.0
    if isinstance(sampler, Sampler) and distributed.size() == 1:  # several processes draw together or not at all
        drawing = _seconds(lambda: sampler.some(DRAWN, p.seed, 0)) / DRAWN
    a, b = torch.ones(ROWS, width), torch.ones(width, COLUMNS)
    product = WORK * _seconds(lambda: a @ b, 4) / (ROWS * COLUMNS * width)  # seconds a multiplication
    train, held = (len(features.splits[name].images) for name in ("train", "held"))
    pixels = spec.channels * min(spec.size, SIDE) ** 2
    return Plan(
        features.missing * looking + bool(features.missing) * product * held * train * (width + pixels),
        p.repeats * p.count * (looking + drawing),
        product * _multiplications(names, p, width, pixels, train, 2 if features.missing else 1),
    )


def _multiplications(names: list[str], p: Protocol, width: int, pixels: int, train: int, sides: int) -> float:
    """Roughly those of the metrics; `sides`: 2 if the floors are computed too."""
    wanted, n = set(names), p.count
    total = 0.0
    if wanted & NEIGHBOURS:
        total += (1 + 2 * sides * p.repeats) * n * n * width
    if wanted & {"mifid", "near-copies-features"}:
        total += n * train * width
    if "near-copies-pixels" in wanted:
        total += n * train * pixels
    if "kernel" in wanted:
        total += sides * p.repeats * 6 * n * min(n, 1_000) * width  # in double precision: twice as long
    for name in wanted & {"frechet", "mifid", "class-frechet"}:
        total += 0 if METRICS[name].once else sides * p.repeats * 4 * (n * width**2 + width**3)
    return total


def _seconds(work: Callable[[], object], times: int = 2, warm: bool = False) -> float:
    """The mean time of some calls; unless it is `warm`, after one that does not count: it loads and allocates."""
    if not warm:
        work()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times
