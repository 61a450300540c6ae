"""Augmentation of what the discriminator sees: with few images it would soon memorise each one.

Real and generated images are changed in the same way, with a probability below 1 for each change, so that unchanged
images remain the most frequent and the generator does not learn the changes (Karras et al. 2020, "Training generative
adversarial networks with limited data", section 2.2). The changes are differentiable, so that the generator learns
through them; translation, colour and cutout are those of Zhao et al. 2020, "Differentiable augmentation".
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.core.devices import upload

CHANCES = 10  # random numbers per image that decide what happens to it
SHIFT = 1 / 8  # largest shift, of the image's side
HOLE = 1 / 2  # side of the cut-out square, of the image's side
BRIGHTNESS, CONTRAST, SATURATION = 0.5, 0.5, 1.0  # largest changes: the first is added, the others are factors


def disturb(images: Tensor, probability: Tensor | float, chance: Tensor) -> Tensor:
    """Shift, recolour and cut out a square of each image, each with this probability; the shape stays the same.

    Args:
        images: [B, C, H, W] in [-1, 1]; a fourth channel is transparency, which is not recoloured.
        probability: of each of the three changes, 0 to 1.
        chance: [B, CHANCES], uniform in [0, 1): decides which changes an image gets, and how large they are.
    """
    chance = upload(chance, images.device)
    hit = chance[:, :3] < probability
    amount = chance[:, 3:] * 2 - 1
    x = shifted(images, amount[:, 0] * hit[:, 0], amount[:, 1] * hit[:, 0])
    x = coloured(x, *(amount[:, 2 + i] * hit[:, 1] for i in range(3)))
    return cut(x, amount[:, 5], amount[:, 6], hit[:, 2])


def shifted(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift images [B, C, H, W] by whole pixels; the border is repeated.

    Args:
        down, right: [B] in -1..1, times the largest shift.
    """
    size = x.shape[-1]
    places = torch.arange(size, device=x.device)
    rows, columns = (
        (places - (move * SHIFT * size).round().long()[:, None]).clamp(0, size - 1) for move in (down, right)
    )
    flat = (rows[:, :, None] * size + columns[:, None, :]).flatten(1)  # [B, H * W]
    by_pixel = x.permute(0, 2, 3, 1).reshape(len(x), size * size, -1)  # as the memory is laid out
    moved = by_pixel.gather(1, flat[:, :, None].expand(-1, -1, by_pixel.shape[2]))
    return moved.view(len(x), size, size, -1).permute(0, 3, 1, 2)


def coloured(x: Tensor, bright: Tensor, saturated: Tensor, contrast: Tensor) -> Tensor:
    """Change brightness, saturation and contrast of images [B, C, H, W], each [B] in -1..1 times its largest change."""
    colour, rest = (x[:, :3], x[:, 3:]) if x.shape[1] > 3 else (x, x[:, :0])
    bright, saturated, contrast = (t.to(x.dtype)[:, None, None, None] for t in (bright, saturated, contrast))
    colour = colour + BRIGHTNESS * bright
    if colour.shape[1] == 3:
        grey = colour.mean(1, keepdim=True)
        colour = grey + (colour - grey) * (1 + SATURATION * saturated)
    middle = colour.mean((1, 2, 3), keepdim=True)
    colour = middle + (colour - middle) * (1 + CONTRAST * contrast)
    return torch.cat([colour, rest], 1) if rest.shape[1] else colour


def cut(x: Tensor, down: Tensor, right: Tensor, hit: Tensor) -> Tensor:
    """Make a square of each image grey where `hit` [B] is true; its centre is (down, right), each [B] in -1..1."""
    places = torch.linspace(-1, 1, x.shape[-1], device=x.device)
    rows, columns = ((places - at[:, None]).abs() < HOLE for at in (down, right))
    hole = rows[:, :, None] & columns[:, None, :] & hit[:, None, None]
    return x * (~hole)[:, None]


def mirrored(images: Tensor, chance: Tensor) -> Tensor:
    """Images [B, C, H, W], mirrored where `chance` [B], uniform in [0, 1), is below a half."""
    return torch.where(upload(chance < 0.5, images.device)[:, None, None, None], images.flip(3), images)


def turned(images: Tensor, chance: Tensor) -> Tensor:
    """Square images [B, C, H, W], each in one of its eight rotations and reflections; `chance` [B, 3] in [0, 1)."""
    rows, columns, swapped = upload(chance < 0.5, images.device).T[:, :, None, None, None]
    x = torch.where(rows, images.flip(2), images)
    x = torch.where(columns, x.flip(3), x)
    return torch.where(swapped, x.transpose(2, 3), x)
