"""The shape of sounds: how long, at which rate, and the spectrogram that stands for one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ganvas.core import config as cf
from ganvas.core.samples import SpecBase

if TYPE_CHECKING:
    from ganvas.sounds.codec import Codec

OVERLAP = 4  # windows that cover each moment
LONGEST = 4.0  # seconds of a sound
RATES = 4_000, 48_000  # samples a second: the lowest and the highest


@dataclass(frozen=True)
class SoundSpec(SpecBase):
    """Sounds as log-magnitude spectrograms float [N, 1, bands, frames] in [-1, 1]; -1 is silence.

    On the disk they are waves int16 [N, samples], one channel.
    """

    noun: ClassVar[str] = "sounds"
    shown_as: ClassVar[str] = "Sounds"

    rate: int = cf.knob(16_000, "samples a second", low=RATES[0], high=RATES[1])
    samples: int = cf.knob(16_384, "samples of a sound, a multiple of the hop", low=1_024, high=2**18)
    window: int = cf.knob(512, "samples of the window of a spectrum", low=64, high=2**13)
    bands: int = cf.knob(64, "frequency bands, evenly spaced in mel", low=16, high=256)
    classes: int = cf.knob(0, "number of classes; 0: unlabelled", low=0, high=2**16)

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        return self.window // OVERLAP

    @property
    def frames(self) -> int:
        """Spectra of a sound."""
        return self.samples // self.hop

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    @cached_property
    def codec(self) -> Codec:
        """Waves to spectrograms and back."""
        from ganvas.sounds.codec import Codec

        return Codec(self)

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, 1, self.bands, self.frames)

    def settings(self) -> dict[str, int]:
        return {"bands": self.bands, "rate": self.rate}

    def words(self) -> str:
        return f"{self.seconds:.2f} s at {self.rate / 1000:g} kHz"
