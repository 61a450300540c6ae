"""Augmentation of the spectrograms that the discriminator sees: with few sounds it would soon memorise each one.

Real and drawn sounds are changed alike, with a probability below 1, as pictures are (Karras et al. 2020, "Training
generative adversarial networks with limited data"). The changes are those that a sound survives: a little earlier or
later, louder or softer, darker or brighter, and a part left out (Park et al. 2019, "SpecAugment").
"""

from __future__ import annotations

import torch
from torch import Tensor

CHANCES = 9  # random numbers per sound that decide what happens to it
SHIFT = 1 / 12  # largest shift, of the length
LOUDER, TILT = 0.12, 0.12  # largest change of all levels, and of those at both ends of the bands: 6 dB of 90
HOLE = 1 / 4  # of the bands, or of the moments, that are left out


def disturb(pictures: Tensor, probability: Tensor | float, chance: Tensor, bands: int) -> Tensor:
    """Shift, recolour and cut out a part of each sound, each with this probability; the shape stays the same.

    Args:
        pictures: spectrograms [B, 1, rows, frames] in [-1, 1]; -1 is silence, and stays silence.
        bands: rows that are bands; the others (`harmonics`) are shifted only.
        probability: of each of the three changes, 0 to 1.
        chance: [B, CHANCES], uniform in [0, 1): decides which changes a sound gets, and how large they are.
    """
    chance = chance.to(pictures.device)
    hit = (chance[:, :3] < probability).to(pictures.dtype)
    amount = chance[:, 3:].to(pictures.dtype) * 2 - 1
    x = shifted(pictures, amount[:, 0] * hit[:, 0], bands)
    x, others = x[:, :, :bands], x[:, :, bands:]
    tilt = amount[:, 2, None] * torch.linspace(-1, 1, x.shape[2], device=x.device, dtype=x.dtype)
    level = (LOUDER * amount[:, 1, None] + TILT * tilt) * hit[:, 1, None]
    x = x + level[:, None, :, None] * (x + 1).clamp(0, 0.2) * 5  # what is silent stays silent
    return torch.cat([cut(x, amount[:, 3], amount[:, 4] > 0, hit[:, 2] > 0), others], 2)


def shifted(x: Tensor, later: Tensor, bands: int) -> Tensor:
    """Shift [B, 1, rows, frames] along time by whole frames, `later` [B] in -1..1 times SHIFT.

    Silence comes in, and in rows that are not bands the values at the end continue.
    """
    frames = x.shape[3]
    source = torch.arange(frames, device=x.device) - (later * SHIFT * frames).round().long()[:, None]
    inside = (source >= 0) & (source < frames)
    moved = x.gather(3, source.clamp(0, frames - 1)[:, None, None, :].expand(-1, 1, x.shape[2], -1))
    stays = inside[:, None, None, :] | (torch.arange(x.shape[2], device=x.device) >= bands)[:, None]
    return torch.where(stays, moved, -torch.ones_like(moved))


def cut(x: Tensor, place: Tensor, along: Tensor, hit: Tensor) -> Tensor:
    """Silence a stripe around `place` [B] in -1..1 where `hit` [B]: of moments where `along` [B], else of bands."""
    bands, moments = (
        (torch.linspace(-1, 1, size, device=x.device) - place[:, None]).abs() < HOLE for size in x.shape[2:]
    )
    hole = torch.where(along[:, None, None], moments[:, None, :], bands[:, :, None]) & hit[:, None, None]
    return torch.where(hole[:, None], -torch.ones_like(x), x)
