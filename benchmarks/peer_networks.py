"""The networks of the GANs that Ganvas is compared with, in plain PyTorch, written from their papers.

`mlp` and `digits` are the GANs of the MNIST tutorials, `dcgan` is that of Radford et al. 2016 as PyTorch's example has
it, `residual` and `standard` are the SNGANs of Miyato et al. 2018 (tables 4 and 3), with labels as Miyato and Koyama
2018 have them: conditional batch norm and a projection. A generator turns z [B, latent] and labels (int64 [B] or None)
into images [B, C, H, H] in [-1, 1]; a discriminator turns images and labels into logits [B].
"""

from __future__ import annotations

import math

import plain_mlp
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm


class Plain(nn.Module):
    """Layers in a row; labels are not used."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(x)


class Logit(Plain):
    """The same for a discriminator, whose output is one number."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(x).flatten()


def mlp() -> tuple[nn.Module, nn.Module]:
    """The tutorials' fully connected pair; the last sigmoid is part of the loss, which is the same and more exact."""
    layers = plain_mlp.Discriminator().model[:-1]
    assert isinstance(layers, nn.Sequential)
    return Plain(plain_mlp.Generator().model, nn.Unflatten(1, (1, 28, 28))), Logit(nn.Flatten(), *layers)


class Halved(nn.Module):
    """[0, 1], in which the tutorials draw, to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.sigmoid(x) - 1


def digits(width: int = 128, d_width: int = 64) -> tuple[nn.Module, nn.Module]:
    """The tutorials' convolutional pair for 28 pixels."""
    grown = [nn.Linear(100, width * 49), nn.LeakyReLU(0.2), nn.Unflatten(1, (width, 7, 7))]
    for _ in range(2):
        grown += [nn.ConvTranspose2d(width, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    generator = Plain(*grown, nn.Conv2d(width, 1, 7, padding=3), Halved())
    seen: list[nn.Module] = []
    for inside in (1, d_width):
        seen += [nn.Conv2d(inside, d_width, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout(0.4)]
    return generator, Logit(*seen, nn.Flatten(), nn.Linear(d_width * 49, 1))


def dcgan(size: int, channels: int, width: int = 64, latent: int = 100) -> tuple[nn.Module, nn.Module]:
    """Four steps between 4 and 64 pixels; with 32 pixels three, the widest layer is left out."""
    steps = int(math.log2(size // 4))  # 64: 4 -> 8 -> 16 -> 32 -> 64
    widths = [width << i for i in reversed(range(steps))]
    up: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
    for i, outside in enumerate(widths):
        stride, padding = (2, 1) if i else (1, 0)
        up.append(nn.ConvTranspose2d(widths[i - 1] if i else latent, outside, 4, stride, padding, bias=False))
        up += [nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    up += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for outside in reversed(widths[:-1]):
        down.append(nn.Conv2d(outside // 2, outside, 4, 2, 1, bias=False))
        down += [nn.BatchNorm2d(outside), nn.LeakyReLU(0.2, inplace=True)]
    down.append(nn.Conv2d(widths[0], 1, 4, 1, 0, bias=False))
    return Plain(*up).apply(_normal), Logit(*down).apply(_normal)


def _normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


class Norm(nn.Module):
    """Batch norm; with classes, scale and shift belong to the class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        if classes:
            self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        x = self.norm(x)
        if self.norm.affine:
            return x
        scale, shift = (table(labels)[:, :, None, None].to(x.dtype) for table in (self.scale, self.shift))
        return torch.addcmul(shift, x, scale)


def _convolution(inside: int, outside: int, kernel: int = 3) -> nn.Conv2d:
    layer = nn.Conv2d(inside, outside, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, math.sqrt(2) if kernel > 1 else 1)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class Grow(nn.Module):
    """A residual block of the generator, which doubles the size.

    The path around it convolves before it doubles: the same result as the other way round, for a quarter of the work.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(Norm(channels, classes) for _ in range(2))
        self.convolutions = nn.ModuleList(_convolution(channels, channels) for _ in range(2))
        self.around = _convolution(channels, channels, 1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        y = self.convolutions[0](doubled(F.relu(self.norms[0](x, labels))))
        y = self.convolutions[1](F.relu(self.norms[1](y, labels)))
        return y + doubled(self.around(x))


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class ResidualGenerator(nn.Module):
    """z [B, 128] -> 4x4x256, three residual blocks up to 32 pixels, batch norm, a convolution."""

    def __init__(self, channels: int, classes: int, width: int = 256, latent: int = 128) -> None:
        super().__init__()
        self.width = width
        self.foot = nn.Linear(latent, 16 * width)
        nn.init.xavier_uniform_(self.foot.weight)
        self.blocks = nn.ModuleList(Grow(width, classes) for _ in range(3))
        self.norm = nn.BatchNorm2d(width)
        self.head = _convolution(width, channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.foot(z).view(-1, self.width, 4, 4).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(self.head(F.relu(self.norm(x))))


class Shrink(nn.Module):
    """A residual block of the discriminator; `halves` the size. The `first` one begins with a convolution."""

    def __init__(self, inside: int, outside: int, halves: bool, first: bool = False) -> None:
        super().__init__()
        self.halves, self.first = halves, first
        self.convolutions = nn.ModuleList(spectral_norm(_convolution(c, outside)) for c in (inside, outside))
        self.around = spectral_norm(_convolution(inside, outside, 1)) if halves else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions[0](x if self.first else F.relu(x))
        y = self.convolutions[1](F.relu(y))
        if not self.halves:
            return y + x
        return F.avg_pool2d(y, 2) + self.around(
            F.avg_pool2d(x, 2)
        )  # a 1x1 convolution of means is the mean of its results


class ResidualDiscriminator(nn.Module):
    """Four residual blocks of 128 channels (32 -> 16 -> 8 -> 8 -> 8 pixels), the sum of all places, one logit."""

    def __init__(self, channels: int, classes: int, width: int = 128) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Shrink(channels, width, True, first=True),
            Shrink(width, width, True),
            Shrink(width, width, False),
            Shrink(width, width, False),
        )
        head = nn.Linear(width, 1)
        nn.init.xavier_uniform_(head.weight)
        self.head = spectral_norm(head)
        self.classes = _table(classes, width) if classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        features = F.relu(self.blocks(images)).float().sum((2, 3))
        logits = self.head(features)[:, 0]
        if self.classes is not None:
            logits = logits + (self.classes(labels) * features).sum(1)
        return logits


def _table(classes: int, width: int) -> nn.Module:
    table = nn.Embedding(classes, width)
    nn.init.xavier_uniform_(table.weight)
    return spectral_norm(table)


def residual(channels: int, classes: int) -> tuple[nn.Module, nn.Module]:
    """The SNGAN of CIFAR-10 with residual blocks; `classes` 0: without labels."""
    return ResidualGenerator(channels, classes), ResidualDiscriminator(channels, classes)


def standard(channels: int, latent: int = 128) -> tuple[nn.Module, nn.Module]:
    """The SNGAN without residual blocks for 32 pixels: the "standard CNN"."""
    up: list[nn.Module] = [nn.Linear(latent, 16 * 512), nn.Unflatten(1, (512, 4, 4)), nn.BatchNorm2d(512), nn.ReLU()]
    for inside in (512, 256, 128):
        up += [nn.ConvTranspose2d(inside, inside // 2, 4, 2, 1), nn.BatchNorm2d(inside // 2), nn.ReLU(inplace=True)]
    up += [nn.Conv2d(64, channels, 3, padding=1), nn.Tanh()]
    down: list[nn.Module] = []
    for inside, outside in ((channels, 64), (64, 128), (128, 256)):
        down += [spectral_norm(nn.Conv2d(inside, outside, 3, 1, 1)), nn.LeakyReLU(0.1, inplace=True)]
        down += [spectral_norm(nn.Conv2d(outside, outside, 4, 2, 1)), nn.LeakyReLU(0.1, inplace=True)]
    down += [spectral_norm(nn.Conv2d(256, 512, 3, 1, 1)), nn.LeakyReLU(0.1, inplace=True)]
    return Plain(*up), Logit(*down, nn.Flatten(), spectral_norm(nn.Linear(16 * 512, 1)))
