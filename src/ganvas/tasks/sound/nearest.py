"""How far drawn sounds are from real ones while the training runs, and which weights drew the nearest.

A discriminator that has memorised the training sounds makes the generator worse: what was best is kept.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.metrics import distances
from ganvas.report.quantities import number
from ganvas.sounds.codec import FLOOR
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound.evaluate.timbre import statistics
from ganvas.training.batches import Batches
from ganvas.training.best import best_check

MEASURED, PORTION = 1_000, 100  # drawn and training sounds that are compared, at most; at a time
NONE = -1.0  # in place of a distance where none is known
AS_NEAR = 1.1  # times the shortest distance with which weights count as the best: later ones have learned longer


def apart(generator: nn.Module, batches: Batches, spec: SoundSpec, latent_dim: int) -> float:
    """The Frechet distance of drawn sounds from training sounds in timbre, as their spectrograms show it.

    Infinite where the generator draws values that are not numbers.
    """
    sides: list[list[Tensor]] = [[], []]
    for start in range(0, min(MEASURED, batches.count), PORTION):
        seen = batches.seen(PORTION, start)
        z = seeds.latents((seeds.key(batches.seed, "apart", start + i) for i in range(len(seen.real))), latent_dim)
        for side, pictures in zip(sides, (generator(z.to(seen.real.device), seen.labels), seen.real), strict=True):
            decibels = (1 - pictures[:, 0].float()) * (FLOOR / 2)
            side.append(statistics(decibels, spec.hop / spec.rate).cpu())
    drawn, real = map(torch.cat, sides)
    if len(real) < 2:  # one sound has no spread to compare
        return 0.0
    return distances.frechet(drawn, real) if drawn.isfinite().all() else math.inf


def shorter(shortest: float, apart: float) -> float:
    """The shorter of the shortest distance so far, NONE at first, and a new one; finite, so that it can be saved."""
    known = [x for x in (shortest, apart) if x != NONE and math.isfinite(x)]
    return min(known, default=NONE)


def limit(shortest: float) -> float:
    """The longest distance with which weights are as good as those of the shortest."""
    return AS_NEAR * shortest


def sentence(checks: list[dict[str, Any]]) -> str:
    """Which weights are taken, if they are not the last ones.

    Args:
        checks: rows of metrics.jsonl, oldest first; those without the distance are ignored.
    """
    checks = [check for check in checks if number(check, "apart") is not None and number(check, "images") is not None]
    kept = best_check(checks, "apart", limit) if checks else None
    if kept is None or kept is checks[-1]:
        return ""
    return (
        f"The weights from after {kept['images']:,.0f} sounds are kept: what they draw is closest to real sounds in "
        f"timbre (distance {kept['apart']:.2f}, now {checks[-1]['apart']:.2f})."
    )
