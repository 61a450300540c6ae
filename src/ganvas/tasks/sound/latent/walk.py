"""Walks through latent space: a sound that turns into another one, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.latent import points, shares_of, stations
from ganvas.tasks.sound.model import BATCH, SoundModel

STEPS = 8  # sounds from one stop to the next


def walk(
    model: SoundModel,
    numbers: Sequence[int] = range(4),
    classes: Sequence[int | str] | None = None,
    steps: int = STEPS,
    loop: bool = False,
    truncation: float | None = None,
) -> Iterator[Tensor]:
    """Walk from seed to seed, and from class to class: latent vectors along great circles, classes by their shares.

    Args:
        numbers: seeds to pass through; if there are more classes than seeds, the seeds repeat.
        classes: classes to pass through, which repeat if there are fewer; None: all classes in turn.
        steps: sounds from one stop to the next.
        loop: return to the start.
        truncation: see `SoundModel.sample`.

    Returns:
        Waves float [samples] in [-1, 1], each with its peak at 0.9: (stations - 1) * steps + 1 of them, and with `loop`
        stations * steps.

    Raises:
        UserError: a class that the model does not have, fewer than two stops, `steps` below 1, or a truncation of 0.
    """
    if truncation is not None and not truncation > 0:
        raise UserError(f"truncation is {truncation:g}; it must be above 0 (1 to 2 is usual; none: leave it out).")
    chosen, kinds = stations(numbers, classes)
    z = seeds.latents(chosen, model.latent_dim, truncation=truncation)
    return between(model, z, model.labels(kinds, len(chosen)), steps, loop)


def between(
    model: SoundModel, z: Tensor, labels: Tensor | None, steps: int = STEPS, loop: bool = False
) -> Iterator[Tensor]:
    """Walk through latent vectors [S, latent_dim] and classes int64 [S] (None: no classes); see `walk`."""
    if len(z) < 2:
        raise UserError(f"A walk needs at least two sounds to pass through, not {len(z)}.")
    if steps < 1:
        raise UserError(f"{steps} sounds from one stop to the next: at least 1 is needed.")
    return _between(model, z, shares_of(labels, len(model.class_names)), steps, loop)


def _between(model: SoundModel, z: Tensor, shares: Tensor | None, steps: int, loop: bool) -> Iterator[Tensor]:
    path = [*points(z, shares, steps, loop)]
    for start in range(0, len(path), BATCH):
        part = path[start : start + BATCH]
        mixed = [shares for _, shares in part if shares is not None]
        waves = model.waves(torch.stack([point for point, _ in part]), torch.cat(mixed) if mixed else None)
        if not waves.isfinite().all():
            raise UserError(f"{model.path} draws values that are not numbers: its training went wrong.")
        yield from waves
