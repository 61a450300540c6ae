"""The pair for your own images: 28 to 256 pixels, any number of channels, with or without labels.

The flagship's pair, grown to any size. The generator's linear layer makes a map of 4 to 8 pixels a side; each step
after it is a convolution with batch norm (a scale and a shift for each class: Dumoulin et al. 2017) and a pixel shuffle
(Shi et al. 2016), so only the last convolution works at full size. The image is then mixed from a palette: the network
picks some colours for the image and, for each pixel, a mixture of them, which keeps plain areas plain; the ReLU, which
can switch a colour off completely, helps with that (decision 11). With `flat`, what is drawn after or between steps of
the training has plain areas with smooth borders, each in the mean of its colours (decision 27). The discriminator folds
2x2 pixels into channels and goes down to a map of the smallest size, in which every position has its own weights.
Labels enter by projection (Miyato and Koyama 2018), and one feature measures how much the batch varies (Karras et al.
2018). On two CPU cores this pair learned in minutes what residual blocks without normalisation had not begun to learn
(decision 11).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import SLOPE, ClassNorm, initialise, projection_logits, shuffled, unshuffled, with_labels

SMALLEST = 8  # pixels a side, at most, of the smallest map
MOST = 4  # times `width`: no map has more channels
COLOURS = 16  # in an image's palette
SHARPNESS = 20.0  # factor of the palette's logits that makes areas of a mixture
NEARNESS = 60.0  # what a squared distance between colours, of the range 2, counts in such logits
PURE = 0.15  # by which the palette's own colour must be nearer to a pixel than the mean of the area
AT_ONCE = 2**16  # pixels whose areas are found at once: more take as long, and more memory
SMALLEST_AREA = 1e-6  # pixels: an area below it is not seen


@dataclass(frozen=True)
class Config:
    """Settings of the pair; `width` sets its size."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(
        48, "channels at half of the image's size (a multiple of 16); smaller maps have more", low=16, high=2**12
    )
    blocks: int = knob(0, "additional residual convolutions at each size", low=0, high=64)
    features: int = knob(128, "features from which the discriminator makes its logit", low=1, high=2**16)
    flat: bool = knob(False, "draw plain areas, each in the mean of its colours; training does not depend on it")


def maps(spec: ImageSpec) -> list[int]:
    """Sides of the maps, from the smallest (at most 8 pixels and a quarter of the image) to half of the image.

    Raises:
        UserError: the size is not 4, 5, 6 or 7 times a power of two.
    """
    sides = spec.ladder()[:-1]
    start = max([side for side in sides[:-1] if side <= SMALLEST], default=sides[0])
    return sides[sides.index(start) :]


def channels(width: int, count: int) -> list[int]:
    """Channels of each of `count` maps, from the smallest to the largest."""
    return [width * min(MOST, 2**i) for i in reversed(range(count))]


