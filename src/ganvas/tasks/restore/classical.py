"""Classical methods of restoring pictures, which a trained restorer has to beat.

All work on float pictures [B, C, H, W] with levels 0..255 and return float32 without gradients. The averaging filters
use only neighbours inside the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, max_pool2d, pad

from ganvas.images.windows import bell, windowed

MEMORY = 2**22  # levels held at a time where each pixel needs its whole window
SETTLED = 1e-3  # levels: how much a filled pixel may differ from the mean of its neighbours, times 4
ROUNDS = 500  # far more than are needed
TINY = 1e-30


@torch.no_grad()
def median(x: Tensor, radius: int) -> Tensor:
    """Median of the square window of 2 radius + 1 pixels a side, for each channel; borders are repeated outwards."""
    side = 2 * radius + 1
    padded = pad(x.float(), (radius,) * 4, mode="replicate")
    bands, rows = [], max(1, MEMORY // (x[:, :, 0].numel() * side * side))
    for top in range(0, x.shape[2], rows):
        windows = padded[:, :, top : top + rows + side - 1].unfold(2, side, 1).unfold(3, side, 1)
        bands.append(windows.flatten(4).median(4).values)
    return torch.cat(bands, 2)


@torch.no_grad()
def gaussian(x: Tensor, sigma: float) -> Tensor:
    """Gaussian mean, cut off at 4 sigma.

    Args:
        x: [B, C, H, W].
        sigma: in pixels.
    """
    return _smoothed(x.float(), bell(math.ceil(4 * sigma), sigma))


def _smoothed(x: Tensor, weights: list[float]) -> Tensor:
    """Weighted mean of the square window around each pixel, as far as it is inside."""
    radius = len(weights) // 2
    sums = windowed(pad(x, (radius,) * 4), weights)
    for axis in (2, 3):
        inside = pad(torch.ones(x.shape[axis], device=x.device), (radius, radius)).unfold(0, len(weights), 1)
        share = inside @ torch.tensor(weights, device=x.device)
        sums /= share.view(-1, 1) if axis == 2 else share
    return sums


@torch.no_grad()
def bilateral(x: Tensor, sigma_space: float, sigma_level: float) -> Tensor:
    """Mean of nearby pixels of similar colour. Source: Tomasi and Manduchi 1998.

    Args:
        x: [B, C, H, W].
        sigma_space: Gaussian of the distance, in pixels; cut off at 2.5 sigma.
        sigma_level: Gaussian of the root mean square difference of the channels, in levels.
    """

    def weigh(difference: Tensor, distance: int) -> Tensor:
        return -difference / (2 * sigma_level**2) - distance / (2 * sigma_space**2)

    return _averaged(x.float(), math.ceil(2.5 * sigma_space), weigh)


@torch.no_grad()
def non_local_means(x: Tensor, patch_radius: int, search_radius: int, strength: float, sigma: float = 0.0) -> Tensor:
    """Mean of the pixels whose surroundings are similar. Source: Buades et al. 2005.

    A pixel's weight is exp(-max(d - 2 sigma^2, 0) / strength^2), where d is the mean squared difference of the
    patches around it and around the pixel to restore, over all channels; noise alone makes d equal to 2 sigma^2.

    Args:
        x: [B, C, H, W].
        patch_radius: patches have 2 patch_radius + 1 pixels a side.
        search_radius: distance in pixels, in both directions, within which similar patches are sought.
        strength: in levels.
        sigma: expected standard deviation of the noise, in levels.
    """
    box = [1 / (2 * patch_radius + 1)] * (2 * patch_radius + 1)

    def weigh(difference: Tensor, distance: int) -> Tensor:
        return -(_smoothed(difference, box) - 2 * sigma**2).clamp_min(0) / strength**2

    return _averaged(x.float(), search_radius, weigh)


def _averaged(x: Tensor, radius: int, weigh: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Weighted mean of each pixel (with weight 1) and of those up to `radius` rows and columns away.

    Args:
        x: [B, C, H, W].
        radius: in pixels.
        weigh: (mean over the channels of the squared differences of pixels and their neighbours at one shift
            [B, 1, h, w], squared length of the shift) -> logarithms of the weights [B, 1, h, w].
    """
    height, width = x.shape[-2:]
    total, weights = x.clone(), torch.ones_like(x[:, :1])
    rows, columns = min(radius, height - 1), min(radius, width - 1)
    half = [(i, j) for i in range(rows + 1) for j in range(-columns if i else 1, columns + 1)]
    for down, right in half:  # a pair of pixels has the same weight both ways
        here = (..., slice(0, height - down), slice(max(0, -right), width - max(0, right)))
        there = (..., slice(down, height), slice(max(0, right), width - max(0, -right)))
        log = weigh((x[here] - x[there]).square().mean(1, keepdim=True), down * down + right * right)
        weight = log.clamp_min_(-80).exp_()  # as good as 0; smaller, denormal numbers are several times slower
        for one, other in ((here, there), (there, here)):
            total[one].addcmul_(weight.expand_as(x[other]), x[other])
            weights[one] += weight
    return total / weights


