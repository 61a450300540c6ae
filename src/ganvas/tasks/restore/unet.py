"""The networks that restore pictures: a residual U-net for any input size, and a discriminator of patches.

The U-net (Ronneberger et al. 2015) works at half of the picture's size and below, so that little is computed at full
size, and learns only the change of its input (Zhang et al. 2017, "Beyond a Gaussian denoiser"). Its blocks
have no normalisation, which would lose brightness and contrast (Lim et al. 2017). Its initial output is the trivial
restoration: the input itself, its bicubic enlargement, or a smooth fill of what is missing. The discriminator
rates patches (Isola et al. 2017) and is kept smooth by spectral norm (Miyato et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.core.config import knob
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import shuffled, unshuffled

SLOPE = 0.2
LEVELS, SWEEPS = 6, 8  # halvings of a picture for the first fill of its holes, and sweeps at each size
SLOWEST = 0.98  # approximate factor of a plain sweep on the slowest component of the error
MIRRORS = ((2,), (3,), (2, 3))  # of a picture, whose fills are averaged with its own (Lim et al. 2017, section 3.4)
MOST = 4  # times `width`: no map has more channels


@dataclass(frozen=True)
class Config:
    """Settings of the pair; `width` sets its size."""

    width: int = knob(32, "channels at half of the picture's size; smaller maps have more", low=4, high=2**12)
    depth: int = knob(3, "how often the generator halves that size", low=0, high=6)
    blocks: int = knob(1, "residual blocks at each size, on the way down and again on the way up", low=1, high=64)
    d_width: int = knob(32, "channels of the discriminator's first layer", low=4, high=2**12)


class Residual(nn.Module):
    """x + convolution, ReLU, convolution, with small initial weights. Source: Lim et al. 2017, figure 2c."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.second.weight.data.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        return x + self.second(F.relu(self.first(x)))


class Generator(nn.Module):
    """A U-net from a degraded picture to a clean one `scale` times as large."""

    # by a training that starts from a model: a head of zeros changes nothing at first
    taken_together = ("first", "head")

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        self.channels, self.scale, self.masked, self.turned = spec.channels, spec.scale, spec.masked, spec.turned
        self.fold = 2 if spec.scale == 1 else 1  # pixels a side of the input that become channels
        widths = [config.width * min(MOST, 2**i) for i in range(config.depth + 1)]
        self.stride = self.fold * 2**config.depth  # the input is padded to multiples of it
        self.first = nn.Conv2d((spec.channels + spec.masked) * self.fold**2, widths[0], 3, padding=1)

        def stage(width: int) -> nn.Module:
            return nn.Sequential(*(Residual(width) for _ in range(config.blocks)))

        self.befores = nn.ModuleList(map(stage, widths[:-1]))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.middle = nn.Sequential(stage(widths[-1]), stage(widths[-1]))
        self.ups = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.afters = nn.ModuleList(map(stage, widths[:-1]))
        last = self.fold * spec.scale  # pixels a side that each position of the largest map produces
        self.head = nn.Conv2d(widths[0], spec.channels * last**2, 3, padding=1)
        self.last = last
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        """images [B, C (+ 1 with a mask, 1: missing), H, W] -> [B, C, scale * H, scale * W] in [-1, 1].

        Known pixels are left as they are. In training the output is not clamped, so that it learns to stay in range.
        """
        if self.masked:
            filled_images = filled(images[:, : self.channels], images[:, self.channels :])
            images = torch.cat([filled_images, images[:, self.channels :]], 1)
        height, width = images.shape[2:]
        whole = padded(images, self.stride)
        if self.masked and self.turned and not self.training:  # the mean of mirrored fills is closer than a single one
            fills = self._change(torch.cat([whole, *(whole.flip(sides) for sides in MIRRORS)]))
            fills = fills.unflatten(0, (1 + len(MIRRORS), images.shape[0]))
            change = (fills[0] + sum(fill.flip(s) for fill, s in zip(fills[1:], MIRRORS, strict=True))) / len(fills)
        else:
            change = self._change(whole)
        change = change[:, :, : height * self.scale, : width * self.scale]
        base = images[:, : self.channels].float()
        if self.scale > 1:
            base = F.interpolate(base, scale_factor=float(self.scale), mode="bicubic")
        made = base + change
        if self.masked:
            made = torch.where(images[:, self.channels :] > 0.5, made, base)
        return made if self.training else made.clamp(-1, 1)

    def _change(self, images: Tensor) -> Tensor:
        """The change of the trivial restoration, for pictures whose sides are multiples of `stride`."""
        x = self.first(unshuffled(images, self.fold))
        skips = []
        for before, down_by in zip(self.befores, self.downs, strict=True):
            x = before(x)
            skips.append(x)
            x = down_by(x)
        x = self.middle(x)
        for i in reversed(range(len(skips))):
            x = self.afters[i](shuffled(self.ups[i](x), 2) + skips[i])
        return shuffled(self.head(x), self.last).float()


