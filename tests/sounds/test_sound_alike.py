"""Copies of sounds are found, whatever was done to them; other sounds are none."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import soxr

from ganvas.sounds import alike, decode, fit

RATE = 16_000


def word(seed: int, change: float = 0.0) -> np.ndarray:
    """Something like a word: three sounds of harmonics and noise; `change`: another take of it."""
    random, take = np.random.default_rng(seed), np.random.default_rng(seed + 1_000)
    parts = []
    for _ in range(3):
        seconds, pitch, noise = random.uniform(0.08, 0.2), random.uniform(90, 250), random.uniform(0, 0.3)
        t = np.arange(round(seconds * (1 + change * take.normal()) * RATE)) / RATE
        strengths = random.uniform(0, 1, 20) ** 3 * (1 + change * take.normal(0, 1, 20))
        tones = sum(s * np.sin(2 * np.pi * pitch * (k + 1) * t) for k, s in enumerate(strengths))
        parts.append((tones + noise * random.normal(0, 1, len(t))) * np.hanning(len(t)))
    wave = np.concatenate(parts)
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def picture(wave: np.ndarray, rate: int, kind: str = "WAV", coding: str = "PCM_16") -> np.ndarray:
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=kind, subtype=coding)
    sound = decode.read(out.getvalue())
    return alike.picture(fit.trimmed(sound.wave, sound.rate), sound.rate)


def test_copies_are_found() -> None:
    wave = word(0)
    high = np.asarray(soxr.resample(wave, RATE, 44_100))
    silence = np.zeros(RATE // 3, np.float32)
    made = [
        picture(wave, RATE),
        picture(wave * 0.1, RATE),
        picture(high, 44_100),
        picture(np.stack([high, high], 1), 44_100, "MP3", "MPEG_LAYER_III"),
        picture(wave, RATE, "OGG", "VORBIS"),
        picture(np.concatenate([silence, wave + 0.02, silence]), RATE),
        picture(wave, RATE, coding="PCM_U8"),
        picture(np.asarray(soxr.resample(wave, RATE, 8_000)), 8_000),
    ]
    found = alike.copies(np.stack([picture(word(1), RATE), *made]))
    assert [i for i, _, _ in found] == list(range(2, len(made) + 1))
    assert all(before >= 1 for _, before, _ in found)
    assert max(distance for _, _, distance in found) < alike.NEAR


def test_other_takes_are_no_copies() -> None:
    takes = np.stack([picture(word(seed, change), RATE) for seed in range(10) for change in (0.0, 0.2)])
    assert alike.copies(takes) == []


def test_portions_do_not_matter() -> None:
    pictures = np.stack([picture(word(i % 7), RATE) for i in range(20)])
    found = alike.copies(pictures)
    assert len(found) == 13
    assert [pair[:2] for pair in alike.copies(pictures, 3)] == [pair[:2] for pair in found]
