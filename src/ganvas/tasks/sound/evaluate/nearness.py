"""How near sounds are to training sounds: the comparison behind the figure of copies.

Log-mel pictures are compared, each relative to its own loudest cell, at shifts of up to 3 frames either way: a copy
that is louder, or begins 40 ms later, is still a copy. Features of a classifier would not do, which are alike for all
sounds that say the same.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.metrics.copies import Nearest
from ganvas.metrics.neighbours import squared
from ganvas.tasks.sound.evaluate.mel import Mel

BANDS, HOP, MOST_FRAMES = 32, 0.016, 96
DEPTH = 60.0  # dB below the loudest cell: what is softer counts as silence
QUIET = -40.0  # dB of the loudest cell at least: silence is not made loud
SHIFTS = 3  # frames, either way
PORTION = 500  # sounds at a time


def pictures(waves: Tensor, rate: int) -> Tensor:
    """Waves [N, samples] -> float [N, bands, frames] in [0, 1]: 1 is the loudest cell, 0 is silence."""
    mel = Mel(rate, BANDS, max(HOP, waves.shape[1] / rate / MOST_FRAMES))
    parts = []
    for part in waves.split(PORTION):
        x = mel(part)
        loudest = x.amax((1, 2), keepdim=True).clamp_min(QUIET)
        parts.append(((x - loudest) / DEPTH + 1).clamp_min(0))
    return torch.cat(parts)


def nearest(sounds: Tensor, seen: Tensor) -> Nearest:
    """The nearest training sound for each sound, at the best shift.

    Args:
        sounds, seen: `pictures` [N, bands, frames] and [M, bands, frames].

    Returns:
        Distances [N], root mean squares of the differences of cells, and the numbers of the training sounds [N].
    """
    flat = seen.flatten(1)
    distance = torch.full((len(sounds),), torch.inf)
    index = torch.zeros(len(sounds), dtype=torch.int64)
    for shift in range(-SHIFTS, SHIFTS + 1):
        moved = F.pad(sounds, (shift, -shift))  # a negative padding cuts
        for start in range(0, len(sounds), PORTION):
            one = slice(start, start + PORTION)
            best = squared(moved[one].flatten(1), flat).min(1)
            index[one] = torch.where(best.values < distance[one], best.indices, index[one])
            distance[one] = torch.minimum(distance[one], best.values)
    return Nearest((distance / flat.shape[1]).sqrt(), index)
