"""Weighted sums over square windows of pictures."""

from __future__ import annotations

import math

from torch import Tensor


def bell(radius: int, sigma: float) -> list[float]:
    """A Gaussian's 2 radius + 1 weights around 0, which add up to 1."""
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(-radius, radius + 1)]
    return [weight / sum(weights) for weight in weights]


def windowed(x: Tensor, weights: list[float]) -> Tensor:
    """Weighted sum of each square window inside the pictures, where a pixel's weight is weights[row] weights[column].

    Args:
        x: [B, C, H, W].
        weights: n of them.

    Returns:
        [B, C, H - n + 1, W - n + 1].
    """
    for axis in (2, 3):  # sums of shifted pictures are far faster on a CPU than convolutions of one channel
        count = x.shape[axis] - len(weights) + 1
        total = x.narrow(axis, 0, count) * weights[0]
        for i, weight in enumerate(weights[1:], 1):
            total.add_(x.narrow(axis, i, count), alpha=weight)
        x = total
    return x