@torch.no_grad()
def bicubic(x: Tensor, scale: int) -> Tensor:
    """Enlarge [B, C, H, W] to [B, C, scale H, scale W], clamped to 0..255. Source: Keys 1981, with a = -1/2."""
    return interpolate(x.float(), scale_factor=scale, mode="bicubic", antialias=True).clamp(0, 255)  # without: a = -3/4


@torch.no_grad()
def diffusion_fill(x: Tensor, mask: Tensor) -> Tensor:
    """Fill holes by heat diffusion: each missing pixel is the mean of its neighbours, and no heat leaves the picture.

    Laplace's equation, by conjugate gradients with all resolutions at once (Bramble, Pasciak and Xu 1990).

    Args:
        x: [B, C, H, W]; its values at missing pixels do not matter.
        mask: [B, 1, H, W], nonzero where a pixel is missing. A picture without any known pixel becomes grey.

    Returns:
        [B, C, H, W]; known pixels are those of x.
    """
    hole = mask != 0
    known = (~hole).sum((2, 3), keepdim=True)
    x = x.float().masked_fill(hole, 0)
    x = torch.where(hole, torch.where(known == 0, 127.5, x.sum((2, 3), keepdim=True) / known), x)

    def laplacian(y: Tensor) -> Tensor:
        p = pad(y, (1, 1, 1, 1), mode="replicate")
        around = p[..., :-2, 1:-1] + p[..., 2:, 1:-1] + p[..., 1:-1, :-2] + p[..., 1:-1, 2:]
        return torch.where(hole, 4 * y - around, 0)

    residual = -laplacian(x)  # every channel has its own step length
    step, size = torch.zeros_like(x), torch.ones_like(x[:, :, :1, :1])
    for _ in range(ROUNDS):
        if float(residual.abs().max()) < SETTLED:
            break
        guess = _precondition(residual, hole)
        before, size = size, (residual * guess).sum((2, 3), keepdim=True)
        step = guess + size / before.clamp_min(TINY) * step
        applied = laplacian(step)
        length = size / (step * applied).sum((2, 3), keepdim=True).clamp_min(TINY)
        x, residual = x + length * step, residual - length * applied
    return x


def _precondition(residual: Tensor, hole: Tensor) -> Tensor:
    """About the change of the hole's pixels that solves for `residual`: the sum of an estimate at each resolution.

    All have the same weight: in two dimensions the energy of a bump does not depend on its width.
    """
    batch, channels, height, width = residual.shape
    change = residual
    if min(height, width) > 1 and bool(hole.any()):
        kernel = torch.tensor([1.0, 3, 3, 1], device=residual.device) / 4
        kernel = torch.outer(kernel, kernel).expand(1, 1, 4, 4)
        coarse = conv2d(residual.reshape(-1, 1, height, width), kernel, stride=2, padding=1)
        within = max_pool2d((~hole).float(), 2) == 0  # where all four pixels are missing
        coarse = _precondition(coarse.view(batch, channels, height // 2, width // 2) * within, within)
        odd = (height % 2, width % 2)
        change = change + conv_transpose2d(coarse.flatten(0, 1).unsqueeze(1), kernel, None, 2, 1, odd).view_as(residual)
    return change * hole


class Setting(NamedTuple):
    """A filter with its settings: `apply` takes and returns pictures [B, C, H, W]."""

    name: str
    apply: Callable[[Tensor], Tensor]


SIGMAS = (0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0)
NEAR, ALIKE = (1.0, 1.5, 2.0, 3.0, 4.0), (10, 15, 20, 30, 45, 70, 100, 150)
NOISE, PATCHES = (10, 15, 20, 25, 30, 40, 50, 60), ((1, 0.5), (1, 0.8), (2, 0.4), (2, 0.6))  # radius, strength / noise

# Settings of each filter around the best ones for Gaussian noise of 10 to 50 levels; the best result counts.
FILTERS: dict[str, list[Setting]] = {
    "median": [Setting(f"median, radius {r}", partial(median, radius=r)) for r in (1, 2, 3, 4, 5)],
    "Gaussian": [Setting(f"Gaussian, sigma {s}", partial(gaussian, sigma=s)) for s in SIGMAS],
    "bilateral": [
        Setting(f"bilateral, sigma {s} pixels, {t} levels", partial(bilateral, sigma_space=s, sigma_level=t))
        for s, t in product(NEAR, ALIKE)
    ],
    "non-local means": [
        Setting(
            f"non-local means, patch radius {r}, noise {s}, strength {s * h:g}",
            partial(non_local_means, patch_radius=r, search_radius=7, strength=s * h, sigma=s),
        )
        for s, (r, h) in product(NOISE, PATCHES)
    ],
}
