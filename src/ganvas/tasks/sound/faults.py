"""What can be wrong with drawn sounds, as their spectrograms show it: silence, hiss, a hum, one sound for all seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LOUD = -0.4  # 30 dB below the full scale: what is never as loud is taken for silence
STEADY = 0.25  # share of the movement along time that real sounds have: with less, a sound hums
FLAT = 0.35  # share of the differences between bands that real sounds have: with less, a sound hisses
ALIKE = 0.2  # share of the spread of real sounds
MANY = 0.1  # share of the sounds with a fault that is worth a sentence


def shares(pictures: Tensor, real: Tensor) -> dict[str, float]:
    """The shares of sounds that are silent, hum or hiss, and how unlike they are, as a share of real ones.

    Args:
        pictures: drawn spectrograms [N, 1, bands, frames] in [-1, 1].
        real: real ones.
    """
    silent = pictures.flatten(1).amax(1) < LOUD
    hum, hiss = (less(of, pictures, real, share) & ~silent for of, share in ((movement, STEADY), (contrast, FLAT)))
    values = {"silent": silent, "hum": hum, "hiss": hiss & ~hum}
    return {name: round(float(value.double().mean()), 4) for name, value in values.items()}


def less(of: Callable[[Tensor], Tensor], pictures: Tensor, real: Tensor, share: float) -> Tensor:
    """Which sounds have less of something than `share` of what nearly every real one has: bool [N]."""
    return of(pictures) < share * of(real).quantile(0.05)


def movement(pictures: Tensor) -> Tensor:
    """How far a band rises and falls along time, without its extremes, mean over the bands, [N]."""
    low, high = pictures[:, 0].quantile(torch.tensor([0.15, 0.85], device=pictures.device), 2)
    return (high - low).mean(1)


def contrast(pictures: Tensor) -> Tensor:
    """The mean difference of neighbouring bands over the loudest tenth of the moments, [N]."""
    loud = pictures.mean((1, 2))
    most = loud >= loud.quantile(0.9, 1, keepdim=True)
    steps = (pictures[:, 0, 1:] - pictures[:, 0, :-1]).abs().mean(1)
    return (steps * most).sum(1) / most.sum(1)


def sentence(figures: dict[str, Any]) -> str:
    """What is wrong, from the figures of a check; '': nothing is."""
    words = {
        "silent": "are silent",
        "hum": "hold one steady tone",
        "hiss": "are a hiss without a shape",
    }
    found = [f"{figures[key]:.0%} {text}" for key, text in words.items() if (figures.get(key) or 0) >= MANY]
    if (spread := figures.get("diversity")) is not None and spread < ALIKE:
        found.append("they hardly differ: one sound for all seeds")
    return f"Of the sounds drawn here {', '.join(found)}." if found else ""
