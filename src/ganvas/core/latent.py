"""Latent space, for any type of samples: points between stops, and the points nearest to given samples.

Sources: White 2016, "Sampling generative networks" (`slerp`); Zhu et al. 2016, "Generative visual manipulation on the
natural image manifold", section 3.1 (`nearest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds

SAMPLES = 32  # random samples of each class; the descent starts from the nearest ones
LAST = 3  # starting points that are followed to the end
RATE = 0.1
PRIOR = 0.1  # weight of (|z|^2 / D - 1)^2: the generator was not trained on latent vectors of unusual length


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Interpolate along the great circle from a to b, and linearly in length.

    Points between two normal vectors are then as likely as these. a, b: [..., dim]; share: 0 gives a, 1 gives b.
    """
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    cosine = ((a / length_a) * (b / length_b)).sum(-1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    straight = angle.sin().abs() < 1e-4
    weights = [torch.sin((1 - share) * angle) / angle.sin(), torch.sin(share * angle) / angle.sin()]
    direction = weights[0] * a / length_a + weights[1] * b / length_b
    curved = direction * ((1 - share) * length_a + share * length_b)
    return torch.where(straight, (1 - share) * a + share * b, curved)


def stations(numbers: Sequence[int], classes: Sequence[int | str] | None) -> tuple[list[int], list[int | str] | None]:
    """The seed and the class (None: no classes are named) at each stop of a walk; the shorter list repeats."""
    count = max(len(numbers), len(classes or ()))
    chosen = [numbers[i % len(numbers)] for i in range(count)] if numbers else []
    return chosen, None if classes is None else [classes[i % len(classes)] for i in range(len(chosen))]


def positions(stations: int, steps: int, loop: bool) -> list[tuple[int, float]]:
    """The position of each step: the stop before it, and the share of the way to the next one."""
    found = [(i, step / steps) for i in range(stations if loop else stations - 1) for step in range(steps)]
    return found if loop else [*found, (stations - 1, 0.0)]


def points(z: Tensor, shares: Tensor | None, steps: int, loop: bool) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Each step of a walk through latent vectors [S, dim] and shares of the classes [S, T, K] (None: no classes).

    Yields:
        A latent vector [dim] and the shares there [T, K].
    """
    for i, share in positions(len(z), steps, loop):
        following = (i + 1) % len(z)
        mixed = None if shares is None else (1 - share) * shares[i] + share * shares[following]
        yield slerp(z[i], z[following], share), mixed


def shares_of(labels: Tensor | None, classes: int) -> Tensor | None:
    """The class at each stop, int64 [S] -> the shares of all classes there, float [S, 1, classes]."""
    return None if labels is None else F.one_hot(labels, classes).float()[:, None]


def blend(vectors: Tensor, weights: Tensor) -> Tensor:
    """Latent vectors [N, dim] and weights [N] -> their mixture [dim].

    The weights are scaled so that their squares add up to 1: the point is then as far from the origin as a normal
    vector is.
    """
    return (weights / weights.square().sum().sqrt()) @ vectors


def corner_weights(x: float, y: float) -> Tensor:
    """The bilinear weights [4] of a map's corners at x, y in 0 to 1: top left, top right, bottom left, bottom right."""
    return torch.tensor([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], dtype=torch.float32)


def mixed(labels: Tensor, weights: Tensor, classes: int) -> Tensor:
    """Classes int64 [N] and weights [N] that add up to 1 -> the class int64 [1] where all are the same, else the shares
    of all classes, float [1, classes].
    """
    if len(set(labels.tolist())) == 1:
        return labels[:1]
    return (weights @ F.one_hot(labels, classes).float())[None]


@dataclass(frozen=True)
class Nearest:
    """latents [n, dim], labels int64 [n] (None: no classes) and what is drawn from them [n, ...], on the CPU."""

    latents: Tensor
    labels: Tensor | None
    samples: Tensor


@dataclass(frozen=True)
class Search:
    """A search for the latent vectors whose samples are nearest to given ones, by gradient descent.

    If no class is named, all are tried: each starts from the nearest of some random samples, and the worst are dropped.

    Args:
        generator: maps latent vectors and labels int64 (None where there are no classes).
        dim: of the latent vectors.
        classes: number of classes; 0: none.
        coarse: samples [n, ...] -> features [n, ...] by whose distance a start is chosen.
        error: drawn and given samples [n, ...] -> what is made as small as possible, [n].
    """

    generator: nn.Module
    dim: int
    classes: int
    coarse: Callable[[Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]

    def nearest(
        self, targets: Tensor, labels: Tensor | None, steps: int, seed: int = 0, at_once: int = 16
    ) -> Iterator[Nearest]:
        """Find them for samples [n, ...], `at_once` at a time.

        Args:
            labels: their classes, int64 [n]; None: all classes are tried.
            steps: of gradient descent from the LAST best starts; the first selection gets a quarter of them.
        """
        for i in range(0, len(targets), at_once):
            yield self._nearest(
                targets[i : i + at_once], None if labels is None else labels[i : i + at_once], steps, seed
            )

    def _nearest(self, targets: Tensor, labels: Tensor | None, steps: int, seed: int) -> Nearest:
        device, n, count = next(self.generator.parameters()).device, len(targets), self.classes
        targets = targets.to(device)
        # start from the nearest sample of each class, or from a few of the named class, or of all without classes
        numbers = [seeds.key(seed, "invert", i) for i in range(SAMPLES * max(1, count))]
        sample_z = seeds.latents(numbers, self.dim).to(device)
        sample_y = torch.arange(len(numbers), device=device) // SAMPLES if count else None
        with torch.inference_mode():
            samples = self.generator(sample_z, sample_y).float()
            distances = torch.cdist(self.coarse(targets).flatten(1), self.coarse(samples).flatten(1))
        if count and labels is None:
            nearest = distances.view(n, count, SAMPLES).argmin(2) + torch.arange(count, device=device) * SAMPLES
        else:
            if labels is not None and sample_y is not None:
                distances = distances.masked_fill(sample_y[None] != labels.to(device)[:, None], torch.inf)
            nearest = distances.topk(min(2 * LAST, SAMPLES), largest=False).indices
        z = sample_z[nearest]
        y = None if sample_y is None else sample_y[nearest]
        z, loss = self._descend(targets, z, y, steps // 4)
        best = loss.topk(min(LAST, loss.shape[1]), largest=False).indices
        z = z.gather(1, best[..., None].expand(-1, -1, z.shape[2]))
        y = None if y is None else y.gather(1, best)
        z, loss = self._descend(targets, z, y, steps)
        rows, winner = torch.arange(n, device=device), loss.argmin(1)
        z, y = z[rows, winner], None if y is None else y[rows, winner]
        with torch.inference_mode():
            drawn = self.generator(z, y).float()
        return Nearest(z.cpu(), None if y is None else y.cpu(), drawn.cpu())

    def _descend(self, targets: Tensor, z: Tensor, y: Tensor | None, steps: int) -> tuple[Tensor, Tensor]:
        """Adam from every start [n, starts, dim]; returns the points reached and their last losses [n, starts]."""
        shape = z.shape[:2]
        z = z.flatten(0, 1).clone().requires_grad_(True)
        labels = None if y is None else y.flatten()
        target = targets.repeat_interleave(shape[1], 0)
        optimizer = optimizers.Adam([z], RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps), RATE / 20)
        loss = torch.zeros(len(z), device=z.device)
        for _ in range(steps):
            error = self.error(self.generator(z, labels).float(), target)
            loss = error + PRIOR * (z.square().mean(1) - 1).square()
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            schedule.step()
        return z.detach().view(*shape, -1), loss.detach().view(shape)


def joined(found: Sequence[Nearest]) -> Nearest:
    """The parts of a search as one."""
    labelled = [part.labels for part in found if part.labels is not None]
    return Nearest(
        torch.cat([part.latents for part in found]),
        torch.cat(labelled) if labelled else None,
        torch.cat([part.samples for part in found]),
    )
