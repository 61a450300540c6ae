"""Two toy data sets in the plane: mixtures of narrow Gaussians, some of which a weak loss forgets within seconds.

Source: Srivastava et al. 2017, section 4.1, with the sizes of Lin et al. 2018, section 4.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganvas.core import seeds
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import task as generate
from ganvas.training.batches import Batch
from ganvas.training.losses import LOSSES
from ganvas.training.trainer import Config, Trainer

STEPS = 800  # of training on a toy: few, so that all toys take about a minute


@dataclass(frozen=True)
class Toy:
    """A mixture of equal Gaussians: their centres [K, 2], their standard deviation, and the training steps."""

    centres: Tensor
    sd: float
    steps: int

    def draw(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """Random points [count, 2] of the mixture."""
        which = torch.randint(len(self.centres), (count,), generator=random)
        return self.centres[which] + self.sd * torch.randn(count, 2, generator=random)


def ring() -> Toy:
    """Eight Gaussians of standard deviation 0.01 on a circle of radius 1."""
    angles = torch.arange(8) * (math.tau / 8)
    return Toy(torch.stack([angles.cos(), angles.sin()], 1), 0.01, STEPS)


def grid() -> Toy:
    """25 Gaussians of standard deviation 0.05 on a grid of spacing 2, all scaled to a quarter."""
    line = torch.arange(-2, 3) / 2
    return Toy(torch.cartesian_prod(line, line), 0.05 / 4, STEPS)


TOYS: dict[str, Callable[[], Toy]] = {
    "ring": ring,
    "grid": grid,
}

# What a loss needs: R1 (Mescheder et al. 2018); or R1 and R2 (Huang et al. 2024); or the gradient penalty and more
# steps of the discriminator (Gulrajani et al. 2017). The weights are small because the Gaussians are narrow.
USUAL: dict[str, Any] = {"r1": 0.01}
OTHERS: dict[str, dict[str, Any]] = {
    "wasserstein": {"gradient_penalty": 0.1, "d_steps": 3},
    "relativistic": {"r1": 0.01, "r2": 0.01},
}
TASKS = {loss: generate.Config(loss=loss, **OTHERS.get(loss, USUAL)) for loss in LOSSES}
RUNS = 3  # pairs of networks for each toy and loss, each with its own random numbers
LATENT, WIDTH, TOY_BATCH = 2, 64, 128
POINTS = 2_500  # from one generator, for its score


class Layers(nn.Module):
    """RUNS small, independent networks with two hidden layers each, computed in one pass."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        sizes = [inside, WIDTH, WIDTH, outside]
        pairs = list(itertools.pairwise(sizes))
        self.weights = nn.ParameterList([torch.empty(RUNS, a, b).uniform_(-1, 1) / math.sqrt(a) for a, b in pairs])
        self.biases = nn.ParameterList([torch.empty(RUNS, 1, b).uniform_(-1, 1) / math.sqrt(a) for a, b in pairs])

    def forward(self, x: Tensor) -> Tensor:
        """[RUNS * B, inside] -> [RUNS * B, outside]; the rows of a network are consecutive."""
        x = x.view(RUNS, -1, x.shape[1])
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.baddbmm(bias, x, weight)
            x = x if weight is self.weights[-1] else leaky_relu(x, 0.2)
        return x.flatten(0, 1)


class ToyGenerator(nn.Module):
    """Maps z to points; a point is a picture of one pixel with two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers(LATENT, 2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, LATENT] -> points [B, 2, 1, 1], without a fixed range."""
        return self.layers(z)[:, :, None, None]


class ToyDiscriminator(nn.Module):
    """Maps points to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers(2, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """points [B, 2, 1, 1] -> logits [B]."""
        return self.layers(images.flatten(1)).squeeze(1)


@dataclass(frozen=True)
class ToyScore:
    """Gaussians found, and the share of points within 3 standard deviations of one (real points: 98.9%)."""

    modes: int
    quality: float


def toy_score(points: Tensor, toy: Toy) -> ToyScore:
    """Score points [N, 2]: a Gaussian counts as found where a point is within 3 standard deviations of its centre."""
    nearest = torch.cdist(points, toy.centres).min(1)
    good = nearest.values <= 3 * toy.sd
    return ToyScore(len(nearest.indices[good].unique()), float(good.float().mean()))


def train_toy(toy: Toy, task: generate.Config, seed: int = 0) -> list[ToyScore]:
    """Train RUNS tiny pairs of networks on a toy with the library's task and trainer; score the averaged generators."""
    torch.manual_seed(seeds.key(seed, "toy"))
    pair = generate.GenerateTask(ToyGenerator(), ToyDiscriminator(), ImageSpec(2, 1), task, LATENT)
    batch = RUNS * TOY_BATCH
    config = Config(
        images=toy.steps * batch,
        batch=batch,
        lr_g=2e-3,
        lr_d=2e-3,
        decay_from=0.5,
        ema=toy.steps * batch // 50,
        seed=seed,
        device="cpu",
        precision="fp32",
    )
    trainer, random = Trainer(pair, config), seeds.generator(seed, "toy points")
    for step in range(toy.steps):
        trainer.step(Batch(toy.draw(batch, random)[:, :, None, None], None, step))
    with torch.inference_mode():
        points = trainer.average(torch.randn(RUNS * POINTS, LATENT, generator=random)).flatten(1)
    return [toy_score(part, toy) for part in points.chunk(RUNS)]


def train_all(seed: int = 0) -> Iterator[tuple[str, dict[str, list[ToyScore]]]]:
    """For each loss: its name, and for each toy the scores of its RUNS generators."""
    for name, task in TASKS.items():
        yield name, {toy: train_toy(make(), task, seed) for toy, make in TOYS.items()}
