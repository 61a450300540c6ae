"""Distances between two sets of features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

NEAR = 0.1  # mean cosine distance of Inception's features below which images count as memorised
TINY = 1e-12
BLOCK = 1_000  # images of one estimate of the kernel distance, as in its paper


def frechet(a: Tensor, b: Tensor) -> float:
    """Squared Frechet distance of the Gaussians with the means and covariances of two sets of features.

    |m_a - m_b|^2 + tr(A + B - 2 (A B)^1/2). On Inception features this is FID (Heusel et al. 2017, equation 6). The
    trace of the root is the sum of the singular values of the product of both sets' scaled deviations, which stays
    exact where there are fewer images than features.

    Args:
        a, b: [N, D] and [M, D], at least two rows each.
    """
    return between(Gaussian.of(a), Gaussian.of(b))


@dataclass(frozen=True)
class Gaussian:
    """What the Frechet distance needs of features: their mean [D], a root R of the covariance R'R, and its trace."""

    mean: Tensor
    root: Tensor
    trace: float

    @classmethod
    def of(cls, features: Tensor) -> Gaussian:
        """That of features [N, D], at least two rows."""
        x = features.double()
        mean = x.mean(0)
        deviations = (x - mean) / math.sqrt(len(x) - 1)
        return cls(mean, _square(deviations), float(deviations.square().sum()))


def between(a: Gaussian, b: Gaussian) -> float:
    """The Frechet distance of two Gaussians, see `frechet`."""
    mixed = torch.linalg.svdvals(a.root @ b.root.T).sum()
    return max(0.0, float((a.mean - b.mean).square().sum() + (a.trace + b.trace) - 2 * mixed))


def _square(deviations: Tensor) -> Tensor:
    """R with R'R = X'X and no more rows than columns."""
    return deviations if len(deviations) <= deviations.shape[1] else torch.linalg.qr(deviations, mode="r")[1]


def kernel(a: Tensor, b: Tensor, block: int = BLOCK) -> tuple[float, float]:
    """Kernel distance x 1000 and its standard error: the unbiased squared MMD with the kernel (x'y / D + 1)^3.

    On Inception features this is KID (Binkowski et al. 2018). It is estimated on blocks of up to 1,000 images that
    do not overlap, which keeps the error of their mean unbiased.

    Args:
        a, b: [N, D] and [M, D], in random order; at least four rows each.
        block: images of a block.
    """
    count = min(len(a), len(b))
    size = min(block, count // 2)
    estimates = [_mmd(a[i : i + size], b[i : i + size]) for i in range(0, count - size + 1, size)]
    values = 1000 * torch.tensor(estimates, dtype=torch.float64)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def _mmd(a: Tensor, b: Tensor) -> float:
    a, b = a.double(), b.double()
    n = len(a)
    aa, bb, ab = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    return float((aa.sum() - aa.trace() + bb.sum() - bb.trace()) / (n * (n - 1)) - 2 * ab.mean())


def mifid(distance: float, nearest: float) -> float:
    """MiFID: the Frechet distance, divided by the mean distance to training images where that is below NEAR.

    Bai et al. 2021, equations 2 to 4, with their threshold, which holds for Inception's features only.

    Args:
        distance: the Frechet distance.
        nearest: mean cosine distance of the images to their nearest training images.
    """
    return distance / max(nearest, TINY) if nearest < NEAR else distance


def memory_informed(distance: float, nearest: float, usual: float) -> float:
    """The Frechet distance, as many times larger as the images are nearer to training images than held-out ones are.

    A form of MiFID for other features than Inception's, for which held-out real images may themselves be below the
    fixed threshold, so that only images unlike them would go without a penalty.

    Args:
        distance, nearest: as for `mifid`.
        usual: mean cosine distance of held-out real images to their nearest training images.
    """
    return distance * max(1.0, usual / max(nearest, TINY))
