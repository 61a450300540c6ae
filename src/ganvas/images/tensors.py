"""Images as tensors: the only place where ranges of values are converted."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """uint8 [B, C, H, W] in 0..255 -> float [B, C, H, W] in [-1, 1], channels last in memory."""
    return images.float().div_(127.5).sub_(1.0).contiguous(memory_format=torch.channels_last)


def levels(images: Tensor) -> Tensor:
    """float [B, C, H, W] in [-1, 1] (clamped) -> float [B, C, H, W] of whole numbers in 0..255."""
    return images.float().clamp(-1, 1).add(1).mul(127.5).round()


def to_uint8(images: Tensor) -> Tensor:
    """float [B, C, H, W] in [-1, 1] (clamped) -> uint8 [B, C, H, W] in 0..255, rounded, on the CPU."""
    return levels(images.detach()).to(torch.uint8).cpu()


def join(portions: Iterable[Tensor], channels: int, size: int) -> Tensor:
    """uint8 [n, C, H, W] of each portion -> uint8 [N, C, H, W], even if there are no portions."""
    return torch.cat([torch.empty(0, channels, size, size, dtype=torch.uint8), *portions])
