"""Write 600 short sounds of four kinds, made by formulas: python make_sounds.py FOLDER (sounds by default).

Plucked strings (Karplus and Strong 1983), bells (frequency modulation, Chowning 1973), kicks (a falling tone) and
shakers (noise that dies away): each sound with its own pitch, length and colour, 16 bits at 16 kHz.
"""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np

RATE, EACH = 16_000, 150


def pluck(random: np.random.Generator, seconds: float) -> np.ndarray:
    """A burst of noise that runs through a short delay again and again and grows softer."""
    period, decay = int(RATE / random.uniform(110, 440)), random.uniform(0.990, 0.998)
    string, out = random.uniform(-1, 1, period), np.empty(int(seconds * RATE))
    for i in range(len(out)):
        out[i] = string[i % period]
        string[i % period] = decay * 0.5 * (string[i % period] + string[(i + 1) % period])
    return out


def bell(random: np.random.Generator, seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    pitch, fade = random.uniform(300, 900), np.exp(-t * random.uniform(4, 8))
    return fade * np.sin(2 * np.pi * pitch * t + random.uniform(1, 4) * fade * np.sin(2 * np.pi * 1.4 * pitch * t))


def kick(random: np.random.Generator, seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    low, high = random.uniform(45, 70), random.uniform(150, 350)
    turns = low * t + (high - low) / 30 * (1 - np.exp(-30 * t))
    return np.exp(-t * random.uniform(8, 14)) * np.sin(2 * np.pi * turns)


def shaker(random: np.random.Generator, seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    noise = np.diff(random.standard_normal(len(t) + 1))  # high tones are the loudest
    rise = np.minimum(1, t / random.uniform(0.005, 0.05))
    return rise * np.exp(-t * random.uniform(12, 30)) * noise


def main(folder: Path) -> None:
    random = np.random.default_rng(0)
    for kind in (pluck, bell, kick, shaker):
        place = folder / kind.__name__
        place.mkdir(parents=True, exist_ok=True)
        for i in range(EACH):
            sound = kind(random, random.uniform(0.3, 0.7))
            sound *= random.uniform(0.3, 0.9) / np.abs(sound).max()
            with wave.open(str(place / f"{i:03}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes((32_767 * sound).astype("<i2").tobytes())
    print(f"Wrote {4 * EACH} sounds to {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sounds"))
