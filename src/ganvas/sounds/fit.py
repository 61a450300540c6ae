"""The rule for every sound: one rate, no silence around it, one length, no clicks, one loudness."""

from __future__ import annotations

import numpy as np

from ganvas.core.errors import UserError
from ganvas.sounds.decode import library

SILENT = -70.0  # dB of full scale: a sound whose peak is below is silence
TRIM = -40.0  # dB below the loudest moment: what is softer, before and after, is cut off
ENVELOPE = 0.02  # seconds over which loudness is measured
BEFORE, AFTER = 0.01, 0.02  # seconds that are kept around what is louder
FADE_IN, FADE_OUT = 0.0025, 0.01  # seconds
ENDS, STEADY = 0.1, 10.0  # seconds at either end that are looked at for noise; dB by which noise may rise and fall
PEAK = 0.9  # of full scale
FULL = 32_767  # int16 of 1.0

RULE = (
    f"Each sound is mixed down to one channel, what is softer than {TRIM:g} dB below its loudest moment is cut off "
    f"before and after it, and its peak is set to {PEAK:g}."
)


class Silent(UserError):
    """A sound in which nothing is to be heard; the message begins with 'it'."""


def resampled(wave: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """A wave float32 [n] at another rate, by soxr's high quality (linear phase, nothing above half the rate).

    Raises:
        UserError: soxr is needed and not installed.
    """
    if rate == to_rate:
        return wave
    return np.asarray(library("soxr").resample(np.ascontiguousarray(wave, np.float32), rate, to_rate))


def trimmed(wave: np.ndarray, rate: int) -> np.ndarray:
    """A wave float32 [n] without its mean, and without the silence before and after.

    Raises:
        Silent: its peak is below -70 dB of full scale.
    """
    if not len(wave):
        raise Silent("it has no samples")
    wave = wave - np.float32(wave.mean(dtype=np.float64))
    peak = float(np.abs(wave).max())
    if peak < 10 ** (SILENT / 20):
        raise Silent(f"it is silent: its peak is below {SILENT:g} dB of full scale")
    power = _power(wave / np.float32(peak), max(1, round(rate * ENVELOPE / 2)))
    loud = np.flatnonzero(power > power.max() * 10 ** (TRIM / 10))
    start, end = int(loud[0]) - round(rate * BEFORE), int(loud[-1]) + round(rate * AFTER)
    kept = wave[max(0, start) : end]
    return kept - np.float32(kept.mean(dtype=np.float64))


def ends(wave: np.ndarray, rate: int) -> float:
    """How loud the noise is in which a trimmed wave float32 [n] begins and ends: dB, 0 at its loudest moment.

    That is the louder of the first and the last 0.1 s, if both are steady. A sound itself rises and falls there: 0; as
    for a sound of less than 0.4 s.
    """
    size, half = round(rate * ENDS), max(1, round(rate * ENVELOPE / 2))
    if len(wave) < 4 * size:
        return 0.0
    power = _power(wave, half)
    sides = power[half : size + half], power[-size - half : -half]  # at the very ends less is summed
    if any(side.min() < side.max() * 10 ** (-STEADY / 10) for side in sides):
        return 0.0
    return 10 * float(np.log10(max(side.max() for side in sides) / power.max()))


def _power(wave: np.ndarray, half: int) -> np.ndarray:
    """How loud a wave float32 [n] is around each sample: the sum of squares within `half` samples, float64 [n].

    The squares are of what differs from the mean there: a constant offset in one part of a file is not sound.
    """
    count = len(wave)
    places = np.arange(count)
    inside = np.minimum(places + half + 1, count) - np.maximum(places - half, 0)
    squares, total = (_around(values, half) for values in (np.square(wave, dtype=np.float64), wave))
    return squares - np.square(total) / inside


def _around(values: np.ndarray, half: int) -> np.ndarray:
    """The sums of the values within `half` places of each, float64 [n]."""
    count = len(values)
    sums = np.zeros(count + 2 * half + 1)
    np.cumsum(values, dtype=np.float64, out=sums[half + 1 : half + 1 + count])
    sums[half + 1 + count :] = sums[half + count]
    return sums[2 * half + 1 :] - sums[: -2 * half - 1]


def prepared(wave: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """A wave as decoded, float32 [n] at `rate`, resampled to `to_rate` and trimmed: float32 of its own length.

    Raises:
        Silent: nothing is to be heard at that rate.
        UserError: soxr is needed and not installed.
    """
    return trimmed(resampled(wave, rate, to_rate), to_rate)


def placed(wave: np.ndarray, rate: int, samples: int) -> np.ndarray:
    """A trimmed wave float32 [n] cut or padded with zeros to int16 [samples], faded at both ends, its peak at 0.9.

    The fades are at the ends of the sound, not of the padding.

    Raises:
        Silent: what is left after the cut is silence.
    """
    sound = wave[:samples].astype(np.float32)
    fade_in, fade_out = (min(len(sound) // 4, round(rate * fade)) for fade in (FADE_IN, FADE_OUT))
    sound[:fade_in] *= np.linspace(0, 1, fade_in, endpoint=False, dtype=np.float32)
    sound[len(sound) - fade_out :] *= np.linspace(0, 1, fade_out, endpoint=False, dtype=np.float32)[::-1]
    peak = float(np.abs(sound).max(initial=0))
    if not peak:
        raise Silent("it is silent")
    out = np.zeros(samples, np.int16)
    out[: len(sound)] = np.rint(sound * np.float32(PEAK * FULL / peak))
    return out


def fitted(wave: np.ndarray, rate: int, to_rate: int, samples: int) -> np.ndarray:
    """A wave as decoded, float32 [n] at `rate`, by the rule: int16 [samples] at `to_rate`, 32767 = 1.0.

    Mean removed, resampled, silence before and after cut off, cut or padded, faded, its peak at 0.9.

    Raises:
        Silent: nothing is to be heard.
        UserError: soxr is needed and not installed.
    """
    return placed(prepared(wave, rate, to_rate), to_rate, samples)
