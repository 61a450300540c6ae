"""The pair for photographs: 28 to 256 pixels, any number of channels, with or without labels.

The generator is made of residual blocks that double the size (He et al. 2016; Miyato et al. 2018), with batch norms
that have a scale and a shift for each class (Dumoulin et al. 2017). The discriminator judges each image several times:
one part sees pixels; the others see maps of a frozen network that has learned from the same pictures before
(`backbone`; Sauer et al. 2021), and judge every place of a map. Labels enter each of them by projection (Miyato and
Koyama 2018), and each is told how much the batch varies (Karras et al. 2018). Most channel counts are multiples of 32:
with fewer a convolution reaches a small part of a processor's speed (docs/log.md, 2026-11-30).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec
from ganvas.networks.backbone import Backbone
from ganvas.networks.layers import SLOPE, ClassNorm, initialise, needed, projection_logits, unshuffled, with_labels

MOST = 4  # times `width`: no map of the generator has more channels
SMALL = 7  # pixels a side, at most, of the map on which a part's logits are


@dataclass(frozen=True)
class Config:
    """Settings of the pair."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(
        48, "channels of the generator's largest map; smaller maps have up to four times as many", low=16, high=2**12
    )
    judges: int = knob(64, "channels of the parts of the discriminator that see features", low=8, high=2**12)
    pixels: int = knob(32, "channels, at half of the image's size, of the part that sees pixels", low=8, high=2**12)
    backbone: int = knob(64, "channels of the first map of the network whose features are seen", low=8, high=2**12)
    maps: int = knob(2, "maps of that network that are seen", low=1, high=3)


class Block(nn.Module):
    """A residual block that doubles the size: [B, C, h, w] -> [B, c, 2h, 2w]. Source: Miyato et al. 2018, figure 9."""

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.norm1 = ClassNorm(inputs, classes, slope=0)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = ClassNorm(outputs, classes, slope=0)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """x [B, C, h, w], labels int64 [B] or class weights [B, classes] -> [B, c, 2h, 2w]."""
        y = F.interpolate(self.norm1(x, labels), scale_factor=2)
        y = self.conv2(self.norm2(self.conv1(y), labels))
        return y + F.interpolate(self.skip(x), scale_factor=2)


class Generator(nn.Module):
    """A linear layer to the smallest map, residual blocks up to the image's size, and a convolution."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        sides = spec.ladder()
        widths = [config.width * min(MOST, 2**i) for i in reversed(range(len(sides) - 1))]
        widths = [widths[0], *widths]
        self.start, self.classes = sides[0], spec.classes
        self.foot = nn.Linear(config.latent_dim + spec.classes, widths[0] * self.start**2)
        self.blocks = nn.ModuleList(Block(a, b, spec.classes) for a, b in pairwise(widths))
        self.norm = ClassNorm(widths[-1], spec.classes, slope=0)
        self.head = nn.Conv2d(widths[-1], spec.channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] or class weights [B, classes] -> images [B, C, H, W] in [-1, 1]."""
        z = with_labels(z, labels, self.classes)
        x = self.foot(z).view(z.shape[0], self.start, self.start, -1).permute(0, 3, 1, 2)  # channels last from here on
        for block in self.blocks:
            x = block(x, labels)
        return torch.tanh(self.head(self.norm(x, labels)).float())


