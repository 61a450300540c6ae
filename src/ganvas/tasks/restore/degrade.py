"""Apply the degradations of a plan (`damages.parse`) to pictures.

A picture's degradation follows from its own row of random numbers alone, whatever else is in the batch.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganvas.tasks.restore.damages import DEGRADATIONS, Plan, Step, parse
from ganvas.tasks.restore.degradations import FUNCTIONS, Draw

__all__ = ("DEGRADATIONS", "Draw", "Plan", "Step", "apply", "parse")


def apply(plan: Plan, images: Tensor, draw: Draw) -> Tensor:
    """Degrade pictures by a plan; after each step they are clamped to [-1, 1], as stored pictures are.

    A fourth channel, transparency, keeps its values, except that `down` scales it and `holes` hides it.

    Args:
        images: float [B, C, H, W] in [-1, 1] with 1, 3 or 4 channels.
        draw: draw(torch.rand, n) -> [B, n] on the CPU, such as `Batch.draw`. It is called once: each
            picture's row seeds its own random generator.

    Returns:
        float [B, C, H / scale, W / scale] in [-1, 1], rounded down; with `holes` [B, C + 1, H, W], where the last
        channel is 1 for missing pixels, whose other channels are 0, and 0 for known ones.
    """
    key = (draw(torch.rand, 2).double() * 2**16).long()  # PyTorch's generator takes 32 bits; a float holds only 24
    generators = [torch.Generator().manual_seed(seed) for seed in (key[:, 0] * 2**16 + key[:, 1]).tolist()]
    x = images.detach().float()
    for group in plan.groups:
        x = _apply_group(group, x, generators)
    return x.contiguous(memory_format=torch.channels_last)


def _apply_group(group: tuple[Step, ...], images: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Apply the steps in a random order for each picture; pictures with the same order are processed together."""
    by_order: dict[tuple[int, ...], list[int]] = {}
    for row, generator in enumerate(generators):
        by_order.setdefault(tuple(torch.randperm(len(group), generator=generator).tolist()), []).append(row)
    done: dict[int, Tensor] = {}
    for order, rows in by_order.items():
        x, randoms = images[rows], [generators[row] for row in rows]
        for place in order:
            x = _apply_step(group[place], x, randoms)
        done.update(zip(rows, x, strict=True))
    return torch.stack([done[row] for row in range(len(images))])


def _apply_step(step: Step, images: Tensor, generators: list[torch.Generator]) -> Tensor:
    def draw(function: Draw, *shape: int) -> Tensor:
        return torch.stack([function(shape, generator=generator) for generator in generators])

    if step.chance < 1:
        some = (draw(torch.rand) < step.chance).nonzero().flatten().tolist()
        if not some:
            return images
        done = _apply_step(replace(step, chance=1.0), images[some], [generators[i] for i in some])
        return images.index_copy(0, torch.tensor(some, device=images.device), done)
    function = FUNCTIONS[step.name]
    amount = step.low + (step.high - step.low) * draw(torch.rand)
    if step.kind.transparency or images.shape[1] < 4:
        return function(images, amount, draw).clamp(-1, 1)
    return torch.cat([function(images[:, :3], amount, draw).clamp(-1, 1), images[:, 3:]], 1)
