"""Black and white shapes, made into small grey pictures as the digits of MNIST were.

MNIST's digits are scans in black and white of 20 to 60 pixels. Each was scaled into a box of 20 pixels, where the grey
of a pixel is the share of ink in it, and the box was put into 28 pixels so that the ink's centre of mass is in the
middle (LeCun et al. 1998). A generator that draws the shape and leaves the greys to the same steps gets them right.
The details are from Yadav and Bottou 2019 (QMNIST): in the scaling each pixel of the scan is only 0.99 pixels long.
Two more were found by comparing with training digits (docs/log.md): values are cut off, not rounded, and
sums of float32 have their own last bits, so that often one single pixel of a stroke reaches 255.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

SIZE, BOX = 28, 20  # pixels of the picture and of the box, a side
SIDE, SPREAD, WIDEST = 43.0, 9.5, 2.0  # pixels of a scan's longer side: mean, standard deviation, how many of these
LEAST, GRID = 20, 66  # pixels a side of the smallest scan, and of a field that holds the largest one
LENGTH = 0.99  # of a scan's pixel when it is scaled
EXACT, LAST = 1e-5, 5e-6  # a pixel that lacks so little ink is full; a value that lacks so little is the next one


class _Ink(torch.autograd.Function):
    """1 where a scan is positive, else 0; its gradient is that of tanh(2 x) / 2, or if it is wide of x / (1 + |x|)."""

    @staticmethod
    def forward(ctx: Any, scan: Tensor, wide: bool) -> Tensor:
        ctx.save_for_backward(scan)
        ctx.wide = wide
        return (scan > 0).to(scan.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (scan,), (gradient,) = ctx.saved_tensors, gradients
        if ctx.wide:
            return gradient / (1 + scan.abs()).square_(), None
        return gradient * (1 - (2 * scan).tanh_().square_()), None


def scanned(field: Tensor, size: Tensor, wide: bool = False) -> Tensor:
    """Grey pictures of the shapes where a field is positive.

    Args:
        field: float [B, 1, N, N].
        size: float [B], of a normal distribution: how large the scan is.
        wide: the gradient also moves what is far from an edge of the shape.

    Returns:
        float [B, 1, 28, 28] in [-1, 1], each value one of 256. The gradient ignores what is cut off, and where the box
        lies.
    """
    with torch.autocast(field.device.type, enabled=False):
        shapes = _shapes(field[:, 0].float(), size.float(), wide)
        shares, full = tables(field.device)
        with torch.no_grad():
            first, length = zip(*(_extent(shapes.amax(axis) > 0) for axis in (2, 1)), strict=True)
            side = torch.maximum(*length).clamp(LEAST, GRID)
            places = torch.arange(GRID, 2 * GRID, device=field.device)
            starts = [at - (side - n) // 2 for at, n in zip(first, length, strict=True)]  # of the square around it
            rows, columns = (shares[side[:, None], places - start[:, None]] for start in starts)
            exact, added = full[side].unbind(1)
        ink = rows.mT @ shapes.to(shares.dtype) @ columns / exact
        ink = torch.where(ink > 1 - EXACT, ink + (1 - ink).detach(), ink) * added
        ink = ink / ink.detach().amax((1, 2), keepdim=True).clamp(EXACT, 1) * 255
        ink = (ink + ((ink + LAST).floor() - ink).detach()) / 255
        return (2 * _centred(ink) - 1).float()[:, None]


def _shapes(field: Tensor, size: Tensor, wide: bool) -> Tensor:
    """The scans, of 0 and 1, [B, GRID, GRID]; what has ink in a field begins after the first pixel."""
    side = SIDE + SPREAD * size.clamp(-WIDEST, WIDEST)
    steps, points = (torch.arange(n, device=field.device) + 0.5 for n in (GRID, field.shape[-1]))
    with torch.no_grad():
        ink = field > 0
        extents = [_extent(ink.any(axis)) for axis in (2, 1)]
        scale = torch.maximum(extents[0][1], extents[1][1]) / side  # of a scan's pixel in the field's
        places = [first[:, None] + (steps - 1) * scale[:, None] for first, _ in extents]
        rows, columns = ((1 - (at[:, :, None] - points).abs()).clamp_min_(0) for at in places)
    return _Ink.apply(rows @ field @ columns.mT, wide)  # pyright: ignore[reportReturnType]


def _extent(ink: Tensor) -> tuple[Tensor, Tensor]:
    """bool [B, N] -> the first place with ink and the length up to the last, int64 [B]; without any ink the whole."""
    ink = ink | ~ink.any(1, keepdim=True)
    first, after = (x.to(torch.int64).argmax(1) for x in (ink, ink.flip(1)))
    return first, ink.shape[1] - after - first


def _centred(ink: Tensor) -> Tensor:
    """[B, BOX, BOX] -> [B, SIZE, SIZE], the centre of mass in the middle, to a pixel."""
    with torch.no_grad():
        ends = torch.arange(BOX, device=ink.device, dtype=ink.dtype) + 0.5
        total = ink.sum((1, 2)).clamp_min(EXACT)
        centres = [ink.sum(axis) @ ends / total for axis in (2, 1)]
        starts = [(SIZE / 2 + 1 - centre).long().clamp(0, SIZE - BOX) for centre in centres]
        across, along = torch.arange(SIZE, device=ink.device)[:, None], torch.arange(BOX, device=ink.device)
        rows, columns = ((across - start[:, None, None] == along).to(ink.dtype) for start in starts)
    return rows @ ink @ columns.mT


@cache
def tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """What a scan of 0 to GRID pixels a side becomes in a box; made with NumPy, whatever torch is doing just now.

    In double precision, which no device shortens, but where there is none.

    Returns:
        How much of each of a scan's pixels falls into each of the box, [GRID + 1, 3 GRID, BOX]: a scan begins at GRID,
        the places around it have no share; and the sums of a box full of ink, exact and added one after the other in
        float32: [GRID + 1, 2, BOX, BOX].
    """
    kind = torch.float32 if device.type == "mps" else torch.float64
    shares = np.stack([_shares(side) for side in range(GRID + 1)])
    full = np.stack([_full(parts) for parts in shares])
    return tuple(torch.from_numpy(table).to(kind).to(device) for table in (shares, full))  # pyright: ignore[reportReturnType]


def _shares(side: int) -> np.ndarray:
    """[3 GRID, BOX] for one size of a scan."""
    table, scale = np.zeros((3 * GRID, BOX)), BOX / max(side, 1)
    for pixel in range(side if side >= LEAST else 0):
        start, end = pixel * scale, (pixel + LENGTH) * scale
        first, last = math.floor(start + 1e-11), math.ceil(end - 1e-11) - 1
        parts = {first: scale} if first == last else {first: first + 1 - start, last: end - last}
        for place, part in parts.items():  # one that is not split has all of its ink, although it is shorter
            table[GRID + pixel, place] = part
    return table


def _full(shares: np.ndarray) -> np.ndarray:
    """[2, BOX, BOX]: the exact sums of a full box, and those of float32."""
    if not shares.any():
        return np.ones((2, BOX, BOX))
    most = int((shares > 0).sum(0).max())
    parts = np.zeros((most, BOX))  # of the pixels that fall into each one of the box, in their order
    for place, column in enumerate(shares.T):
        some = column[column > 0]
        parts[: len(some), place] = some
    sums = np.zeros((BOX, BOX), np.float32)
    for down in parts:
        for right in parts:
            sums = (sums + np.outer(down, right)).astype(np.float32)
    return np.stack([np.outer(parts.sum(0), parts.sum(0)), sums])
