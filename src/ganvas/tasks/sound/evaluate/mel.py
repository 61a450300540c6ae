"""Log-mel pictures of sounds for the figures: independent of the codec of the networks, which they judge as well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

LOW = 60.0  # Hz, where the lowest band begins
WINDOW = 0.032  # seconds, at least
FLOOR = -100.0  # dB: what silence is shown as
FULL = 32_767  # the sample of 16 bits that represents 1
PORTION = 4_000_000  # samples of sounds that are transformed at a time


def bank(rate: int, window: int, bands: int, low: float = LOW) -> Tensor:
    """Triangular filters [bands, window // 2 + 1], evenly spaced in mel, each of sum 1.

    Source: O'Shaughnessy's formula of the mel scale, 1127 ln(1 + f / 700). No filter is narrower than a bin.
    """
    top = 1127 * math.log1p(rate / 2 / 700)
    bottom = 1127 * math.log1p(low / 700)
    edges = 700 * torch.expm1(torch.linspace(bottom, top, bands + 2, dtype=torch.float64) / 1127)
    bin_ = rate / window
    middle = edges[1:-1, None]
    left, right = edges[:-2, None].minimum(middle - bin_), edges[2:, None].maximum(middle + bin_)
    f = torch.arange(window // 2 + 1, dtype=torch.float64) * bin_
    filters = torch.minimum((f - left) / (middle - left), (right - f) / (right - middle)).clamp_min(0)
    return (filters / filters.sum(1, keepdim=True)).float()


@dataclass(frozen=True)
class Mel:
    """Waves -> power in mel bands, in dB: a sine of amplitude 1 has about 0.

    hop: seconds from one frame to the next.
    """

    rate: int
    bands: int
    hop: float

    @property
    def window(self) -> int:
        """Samples of a window: the power of 2 that has WINDOW seconds or up to twice as many."""
        return 2 ** math.ceil(math.log2(WINDOW * self.rate))

    @property
    def step(self) -> int:
        """Samples of a hop."""
        return max(1, round(self.hop * self.rate))

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor]:
        return torch.hann_window(self.window), bank(self.rate, self.window, self.bands) / (self.window / 4) ** 2

    def __call__(self, waves: Tensor) -> Tensor:
        """Waves [N, samples], see `floats` -> float [N, bands, frames], from FLOOR on; frame t is around t * step."""
        shape, filters = self._tables
        parts = []
        for part in waves.split(max(1, PORTION // waves.shape[1])):
            padded = F.pad(floats(part), (self.window // 2, self.window // 2))
            power = torch.stft(padded, self.window, self.step, window=shape, center=False, return_complex=True)
            power = filters @ power.abs().square()
            parts.append(10 * torch.log10(power.clamp_min(10 ** (FLOOR / 10))))
        return torch.cat(parts)


def floats(waves: Tensor) -> Tensor:
    """Waves as they are stored, int16, or as they are drawn, float -> float in [-1, 1]."""
    return waves if waves.is_floating_point() else waves.float() / FULL


def envelope(waves: Tensor, rate: int, seconds: float = 0.02) -> Tensor:
    """The root mean square of pieces of so many seconds, [N, pieces]; the last one may be padded with silence."""
    size = max(1, round(seconds * rate))
    padded = F.pad(waves, (0, -waves.shape[1] % size))
    return padded.view(len(waves), -1, size).square().mean(2).sqrt()
