"""Measures of a picture's degradation, by which a restorer recognises pictures unlike those it was trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

SIGNS = ("noise in levels", "fine contrast beside coarse", "edges of 8x8 blocks")
LEAST = 16  # pixels a side
ENOUGH = 40  # least pictures for a range; one more such picture is outside of that of n in 2 of n + 1 cases
HALF = 0.6745  # standard deviations that hold half of a normal distribution


@torch.no_grad()
def signs(images: Tensor) -> Tensor:
    """Three figures of each picture, [B, 3], named by SIGNS.

    Noise: standard deviation of the response to a difference of Laplacians (Immerkaer 1996), estimated by the median,
    which edges hardly affect; mean over the channels. Contrast: mean step between neighbours over that between pixels
    four apart. Edges: mean step between 8x8 blocks, as JPEG leaves them, over that of all neighbours.

    Args:
        images: float [B, C, H, W] with levels 0..255, LEAST pixels a side or more.
    """
    grey = images.float().mean(1, keepdim=True)
    kernel = grey.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])[None, None]
    response = conv2d(images.float().flatten(0, 1)[:, None], kernel).abs().flatten(1).median(1).values
    noise = response.view(images.shape[:2]).mean(1) / (6 * HALF)
    across = (grey[:, :, :, 1:] - grey[:, :, :, :-1]).abs()
    far = (grey[:, :, :, 4:] - grey[:, :, :, :-4]).abs().mean((1, 2, 3)).clamp_min(1e-3)
    by_column = across.mean((1, 2))
    return torch.stack([noise, across.mean((1, 2, 3)) / far, _blocks(by_column)], 1)


def is_enough(card: dict[str, Any]) -> bool:
    """Were the signs in a model's card measured on enough pictures?"""
    count = card.get("signs_from")
    return isinstance(count, int) and count >= ENOUGH


def describe(card: dict[str, Any]) -> str:
    """A clause: can the model of this card recognise pictures with another degradation?"""
    if is_enough(card) and card.get("signs"):
        return f"it tells pictures of another damage, by {card['signs_from']:,} pictures"
    if not isinstance(card.get("signs_from"), int):
        return "it does not tell pictures of another damage: trained before Ganvas kept from how many pictures it knows"
    return f"not enough pictures to tell those of another damage ({card['signs_from']:,}; {ENOUGH} are needed)"


def _blocks(steps: Tensor) -> Tensor:
    """[B, W - 1] -> the largest mean over every eighth step, of the eight offsets, divided by the mean of all steps."""
    phases = torch.stack([steps[:, i::8].mean(1) for i in range(8)], 1)
    return phases.max(1).values / steps.mean(1).clamp_min(1e-3)
