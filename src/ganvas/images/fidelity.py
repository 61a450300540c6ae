"""How near restored pictures are to the clean ones, pixel by pixel and window by window."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.images.windows import bell, windowed

PEAK = 255.0
LEAST = 5  # pictures needed for a mean, at least
MOST = 100.0  # dB, at which means over pictures are cut off: equal ones would make them infinite
WINDOW, SIGMA = 11, 1.5  # pixels
K1, K2 = 0.01, 0.03
BAND = 256  # rows of windows at a time, which bounds the memory


@torch.no_grad()
def psnr(restored: Tensor, clean: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / mean squared error over pixels and channels).

    Args:
        restored, clean: [B, C, H, W] with levels 0..255.
        mask: [B, 1, H, W], other than 0 where a pixel counts; by default all count.

    Returns:
        [B]; inf for identical pictures, nan where no pixel counts.
    """
    error = (restored.float() - clean.float()).square()
    if mask is None:
        return 10 * torch.log10(PEAK**2 / error.mean((1, 2, 3)))
    counts = mask != 0
    mean = torch.where(counts, error, 0).sum((1, 2, 3)) / (counts.sum((1, 2, 3)) * error.shape[1])
    return 10 * torch.log10(PEAK**2 / mean)


@torch.no_grad()
def ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity, at most 1: mean over the channels and over all windows inside the picture.

    Wang et al. 2004, equation 13, with its Gaussian windows of 11 x 11 pixels and sigma 1.5, K1 = 0.01 and K2 = 0.03;
    at the pictures' own resolution. In pictures of fewer than 11 pixels a side the window is the largest odd one that
    fits.

    Args:
        restored, clean: [B, C, H, W] with levels 0..255.

    Returns:
        [B].
    """
    count, channels, height, width = clean.shape
    size = min(WINDOW, (min(height, width) - 1) // 2 * 2 + 1)
    weights = bell(size // 2, SIGMA)
    total = torch.zeros(count, device=clean.device)
    for channel in range(channels):
        for top in range(0, height - size + 1, BAND):
            rows = slice(top, top + BAND + size - 1)
            x, y = (images[:, channel : channel + 1, rows].float() for images in (restored, clean))
            total += _similarity(x, y, weights).sum((1, 2, 3))
    return total / (channels * (height - size + 1) * (width - size + 1))


def _similarity(x: Tensor, y: Tensor, weights: list[float]) -> Tensor:
    """[B, 1, H, W] twice -> the similarity of each pair of windows, [B, 1, h, w]."""
    x, y = x - PEAK / 2, y - PEAK / 2  # variances are differences of squares: near 0 these lose fewer digits
    mean_x, mean_y = windowed(x, weights), windowed(y, weights)
    variances = windowed(x * x + y * y, weights) - mean_x * mean_x - mean_y * mean_y
    covariance = windowed(x * y, weights) - mean_x * mean_y
    mean_x, mean_y = mean_x + PEAK / 2, mean_y + PEAK / 2
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    light = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return light * (2 * covariance + c2) / (variances + c2)
