"""Degradations that a restorer learns to undo, and plans that combine them.

A plan is written as text. Parts separated by `,` follow one another; parts joined by `+` are applied in an order that
is drawn anew for each picture (Zhang et al. 2021, "Designing a practical degradation model for deep blind image
super-resolution"): `blur:0-2+down:2,jpeg:60-95`. A part is a name with a value or a range, from which an
amount is drawn for each picture; a name alone has its usual range. A part that ends with `?` is done to every other
picture, by chance: `noise:0-50?`.

A picture's degradation follows from its own row of random numbers alone, whatever else is in the batch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganvas.core.errors import UserError, unknown
from ganvas.tasks.restore.degradations import AVERAGING, DEGRADATIONS, Degradation, Draw

SOMETIMES = 0.5  # the share of pictures to which a part with a question mark is done
NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)"


@dataclass(frozen=True)
class Step:
    """A degradation by its name in DEGRADATIONS; each picture's amount is uniform in low..high.

    A picture gets it with the probability `chance`.
    """

    name: str
    low: float
    high: float
    chance: float = 1.0

    @property
    def kind(self) -> Degradation:
        return DEGRADATIONS[self.name]


@dataclass(frozen=True)
class Plan:
    """Groups of steps: the groups follow one another, the steps of a group come in an order drawn for each picture."""

    groups: tuple[tuple[Step, ...], ...]

    @property
    def steps(self) -> list[Step]:
        """The steps of all groups."""
        return [step for group in self.groups for step in group]

    @property
    def scale(self) -> int:
        """How many times smaller the pictures become; 1: they keep their size."""
        return math.prod(int(step.low) for step in self.steps if step.kind.shrinks)

    @property
    def masked(self) -> bool:
        """Do the pictures get a mask of what is missing as one more channel?"""
        return any(step.kind.marks for step in self.steps)

    @property
    def baselines(self) -> list[str]:
        """The classical filters that a restorer has to beat; none where pictures are enlarged or holes are filled."""
        if self.masked or self.scale > 1:
            return []
        names = {name for step in self.steps for name in step.kind.baselines} or {"median"}
        return [name for name in AVERAGING if name in names]


def parse(text: str) -> Plan:
    """Read a plan such as `noise:5-50` or `blur:0-2+down:2,noise:0-10,jpeg:60-95`.

    Raises:
        UserError: an unknown name, an invalid range or one beyond the limits, or steps that cannot be combined.
    """
    if not text.strip():
        raise UserError(f"degrade='{text}' is empty; name a damage, such as noise:25, of: {', '.join(DEGRADATIONS)}.")
    plan = Plan(tuple(tuple(_step(part.strip(), text) for part in group.split("+")) for group in text.split(",")))
    if plan.scale > 4:
        raise UserError(f"degrade={text} makes pictures {plan.scale} times smaller; leave a down away: 4 is the most.")
    marking = [step for step in plan.steps if step.kind.marks]
    if marking and (len(marking) > 1 or plan.groups[-1] != tuple(marking) or plan.scale > 1):
        name = marking[0].name
        raise UserError(f"degrade={text}: {name} comes alone or last, without + and down, such as noise:10,{name}:25.")
    return plan


def _step(part: str, text: str) -> Step:
    name, colon, amount = (piece.strip() for piece in part.removesuffix("?").partition(":"))
    chance = SOMETIMES if part.endswith("?") else 1.0
    if not name:
        raise UserError(f"degrade={text} has an empty part; remove the needless comma or plus sign.")
    if name not in DEGRADATIONS:
        raise unknown("damage", name, DEGRADATIONS)
    kind = DEGRADATIONS[name]
    if not colon:
        return _checked(Step(name, kind.low, kind.high, chance), part)
    usual = f"{name}:{kind.low:g}" + (f"-{kind.high:g}" if kind.high > kind.low else "")
    match = re.fullmatch(rf"{NUMBER}(?:\s*-\s*{NUMBER})?", amount)
    if match is None:
        raise UserError(f"degrade: '{part}' needs a number or low-high after the colon, such as {usual}.")
    low, high = float(match[1]), float(match[2] or match[1])
    if kind.shrinks and (low != high or low not in (2, 4)):
        raise UserError(
            f"degrade: '{part}' is not possible; pictures get smaller by a whole factor: {name}:2 or {name}:4."
        )
    if low > high:
        raise UserError(f"degrade: '{part}' begins above its end; write {name}:{high:g}-{low:g}.")
    least, most = kind.limits
    if low < least or high > most:
        raise UserError(
            f"degrade: '{part}' is not within {least:g} and {most:g}, the limits of {name}; usual is {usual}."
        )
    return _checked(Step(name, low, high, chance), part)


def _checked(step: Step, part: str) -> Step:
    """The step, if it can be left out where it is to be.

    Raises:
        UserError: it changes the size or marks what is missing, and may not be done to all pictures.
    """
    if step.chance < 1 and (step.kind.shrinks or step.kind.marks):
        raise UserError(f"degrade: '{part}' cannot be done to some pictures only; remove the question mark.")
    return step


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
        return torch.stack([function(shape, generator=generator) for generator in generators]).to(images.device)

    if step.chance < 1:
        some = (draw(torch.rand) < step.chance).nonzero().flatten().tolist()
        if not some:
            return images
        done = _apply_step(replace(step, chance=1.0), images[some], [generators[i] for i in some])
        return images.index_copy(0, torch.tensor(some, device=images.device), done)
    kind = step.kind
    amount = step.low + (step.high - step.low) * draw(torch.rand)
    if kind.transparency or images.shape[1] < 4:
        return kind.function(images, amount, draw).clamp(-1, 1)
    return torch.cat([kind.function(images[:, :3], amount, draw).clamp(-1, 1), images[:, 3:]], 1)
