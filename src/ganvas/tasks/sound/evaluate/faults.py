"""What can be wrong with a sound whoever listens: silence, a hum, clipping, clicks, a hiss after its end."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.tasks.sound.evaluate.mel import Mel, envelope

SILENT = 0.003  # the level (root mean square) of the loudest 20 ms, below which nothing is heard: -50 dB
HUM_BANDS, HUM_HOP, HUM_FRAMES = 24, 0.02, 40  # seconds at most; frames at least, of which quantiles are taken
HUM_LEVEL = 45.0  # dB below the loudest cell, at most, of a band that hums
HUM_QUIET, HUM_LESS_QUIET, HUM_STEADY = 0.05, 0.3, 2.0  # quantiles of its level over time, and dB between them
HUM_SMOOTH = 5  # frames that are averaged: noise is steady only on average
FLAT, FLAT_RUN, FLAT_RUNS = 1e-4, 3, 2  # of the peak; samples that stay there; times
JUMP, JUMP_LEAST = 5.0, 0.2  # times the largest one around it; of the peak
AROUND, BESIDE = 0.012, 4  # seconds of the neighbourhood to either side; samples of the click itself
END, AFTER = 40.0, 2  # dB below the loudest piece, where a sound ends; pieces after that, where its tail begins
PIECE = 0.02  # seconds
QUIETEST = -120.0  # dB: what no tail at all is given as


def silent(waves: Tensor, rate: int) -> Tensor:
    """Which sounds have nothing to hear, bool [N]."""
    return envelope(waves, rate).amax(1) < SILENT


def hum(waves: Tensor, rate: int) -> Tensor:
    """Which sounds have a tone or a noise in them that lasts from beginning to end, bool [N].

    That is a band whose level, where it is softest, stays the same for a quarter of the time, no more than HUM_LEVEL
    below the loudest moment of the sound. A cymbal that rings for longer than the sound lasts has one too.
    """
    hop = min(HUM_HOP, waves.shape[1] / rate / HUM_FRAMES)
    pictures = Mel(rate, HUM_BANDS, hop)(waves)[..., 1:-1]  # half of the first and the last frame is outside
    power = F.avg_pool1d(10 ** (pictures / 10), min(HUM_SMOOTH, pictures.shape[2]), 1)
    low, higher = (10 * torch.log10(power.quantile(q, dim=2)) for q in (HUM_QUIET, HUM_LESS_QUIET))
    is_near = low > pictures.amax((1, 2))[:, None] - HUM_LEVEL
    return (is_near & (higher - low < HUM_STEADY)).any(1) & ~silent(waves, rate)


def clipped(waves: Tensor) -> Tensor:
    """Which sounds are cut off at their loudest: flat tops, or samples at the very end of the range; bool [N]."""
    flat = torch.zeros(len(waves), dtype=torch.int64)
    for side in (waves, -waves):
        top = side.amax(1, keepdim=True)
        at_top = ((side >= top * (1 - FLAT)) & (top > SILENT)).float()
        runs = (F.avg_pool1d(at_top[:, None], FLAT_RUN, 1)[:, 0] > 1 - 1e-3).float()
        starts = runs.clone()
        starts[:, 1:] *= 1 - runs[:, :-1]
        flat += starts.sum(1).long()
    return (flat >= FLAT_RUNS) | ((waves.abs() >= 0.9999).sum(1) >= FLAT_RUN)


def clicks(waves: Tensor, rate: int) -> Tensor:
    """The number of clicks in each sound, [N].

    A click is a jump from one sample to the next (by third differences, which hardly see what is slow) that is JUMP
    times larger than any jump within 12 ms before or after it, whichever is larger: so the beginning of a drum is none,
    being as loud afterwards, nor is the next pulse of a voice.
    """
    jumps = waves.diff(n=3).abs()
    size = max(2 * BESIDE, round(AROUND * rate))
    largest = F.max_pool1d(F.pad(jumps, (size + BESIDE, size + BESIDE))[:, None], size, 1)[:, 0]
    usual = torch.maximum(largest[:, : jumps.shape[1]], largest[:, -jumps.shape[1] :])
    is_click = (jumps > JUMP * usual) & (jumps > JUMP_LEAST * waves.abs().amax(1, keepdim=True))
    runs = F.max_pool1d(is_click.float()[:, None], 2 * BESIDE + 1, 1, BESIDE)[:, 0]  # a click is several jumps
    return (runs.diff() > 0).sum(1) + runs[:, 0].long()


def tail(waves: Tensor, rate: int) -> Tensor:
    """The level of what follows a sound's end, in dB relative to its peak, [N]; NaN where nothing follows.

    A sound ends after the last piece of 20 ms that is less than END below the loudest one.
    """
    levels = envelope(waves, rate, PIECE)
    loudest = levels.amax(1, keepdim=True)
    last = torch.where(levels > loudest * 10 ** (-END / 20), torch.arange(levels.shape[1]), -1).amax(1, keepdim=True)
    beyond = (torch.arange(levels.shape[1]) > last + AFTER).float()
    power = (levels.square() * beyond).sum(1) / beyond.sum(1)
    level = 20 * torch.log10((power.sqrt() / waves.abs().amax(1).clamp_min(1e-9)).clamp_min(10 ** (QUIETEST / 20)))
    return torch.where((last[:, 0] >= 0) & (loudest[:, 0] >= SILENT), level, torch.nan)
