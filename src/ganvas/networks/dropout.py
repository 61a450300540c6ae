"""Dropout that is quick on CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

LEVELS = 2**16


class Dropout(nn.Module):
    """Zero a share of the units at random and scale the others up. Source: Srivastava et al. 2014.

    On a CPU the mask is made of 16 random bits a unit, which takes a tenth off a step of `classic-mlp` (docs/log.md);
    `share` is so rounded to a multiple of 1/65536.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape; nothing changes in evaluation mode."""
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        dropped = round(self.share * LEVELS)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)  # four units a word
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        keep = (bits >= dropped - LEVELS // 2).to(x.dtype)
        return x * keep.mul_(LEVELS / (LEVELS - dropped))
