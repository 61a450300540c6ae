"""The networks that restore sounds: a generator that says what to keep of each frequency at each moment, and a judge.

The generator sees how strong each frequency of a noisy sound is at each moment, convolves along time with growing steps
between the taps (Yu and Koltun 2016, "dilated convolutions"), and gives a gain from 0 to 1 for each. The noisy spectra
times these gains are the clean ones: their phases are kept. It takes sounds of any length and loudness. The
discriminator rates stretches of the result's spectra (Isola et al. 2017) and is kept smooth by spectral norm (Miyato
et al. 2018).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.core.config import knob
from ganvas.sounds.spec import OVERLAP, SoundSpec

SLOPE = 0.2
STEPS = 6  # different steps between the taps: 1, 2, 4 ... 32 spectra
SOFTEST = 1e-4  # of the loudest moment: what is weaker looks like silence
QUIET = 1e-6  # a sound whose loudest moment is below is silence


@dataclass(frozen=True)
class Config:
    """Settings of the pair; `width` sets its size."""

    width: int = knob(128, "channels of the generator", low=8, high=2**12)
    blocks: int = knob(6, "residual blocks of the generator", low=1, high=64)
    d_width: int = knob(64, "channels of the discriminator's first layer", low=4, high=2**12)


@functools.cache
@torch.inference_mode(False)  # they are kept, and a training may come next
def tables(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The convolutions that take waves apart into cosines and sines under a Hann window, and put them together again.

    Args:
        size: samples of the window.

    Returns:
        float [2 bins, 1, size] each, bins = size / 2 + 1; a full-scale sine has magnitude 1.
    """
    bins = size // 2 + 1
    angles = 2 * math.pi / size * torch.arange(bins, dtype=torch.float64)[:, None] * torch.arange(size)
    both = torch.cat([angles.cos(), -angles.sin()])
    window = torch.hann_window(size, dtype=torch.float64)
    twice = torch.full((bins,), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1  # of the others there are two, of opposite frequency
    forth = both * window * (4 / size)
    back = both * window * twice.repeat(2)[:, None] / (4 * OVERLAP * 3 / 8)  # squares of the windows add up to 3/8 each
    return forth.float()[:, None].to(device), back.float()[:, None].to(device)


def spectra(waves: Tensor, size: int) -> Tensor:
    """Waves float [B, n] -> real and imaginary parts [B, 2 bins, frames], a frame for each hop of size / 4 samples and
    three more, so that each sample is in four windows."""
    hop = size // OVERLAP
    waves = F.pad(waves.float(), (size - hop, size - hop + -waves.shape[1] % hop))
    with torch.autocast(waves.device.type, enabled=False):
        return F.conv1d(waves[:, None], tables(size, waves.device)[0], stride=hop)


def waves_of(parts: Tensor, size: int, samples: int) -> Tensor:
    """The inverse of `spectra`: real and imaginary parts [B, 2 bins, frames] -> waves [B, samples]."""
    hop = size // OVERLAP
    with torch.autocast(parts.device.type, enabled=False):
        whole = F.conv_transpose1d(parts.float(), tables(size, parts.device)[1], stride=hop)[:, 0]
    return whole[:, size - hop : size - hop + samples]


def magnitudes(parts: Tensor) -> Tensor:
    """Real and imaginary parts [B, 2 bins, frames] -> magnitudes [B, bins, frames], above 0."""
    real, imaginary = (parts / SOFTEST).chunk(2, 1)  # ONNX's optimiser takes SOFTEST squared for 0
    return (real.square() + imaginary.square() + 1).sqrt() * SOFTEST


def loudest(waves: Tensor, size: int) -> Tensor:
    """How loud the loudest moment of waves float [B, n] is: root mean square over a window of `size` samples, [B, 1].

    It is the same whether a recording has long pauses or none.
    """
    power = F.avg_pool1d(waves.square()[:, None], size, size // OVERLAP, size // 2)[:, 0]
    return power.amax(1, keepdim=True).sqrt()


class Block(nn.Module):
    """x + two convolutions along time, with small initial weights."""

    def __init__(self, width: int, step: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(width, width, (1, 3), padding=(0, step), dilation=(1, step))
        self.mix = nn.Conv2d(width, width, 1)
        self.mix.weight.data.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, T] -> [B, C, 1, T]."""
        return x + self.mix(F.leaky_relu(self.wide(even(x)), SLOPE))


def even(x: Tensor) -> Tensor:
    """[B, C, 1, T] with a root mean square of 1 over the channels of each moment. Source: Karras et al. 2018.

    Without it gains soon stick at 0 and 1 for all there is. It looks at no other moment, so parts can be restored.
    """
    return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-6).to(x.dtype)


class Generator(nn.Module):
    """Gains for the spectra of a noisy sound."""

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        self.size, bins = spec.window, spec.window // 2 + 1
        self.first = nn.Conv2d(bins, config.width, (1, 3), padding=(0, 1))
        self.blocks = nn.ModuleList(Block(config.width, 2 ** (i % STEPS)) for i in range(config.blocks))
        self.head = nn.Conv2d(config.width, bins, 1)
        self.head.weight.data.mul_(0.1)
        self.head.bias.data.fill_(1.0)  # pyright: ignore[reportOptionalMemberAccess]  # most is kept at first

    @property
    def reach(self) -> int:
        """Samples, on either side, on which a sample of the result depends at most; a multiple of the hop."""
        spectra_ = 1 + sum(2 ** (i % STEPS) for i in range(len(self.blocks)))
        return (spectra_ + 2 * OVERLAP) * self.size // OVERLAP

    def forward(self, waves: Tensor, loud: Tensor | None = None) -> Tensor:
        """Noisy waves float [B, n] -> clean ones [B, n].

        Args:
            loud: of the recording that they are a part of, [B, 1] (see `loudest`); None: they are whole.
        """
        parts = spectra(waves, self.size)
        loud = loudest(waves, self.size) if loud is None else loud
        return waves_of(parts * self.gains(parts, loud).repeat(1, 2, 1), self.size, waves.shape[1])

    def gains(self, parts: Tensor, loud: Tensor) -> Tensor:
        """Real and imaginary parts [B, 2 bins, frames] -> what to keep of each, 0 to 1, [B, bins, frames]."""
        level = magnitudes(parts / loud.clamp_min(QUIET)[:, :, None]).log10() / 2 + 1  # -1 to 1, about
        x = self.first(level[:, :, None])
        for block in self.blocks:
            x = block(x)
        return torch.sigmoid(self.head(even(F.leaky_relu(x, SLOPE))).float())[:, :, 0]


class Discriminator(nn.Module):
    """Convolutions along time; each position of the last map rates a stretch of 22 spectra."""

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        widths = [config.d_width * n for n in (1, 2, 4)]
        self.size = spec.window
        self.first = nn.Conv2d(spec.window // 2 + 1, widths[0], (1, 3), padding=(0, 1))
        self.downs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, (1, 4), stride=(1, 2), padding=(0, 1))) for a, b in pairwise(widths)
        )
        self.last = spectral_norm(nn.Conv2d(widths[-1], widths[-1], (1, 3), padding=(0, 1)))
        self.head = nn.Conv2d(widths[-1], 1, (1, 3), padding=(0, 1))

    def features(self, waves: Tensor) -> list[Tensor]:
        """Waves float [B, n] -> the activations of each layer, [B, c, 1, t]."""
        parts = spectra(waves, self.size) / loudest(waves, self.size).clamp_min(QUIET)[:, :, None]
        x = F.leaky_relu(self.first((magnitudes(parts).log10() / 2 + 1)[:, :, None]), SLOPE)
        layers = [x]
        for down in self.downs:
            x = F.leaky_relu(down(x), SLOPE)
            layers.append(x)
        return [*layers, F.leaky_relu(self.last(x), SLOPE)]

    def forward(self, waves: Tensor, labels: Tensor | None = None) -> Tensor:
        """Waves float [B, n] -> logits [B, 1, 1, t]; labels are not used."""
        return self.head(self.features(waves)[-1]).float()
