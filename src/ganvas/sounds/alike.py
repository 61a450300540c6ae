"""Copies: sounds that are another one at another rate, in another format or of another loudness."""

from __future__ import annotations

import functools

import numpy as np

from ganvas.sounds import fit

RATE = 8_000  # at which sounds are compared: what a copy at a low rate has as well
LOW, HIGH = 100.0, 3_400.0  # Hz
BANDS, FRAMES = 20, 32
WINDOW, HOP = 512, 256  # samples: long, as a few milliseconds must not matter
RANGE = 40.0  # dB below the loudest that are compared
NEAR = 0.75  # dB, root mean square over bands and frames, below which two sounds are copies


@functools.cache
def _bank() -> np.ndarray:
    """Triangles evenly spaced in mel, float32 [BANDS, WINDOW // 2 + 1]."""
    mels = np.linspace(1127 * np.log1p(LOW / 700), 1127 * np.log1p(HIGH / 700), BANDS + 2)
    low, middle, high = (700 * np.expm1(mels[i : i + BANDS] / 1127)[:, None] for i in range(3))
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    bank = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clip(0)
    return (bank / bank.sum(1, keepdims=True)).astype(np.float32)


def picture(wave: np.ndarray, rate: int) -> np.ndarray:
    """What sounds are compared by: mel bands of the second around its centre, dB below the loudest.

    Args:
        wave: trimmed, float32 [n].

    Returns:
        float32 [FRAMES * BANDS], -40 to 0.
    """
    wave = fit.resampled(wave, rate, RATE)
    power = np.square(wave, dtype=np.float64)
    centre = round(float(power @ np.arange(len(wave))) / max(float(power.sum()), 1e-30))
    length = HOP * (FRAMES - 1) + WINDOW
    padded = np.pad(wave, length // 2)[centre : centre + length]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32)))) @ _bank().T
    decibels = 10 * np.log10(power.clip(1e-12))
    return (decibels - decibels.max()).clip(-RANGE).ravel().astype(np.float32)


def copies(pictures: np.ndarray, portion: int = 1_000) -> list[tuple[int, int, float]]:
    """Each sound with the most like of those before it, where that is a copy: numbers and distance in dB.

    Args:
        pictures: float32 [n, FRAMES * BANDS].
    """
    squares, pairs = np.square(pictures).sum(1), []
    for start in range(0, len(pictures), portion):
        rows = pictures[start : start + portion]
        before = slice(0, start + len(rows))
        distance = squares[start : start + len(rows), None] + squares[before] - 2 * rows @ pictures[before].T
        later = np.arange(before.stop) >= np.arange(start, before.stop)[:, None]
        distance[later] = np.inf
        nearest = distance.argmin(1)
        least = np.sqrt(distance[np.arange(len(rows)), nearest].clip(0) / pictures.shape[1])
        pairs += [(start + i, int(nearest[i]), float(least[i])) for i in np.flatnonzero(least < NEAR)]
    return pairs
