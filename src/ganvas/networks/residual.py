"""A residual pair for images of 28 to 256 pixels and any number of channels, grey, colour or with transparency.

After the R3GAN of Huang et al. 2024: residual blocks of a 1x1, a grouped 3x3 and a 1x1 convolution (Xie et al. 2017)
without any normalisation, so initialised that each block begins as the identity (Zhang et al. 2019, "Fixup"); sizes are
changed by bilinear filters; the generator begins with a learned map whose channels the latent vector weighs, and the
discriminator ends with its counterpart. What is added for the sake of CPUs: 2x2 pixels are folded into channels next to
the image (Shi et al. 2016), where every layer would be four times as slow. Labels enter beside z, and by projection
(Miyato and Koyama 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.config import knob
from ganvas.spec import ImageSpec

SLOPE = 0.2
EXPANSION = 2  # of a block's inner channels
GROUP = 16  # inner channels that look at each other in a 3x3 convolution
MOST = 8  # times the dial's channels, which is what the smallest maps have
FOLD = 2  # pixels a side that become channels

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Config:
    """Knobs of the pair; `width` is the dial of its size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1)
    width: int = knob(32, "channels next to the pixels (a multiple of 8); each halving of the size doubles them", low=8)
    blocks: int = knob(1, "residual blocks at each size", low=1)


def channels(config: Config, count: int) -> list[int]:
    """Channels of each of `count` maps from the smallest to the largest."""
    return [config.width * min(MOST, 2**i) for i in reversed(range(count))]


class Block(nn.Module):
    """x + a 1x1, a grouped 3x3 and a 1x1 convolution; the last begins at zero."""

    def __init__(self, width: int, depth: int) -> None:
        """`depth`: blocks of the whole network, which the initial weights shrink with."""
        super().__init__()
        inner = EXPANSION * width
        self.widen = nn.Conv2d(width, inner, 1)
        self.look = nn.Conv2d(inner, inner, 3, padding=1, groups=max(1, inner // GROUP))
        self.narrow = nn.Conv2d(inner, width, 1, bias=False)
        scale = depth ** (-1 / 4)  # Fixup's L^(-1/(2m-2)) with three layers a block
        for layer in (self.widen, self.look):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            layer.weight.data.mul_(scale)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        y = F.leaky_relu(self.widen(x), SLOPE)
        y = F.leaky_relu(self.look(y), SLOPE)
        return x + self.narrow(y)


class Resample(nn.Module):
    """Twice or half the size by the filter 1-3-3-1, as a matrix on either axis: quicker than interpolating on CPUs."""

    def __init__(self, small: int, up: bool) -> None:
        super().__init__()
        places = torch.arange(small)
        matrix = torch.zeros(2 * small, small)
        for row, near in ((2 * places, (places - 1).clamp_min(0)), (2 * places + 1, (places + 1).clamp_max(small - 1))):
            matrix[row, places] += 0.75
            matrix[row, near] += 0.25
        self.matrix = nn.Buffer(matrix if up else matrix.T / 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, h] -> [B, C, 2h, 2h] or [B, C, h/2, h/2]."""
        matrix = self.matrix.to(x.dtype)
        x = x.permute(0, 2, 3, 1)  # as it lies in memory
        batch, side, _, width = x.shape
        x = (matrix @ x.reshape(batch, side, side * width)).view(-1, side, width)
        return (matrix @ x).view(batch, len(matrix), len(matrix), width).permute(0, 3, 1, 2)


class Generator(nn.Module):
    """A learned 4x4 map weighed by z, residual blocks at each size, and a head that unfolds the pixels."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        sides = spec.ladder()[:-1]
        widths = channels(config, len(sides))
        depth = len(sides) * config.blocks
        self.classes = spec.classes
        self.foot = nn.Linear(config.latent_dim + spec.classes, widths[0])
        self.map = nn.Parameter(torch.randn(widths[0], sides[0], sides[0]))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width, depth) for _ in range(config.blocks))) for width in widths
        )
        self.ups = nn.ModuleList(
            nn.Sequential(_linear(nn.Conv2d(wide, narrow, 1, bias=False)), Resample(side, up=True))
            for wide, narrow, side in zip(widths, widths[1:], sides, strict=False)
        )
        self.unfold = nn.Conv2d(widths[-1], FOLD**2 * 16, 3, padding=1)
        self.head = nn.Conv2d(16, spec.channels, 3, padding=1)
        nn.init.kaiming_normal_(self.unfold.weight, SLOPE)
        _linear(self.foot)
        nn.init.normal_(self.head.weight, std=0.5 / math.sqrt(self.head.weight[0].numel()))  # starts grey, not clipped

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] (or shares of the classes, float [B, classes]) -> images in [-1, 1]."""
        if self.classes:
            assert labels is not None, "this generator was made for labelled images"
            z = torch.cat([z, (F.one_hot(labels, self.classes) if labels.dim() == 1 else labels).to(z.dtype)], 1)
        x = (self.foot(z)[:, :, None, None] * self.map).contiguous(memory_format=torch.channels_last)
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number < len(self.ups):
                x = self.ups[number](x)
        x = F.leaky_relu(F.pixel_shuffle(self.unfold(x), FOLD), SLOPE)
        return F.hardtanh(self.head(x).float())


class Discriminator(nn.Module):
    """The pixels folded, residual blocks at each size, and a logit from the last map, with the label's projection."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        sides = spec.ladder()[-2::-1]
        widths = channels(config, len(sides))[::-1]
        depth = len(sides) * config.blocks
        self.fold = _linear(nn.Conv2d(FOLD**2 * spec.channels, widths[0], 3, padding=1))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width, depth) for _ in range(config.blocks))) for width in widths
        )
        self.downs = nn.ModuleList(
            nn.Sequential(Resample(side, up=False), _linear(nn.Conv2d(narrow, wide, 1, bias=False)))
            for narrow, wide, side in zip(widths, widths[1:], sides[1:], strict=False)
        )
        self.look = _linear(nn.Conv2d(widths[-1], widths[-1], sides[-1], groups=widths[-1], bias=False))
        self.head = nn.Linear(widths[-1], 1)
        self.by_class = nn.Embedding(spec.classes, widths[-1]) if spec.classes else None
        nn.init.normal_(self.head.weight, std=1 / math.sqrt(widths[-1]))
        if self.by_class is not None:
            nn.init.normal_(self.by_class.weight, std=1 / math.sqrt(widths[-1]))

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> what each size's blocks see in them, [B, c, h, w], and the last layer, [B, c]."""
        x = self.fold(F.pixel_unshuffle(images, FOLD))
        found = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            found.append(x)
            if number < len(self.downs):
                x = self.downs[number](x)
        return [*found, self.look(x).flatten(1).float()]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W], labels int64 [B] -> logits [B]."""
        x = self.features(images)[-1]
        logits = self.head(x).squeeze(1)
        if self.by_class is not None:
            assert labels is not None, "this discriminator was made for labelled images"
            logits = logits + (self.by_class(labels) * x).sum(1)
        return logits


def _linear(layer: Layer) -> Layer:
    """The weights of a layer that no nonlinearity follows."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
