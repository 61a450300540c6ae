"""The pair for spectrograms: the generator draws whole spectra along time, the discriminator sees a picture.

To the generator a sound is a row of spectra: its convolutions run along time alone, and the bands are channels, so that
the harmonics of a voice, which lie all over a spectrum, move together (docs/log.md compares it with a generator that
draws pictures). It adds what it draws to the mean spectrum of the training sounds, and bends smoothly towards silence,
so that a pause can be silent. The discriminator convolves over bands and moments.

Pixel shuffle, here along time: Shi et al. 2016; norms with a scale and a shift for each class: Dumoulin et al. 2017;
the label's projection: Miyato and Koyama 2018; the batch's spread as a feature: Karras et al. 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.networks.layers import SLOPE, ClassNorm, initialise, projection_logits, with_labels
from ganvas.sounds.spec import SoundSpec

SMALLEST = 12, 8  # bands and moments of the discriminator's smallest map, at most; the generator's has as many moments
MOST = 4  # times `d_width`: no map has more channels
SHARP = 25.0  # how closely the bend at silence follows max(x, -1)


@dataclass(frozen=True)
class Config:
    """Settings of the pair; the widths set its size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(192, "channels of the generator", low=8, high=2**12)
    d_width: int = knob(36, "channels of the discriminator at half of the size", low=8, high=2**12)
    features: int = knob(128, "features from which the discriminator makes its logit", low=1, high=2**16)


def halvings(size: int, most: int) -> int:
    """How often a side is halved, as long as it stays even, until it has at most `most`."""
    count = 0
    while size > most and size % 2 == 0:
        size, count = size // 2, count + 1
    return count


class Generator(nn.Module):
    """A linear layer to a few moments, convolutions along time with pixel shuffle, then a spectrum for each moment."""

    mean: Tensor

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        width, count = config.width, halvings(spec.frames, SMALLEST[1])
        self.start, self.classes = spec.frames // 2**count, spec.classes
        self.foot = nn.Linear(config.latent_dim + spec.classes, width * self.start, bias=False)
        self.foot_norm = ClassNorm(width, spec.classes, slope=0)
        self.ups = nn.ModuleList(along_time(width, 2 * width, 3) for _ in range(count))
        self.norms = nn.ModuleList(ClassNorm(2 * width, spec.classes, slope=0) for _ in range(count))
        self.last = along_time(width, width, 5)
        self.last_norm = ClassNorm(width, spec.classes, slope=0)
        self.head = nn.Conv2d(width, spec.bands, 1)
        self.register_buffer("mean", torch.full((spec.bands, 1), -0.5))
        initialise(self)
        self.head.weight.data.mul_(0.3)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] or class weights [B, classes] -> spectrograms [B, 1, bands, frames]."""
        z = with_labels(z, labels, self.classes)
        x = self.foot(z).view(len(z), 1, self.start, -1).permute(0, 3, 1, 2)  # channels last from here on
        x = self.foot_norm(x, labels)
        for up, norm in zip(self.ups, self.norms, strict=True):
            x = twice_as_long(norm(up(x), labels))
        x = self.last_norm(self.last(x), labels)
        x = self.head(x).transpose(1, 2).float() + self.mean
        return (F.softplus(SHARP * (x + 1)) / SHARP - 1).clamp_max(1)


def along_time(inside: int, outside: int, size: int) -> nn.Conv2d:
    """A convolution of [B, inside, 1, T] along time -> [B, outside, 1, T]; a norm follows, so it has no bias."""
    return nn.Conv2d(inside, outside, (1, size), padding=(0, size // 2), bias=False)


def twice_as_long(x: Tensor) -> Tensor:
    """Pixel shuffle along time: [B, 2 C, 1, T] -> [B, C, 1, 2 T]."""
    batch, channels, _, moments = x.shape
    x = x.permute(0, 2, 3, 1).reshape(batch, 1, 2 * moments, channels // 2)  # as the memory is laid out
    return x.permute(0, 3, 1, 2)


class Discriminator(nn.Module):
    """Convolutions over bands and moments, a linear layer to features, and a logit with the label's projection."""

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        across, along = (halvings(*sides) for sides in zip((spec.bands, spec.frames), SMALLEST, strict=True))
        total = max(across, along, 1)
        factors = [(1 + (i < across), 1 + (i < along)) for i in range(total)]  # from full size on
        smallest = spec.bands // 2**across, spec.frames // 2**along
        self.fold, widths = factors[0], [config.d_width * min(MOST, 2**i) for i in range(total)]
        self.first = nn.Conv2d(math.prod(self.fold), widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            nn.Conv2d(narrow, wide, (2 + a if a == 2 else 3, 2 + b if b == 2 else 3), stride=(a, b), padding=1)
            for (narrow, wide), (a, b) in zip(pairwise(widths), factors[1:], strict=True)
        )
        self.foot = nn.Linear(widths[-1] * math.prod(smallest), config.features)
        self.head = nn.Linear(config.features + 1, 1)
        self.by_class = nn.Embedding(spec.classes, config.features + 1) if spec.classes else None
        initialise(self)
        for layer in (self.head, self.by_class):
            if layer is not None:
                nn.init.normal_(layer.weight, std=1 / math.sqrt(config.features + 1))

    def features(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] -> features [B, features]."""
        x = F.leaky_relu(self.first(folded(pictures, *self.fold)), SLOPE)
        for down in self.downs:
            x = F.leaky_relu(down(x), SLOPE)
        return F.leaky_relu(self.foot(x.permute(0, 2, 3, 1).flatten(1)), SLOPE).float()

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Spectrograms [B, 1, bands, frames], labels int64 [B] -> logits [B]."""
        return projection_logits(self.features(pictures), self.head, self.by_class, labels)


def folded(x: Tensor, across: int, along: int) -> Tensor:
    """Neighbours as channels: [B, C, h, w] -> [B, C * across * along, h / across, w / along]."""
    if across == along:
        return F.pixel_unshuffle(x, across)
    batch, _, height, width = x.shape
    x = x.view(batch, -1, height // across, across, width // along, along).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(batch, -1, height // across, width // along)
