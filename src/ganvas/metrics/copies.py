"""The copy check: how near pictures come to training images, beside how near held-out real images come to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.metrics import neighbours

NEAR = 0.01  # share of the held-out images that lie so near to a training image: nearer than that is a near copy
WIDE = 28  # pixels a side at which pictures are compared


@dataclass(frozen=True)
class Nearest:
    """Distance [N] of each image to its nearest training image, and that image's number [N]."""

    distance: Tensor
    index: Tensor

    def share_below(self, limit: float) -> float:
        return float((self.distance <= limit).double().mean())


def flat(images: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> float [N, D] in [0, 1], at most 28 pixels a side."""
    x = images.float().div_(255)
    return (F.adaptive_avg_pool2d(x, WIDE) if x.shape[-1] > WIDE else x).flatten(1)


def in_pixels(images: Tensor, seen: Tensor) -> Nearest:
    """The nearest of the training images `seen`, both uint8, by Euclidean distance of the pixels in [0, 1]."""
    return Nearest(*neighbours.nearest(flat(images), flat(seen)))


def in_features(features: Tensor, seen: Tensor) -> Nearest:
    """The nearest training image by Euclidean distance of the features."""
    return Nearest(*neighbours.nearest(features, seen))


def limit(held_out: Nearest) -> float:
    """The distance below which a picture is a near copy."""
    return float(held_out.distance.quantile(NEAR))


def worst_pairs(images: Tensor, found: Nearest, seen: Tensor, labels: Tensor | None = None, count: int = 20) -> Tensor:
    """The pictures nearest to a training image, each followed by that image: uint8 [2 * count, C, H, W].

    With labels they come from all classes alike: plain shapes (the digit 1) are near to each other and no copies.
    """
    chosen = found.distance.argsort()
    if labels is not None:
        place = torch.empty(len(chosen), dtype=torch.long)  # the how many-th of its class
        for c in labels.unique():
            mine = labels[chosen] == c
            place[mine] = torch.arange(int(mine.sum()))
        chosen = chosen[place.argsort(stable=True)]
    chosen = chosen[:count]
    return torch.stack([images[chosen], seen[found.index[chosen]]], 1).flatten(0, 1)
