"""Inversion: find the latent vector whose picture is nearest to a given image, by gradient descent.

Source: the idea is from Zhu et al. 2016, "Generative visual manipulation on the natural image manifold", section 3.1.
If no class is named, all are tried: each starts from the nearest of some random samples, and the worst are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds
from ganvas.tasks.generate.model import Model

SAMPLES = 32  # random samples of each class; the descent starts from the nearest ones
LAST = 3  # starting points that are followed to the end
RATE = 0.1
PRIOR = 0.1  # weight of (|z|^2 / D - 1)^2: the generator was not trained on latent vectors of unusual length
AT_ONCE = 16  # images in a batch


@dataclass(frozen=True)
class Inverted:
    """latents [n, D], labels int64 [n] (None: no classes), pictures [n, C, H, W] in [-1, 1], and their distance.

    `distance` [n] is the root mean square difference between the picture's and the image's pixels, in [0, 2].
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
        classes: what they show, as in `Model.sample`; None: try every class and keep the nearest picture.
        steps: of gradient descent from the LAST best starting points; the first selection gets a quarter of them.

    Raises:
        UserError: a class that the model does not have.
    """
    labels = None if classes is None else model.labels(classes, len(images))
    parts = [
        _invert(model, images[i : i + AT_ONCE], None if labels is None else labels[i : i + AT_ONCE], steps, seed)
        for i in range(0, len(images), AT_ONCE)
    ]
    labelled = [part.labels for part in parts if part.labels is not None]
    return Inverted(
        torch.cat([part.latents for part in parts]),
        torch.cat(labelled) if labelled else None,
        torch.cat([part.pictures for part in parts]),
        torch.cat([part.distance for part in parts]),
    )


def _invert(model: Model, images: Tensor, labels: Tensor | None, steps: int, seed: int) -> Inverted:
    device, n, count = next(model.generator.parameters()).device, len(images), len(model.class_names)
    images = images.to(device)
    # start from the nearest sample of each class, or from a few of the named class, or of all without classes
    numbers = [seeds.key(seed, "invert", i) for i in range(SAMPLES * max(1, count))]
    sample_z = seeds.latents(numbers, model.latent_dim).to(device)
    sample_y = torch.arange(len(numbers), device=device) // SAMPLES if count else None
    with torch.inference_mode():
        samples = model.generator(sample_z, sample_y).float()
        distances = torch.cdist(_blur(images).flatten(1), _blur(samples).flatten(1))
    if count and labels is None:
        nearest = distances.view(n, count, SAMPLES).argmin(2) + torch.arange(count, device=device) * SAMPLES
    else:
        if labels is not None and sample_y is not None:
            distances = distances.masked_fill(sample_y[None] != labels.to(device)[:, None], torch.inf)
        nearest = distances.topk(min(2 * LAST, SAMPLES), largest=False).indices
    z = sample_z[nearest]
    y = None if sample_y is None else sample_y[nearest]
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
    """Adam from every starting point [n, starts, D]; returns the points reached and their last losses [n, starts]."""
    shape = z.shape[:2]
    z = z.flatten(0, 1).clone().requires_grad_(True)
    labels = None if y is None else y.flatten()
    target = images.repeat_interleave(shape[1], 0)
    optimizer = optimizers.Adam([z], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps), RATE / 20)
    loss = torch.zeros(len(z), device=z.device)
    for _ in range(steps):
        x = model.generator(z, labels).float()
        error = (x - target).square().flatten(1).mean(1) + (_blur(x) - _blur(target)).square().flatten(1).mean(1)
        loss = error + PRIOR * (z.square().mean(1) - 1).square()
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
    return z.detach().view(*shape, -1), loss.detach().view(shape)


def _blur(images: Tensor) -> Tensor:
    """Blur slightly: a stroke that is slightly off then counts as nearer than no stroke."""
    return F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
