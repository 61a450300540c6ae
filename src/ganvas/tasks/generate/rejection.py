"""Discriminator rejection sampling (Azadi et al. 2019): a selector learns which samples look generated.

The discriminator was trained along with its generator and overlooks flaws that both grew used to. The selector is a
fresh network: it is trained on training images against samples of the finished generator, and then keeps a sample with
a probability that grows with how real it looks. The other candidates of a seed are near it in latent space: they differ
in their flaws and not in what they show. A seed still gives one picture: everything is derived from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.images import tensors as im
from ganvas.metrics.two_sample import teach
from ganvas.training.batches import Batches

CANDIDATES = 8  # samples that are tried for a seed at most: if none is kept, the first is taken
NEARNESS = 0.85  # correlation of a candidate's latent vector with that of its seed
EASE = 0.7  # share of the samples that are kept with a probability below a half
TRIAL = 2_000  # samples, at most, from which the threshold is set


class Selector(nn.Module):
    """Convolutions with batch norm (real and generated images share a batch) and two linear layers."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside, kernel, stride in (channels, 16, 3, 1), (16, 32, 4, 2), (32, 32, 3, 1):
            layers += [nn.Conv2d(inside, outside, kernel, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
        size //= 2
        while size > 8:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            size = -(-size // 2)
        layers += [nn.Conv2d(32, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(64 * size**2, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 1))
        self.shift = nn.Buffer(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """images [B, C, H, W] in [-1, 1], rounded to 8 bits first -> logits [B], positive for real."""
        return self.head(self.body(im.to_float(im.levels(images)))).squeeze(1)


def learn(selector: Selector, generator: nn.Module, batches: Batches, latent_dim: int, images: int) -> Iterator[Tensor]:
    """Train a selector on `images` training images and as many new samples; yields the loss of each step."""
    total = max(1, images // batches.batch)

    def labelled_batches() -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(total):
            seeds.seed_all(seeds.key(batches.seed, "selector", step), batches.device)
            real = batches.at(step * batches.batch)
            fake = sample(generator, torch.randn(len(real.real), latent_dim), real.labels)
            both = torch.cat([real.real, fake])
            yield both, torch.arange(len(both), device=both.device) < len(real.real)

    yield from teach(selector, labelled_batches(), total)
    seen = batches.seen(TRIAL)
    numbers = [seeds.key(batches.seed, "selector trial", i) for i in range(len(seen.real))]
    parts = torch.arange(len(numbers)).split(256)
    with torch.no_grad():
        logits = []
        for part in parts:
            labels = None if seen.labels is None else seen.labels[part.to(seen.labels.device)]
            logits.append(selector(sample(generator, seeds.latents([numbers[i] for i in part], latent_dim), labels)))
        selector.shift.copy_(torch.cat(logits).quantile(EASE))


@torch.no_grad()
def sample(generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
    return generator(z.to(next(generator.parameters()).device), labels).float()


def candidates(numbers: Sequence[int], latent_dim: int, candidate: int, truncation: float | None = None) -> Tensor:
    """The latent vector of one candidate for each seed, [n, latent_dim]; candidate 0 is the seed's own."""
    z = seeds.latents(numbers, latent_dim)
    if candidate:
        z = NEARNESS * z + math.sqrt(1 - NEARNESS**2) * seeds.latents(numbers, latent_dim, candidate)
    return z if truncation is None else seeds.truncate(z, truncation)


def pick(
    generator: nn.Module,
    selector: Selector,
    numbers: Sequence[int],
    latent_dim: int,
    labels: Tensor | None,
    truncation: float | None = None,
) -> Tensor:
    """One picture for each seed, [n, C, H, W]: its first candidate that the selector accepts.

    Candidate 0 is what the generator alone makes of the seed; it is used if none is accepted.
    """
    pictures, left = torch.empty(0), torch.arange(len(numbers))
    chances = torch.stack([torch.rand(CANDIDATES, generator=seeds.generator(number, "luck")) for number in numbers])
    for candidate in range(CANDIDATES):
        z = candidates([numbers[i] for i in left.tolist()], latent_dim, candidate, truncation)
        samples = sample(generator, z, None if labels is None else labels[left.to(labels.device)])
        accepted = chances[left, candidate] < torch.sigmoid(selector(samples) - selector.shift).cpu()
        if candidate == 0:
            pictures = samples
        else:
            pictures[left[accepted].to(samples.device)] = samples[accepted.to(samples.device)]
        left = left[~accepted]
        if not len(left):
            break
    return pictures


def generate(
    generator: nn.Module,
    selector: nn.Module | None,
    numbers: Sequence[int],
    latent_dim: int,
    labels: Tensor | None,
    truncation: float | None = None,
) -> Tensor:
    """The final picture of each seed, [n, C, H, W]: by `pick`, or by the generator alone if there is no selector."""
    if isinstance(selector, Selector):
        return pick(generator, selector, numbers, latent_dim, labels, truncation)
    return sample(generator, seeds.latents(numbers, latent_dim, truncation=truncation), labels)
