"""Applying a network to pictures of any size, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.images.originals import Original
from ganvas.images.planes import Planes, with_mask
from ganvas.images.spec import ImageSpec

TILE = 512  # pixels a side of a tile of the input
DEEP = 128  # pixels from what is known beyond which a hole is filled from the whole picture, made smaller
MARGIN, RAMP = 16, 48  # pixels at a tile's edge that come from its neighbour, and then that are blended
Cut = Callable[[slice, slice], Tensor]  # rows and columns of the input -> what the network is given of them


def tiles(length: int, stride: int, tile: int = TILE) -> list[tuple[slice, Tensor]]:
    """Tiles along one axis: where each is, and its pixels' weights; the weights of all tiles add up to 1 everywhere.

    Tiles begin at multiples of `stride`, the same places at which it would see the whole picture.
    """
    if length <= tile:
        return [(slice(0, length), torch.ones(length))]
    step = (tile - 2 * MARGIN - RAMP) // stride * stride
    starts = [*range(0, length - tile, step), -(-(length - tile) // stride) * stride]
    weights = []
    for start in starts:
        size = min(tile, length - start)
        position = torch.arange(size)
        ramp = torch.ones(size)
        if start > 0:
            ramp = torch.minimum(ramp, ((position - MARGIN + 0.5) / RAMP).clamp(0, 1))
        if start + size < length:
            ramp = torch.minimum(ramp, ((size - 1 - position - MARGIN + 0.5) / RAMP).clamp(0, 1))
        weights.append(ramp)
    total = torch.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [(slice(s, s + len(w)), w / total[s : s + len(w)]) for s, w in zip(starts, weights, strict=True)]


class Tiled(NamedTuple):
    """A network for pictures of any size, and the spec that says how it changes their size."""

    network: nn.Module
    spec: ImageSpec

    @torch.inference_mode()
    def run(self, cut: Cut, count: int, height: int, width: int) -> Generator[float, None, Tensor]:
        """The network's answer to `count` pictures of this size; yields the share that is done.

        Args:
            cut: gives the network's input for a tile, float [count, C (+ 1: mask), h, w] in [-1, 1].

        Returns:
            float [count, C, scale * height, scale * width] on the CPU.
        """
        device, scale = next(self.network.parameters()).device, self.spec.scale
        stride = int(self.network.stride)  # pyright: ignore[reportArgumentType]
        result = torch.zeros(count, self.spec.channels, scale * height, scale * width)
        down, across = tiles(height, stride), tiles(width, stride)
        if self.spec.masked and max(height, width) > TILE:
            cut = self._with_centres(cut, height, width)
        for i, (rows, rise) in enumerate(down):
            for columns, run in across:
                part = cut(rows, columns)
                if self.spec.masked and not part[:, -1].any():  # nothing is missing here
                    tile = part[:, :-1]
                else:
                    tile = self.network(part.to(device)).float().cpu()
                weight = torch.outer(rise.repeat_interleave(scale), run.repeat_interleave(scale))
                into = result[
                    :, :, scale * rows.start : scale * rows.stop, scale * columns.start : scale * columns.stop
                ]
                into += tile * weight
            yield (i + 1) / len(down)
        return result

    def _with_centres(self, cut: Cut, height: int, width: int) -> Cut:
        """As `cut`, but the centres of large holes, which a tile alone could not fill, are given as if they were known:
        they come from the whole picture, made smaller.
        """
        factor = -(-max(height, width) // TILE)
        whole = cut(slice(0, height), slice(0, width))
        known = 1 - whole[:, -1:].float()
        share, colours = (F.avg_pool2d(x, factor, ceil_mode=True) for x in (known, whole[:, :-1] * known))
        missing = (share == 0).float()
        reach = 2 * -(-DEEP // factor) + 1
        deep = 1 - F.max_pool2d(1 - missing, reach, 1, reach // 2)
        if not deep.any():
            return cut
        small = torch.cat([colours / share.clamp_min(1e-6), missing], 1)
        made = self.network(small.to(next(self.network.parameters()).device)).float().cpu()
        large = F.interpolate(made, scale_factor=float(factor), mode="bilinear")
        centres = F.interpolate(deep, scale_factor=float(factor)) > 0.5

        def filled(rows: slice, columns: slice) -> Tensor:
            part, centre = cut(rows, columns), centres[:, :, rows, columns]
            images = torch.where(centre, large[:, :, rows, columns], part[:, :-1])
            return torch.cat([images, part[:, -1:].masked_fill(centre, 0)], 1)

        return filled

    def on_tensors(self, images: Tensor, masks: Tensor | None = None) -> Generator[float, None, Tensor]:
        """As `run`, of float [B, C, H, W] in [-1, 1] and bool masks [B, 1, H, W], True where a pixel is missing."""

        def cut(rows: slice, columns: slice) -> Tensor:
            part = images[:, :, rows, columns]
            return part if masks is None else with_mask(part, masks[:, :, rows, columns])

        return (yield from self.run(cut, len(images), images.shape[2], images.shape[3]))

    def on_original(self, original: Original, mask: np.ndarray | None = None) -> Generator[float, None, Original]:
        """As `run`, of a picture from a file and a bool mask [H, W]; colours, depth and transparency as in `Planes`."""
        planes = Planes(original, self.spec.channels, mask)
        height, width = original.pixels.shape[:2]
        return planes.back((yield from self.run(planes.cut, planes.count, height, width)), self.spec.scale)
