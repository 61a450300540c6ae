"""Do the colours of translated pictures follow those of their inputs?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 10  # pictures: the ranks of fewer may agree by chance


def ranks(values: Tensor) -> Tensor:
    """[n] -> the rank of each value, float64 [n]; equal values have the mean of their ranks."""
    _, place, count = values.unique(sorted=True, return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    return (last - (count - 1) / 2)[place]


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Rank correlation of two [n], a scalar in [-1, 1]; NaN where all values are equal. Source: Spearman 1904."""
    a, b = (r - r.mean() for r in (ranks(first), ranks(second)))
    return (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()


def followed(inputs: Tensor, outputs: Tensor) -> dict[str, float]:
    """Rank correlation of the mean colours of inputs and outputs, in the middle of the pictures and at their border.

    The middle is the central part of half the side, where a face's skin mostly is; the border is the outermost
    sixteenth on the left, on the right and above, where the background is. Each is the mean over red, green and blue
    (a channel that is the same in all inputs or all outputs is left out). NaN where all are left out, or there are
    fewer than LEAST pictures.

    Args:
        inputs, outputs: [n, C, H, W].
    """
    if len(inputs) < LEAST:
        return {"middle": math.nan, "border": math.nan}
    correlations = {}
    for name, part in (("middle", _middle), ("border", _border)):
        pairs = zip(part(inputs).unbind(1), part(outputs).unbind(1), strict=True)
        values = torch.stack([spearman(a, b) for a, b in pairs])
        correlations[name] = float(values.nanmean())
    return correlations


def _middle(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    part = images[:, :3, height // 4 : height - height // 4, width // 4 : width - width // 4]
    return part.double().mean((2, 3)).round(decimals=6)


def _border(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    edge = max(1, min(height, width) // 16)
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[:edge] = mask[: height // 2, :edge] = mask[: height // 2, width - edge :] = True
    return images[:, :3].double()[:, :, mask].mean(2).round(decimals=6)