class Judge(nn.Module):
    """Logits at every place of a small map that convolutions make of a map of features."""

    def __init__(self, channels: int, side: int, width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 1)]
        while side > SMALL:
            layers.append(nn.Conv2d(width, width, 4, stride=2, padding=1))
            side //= 2
        layers.append(nn.Conv2d(width, width, 3, padding=1))
        self.layers = nn.ModuleList(layers)
        self.spread = nn.Linear(width, width)
        self.head = nn.Conv2d(width, 1, 1)
        self.by_class = nn.Embedding(classes, width) if classes else None
        if self.by_class is not None:
            nn.init.normal_(self.by_class.weight, std=0.1 / math.sqrt(width))

    def forward(self, x: Tensor, labels: Tensor | None, groups: int) -> Tensor:
        """x [B, C, h, w] -> logits [B, places]; the spread of the batch is that of each of the equal groups."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        x = x.float()
        means = x.mean((2, 3)).unflatten(0, (groups, -1))
        spread = (means - means.mean(1, keepdim=True)).square().mean(1).add(1e-4).log() / 2
        told = self.spread(spread).repeat_interleave(means.shape[1], 0)
        x = x + told[:, :, None, None]
        logits = self.head(x).flatten(1)
        if self.by_class is not None:
            rows = self.by_class(needed(labels, self.by_class.num_embeddings, len(x)))
            logits = logits + torch.einsum("bchw,bc->bhw", x, rows).flatten(1)
        return logits


class Pixels(nn.Module):
    """Convolutions from pixels down to a small map, a linear layer to features, and a logit."""

    def __init__(self, spec: ImageSpec, width: int) -> None:
        super().__init__()
        side, widths = spec.size // 2, [width]
        layers: list[nn.Module] = [nn.Conv2d(4 * spec.channels, width, 3, padding=1)]
        while side > SMALL:
            widths.append(width * min(MOST, 2 ** len(widths)))
            layers.append(nn.Conv2d(widths[-2], widths[-1], 4, stride=2, padding=1))
            side //= 2
        self.layers = nn.ModuleList(layers)
        self.foot = nn.Linear(widths[-1] * side**2, 128)
        self.head = nn.Linear(129, 1)
        self.by_class = nn.Embedding(spec.classes, 129) if spec.classes else None
        initialise(self)
        for layer in (self.head, self.by_class):
            if layer is not None:
                nn.init.normal_(layer.weight, std=1 / math.sqrt(129))

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each layer, [B, c, h, w], and the features, [B, c]."""
        x, maps = unshuffled(images, 2), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return [*maps, F.leaky_relu(self.foot(x.permute(0, 2, 3, 1).flatten(1)), SLOPE).float()]

    def forward(self, images: Tensor, labels: Tensor | None, groups: int) -> Tensor:
        """images [B, C, H, W] -> logits [B, 1]."""
        return projection_logits(self.features(images)[-1], self.head, self.by_class, labels, groups)[:, None]


class Discriminator(nn.Module):
    """A frozen backbone and the parts that judge its maps, and one part that judges pixels."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        self.backbone = Backbone(spec, config.backbone).requires_grad_(False)
        self.scales = nn.Buffer(torch.ones(config.maps))  # 1 / the deviation of each map
        plans = [*zip(self.backbone.widths, self.backbone.sides, strict=True)][: config.maps]
        if plans[-1][1] < spec.ladder()[0]:  # then its part would have fewer logits than the others
            raise UserError(f"maps={config.maps}: the last map of images of {spec.size} pixels is too small; choose 2.")
        self.judges = nn.ModuleList(Judge(c, side, config.judges, spec.classes) for c, side in plans)
        self.pixels = Pixels(spec, config.pixels)
        self.classes = spec.classes

    def views(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> what each part judges, [B, c, h, w]: the backbone's maps, and the images."""
        maps = self.backbone(images, len(self.judges))
        return [*(x * scale for x, scale in zip(maps, self.scales.to(maps[0].dtype), strict=True)), images]

    def judge(self, views: list[Tensor], labels: Tensor | None, groups: int = 1) -> Tensor:
        """Logits [B, parts x places] of what the parts see; the last part has one logit, for all places.

        Args:
            views: what `views` returns.
            groups: equal parts of the batch, each judged as if it were alone.
        """
        maps = [judge(view, labels, groups) for judge, view in zip(self.judges, views, strict=False)]
        return torch.cat([*maps, self.pixels(views[-1], labels, groups).expand(-1, maps[0].shape[1])], 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the backbone's maps, then all activations of the part that sees pixels."""
        return [*self.views(images)[:-1], *self.pixels.features(images)]

    def forward(self, images: Tensor, labels: Tensor | None = None, groups: int = 1) -> Tensor:
        """images [B, C, H, W], labels int64 [B] -> logits [B], the means over parts and places."""
        return self.judge(self.views(images), labels, groups).mean(1)

    @torch.no_grad()
    def measure(self, images: Tensor) -> None:
        """Set `scales` by images [B, C, H, W]."""
        maps = self.backbone(images, len(self.judges))
        self.scales.copy_(torch.stack([1 / x.float().std().clamp_min(1e-6) for x in maps]))
