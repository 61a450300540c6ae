"""A small convolutional network whose features a discriminator judges; `tasks.generate.teach` trains it before.

A discriminator that looks at features of a network trained before learns much faster than one that begins with pixels
(Sauer et al. 2021, "Projected GANs"). There that network knows ImageNet; here it learns from the user's own pictures.
Only its first stages are kept. Later ones know the class and little else, and a generator that is judged by them draws
the same picture again and again (docs/log.md, 2026-11-30).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import unshuffled

LARGEST = 47  # pixels a side, at most, of the first map; larger images are folded into channels
SLOPE = 0.1  # of the leaky ReLUs


class Backbone(nn.Module):
    """Three stages of 3x3 convolutions; the side of the maps is halved between them, their channels double."""

    taken_together = ("stages",)  # by a training that starts from a model: some of them would be of no use

    def __init__(self, spec: ImageSpec, width: int) -> None:
        """
        Args:
            width: channels of the first map.
        """
        super().__init__()
        self.fold = 1
        while spec.size // self.fold > LARGEST:
            self.fold *= 2
        side = spec.size // self.fold
        self.sides = [side, side // 2, side // 4]
        self.widths = [width, 2 * width, 4 * width]
        inputs = spec.channels * self.fold**2
        plan = [[inputs, width // 2, width], [width, 2 * width, 2 * width], [2 * width, 4 * width, 4 * width]]
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(stage)) for stage in plan
        )

        for conv in self.convolutions():
            nn.init.zeros_(conv.bias)  # pyright: ignore[reportArgumentType]

    def convolutions(self) -> list[nn.Conv2d]:
        """All of them, from the pixels on."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]

    def is_taught(self) -> bool:
        """Has it been trained? Its biases begin at zero, and come from the norms of the training."""
        return all(bool((conv.bias != 0).any()) for conv in self.convolutions())  # pyright: ignore[reportOptionalOperand, reportAttributeAccessIssue]

    def forward(self, images: Tensor, count: int = 3, norms: nn.ModuleList | None = None) -> list[Tensor]:
        """images [B, C, H, W] in [-1, 1] -> the maps of the first `count` stages, [B, c, h, w].

        Args:
            norms: while it is taught, those of each stage's convolutions, in place of the biases.
        """
        x, maps = unshuffled(images, self.fold) if self.fold > 1 else images, []
        for number, stage in enumerate([*self.stages][:count]):
            x = F.max_pool2d(x, 2) if number else x
            for place, conv in enumerate(stage.children()):
                x = conv(x) if norms is None else norms[number][place](F.conv2d(x, conv.weight, padding=1))  # pyright: ignore[reportIndexIssue, reportArgumentType, reportCallIssue]
                x = F.leaky_relu(x, SLOPE, inplace=True)
            maps.append(x)
        return maps
