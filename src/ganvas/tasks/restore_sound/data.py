"""The clean sounds that a restorer learns from, as waves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.sounds import data as sounds
from ganvas.sounds import sheets
from ganvas.sounds.fit import FULL
from ganvas.sounds.spec import SoundSpec

WINDOW = 0.032  # seconds: longer ones smear the beginnings of words
SHOWN = 16  # sounds of a preview of clean ones


class WaveSpec(SoundSpec):
    """Sounds as waves float [N, samples] in [-1, 1], one channel; window and bands are those of their spectra."""

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, self.samples)


@dataclass(frozen=True)
class WaveData(sounds.SoundData):
    """Clean sounds of one rate and length: to train on, and held-out ones."""

    def decode(self, samples: Tensor) -> Tensor:
        """Waves int16 [B, n] -> float [B, spec.samples] in [-1, 1]."""
        return F.pad(samples.float() / FULL, (0, self.spec.samples - samples.shape[1]))

    def examples(self) -> sheets.Preview:
        rows = torch.arange(SHOWN) * len(self.train.samples) // SHOWN
        waves = self.decode(self.train.samples[rows])
        return sheets.Preview(self.spec.codec.encode(waves), waves[: sheets.HEARD], self.spec.rate)


@dataclass(frozen=True)
class DataConfig(sounds.DataConfig):
    """Which sounds to train on; sub-folders and labels do not matter."""

    labels: bool = knob(False, "keep the share of each class among held-out sounds")
    window: int = knob(0, "samples of the window of a spectrum, a multiple of 8 (0: about 32 ms)", low=0, high=2**13)

    def _of(self, packed: Any, notes: list[str]) -> WaveData:
        data = super()._of(packed, notes)
        window = self.window or window_for(packed.rate)
        shape = WaveSpec.of(packed.rate, packed.samples, 0, window, self.bands)
        train, held_out = (sounds.Split(split.samples, None) for split in (data.train, data.held_out))
        return WaveData(data.name, shape, train, held_out, (), data.fingerprint, data.licence, data.notes, data.counts)


def window_for(rate: int) -> int:
    """Samples of about 32 ms, a power of two: 256 at 8 kHz, 512 at 16 kHz."""
    return min(2**13, max(64, 2 ** round(math.log2(WINDOW * rate))))
