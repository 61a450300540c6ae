"""Exponential moving average of a network's weights, with a half-life counted in images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, batch: int, images: int, half_life: int, ramp: float) -> None:
    """Move `average` a little towards `network`, in place.

    The half-life is at most `ramp` times the images seen so far: otherwise the untrained network would dominate the
    average for a long time. Source: Karras et al. 2020 (StyleGAN2-ADA), appendix C, EMA ramp-up.

    Args:
        batch: images since the last update.
        images: images seen so far.
        half_life: images after which the past counts half; 0 copies the network.
        ramp: upper limit of the half-life as a share of `images`.
    """
    limit = min(float(half_life), ramp * images)
    step = 1.0 - 0.5 ** (batch / limit) if limit > 0 else 1.0
    pairs: list[tuple[Tensor, Tensor]] = [*zip(average.parameters(), network.parameters(), strict=True)]
    pairs += [*zip(average.buffers(), network.buffers(), strict=True)]
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    others = [pair for pair in pairs if not pair[0].is_floating_point()]
    if floats:  # all at once: a GPU starts a few kernels, not one for each tensor
        torch._foreach_lerp_([averaged for averaged, _ in floats], [current for _, current in floats], step)  # pyright: ignore[reportPrivateImportUsage]
    if others:
        torch._foreach_copy_([averaged for averaged, _ in others], [current for _, current in others])  # pyright: ignore[reportPrivateImportUsage]
