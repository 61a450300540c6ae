"""The pixels of a picture from a file as a network's input, and the network's answer as a picture of the same form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.images.originals import Original


@dataclass(frozen=True)
class Planes:
    """A picture for a network of 1, 3 or 4 channels.

    A grey picture stays grey, and the depth stays as it is; a network of grey pictures gets each colour separately;
    transparency is kept (and enlarged), or goes through the network too where that has four channels.

    `mask`: bool [H, W], True where a pixel is missing.
    """

    original: Original
    channels: int
    mask: np.ndarray | None = None

    @property
    def by_colour(self) -> bool:
        """Does the network get each colour as a separate grey picture?"""
        return self.channels == 1 and self.original.pixels.shape[2] == 3

    @property
    def count(self) -> int:
        """How many pictures the network is given at a time."""
        return 3 if self.by_colour else 1

    def cut(self, rows: slice, columns: slice) -> Tensor:
        """The network's input for a part of the picture, float [count, channels (+ 1: mask), h, w] in [-1, 1]."""
        original, top = self.original, self.original.top
        x = torch.from_numpy(original.pixels[rows, columns].astype(np.float32)).permute(2, 0, 1)[None]
        if self.channels >= 3:
            x = x.expand(1, 3, -1, -1)
        if self.channels == 4:
            alpha = None if original.alpha is None else original.alpha[rows, columns].astype(np.float32)
            last = torch.full_like(x[:, :1], top) if alpha is None else torch.from_numpy(alpha)[None, None]
            x = torch.cat([x, last], 1)
        x = x / (top / 2) - 1
        x = x.transpose(0, 1) if self.by_colour else x
        if self.mask is None:
            return x
        return with_mask(x, torch.from_numpy(self.mask[rows, columns].copy())[None, None].expand(len(x), -1, -1, -1))

    def back(self, output: Tensor, scale: int) -> Original:
        """The network's answer, float [count, channels, scale * H, scale * W] in [-1, 1], as a picture from a file."""
        original, top, colours = self.original, self.original.top, self.original.pixels.shape[2]
        output = output.transpose(0, 1) if self.by_colour else output
        kind, alpha = original.pixels.dtype, original.alpha
        grey = colours == 1 and self.channels >= 3
        shown = output[:, :3].mean(1, keepdim=True) if grey else output[:, : max(3, colours)]
        pixels = _levels(shown, top).permute(1, 2, 0).numpy().astype(kind)
        if alpha is not None and self.channels == 4:
            alpha = _levels(output[:, 3:], top)[0].numpy().astype(kind)
        elif alpha is not None and scale > 1:
            large = torch.from_numpy(alpha.astype(np.float32))[None, None]
            large = interpolate(large, scale_factor=float(scale), mode="bicubic")
            alpha = large[0, 0].round().clamp(0, top).numpy().astype(kind)
        return replace(original, pixels=pixels, alpha=alpha)


def with_mask(images: Tensor, mask: Tensor) -> Tensor:
    """The input of a network that fills holes: missing pixels are grey, and the mask is the last channel."""
    return torch.cat([images * ~mask, mask.to(images.dtype)], 1)


def _levels(output: Tensor, top: float) -> Tensor:
    """float [1, C, H, W] in [-1, 1] -> whole numbers 0..top, [C, H, W]."""
    return output[0].clamp(-1, 1).add(1).mul(top / 2).round()
