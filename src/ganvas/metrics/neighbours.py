"""Nearest neighbours in feature space, searched in portions that fit into memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PORTION = 1_000  # rows at a time
TINY = 1e-12  # the least length of a row that is divided by
BALLS, WIDE_BALLS = 3, 5  # neighbours of precision and recall, and of density and coverage, as in their papers


@dataclass(frozen=True)
class Neighbourhood:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020)."""

    precision: float
    recall: float
    density: float
    coverage: float


def squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances [N, M] of the rows of a [N, D] and b [M, D], by one matrix product."""
    products = torch.addmm(b.square().sum(1).unsqueeze(0), a, b.T, alpha=-2)
    return products.add_(a.square().sum(1, keepdim=True)).clamp_min_(0)


def radii(x: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance of each row of x [N, D] to its BALLS-th and to its WIDE_BALLS-th nearest other row, each [N]."""
    near = torch.cat([squared(part, x).topk(WIDE_BALLS + 1, largest=False).values for part in x.split(PORTION)])
    return near[:, BALLS].clone(), near[:, WIDE_BALLS].clone()  # the nearest of all is the row itself


def neighbourhood(real: Tensor, other: Tensor, real_radii: tuple[Tensor, Tensor], other_radii: Tensor) -> Neighbourhood:
    """How the balls around real and other features, each with its k-th neighbour on the surface, enclose the others.

    Args:
        real, other: [N, D] and [M, D]; more than WIDE_BALLS rows each.
        real_radii, other_radii: of `radii`, both of the real ones and the first of the others.
    """
    small, wide = real_radii
    inside = torch.zeros(len(other), dtype=torch.bool)
    hits, recalled, covered = 0, 0, 0
    for i in range(0, len(real), PORTION):
        away = squared(real[i : i + PORTION], other)
        inside |= (away <= small[i : i + PORTION, None]).any(0)
        recalled += int((away <= other_radii).any(1).sum())
        in_wide = away <= wide[i : i + PORTION, None]
        hits += int(in_wide.sum())
        covered += int(in_wide.any(1).sum())
    return Neighbourhood(
        precision=int(inside.sum()) / len(other),
        recall=recalled / len(real),
        density=hits / (WIDE_BALLS * len(other)),
        coverage=covered / len(real),
    )


def nearest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Distance [N] and index [N] of the nearest row of y [M, D] for each row of x [N, D]."""
    lengths = y.square().sum(1)
    index = torch.cat([torch.addmm(lengths, part, y.T, alpha=-2).argmin(1) for part in x.split(PORTION // 4)])
    return _exact(x, y, index), index


def _exact(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """Distance [N] of each row of x [N, D] to the row of y [M, D] with that index: products of matrices are inexact."""
    parts = zip(x.split(PORTION), index.split(PORTION), strict=True)
    return torch.cat([(a - y[i]).square().sum(1).sqrt() for a, i in parts])


def nearest_both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What `nearest` and `cosine_to_nearest` find, by one product of matrices."""
    lengths, scale = y.square().sum(1), 1 / y.norm(dim=1).clamp_min(TINY)
    indices, cosines = [], []
    for part in x.split(PORTION // 4):
        products = part @ y.T
        indices.append(torch.sub(lengths, products, alpha=2).argmin(1))
        cosines.append(1 - products.mul_(scale).max(1).values / part.norm(dim=1).clamp_min(TINY))
    index = torch.cat(indices)
    return _exact(x, y, index), index, torch.cat(cosines)


def cosine_to_nearest(x: Tensor, y: Tensor) -> Tensor:
    """Cosine distance [N] of each row of x [N, D] to the row of y [M, D] that is nearest by angle."""
    x, y = torch.nn.functional.normalize(x.float()), torch.nn.functional.normalize(y.float())
    return torch.cat([1 - (part @ y.T).max(1).values for part in x.split(PORTION // 2)])
