"""Near copies of training images by their pixels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.metrics import copies, neighbours
from ganvas.metrics.copies import Nearest

WIDE = 28  # pixels a side at which pictures are compared
SMALL = 14  # the same while a training runs
WATCHED = 20_000  # training images among which copies are looked for while it runs


def flat(images: Tensor, wide: int = WIDE) -> Tensor:
    """uint8 [N, C, H, W] -> float [N, D] in [0, 1], at most `wide` pixels a side."""
    small = [F.adaptive_avg_pool2d(x, wide) if x.shape[-1] > wide else x for x in _portions(images)]
    return torch.cat(small).flatten(1)


def _portions(images: Tensor) -> Iterator[Tensor]:
    """float in [0, 1], so many at a time that memory does not matter."""
    yield from (part[:].float().div_(255) for part in images.split(1_000))


def in_pixels(images: Tensor, seen: Tensor) -> Nearest:
    """The nearest of the training images `seen`, both uint8, by Euclidean distance of the pixels in [0, 1]."""
    return copies.nearest(flat(images), flat(seen))


class Watch:
    """The copy check that is quick enough for every picture of a training: among some training images, at 14 pixels."""

    def __init__(self, seen: Tensor) -> None:
        """`seen`: training images uint8 [N, C, H, W]; their distances to each other say what is near."""
        self.seen = flat(seen, SMALL)
        own = self.seen[: 2 * WATCHED // 10]
        closest = [neighbours.squared(part, self.seen).topk(2, largest=False).indices[:, 1] for part in own.split(500)]
        distances = (own - self.seen[torch.cat(closest)]).square().sum(1).sqrt()  # the nearest of all is itself
        self.limit = float(distances.quantile(copies.NEAR))

    def share(self, pictures: Tensor) -> float:
        """Share of pictures, uint8 [n, C, H, W], that are nearer to a training image than 99% of those to another."""
        return float((neighbours.nearest(flat(pictures, SMALL), self.seen)[0] <= self.limit).double().mean())


def worst_pairs(
    images: Tensor, nearest: Nearest, seen: Tensor, labels: Tensor | None = None, count: int = 20
) -> Tensor:
    """The pictures nearest to a training image, each followed by that image: uint8 [2 * count, C, H, W].

    With labels they come from all classes alike: plain shapes (the digit 1) are near to each other and no copies.
    """
    chosen = nearest.distance.argsort()
    if labels is not None:
        place = torch.empty(len(chosen), dtype=torch.long)  # the how many-th of its class
        for c in labels.unique():
            of_class = labels[chosen] == c
            place[of_class] = torch.arange(int(of_class.sum()))
        chosen = chosen[place.argsort(stable=True)]
    chosen = chosen[:count]
    return torch.stack([images[chosen], seen[nearest.index[chosen]]], 1).flatten(0, 1)
