"""The pair for spectrograms: both networks see a sound as a row of spectra, and convolve along time alone.

The bands of a spectrum are channels, so that the harmonics of a voice, which are spread all over it, move together
(docs/log.md compares this with networks that see a picture). The harmonics are apart from the rest, as a pitch and
a depth (`sounds.harmonics`): the generator draws those as further bands, and puts them into its spectra at the end.
It adds what it draws to the mean spectrum of
the training sounds, and bends smoothly towards silence, so that a pause can be silent. The discriminator also looks at
how loud each band is, how much that varies and how fast it moves: a timbre, which convolutions alone judge badly.

Pixel shuffle, here along time: Shi et al. 2016; norms with a scale and a shift for each class: Dumoulin et al. 2017;
the label's projection: Miyato and Koyama 2018; the batch's spread as a feature: Karras et al. 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.networks.layers import SLOPE, ClassNorm, initialise, projection_logits, with_labels
from ganvas.sounds.harmonics import Harmonics
from ganvas.sounds.spec import SoundSpec

SMALLEST = 8  # moments, at most, of the map from which the generator starts and to which the discriminator comes down
TINY = 1e-4  # below a root, whose gradient at 0 has no end
SHARP = 25.0  # how closely the bend at silence follows max(x, -1)


@dataclass(frozen=True)
class Config:
    """Settings of the pair; the widths set its size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(192, "channels of the generator", low=8, high=2**12)
    d_width: int = knob(144, "channels of the discriminator", low=8, high=2**12)
    harmonics: str = knob(
        "auto",
        "draw harmonics as a pitch and a depth, separately from the rest of the spectrum; auto: where pitches move",
        choices=("auto", "yes", "no"),
    )
    features: int = knob(128, "features from which the discriminator makes its logit", low=1, high=2**16)


def harmonics_of(spec: SoundSpec, config: Config) -> Harmonics | None:
    """What takes harmonics apart, if they are drawn so."""
    apart = spec.voiced if config.harmonics == "auto" else config.harmonics == "yes"
    return spec.harmonics if apart else None


def halvings(frames: int) -> int:
    """How often the length is halved, as long as it stays even, until at most SMALLEST moments are left."""
    count = 0
    while frames > SMALLEST and frames % 2 == 0:
        frames, count = frames // 2, count + 1
    return count


class Generator(nn.Module):
    """A linear layer to a few moments, convolutions along time with pixel shuffle, then a spectrum for each moment."""

    mean: Tensor

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        width, count = config.width, halvings(spec.frames)
        self.start, self.classes = spec.frames // 2**count, spec.classes
        self.harmonics = harmonics_of(spec, config)
        bands = self.harmonics.rows if self.harmonics else spec.bands
        self.foot = nn.Linear(config.latent_dim + spec.classes, width * self.start, bias=False)
        self.foot_norm = ClassNorm(width, spec.classes, slope=0)
        self.ups = nn.ModuleList(along_time(width, 2 * width, 3) for _ in range(count))
        self.norms = nn.ModuleList(ClassNorm(2 * width, spec.classes, slope=0) for _ in range(count))
        self.last = along_time(width, width, 5)
        self.last_norm = ClassNorm(width, spec.classes, slope=0)
        self.head = nn.Conv2d(width, bands, 1)
        self.register_buffer("mean", torch.full((bands, 1), -0.5))
        initialise(self)
        self.head.weight.data.mul_(0.3)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] or class weights [B, classes] -> spectrograms [B, 1, bands, frames]."""
        rows = self.rows(z, labels)
        return self.harmonics.join(rows) if self.harmonics else rows

    def rows(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """As `forward`, as the discriminator sees it: with the harmonics apart (`Harmonics.part`)."""
        z = with_labels(z, labels, self.classes)
        x = self.foot(z).view(z.shape[0], 1, self.start, -1).permute(0, 3, 1, 2)  # channels last from here on
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
    """Convolutions along time, linear layers from them and from `levels` to features, and the label's projection."""

    def __init__(self, spec: SoundSpec, config: Config) -> None:
        super().__init__()
        width, count = config.d_width, halvings(spec.frames)
        self.harmonics = harmonics_of(spec, config)
        bands = self.harmonics.rows if self.harmonics else spec.bands
        self.first = nn.Conv2d(bands, width, (1, 3), padding=(0, 1))
        self.second = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.downs = nn.ModuleList(nn.Conv2d(width, width, (1, 4), stride=(1, 2), padding=(0, 1)) for _ in range(count))
        self.foot = nn.Linear(width * (spec.frames // 2**count), config.features)
        self.look = nn.Linear(3 * bands, config.features)
        self.head = nn.Linear(config.features + 1, 1)
        self.by_class = nn.Embedding(spec.classes, config.features + 1) if spec.classes else None
        initialise(self)
        for layer in (self.head, self.by_class):
            if layer is not None:
                nn.init.normal_(layer.weight, std=1 / math.sqrt(config.features + 1))

    def apart(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] with the harmonics apart, if they are not so yet."""
        if self.harmonics is None or pictures.shape[2] == self.harmonics.rows:
            return pictures
        return self.harmonics.part(pictures)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Spectrograms [B, 1, bands, frames], or these with their harmonics apart -> the activations of each layer,
        [B, width, 1, n]; the last are the features, [B, features]."""
        pictures, maps = self.apart(pictures), []
        x = pictures.transpose(1, 2)
        for layer in (self.first, self.second, *self.downs):
            x = F.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        x = self.foot(x.permute(0, 2, 3, 1).flatten(1)) + self.look(levels(pictures[:, 0].float()))
        return [*maps, F.leaky_relu(x, SLOPE).float()]

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Spectrograms as in `features`, labels int64 [B] -> logits [B]."""
        return projection_logits(self.features(pictures)[-1], self.head, self.by_class, labels)


def levels(pictures: Tensor) -> Tensor:
    """Spectrograms [B, bands, frames] -> the mean, deviation and movement of each band, [B, 3 bands], all about 1."""
    mean = pictures.mean(2)
    deviation = ((pictures - mean[..., None]).square().mean(2) + TINY).sqrt()
    movement = (pictures.diff(dim=2).square() + TINY).sqrt().mean(2)
    return torch.cat([mean + 0.5, 2 * deviation, 4 * movement], 1)
