"""Two generators that turn pictures of one kind into another and back, and a discriminator for each kind.

A generator folds 2x2 pixels into channels, goes down to a small map, processes it in residual blocks (Johnson et al.
2016; Zhu et al. 2017), and comes up by pixel shuffle without skip connections: the output may have another shape than
the input. Each position is normalised over its channels (Ba et al. 2016), which keeps the colours of a picture and does
not depend on its size. The output is a mixture of a palette's colours as in `networks.pyramid` (decision 11), but the
colours come from the input: each is a weighted mean of the input's pixels, with weights chosen by the network, and then
shifted. So skin or background keeps its colour unless there is a reason to change it. The discriminators are those of
`networks.pyramid`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.config import knob
from ganvas.images.spec import ImageSpec
from ganvas.networks import pyramid
from ganvas.networks.layers import shuffled, unshuffled
from ganvas.networks.shuffle import initialise

MOST = 4  # times `width`: no map has more channels
NEARLY = 0.98  # scale of the input's colours: atanh stays finite


@dataclass(frozen=True)
class Config:
    """Settings of both directions; `width` sets their size."""

    width: int = knob(
        32, "channels of the generators at half of the picture's size; smaller maps have more", low=8, high=2**12
    )
    depth: int = knob(2, "how often the generators halve that size", low=1, high=5)
    blocks: int = knob(4, "residual blocks at the smallest size", low=1, high=64)
    colours: int = knob(
        16,
        "colours of a picture's palette (0: none, each pixel has its own colour: for photographs)",
        low=0,
        high=2**10,
    )
    d_width: int = knob(48, "channels of the discriminators, as width of the recipe images", low=16, high=2**12)
    features: int = knob(128, "features from which a discriminator makes its logit", low=1, high=2**16)


class Norm(nn.LayerNorm):
    """Normalises the channels at each position, then scales and shifts them. Source: Ba et al. 2016."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Residual(nn.Module):
    """x + two convolutions of it, each after a norm and a ReLU, with small initial weights. Source: He et al. 2016b."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(Norm(width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        change = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            change = conv(F.relu(norm(change)))
        return x + change


class Translator(nn.Module):
    """One direction: pictures of any size -> pictures of the same size and the other kind."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        self.stride, self.colours, self.channels = 2 ** (config.depth + 1), config.colours, spec.channels
        widths = [config.width * min(MOST, 2**i) for i in range(config.depth + 1)]
        back = [*widths[::-1], max(8, config.width // 4)]
        self.first = nn.Conv2d(4 * spec.channels, widths[0], 3, padding=1)
        self.norms = nn.ModuleList(map(Norm, widths[:-1]))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.blocks = nn.Sequential(*(Residual(widths[-1]) for _ in range(config.blocks)))
        self.last = Norm(widths[-1])
        self.ups = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in pairwise(back))
        self.up_norms = nn.ModuleList(Norm(4 * b) for b in back[1:])
        self.head = nn.Conv2d(back[-1], config.colours or spec.channels, 5, padding=2)
        self.places = nn.Conv2d(widths[-1], max(1, config.colours), 1)
        self.shift = nn.Linear(widths[-1], spec.channels * max(1, config.colours))
        initialise(self)
        for block in self.blocks:
            block.convs[1].weight.data.mul_(0.3)  # pyright: ignore
        nn.init.normal_(self.shift.weight, std=0.3 / widths[-1] ** 0.5)
        nn.init.normal_(self.shift.bias, std=0.3)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, C, H, W] in [-1, 1] -> [B, C, H, W] in [-1, 1]."""
        height, width = images.shape[2:]
        down, right = -height % self.stride, -width % self.stride
        padded = F.pad(images, (0, right, 0, down), mode="replicate") if down or right else images
        x = self.first(unshuffled(padded, 2))
        for norm, down_by in zip(self.norms, self.downs, strict=True):
            x = down_by(F.relu(norm(x)))
        x = F.relu(self.last(self.blocks(x)))
        seen = x
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            x = shuffled(F.relu(norm(up(x))), 2)
        made = self.head(x).float()
        if self.colours:
            places, shift = self.places(seen).float(), self.shift(seen.mean((2, 3))).float()
            with torch.autocast(made.device.type, enabled=False):  # bf16 would be too coarse for pixels
                made = self._painted(made, padded.float(), places, shift.unflatten(1, (-1, self.colours)))
        else:
            made = torch.tanh(made)
        return made[:, :, :height, :width]

    def _painted(self, parts: Tensor, images: Tensor, places: Tensor, shift: Tensor) -> Tensor:
        """A mixture of the palette's colours at each pixel, by logits `parts` [B, colours, H, W].

        Args:
            places: logits [B, colours, h, w] of the positions in `images` from which each colour is taken.
            shift: [B, C, colours], of each colour.
        """
        around = F.avg_pool2d(images, self.stride).flatten(2)
        colours = torch.bmm(around, places.flatten(2).softmax(2).transpose(1, 2))  # [B, C, colours]
        colours = torch.tanh(torch.atanh(NEARLY * colours.clamp(-1, 1)) + shift)
        return torch.bmm(colours, parts.flatten(2).softmax(1)).unflatten(2, parts.shape[2:]).clamp(-1, 1)  # rounding


class Generator(nn.Module):
    """Both directions."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        self.to_a, self.to_b = Translator(spec, config), Translator(spec, config)

    def forward(self, images: Tensor, kind: str) -> Tensor:
        """images [B, C, H, W] of the one kind -> [B, C, H, W] of the other, which `kind` ('a', 'b') names."""
        return (self.to_a if kind == "a" else self.to_b)(images)


class Discriminator(nn.Module):
    """A discriminator for each kind of pictures."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        settings = pyramid.Config(width=config.d_width, features=config.features)
        self.of_a, self.of_b = pyramid.Discriminator(spec, settings), pyramid.Discriminator(spec, settings)

    def forward(self, images: Tensor, kind: str) -> Tensor:
        """images [B, C, H, W] -> logits [B]: are they real pictures of this kind ('a', 'b')?"""
        return (self.of_a if kind == "a" else self.of_b)(images)

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each layer of both, concatenated."""
        both = zip(self.of_a.features(images), self.of_b.features(images), strict=True)
        return [torch.cat(layers, 1) for layers in both]
