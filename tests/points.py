"""A task from outside Ganvas: points in the plane, eight Gaussians on a ring; see `PointsTask`. No picture is in it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import ganvas
from ganvas.core import config, samples, seeds
from ganvas.core.model import TrainedModel
from ganvas.metrics.figures import Figure, figure
from ganvas.training import losses, trainer
from ganvas.training.batches import Batch, Batches
from ganvas.training.task import Task

CENTRES = torch.view_as_real(torch.polar(torch.ones(8), torch.arange(8) * torch.pi / 4))


@dataclass(frozen=True)
class Plane(samples.SpecBase):
    classes: int = 0

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, 2)


@dataclass(frozen=True, eq=False)
class Plot(samples.Preview):
    points: Tensor

    def files(self) -> dict[str, bytes]:
        dots = "".join(f'<circle cx="{x:.3f}" cy="{y:.3f}" r=".02"/>' for x, y in self.points.tolist())
        return {".svg": f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1.5 -1.5 3 3">{dots}</svg>'.encode()}


class PointData(samples.InMemory):
    def examples(self) -> Plot:
        return Plot(self.train.samples[:200])


@dataclass(frozen=True)
class Data(samples.DataConfigBase):
    source: str = config.knob("ring", "a name for the points")
    count: int = config.knob(2_000, "points to train on; as many are held out", low=10, high=10**6)

    def loading(self) -> Generator[samples.Counted, None, PointData]:
        yield from ()
        random = seeds.generator(0, "points")
        kinds = torch.randint(8, (2, self.count), generator=random)
        train, held_out = CENTRES[kinds] + 0.05 * torch.randn(2, self.count, 2, generator=random)
        return PointData(self.source, Plane(), samples.Rows(train), samples.Rows(held_out))


@dataclass(frozen=True)
class Layers:
    width: int = config.knob(32, "units of the hidden layers", low=1, high=4096)


def network(width: int, outside: int, *end: nn.Module) -> nn.Sequential:
    hidden = nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(width, outside), *end)


class Architecture:
    Config = Layers
    Generator = staticmethod(lambda _, layers: network(layers.width, 2))
    Discriminator = staticmethod(lambda _, layers: network(layers.width, 1, nn.Flatten(0)))


@dataclass(frozen=True)
class Config:
    r1: float = config.knob(0.1, "weight of the squared gradient of D on real points", low=0, high=100)


class Points(TrainedModel):
    def sample(self, n: int, seed: int = 0) -> Tensor:
        return self.generator(seeds.latents(range(seed, seed + n), 2))


def points() -> ganvas.Experiment:
    """Eight Gaussians on a ring, by a task from outside."""
    return ganvas.Experiment("points", Layers(), task=Config(), training=trainer.Config(images=2_000, batch=50))


class PointsTask(Task):
    name, Config, Data, Spec, Model = "points", Config, Data, Plane, Points
    networks, recipes = {"layers": Architecture}, {"points": points}
    loss = losses.LOSSES["nonsaturating"]

    def draw(self, batch: Batch, generator: nn.Module | None = None) -> Tensor:
        return (generator or self.generator)(batch.draw(torch.randn, 2).to(batch.real.device))

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        real_points = batch.real.requires_grad_()
        real, fake = self.discriminator(real_points), self.discriminator(self.draw(batch).detach())
        loss, steep = self.loss.d_loss(real, fake), losses.squared_gradient(real, real_points)
        return {"total": loss + self.config.r1 * steep, "loss_d": loss, **losses.verdicts(self.loss, real, fake)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = self.discriminator(self.draw(batch))
        loss = self.loss.g_loss(fake, fake)
        return {"total": loss, "loss_g": loss}

    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        logits = self.discriminator(batch.real), self.discriminator(self.draw(batch, generator))
        return dict(zip(("real", "fake"), losses.accuracy(self.loss, *logits), strict=True))

    def preview(self, generator: nn.Module, batches: Batches) -> Plot:
        return Plot(generator(seeds.latents(range(200), 2).to(batches.device)).cpu())

    @classmethod
    def measure(cls, model: Points, data: PointData, count: int, seed: int) -> Iterator[Figure]:
        far, real = (torch.cdist(x.cpu(), CENTRES) for x in (model.sample(count, seed), data.held_out.samples[:count]))
        value, floor = (float((x.amin(0) < 0.15).sum()) for x in (far, real))
        yield figure("centres", value, data, count, seed, title="Gaussians found", floor=floor, better="higher")
