"""Augmentation before the discriminator, so that it cannot learn the training images by heart.

Real and generated images are changed alike, each with the same probability below 1: the undisturbed images remain the
most frequent ones, and what the generator should draw is unchanged (Karras et al. 2020a, section 2.2). The changes are
differentiable: the generator learns through them (Zhao et al. 2020, "Differentiable augmentation").
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

TURN, SCALE, SHIFT = math.radians(12), 0.12, 0.07  # largest turn, logarithm of the scale, shift as a share of the side


def move(images: Tensor, probability: float) -> Tensor:
    """Turn, scale, shear and shift each image a little, with this probability; [B, C, H, W], the border's values go on.

    Random numbers are PyTorch's own of the CPU, so that they follow from what was planted there.
    """
    n = len(images)
    hit = (torch.rand(n) < probability).float()
    turn, size, shear, dx, dy = (torch.rand(5, n) * 2 - 1) * hit
    turn, size, shear = TURN * turn, torch.exp(SCALE * size), TURN * shear
    rows = [
        torch.stack([size * turn.cos(), size * (shear - turn.sin()), 2 * SHIFT * dx], 1),
        torch.stack([size * turn.sin(), size * turn.cos(), 2 * SHIFT * dy], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1).to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images.float(), grid, "bilinear", "border", align_corners=False)
