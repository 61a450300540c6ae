"""The flagship's pair: convolutions at a quarter and at half of the image's size, where they are cheap.

The generator doubles the size twice by pixel shuffle (Shi et al. 2016), so that no convolution but the last works at
full size; its batch norms have a scale and a shift for each class (Dumoulin et al. 2017; Miyato and Koyama 2018). The
discriminator folds 2x2 pixels into channels first; labels enter by projection (Miyato and Koyama 2018), and one more
feature tells how much the batch varies (minibatch standard deviation, Karras et al. 2018). Channels are multiples of
16 wherever the work is, which vector units like.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec

SLOPE = 0.2


@dataclass(frozen=True)
class Config:
    """Knobs of the pair; channels are those at a quarter of the image's size, at half of it, and at full size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    g_quarter: int = knob(96, "channels of the generator at a quarter of the size", low=1, high=2**14)
    g_half: int = knob(48, "channels of the generator at half of the size", low=1, high=2**14)
    g_full: int = knob(8, "channels of the generator at full size", low=1, high=2**14)
    d_half: int = knob(32, "channels of the discriminator at half of the size", low=1, high=2**14)
    d_quarter: int = knob(64, "channels of the discriminator at a quarter of the size", low=1, high=2**14)
    d_features: int = knob(64, "features from which the discriminator makes its logit", low=1, high=2**16)
    head: str = knob("tanh", "what bounds the pixels; clamp reaches plain black and white", choices=("tanh", "clamp"))
    subpixels: int = knob(1, "parts of a pixel that the generator draws; the pixel is their mean", low=1, high=256)


class ClassNorm(nn.Module):
    """Batch norm with a scale and a shift a class (classes=0: the same for all)."""

    def __init__(self, channels: int, classes: int, slope: float = SLOPE) -> None:
        super().__init__()
        self.slope = slope
        self.norm = nn.BatchNorm2d(channels)
        self.by_class = nn.Embedding(classes, 2 * channels) if classes else None
        if self.by_class is not None:
            nn.init.zeros_(self.by_class.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """x [B, C, h, w], labels [B] or [B, classes] -> [B, C, h, w], after the leaky ReLU."""
        x = self.norm(x)
        if self.by_class is not None and labels is not None:
            scale, shift = _by_class(self.by_class, labels)[:, :, None, None].chunk(2, 1)
            x = torch.addcmul(shift, x, 1 + scale)
        return F.leaky_relu(x, self.slope, inplace=True)


class Generator(nn.Module):
    """A linear layer to a quarter of the size, then two steps of convolution and pixel shuffle, then a convolution."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        if spec.size % 4:
            raise UserError(f"This network draws sizes divisible by 4; the images have {spec.size} pixels.")
        c, self.start, self.classes = config, spec.size // 4, spec.classes
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
        nn.init.normal_(self.head.weight, std=0.5 / math.sqrt(self.head.weight[0].numel()))  # starts grey, not clipped

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] (or shares of the classes, float [B, classes]) -> images in [-1, 1]."""
        if self.classes:
            assert labels is not None, "this generator was made for labelled images"
            z = torch.cat([z, (F.one_hot(labels, self.classes) if labels.dim() == 1 else labels).to(z.dtype)], 1)
        x = (
            self.foot(z).view(z.shape[0], self.start, self.start, -1).permute(0, 3, 1, 2)
        )  # channels last from the start
        x = self.norm0(x, labels)
        x = F.pixel_shuffle(self.norm1(self.up1(x), labels), 2)
        x = F.pixel_shuffle(self.norm2(self.up2(x), labels), 2)
        x = self.bound(self.head(x))
        if self.subpixels > 1:  # each part is bounded by itself: its mean draws the edge of a stroke as a scanner does
            x = x.unflatten(1, (-1, self.subpixels)).mean(2)
        return x


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
        """images [B, C, H, W] -> what each layer sees in them, [B, c, h, w] or [B, c]."""
        first = F.leaky_relu(self.first(F.pixel_unshuffle(images, 2)), SLOPE)
        down = F.leaky_relu(self.down(first), SLOPE)
        foot = F.leaky_relu(self.foot(down.permute(0, 2, 3, 1).flatten(1)), SLOPE).float()
        return [first, down, foot]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W], labels int64 [B] -> logits [B]."""
        return judged(self.features(images)[-1], self.head, self.by_class, labels)


def judged(x: Tensor, head: nn.Linear, by_class: nn.Embedding | None, labels: Tensor | None) -> Tensor:
    """Features [B, c] -> logits [B]: a feature for the batch's spread is added, and the label's projection."""
    spread = (x - x.mean(0)).square().mean(0).add(1e-4).sqrt().mean()  # torch's own var is ten times slower
    x = torch.cat([x, spread.expand(len(x), 1)], 1)
    logits = head(x).squeeze(1)
    if by_class is not None:
        assert labels is not None, "this discriminator was made for labelled images"
        logits = logits + (by_class(labels) * x).sum(1)
    return logits


def _by_class(table: nn.Embedding, labels: Tensor) -> Tensor:
    """A row a label; the mean of the rows where labels are shares of the classes (a picture between two of them)."""
    return table(labels) if labels.dim() == 1 else labels @ table.weight


def initialise(network: nn.Module) -> None:
    """The weights of layers that a leaky ReLU follows."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
