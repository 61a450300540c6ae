"""The flagship's pair: convolutions at a quarter and at half of the image's size, where they are cheap.

The generator doubles the size twice by pixel shuffle (Shi et al. 2016), so only its last convolution works at full
size; its batch norms have a scale and a shift for each class (Dumoulin et al. 2017; Miyato and Koyama 2018). The
discriminator first folds 2x2 pixels into channels. Labels enter by projection (Miyato and Koyama 2018), and one more
feature measures how much the batch varies (minibatch standard deviation, Karras et al. 2018). Where most of the work
is done, channel counts are multiples of 16, which suits vector units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.core.text import counted
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import SLOPE, ClassNorm, initialise, projection_logits, shuffled, unshuffled, with_labels
from ganvas.networks.scanned import SIZE, scanned, tables


@dataclass(frozen=True)
class Config:
    """Settings of the pair; channels are those at a quarter of the image's size, at half of it, and at full size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    g_quarter: int = knob(96, "channels of the generator at a quarter of the size", low=1, high=2**14)
    g_half: int = knob(48, "channels of the generator at half of the size", low=1, high=2**14)
    g_full: int = knob(8, "channels of the generator at full size", low=1, high=2**14)
    d_half: int = knob(32, "channels of the discriminator at half of the size", low=1, high=2**14)
    d_quarter: int = knob(64, "channels of the discriminator at a quarter of the size", low=1, high=2**14)
    d_features: int = knob(64, "features from which the discriminator makes its logit", low=1, high=2**16)
    head: str = knob(
        "tanh",
        "what bounds the pixels: clamp reaches plain black and white; scanned draws black and white shapes and makes "
        "them small as MNIST's digits were",
        choices=("tanh", "clamp", "scanned"),
    )
    edges: str = knob(
        "narrow",
        "head=scanned: how far from the edges of a shape its gradient reaches; wide for long trainings",
        choices=("narrow", "wide"),
    )
    subpixels: int = knob(
        1, "parts of a pixel that the generator draws; the pixel is their mean (scanned: 4, 9, 16 ...)", low=1, high=256
    )


class Generator(nn.Module):
    """A linear layer to a quarter of the size, then two steps of convolution and pixel shuffle, then a convolution."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        if spec.size % 4:
            raise UserError(f"This network draws sizes divisible by 4; the images have {spec.size} pixels.")
        c, self.start, self.classes = config, spec.size // 4, spec.classes
        self.scan, self.wide = c.head == "scanned", c.edges == "wide"
        if self.scan:
            _check_scanned(spec, c.subpixels)
            tables(torch.device("cpu"))  # now: an export records all that is done later
        self.foot = nn.Linear(c.latent_dim + spec.classes, c.g_quarter * self.start**2, bias=False)
        self.norm0 = ClassNorm(c.g_quarter, spec.classes)
        self.up1 = nn.Conv2d(c.g_quarter, 4 * c.g_half, 3, padding=1, bias=False)
        self.norm1 = ClassNorm(4 * c.g_half, spec.classes)
        self.up2 = nn.Conv2d(c.g_half, 4 * c.g_full, 3, padding=1, bias=False)
        self.norm2 = ClassNorm(4 * c.g_full, spec.classes)
        self.head = nn.Conv2d(c.g_full, spec.channels * c.subpixels, 5, padding=2)
        self.bound = torch.tanh if c.head == "tanh" else F.hardtanh
        self.subpixels = c.subpixels
        initialise(self)
        nn.init.normal_(
            self.head.weight, std=0.5 / math.sqrt(self.head.weight[0].numel())
        )  # the first images are grey, not clipped

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] or class weights [B, classes] -> images [B, C, H, W] in [-1, 1]."""
        size, z = z[:, 0], with_labels(z, labels, self.classes)
        x = self.foot(z).view(z.shape[0], self.start, self.start, -1).permute(0, 3, 1, 2)  # channels last from here on
        x = self.norm0(x, labels)
        x = shuffled(self.norm1(self.up1(x), labels), 2)
        x = shuffled(self.norm2(self.up2(x), labels), 2)
        x = self.head(x)
        if self.scan:
            return scanned(F.pixel_shuffle(x.contiguous(), math.isqrt(self.subpixels)), size, self.wide)
        x = self.bound(x)
        if self.subpixels > 1:  # each part is bounded, then averaged: edges of strokes get a scanner's greys
            x = x.unflatten(1, (-1, self.subpixels)).mean(2)
        return x


def _check_scanned(spec: ImageSpec, subpixels: int) -> None:
    if (spec.size, spec.channels) != (SIZE, 1):
        raise UserError(
            f"head=scanned draws grey digits of {SIZE} pixels like MNIST's; the images have {spec.size} pixels and "
            f"{counted(spec.channels, 'channel', 'channels')}. Give head=clamp."
        )
    if math.isqrt(subpixels) ** 2 != subpixels:
        raise UserError(f"subpixels={subpixels}: head=scanned needs a square number, such as 4, 9 or 16.")


class Discriminator(nn.Module):
    """Two convolutions and a linear layer to features, a logit from them, and the label's projection."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        c = config
        self.first = nn.Conv2d(4 * spec.channels, c.d_half, 3, padding=1)
        self.down = nn.Conv2d(c.d_half, c.d_quarter, 4, stride=2, padding=1)
        self.foot = nn.Linear(c.d_quarter * (spec.size // 4) ** 2, c.d_features)
        self.head = nn.Linear(c.d_features + 1, 1)
        self.by_class = nn.Embedding(spec.classes, c.d_features + 1) if spec.classes else None
        initialise(self)
        nn.init.normal_(self.head.weight, std=1 / math.sqrt(c.d_features + 1))
        if self.by_class is not None:
            nn.init.normal_(self.by_class.weight, std=1 / math.sqrt(c.d_features + 1))

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each layer, [B, c, h, w] or [B, c]; the last are the features."""
        first = F.leaky_relu(self.first(unshuffled(images, 2)), SLOPE)
        down = F.leaky_relu(self.down(first), SLOPE)
        foot = F.leaky_relu(self.foot(down.permute(0, 2, 3, 1).flatten(1)), SLOPE).float()
        return [first, down, foot]

    def forward(self, images: Tensor, labels: Tensor | None = None, groups: int = 1) -> Tensor:
        """images [B, C, H, W], labels int64 [B] -> logits [B], as if each of the equal groups were judged alone."""
        return projection_logits(self.features(images)[-1], self.head, self.by_class, labels, groups)
