"""Sounds one after another, as they are pleasant to hear: without the silence around each, in a beat or with pauses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganvas.sounds import fit

PAUSE = 0.08  # seconds from the end of the longest sound to the next one in a beat


def bare(wave: np.ndarray, rate: int) -> np.ndarray:
    """A wave float [n] without the silence around it, faded at both ends, its peak at 0.9: float32 [m].

    m is 0 where there is nothing to be heard.
    """
    try:
        cut = fit.trimmed(np.asarray(wave, np.float32), rate)
        return fit.placed(cut, rate, len(cut)).astype(np.float32) / fit.FULL
    except fit.Silent:
        return np.zeros(0, np.float32)


def beat(waves: Sequence[np.ndarray], rate: int) -> float:
    """Seconds from one sound to the next in which even the longest of these, float [n] each, has ended."""
    return max((len(wave) for wave in waves), default=0) / rate + PAUSE


def in_beat(waves: Sequence[np.ndarray], rate: int, every: float) -> np.ndarray:
    """Sounds float [n] of any length each that begin `every` seconds, float32; those that overlap sound together.

    Where that would be louder than one sound alone (a peak above 0.9), all is made softer.
    """
    starts = [round(i * every * rate) for i in range(len(waves))]
    whole = np.zeros(max((start + len(wave) for start, wave in zip(starts, waves, strict=True)), default=0), np.float32)
    for start, wave in zip(starts, waves, strict=True):
        whole[start : start + len(wave)] += wave
    peak = float(np.abs(whole).max(initial=0))
    return whole * np.float32(fit.PEAK / peak) if peak > fit.PEAK else whole


def with_pauses(parts: Sequence[np.ndarray | float], rate: int, gap: float) -> np.ndarray:
    """Sounds float [n] and pauses (in seconds) one after another, float32.

    Args:
        gap: seconds between two sounds that no pause is between.
    """
    whole: list[np.ndarray] = []
    for i, part in enumerate(parts):
        if isinstance(part, float):
            whole.append(np.zeros(round(part * rate), np.float32))
            continue
        if i and not isinstance(parts[i - 1], float):
            whole.append(np.zeros(round(gap * rate), np.float32))
        whole.append(np.asarray(part, np.float32))
    return np.concatenate(whole) if whole else np.zeros(0, np.float32)
