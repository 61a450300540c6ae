"""The shape of sounds: how long, at which rate, and the spectrogram that represents one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from ganvas.core import config as cf
from ganvas.core.errors import UserError
from ganvas.core.samples import SpecBase

if TYPE_CHECKING:
    from ganvas.sounds.codec import Codec
    from ganvas.sounds.harmonics import Harmonics

OVERLAP = 4  # windows that cover each moment
WINDOW = 0.056  # seconds: long enough to part the harmonics of a voice, short enough for the end of a word
STEP = 22.5  # mel, about, from one band to the next
EVEN = 8  # sounds are a multiple of so many hops long, which networks halve
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
    samples: int = cf.knob(17_920, "samples of a sound, a multiple of the hop", low=1_024, high=2**18)
    window: int = cf.knob(896, "samples of the window of a spectrum", low=64, high=2**13)
    bands: int = cf.knob(128, "frequency bands, evenly spaced in mel", low=16, high=256)
    classes: int = cf.knob(0, "number of classes; 0: unlabelled", low=0, high=2**16)
    voiced: bool = cf.knob(False, "sounds whose pitch moves, such as voices: their harmonics are drawn separately")

    @classmethod
    def of(
        cls, rate: int, samples: int, classes: int = 0, window: int = 0, bands: int = 0, voiced: bool = True
    ) -> Self:
        """The shape of sounds of about so many samples, with the usual window and bands where these are 0."""
        usual = (odd * 2**power for odd in (1, 3, 5, 7) for power in range(4, 13))  # sizes of quick transforms
        window = window or min(usual, key=lambda size: abs(math.log(size / (rate * WINDOW))))
        bands = bands or 16 * round(1127 * math.log1p(rate / 2 / 700) / STEP / 16)
        hops = EVEN * window // OVERLAP
        return cls(rate, max(1, -(-samples // hops)) * hops, window, bands, classes, voiced)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        spec = super().from_dict(values)
        if spec.window % OVERLAP or spec.samples % spec.hop:
            raise UserError(f"window={spec.window} and samples={spec.samples} do not fit: sounds are whole windows.")
        return spec

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

    @cached_property
    def harmonics(self) -> Harmonics:
        """The harmonics of a spectrogram apart from the rest of it, and back."""
        from ganvas.sounds.harmonics import Harmonics

        return Harmonics(self)

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, 1, self.bands, self.frames)

    def settings(self) -> dict[str, int]:
        return {"bands": self.bands, "rate": self.rate}

    def words(self) -> str:
        return f"{self.seconds:.2f} s at {self.rate / 1000:g} kHz"
