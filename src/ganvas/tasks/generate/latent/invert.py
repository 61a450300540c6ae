"""Inversion: the latent vector whose picture is nearest to a given image, found by gradient descent.

Source: the idea is Zhu et al. 2016, "Generative visual manipulation on the natural image manifold", section 3.1. All
classes are tried where none is named: each starts from the nearest of some random drawings, and the worst are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.tasks.generate.model import Model

DRAWINGS = 32  # of each class, among which the nearest are starts
LAST = 3  # starts that are followed to the end
RATE = 0.1
PRIOR = 0.1  # weight of (|z|^2 / D - 1)^2: a latent vector far from the usual length draws what no one trained
AT_ONCE = 16  # images


@dataclass(frozen=True)
class Inverted:
    """latents [n, D], labels int64 [n] (None: no classes), pictures [n, C, H, W] in [-1, 1], and their distance.

    `distance` [n] is the root mean square difference of a pixel from the image, in [0, 2].
    """

    latents: Tensor
    labels: Tensor | None
    pictures: Tensor
    distance: Tensor


def invert(
    model: Model,
    images: Tensor,
    classes: int | str | Sequence[int | str] | None = None,
    steps: int = 200,
    seed: int = 0,
) -> Inverted:
    """Find the latent vectors whose pictures are nearest to images.

    Args:
        images: float [n, C, H, W] in [-1, 1].
        classes: what they show, as in `Model.sample`; None: every class is tried, and the nearest picture wins.
        steps: of gradient descent for the last starts; the others get a quarter.

    Raises:
        UserError: a class that the model does not have.
    """
    labels = None if classes is None else model.labels(classes, len(images))
    parts = range(0, len(images), AT_ONCE)
    found = [
        _invert(model, images[i : i + AT_ONCE], None if labels is None else labels[i : i + AT_ONCE], steps, seed)
        for i in parts
    ]
    kinds = [part.labels for part in found if part.labels is not None]
    return Inverted(
        torch.cat([part.latents for part in found]),
        torch.cat(kinds) if kinds else None,
        torch.cat([part.pictures for part in found]),
        torch.cat([part.distance for part in found]),
    )


def _invert(model: Model, images: Tensor, labels: Tensor | None, steps: int, seed: int) -> Inverted:
    device, n, count = next(model.generator.parameters()).device, len(images), len(model.class_names)
    images = images.to(device)
    # starts: the nearest of some drawings of each class (of the class that was named; without classes the nearest few)
    numbers = [seeds.key(seed, "invert", i) for i in range(DRAWINGS * max(1, count))]
    drawn_z = seeds.latents(numbers, model.latent_dim).to(device)
    drawn_y = torch.arange(len(numbers), device=device) // DRAWINGS if count else None
    with torch.inference_mode():
        drawn = model.generator(drawn_z, drawn_y).float()
        apart = torch.cdist(_soft(images).flatten(1), _soft(drawn).flatten(1))
    if count and labels is None:
        nearest = apart.view(n, count, DRAWINGS).argmin(2) + torch.arange(count, device=device) * DRAWINGS
    else:
        if labels is not None and drawn_y is not None:
            apart = apart.masked_fill(drawn_y[None] != labels.to(device)[:, None], torch.inf)
        nearest = apart.topk(min(2 * LAST, DRAWINGS), largest=False).indices
    z = drawn_z[nearest]
    y = None if drawn_y is None else drawn_y[nearest]
    z, loss = _descend(model, images, z, y, steps // 4)
    best = loss.topk(min(LAST, loss.shape[1]), largest=False).indices
    z = z.gather(1, best[..., None].expand(-1, -1, z.shape[2]))
    y = None if y is None else y.gather(1, best)
    z, loss = _descend(model, images, z, y, steps)
    rows, winner = torch.arange(n, device=device), loss.argmin(1)
    z, y = z[rows, winner], None if y is None else y[rows, winner]
    with torch.inference_mode():
        pictures = model.generator(z, y).float()
        distance = (pictures - images).square().flatten(1).mean(1).sqrt()
    return Inverted(z.cpu(), None if y is None else y.cpu(), pictures.cpu(), distance.cpu())


def _descend(model: Model, images: Tensor, z: Tensor, y: Tensor | None, steps: int) -> tuple[Tensor, Tensor]:
    """Adam on every start, [n, starts, D]; returns the starts and their last losses [n, starts]."""
    shape = z.shape[:2]
    z = z.flatten(0, 1).clone().requires_grad_(True)
    kinds = None if y is None else y.flatten()
    wanted = images.repeat_interleave(shape[1], 0)
    optimizer = torch.optim.Adam([z], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps), RATE / 20)
    loss = torch.zeros(len(z), device=z.device)
    for _ in range(steps):
        drawn = model.generator(z, kinds).float()
        near = (drawn - wanted).square().flatten(1).mean(1) + (_soft(drawn) - _soft(wanted)).square().flatten(1).mean(1)
        loss = near + PRIOR * (z.square().mean(1) - 1).square()
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
    return z.detach().view(*shape, -1), loss.detach().view(shape)


def _soft(images: Tensor) -> Tensor:
    """Slightly blurred: a stroke beside its place is then nearer than none."""
    return F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