class Residual(nn.Module):
    """x + a 3x3 convolution of the activated x (pre-activation residual block). Source: He et al. 2016b."""

    def __init__(self, width: int, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        return x + self.conv(F.leaky_relu(self.norm(x), SLOPE))


class Generator(nn.Module):
    """A linear layer to the smallest map, convolutions with pixel shuffle, then a mixture of a palette's colours."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        sides = maps(spec)
        widths = [*channels(config.width, len(sides)), max(8, config.width // 4)]
        self.start, self.classes, self.flat = sides[0], spec.classes, config.flat
        self.foot = nn.Linear(config.latent_dim + spec.classes, widths[0] * self.start**2, bias=False)
        self.foot_norm = ClassNorm(widths[0], spec.classes, slope=0)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Residual(width, nn.BatchNorm2d(width)) for _ in range(config.blocks)))
            for width in widths[:-1]
        )
        self.ups = nn.ModuleList(
            nn.Conv2d(wide, 4 * narrow, 3, padding=1, bias=False) for wide, narrow in pairwise(widths)
        )
        self.norms = nn.ModuleList(ClassNorm(4 * narrow, spec.classes, slope=0) for narrow in widths[1:])
        self.head = nn.Conv2d(widths[-1], COLOURS, 5, padding=2)
        self.palette = nn.Linear(config.latent_dim + spec.classes, spec.channels * COLOURS)
        initialise(self)
        _scale_down(self)
        nn.init.normal_(self.head.weight, std=1 / math.sqrt(self.head.weight[0].numel()))
        nn.init.normal_(self.palette.weight, std=0.3 / math.sqrt(self.palette.in_features))
        nn.init.normal_(self.palette.bias, std=0.7)  # colours vary more within an image than between images

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim], labels int64 [B] or class weights [B, classes] -> images [B, C, H, W] in [-1, 1]."""
        z = with_labels(z, labels, self.classes)
        x = self.foot(z).view(z.shape[0], self.start, self.start, -1).permute(0, 3, 1, 2)  # channels last from here on
        x = self.foot_norm(x, labels)
        for blocks, up, norm in zip(self.blocks, self.ups, self.norms, strict=True):
            x = shuffled(norm(up(blocks(x)), labels), 2)
        logits = self.head(x).float()
        colours = torch.tanh(self.palette(z).float()).unflatten(1, (-1, COLOURS))
        with torch.autocast(x.device.type, enabled=False):  # in bf16 a pixel would have 8 bits, and a light one 7
            images = _mixed(colours, logits.softmax(1))
            if self.flat and not self.training:
                flattened = _flattened if torch.compiler.is_compiling() else _in_pieces  # an export is of any batch
                with torch.no_grad():
                    change = flattened(images, logits, colours) - images
                images = images + change  # gradients are those of the mixture: areas have hardly any
        return images.clamp(-1, 1)  # against rounding


class Discriminator(nn.Module):
    """Convolutions down to the smallest map, a linear layer to features, and a logit with the label's projection."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        sides = maps(spec)[::-1]
        widths = channels(config.width * 3 // 4, len(sides))[::-1]
        self.first = nn.Conv2d(4 * spec.channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Residual(width, nn.Identity()) for _ in range(config.blocks))) for width in widths
        )
        self.downs = nn.ModuleList(nn.Conv2d(narrow, wide, 4, stride=2, padding=1) for narrow, wide in pairwise(widths))
        self.foot = nn.Linear(widths[-1] * sides[-1] ** 2, config.features)
        self.head = nn.Linear(config.features + 1, 1)
        self.by_class = nn.Embedding(spec.classes, config.features + 1) if spec.classes else None
        initialise(self)
        _scale_down(self)
        for layer in (self.head, self.by_class):
            if layer is not None:
                nn.init.normal_(layer.weight, std=1 / math.sqrt(config.features + 1))

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations at each size, [B, c, h, w], and the features, [B, c]."""
        x = self.blocks[0](F.leaky_relu(self.first(unshuffled(images, 2)), SLOPE))
        activations = [x]
        for down, blocks in zip(self.downs, self.blocks[1:], strict=True):  # pyright: ignore[reportArgumentType]
            x = blocks(F.leaky_relu(down(x), SLOPE))
            activations.append(x)
        return [*activations, F.leaky_relu(self.foot(x.permute(0, 2, 3, 1).flatten(1)), SLOPE).float()]

    def forward(self, images: Tensor, labels: Tensor | None = None, groups: int = 1) -> Tensor:
        """images [B, C, H, W], labels int64 [B] -> logits [B], as if each of the equal groups were judged alone."""
        return projection_logits(self.features(images)[-1], self.head, self.by_class, labels, groups)


@contextlib.contextmanager
def as_in_training(generator: nn.Module) -> Iterator[None]:
    """Within this a generator of `flat` drawings draws what the discriminator knows from the training."""
    if not isinstance(generator, Generator):
        yield
        return
    flat, generator.flat = generator.flat, False
    try:
        yield
    finally:
        generator.flat = flat


def _mixed(colours: Tensor, parts: Tensor) -> Tensor:
    """Colours [B, C, K] and their parts of each pixel [B, K, H, W] -> images [B, C, H, W]."""
    return torch.bmm(colours, parts.flatten(2)).unflatten(2, parts.shape[2:])


def _in_pieces(images: Tensor, logits: Tensor, colours: Tensor) -> Tensor:
    """`_flattened`, of a few images at a time."""
    count = max(1, AT_ONCE // logits[0, 0].numel())
    pieces = zip(images.split(count), logits.split(count), colours.split(count), strict=True)
    return torch.cat([_flattened(*piece) for piece in pieces])


def _flattened(images: Tensor, logits: Tensor, colours: Tensor) -> Tensor:
    """Images of plain areas, [B, C, H, W]: where a palette's colour is the strongest, and in the mean colour there.

    Pixels of an area that are far from its mean and near to the palette's own colour are an area of their own: the
    white of eyes on a light background, which is white with a little of another colour.

    Args:
        images: [B, C, H, W].
        logits: of the palette's colours, [B, K, H, W].
        colours: the palette, [B, C, K].
    """
    logits = SHARPNESS * logits
    first = _means(images, logits.softmax(1).permute(0, 2, 3, 1))
    distances = ((images[:, :, None] - c[..., None, None]).square().sum(1) for c in (first, colours))
    of_mean, of_own = (logits - NEARNESS * distance for distance in distances)
    areas = _areas(torch.cat([of_mean, of_own - NEARNESS * PURE], 1))
    return _mixed(_means(images, areas), areas.permute(0, 3, 1, 2))


def _areas(logits: Tensor) -> Tensor:
    """Parts of each pixel, [B, H, W, K]: a softmax of bilinear logits in its quarters, so that borders are smooth.

    K is last because that takes half as long on a CPU.

    Args:
        logits: [B, K, H, W].
    """
    height, width = logits.shape[2:]
    around = F.pad(logits, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1).contiguous()
    areas = logits.new_zeros(())
    for y in (0, 2):
        rows = torch.lerp(around[:, 1:-1], around[:, y : y + height], 0.25)
        for x in (0, 2):
            quarters = torch.lerp(rows[:, :, 1:-1], rows[:, :, x : x + width], 0.25)
            areas = quarters.softmax(3) / 4 + areas
    return areas


def _means(images: Tensor, areas: Tensor) -> Tensor:
    """The mean colour of each area, [B, C, K]."""
    sums = areas.sum((1, 2)).clamp_min(SMALLEST_AREA)
    return torch.bmm(images.flatten(2), areas.flatten(1, 2)) / sums[:, None]


def _scale_down(network: nn.Module) -> None:
    """Make the residual blocks' weights small, so that each block starts close to the identity."""
    for module in network.modules():
        if isinstance(module, Residual):
            module.conv.weight.data.mul_(0.3)
