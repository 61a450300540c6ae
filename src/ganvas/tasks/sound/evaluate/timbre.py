"""The timbre of sounds as a few numbers each: what a classifier that was taught to read words overlooks.

Statistics of the log-mel picture over its active frames, those within 50 dB of the loudest cell: for each of 48 bands
the mean level, its standard deviation, and how much it moves from one frame to the next; three neighbouring bands are
averaged. Last comes the length of the active part. Hiss, hum, a muffled or metallic sound change the means, a
smeared one the movement.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.tasks.sound.evaluate.mel import Mel

BANDS, HOP, POOLED = 48, 0.012, 3
ACTIVE = 50.0  # dB below the loudest cell
UNIT = 10.0  # dB that count as 1
LENGTH = 0.024  # seconds of activity that count as 1
PORTION = 1_000
NUMBERS = 3 * BANDS // POOLED + 1


def timbre(waves: Tensor, rate: int) -> Tensor:
    """Waves float [N, samples] in [-1, 1] -> float [N, NUMBERS]; levels in units of 10 dB."""
    mel = Mel(rate, BANDS, HOP)
    return torch.cat([statistics(mel(part), HOP) for part in waves.split(PORTION)])


def statistics(pictures: Tensor, hop: float) -> Tensor:
    """Levels in dB [N, bands, frames], a frame every `hop` seconds -> float [N, 3 * (bands // POOLED) + 1]."""
    active = (pictures > pictures.amax((1, 2), keepdim=True) - ACTIVE).any(1, keepdim=True).float()
    frames = active.sum(2).clamp_min(1)
    mean = (pictures * active).sum(2) / frames
    spread = ((pictures - mean[:, :, None]).square() * active).sum(2).div(frames).sqrt()
    both = active[..., 1:] * active[..., :-1]
    movement = ((pictures[..., 1:] - pictures[..., :-1]).abs() * both).sum(2) / both.sum(2).clamp_min(1)
    levels = [F.avg_pool1d(x[:, None], POOLED)[:, 0] / UNIT for x in (mean, spread, movement)]
    return torch.cat([*levels, frames * (hop / LENGTH)], 1)
