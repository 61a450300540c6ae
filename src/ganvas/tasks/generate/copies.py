"""Near copies of training images by their pixels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.metrics import copies, neighbours
from ganvas.metrics.copies import Nearest

SIDE = 28  # pixels a side to which pictures are reduced before they are compared
SMALL_SIDE = 14  # the same while a training runs
WATCHED = 20_000  # training images among which copies are searched while it runs


def flat(images: Tensor, side: int = SIDE) -> Tensor:
    """uint8 [N, C, H, W] -> float [N, D] in [0, 1], at most `side` pixels a side."""
    small = [F.adaptive_avg_pool2d(x, side) if x.shape[-1] > side else x for x in _portions(images)]
    return torch.cat(small).flatten(1)


def _portions(images: Tensor) -> Iterator[Tensor]:
    """float in [0, 1], a thousand at a time to save memory."""
    yield from (part[:].float().div_(255) for part in images.split(1_000))


def in_pixels(images: Tensor, seen: Tensor) -> Nearest:
    """The nearest of the training images `seen`, both uint8, by Euclidean distance of the pixels in [0, 1]."""
    return copies.nearest(flat(images), flat(seen))


class Watch:
    """A copy check that is quick enough for a running training: among some training images, at 14 pixels a side."""

    def __init__(self, seen: Tensor) -> None:
        """`seen`: training images uint8 [N, C, H, W]; the limit comes from their distances to each other."""
        self.seen = flat(seen, SMALL_SIDE)
        some = self.seen[: 2 * WATCHED // 10]
        # the second nearest: the nearest of all is the image itself
        nearest = [neighbours.squared(part, self.seen).topk(2, largest=False).indices[:, 1] for part in some.split(500)]
        distances = (some - self.seen[torch.cat(nearest)]).square().sum(1).sqrt()
        self.limit = float(distances.quantile(copies.NEAR))

    def share(self, pictures: Tensor) -> float:
        """Share of pictures, uint8 [n, C, H, W], closer to a training image than 99% of these are to each other."""
        return float((neighbours.nearest(flat(pictures, SMALL_SIDE), self.seen)[0] <= self.limit).double().mean())


def worst_pairs(
    images: Tensor, nearest: Nearest, seen: Tensor, labels: Tensor | None = None, count: int = 20
) -> Tensor:
    """The pictures nearest to a training image, each followed by that image: uint8 [2 * count, C, H, W].

    With labels all classes are shown equally: plain shapes (the digit 1) are close to each other without being copies.
    """
    chosen = nearest.distance.argsort()
    if labels is not None:
        rank = torch.empty(len(chosen), dtype=torch.long)  # each picture's place within its class
        for c in labels.unique():
            of_class = labels[chosen] == c
            rank[of_class] = torch.arange(int(of_class.sum()))
        chosen = chosen[rank.argsort(stable=True)]
    chosen = chosen[:count]
    return torch.stack([images[chosen], seen[nearest.index[chosen]]], 1).flatten(0, 1)