def padded(images: Tensor, stride: int) -> Tensor:
    """Pictures [B, C, H, W] with their last row and column repeated until their sides are multiples of `stride`."""
    down, right = -images.shape[2] % stride, -images.shape[3] % stride
    return F.pad(images, (0, right, 0, down), mode="replicate") if down or right else images


class Mirrored(nn.Module):
    """A generator that restores four mirrored versions of a picture and uses their mean: some 0.1 to 0.3 dB closer.

    For one without holes that has learned from mirrored pictures; it takes four times as long. Source: Lim et al. 2017,
    section 3.4 (with eight versions, of which four are rotated too).
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.stride, self.scale = int(generator.stride), int(generator.scale)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, scale * H, scale * W]."""
        height, width = images.shape[2:]
        images = padded(images, self.stride)  # before it is mirrored, so that tiles meet the same grid
        restored = self.generator(images)
        for sides in MIRRORS:
            restored = restored + self.generator(images.flip(sides)).flip(sides)
        return restored[:, :, : height * self.scale, : width * self.scale] / (1 + len(MIRRORS))


def filled(images: Tensor, mask: Tensor) -> Tensor:
    """Fill what is missing smoothly from what is known around it. Source: Gortler et al. 1996, "pull" and "push".

    Args:
        images: [B, C, H, W].
        mask: [B, 1, H, W], 1 where a pixel is missing.
    """
    known = 1 - mask
    cross = images.new_tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).expand(images.shape[1], 1, 3, 3)
    sums, counts = [images * known], [known]
    for _ in range(LEVELS):  # each level sees twice as far
        sums.append(F.avg_pool2d(sums[-1], 2, ceil_mode=True))
        counts.append(F.avg_pool2d(counts[-1], 2, ceil_mode=True))
    fill = sums[-1].mean((2, 3), keepdim=True) / counts[-1].mean((2, 3), keepdim=True).clamp_min(1e-6)
    for total, count in zip(sums[::-1], counts[::-1], strict=True):
        known_part = total / count.clamp_min(1e-6) * count  # a half-known position counts half
        before = fill = known_part + F.interpolate(fill, size=total.shape[2:], mode="bilinear") * (1 - count)
        step = 1.0
        for sweep in range(SWEEPS):  # smooth it, in growing steps (Chebyshev; Golub and Varga 1961)
            padded = F.pad(fill, (1, 1, 1, 1), mode="replicate")
            with torch.autocast(images.device.type, enabled=False):
                around = F.conv2d(padded, cross, groups=images.shape[1])
            before, fill = fill, before + step * (known_part + around / 4 * (1 - count) - before)
            step = 1 / (1 - SLOWEST**2 * step / (4 if sweep else 2))
    return fill


class Discriminator(nn.Module):
    """Convolutions; each position of the last map rates a patch of 46 pixels a side.

    The layers between the first and the last have spectral norm. With it in all of them no logit could change by
    more than the picture does, and good restorations differ very little from clean pictures.
    """

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        widths = [config.d_width * n for n in (1, 2, 4)]
        self.first = nn.Conv2d(4 * spec.channels, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths))
        self.last = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations at each size, [B, c, h, w]."""
        even = F.pad(images, (0, images.shape[3] % 2, 0, images.shape[2] % 2), mode="replicate")
        x = F.leaky_relu(self.first(unshuffled(even, 2)), SLOPE)
        layers = [x]
        for down in self.downs:
            x = F.leaky_relu(down(x), SLOPE)
            layers.append(x)
        return [*layers, F.leaky_relu(self.last(x), SLOPE)]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W] -> logits [B, 1, h, w]; labels are not used."""
        return self.head(self.features(images)[-1]).float()
