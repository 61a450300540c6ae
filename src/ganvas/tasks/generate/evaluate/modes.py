"""How many kinds of pictures a generator draws, and how evenly: stacked MNIST and two plane toys.

Stacked MNIST has 1,000 kinds, three digits in three channels. A classifier of digits names the kind of each of 26,000
pictures; a kind counts once it was seen, and KL(kinds seen || uniform) says how even their shares are. Source: Metz et
al. 2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 26,000).

The toys are mixtures of narrow Gaussians in the plane, on which a weak loss forgets some of them within seconds.
Source: Srivastava et al. 2017, section 4.1, with the sizes of Lin et al. 2018, section 4.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.features import extractors
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import task as generate
from ganvas.tasks.generate.model import Model
from ganvas.training.batches import Batch
from ganvas.training.trainer import Config, Trainer

KINDS = 1_000  # of stacked MNIST: three digits in a row
COUNT = 26_000  # pictures that are usually drawn
STEPS = 800  # of a toy: few, so that all toys are done in about a minute

Classify = Callable[[Tensor], Tensor]  # uint8 [N, 1, 28, 28] -> the digits that it sees, int64 [N]


# -------------------- stacked MNIST


@dataclass(frozen=True)
class Score:
    """Kinds seen at least once, KL(kinds seen || uniform) in nats, and the number of pictures."""

    modes: int
    kl: float
    count: int


def score(images: Tensor, classify: Classify) -> Score:
    """How many of the 1,000 kinds there are among stacked digits, and how evenly.

    Args:
        images: uint8 [N, 3, 28, 28], at least one.
    """
    seen = classify(images.flatten(0, 1)[:, None]).view(-1, 3)
    kinds = seen @ torch.tensor([100, 10, 1])
    return from_counts(torch.bincount(kinds, minlength=KINDS))


def from_counts(counts: Tensor) -> Score:
    """The score of so many pictures of each kind, int64 [K]; a kind that was not seen adds nothing to the KL."""
    total = int(counts.sum())
    shares = counts[counts > 0].double() / total
    return Score(len(shares), float((shares * (shares * len(counts)).log()).sum()), total)


def expected_kl(shares: Tensor, count: int) -> float:
    """What `count` pictures score on average where each channel has the digits in these shares, independently.

    Exact: the sum over the binomial chances of how often each kind is seen. It is near the KL of the kinds' own shares
    plus (K - 1) / 2 N, because N pictures never fall evenly (Miller 1955): 0.0193 for uniform kinds and N = 26,000.

    Args:
        shares: of the ten digits, [10].
    """
    shares = shares.double() / shares.sum()
    kinds = torch.einsum("i,j,k->ijk", shares, shares, shares).flatten()
    kinds = kinds[kinds > 0]
    most = count * float(kinds.max())
    seen = torch.arange(1, min(count, int(most + 12 * math.sqrt(most) + 20)) + 1).double()[:, None]
    chance = torch.distributions.Binomial(count, kinds).log_prob(seen).exp()
    return float((chance * (seen / count) * (seen / count * KINDS).log()).sum())


def classifier() -> Classify:
    """The classifier of digits that comes with Ganvas."""
    digits = extractors.load("digits", ImageSpec(1, 28))

    def classify(images: Tensor) -> Tensor:
        opinions = digits.look(images)[1]
        assert opinions is not None
        return opinions.argmax(1)

    return classify


def check(model: Model) -> None:
    """Raises a UserError where a model does not draw stacked MNIST."""
    spec, name = model.spec, model.card.get("data_name")
    if (spec.channels, spec.size) != (3, 28):
        raise UserError(
            f"{model.path} draws {spec.channels}x{spec.size}x{spec.size} pictures of {name}; modes are counted on "
            "3x28x28 pictures of stacked-mnist (ganvas train stacked-mnist)."
        )
    if name != "stacked-mnist":
        raise UserError(f"{model.path} was trained on {name}; modes are counted on stacked-mnist.")


@dataclass(frozen=True)
class Verdict:
    """The score of a model, and what it is to be held against."""

    model: Score
    control: Score  # of as many real pictures, by the same code
    floor_uniform: float  # KL that uniform kinds would score on average
    floor_copy: float  # KL that a perfect copy of the data would score on average
    errors: float  # share of MNIST's test digits that the classifier names wrongly


def judge(model: Model, count: int = COUNT, seed: int = 0, classify: Classify | None = None) -> Verdict:
    """Score `count` pictures of a model, the seeds `seed`, `seed` + 1, ..., beside as many real ones.

    Raises:
        UserError: the model does not draw stacked MNIST, or draws no numbers; or `count` is not between the 1,000
            kinds, which fewer pictures cannot show, and the 128,000 real pictures.
    """
    check(model)
    if not KINDS <= count <= data.STACKED[0]:
        few = f" Fewer cannot show {KINDS:,} kinds." if count < KINDS else ""
        raise UserError(f"--count {count}: choose between {KINDS:,} and {data.STACKED[0]:,} pictures.{few}")
    classify = classify or classifier()
    drawn = torch.cat([im.to_uint8(portion) for portion in model.draw(range(seed, seed + count))])
    mnist, real = data.mnist(), data.stacked_mnist().train.images
    real = real[torch.randperm(len(real), generator=seeds.generator(seed, "control"))[:count]]
    assert mnist.train.labels is not None
    assert mnist.held_out.labels is not None
    shares = torch.bincount(torch.cat([mnist.train.labels, mnist.held_out.labels]), minlength=10)
    return Verdict(
        model=score(drawn, classify),
        control=score(real, classify),
        floor_uniform=expected_kl(torch.ones(10), count),
        floor_copy=expected_kl(shares, count),
        errors=float((classify(mnist.held_out.images) != mnist.held_out.labels).float().mean()),
    )


# -------------------- the toys


@dataclass(frozen=True)
class Toy:
    """A mixture of equal Gaussians: their centres [K, 2], their standard deviation, and steps to train."""

    centres: Tensor
    sd: float
    steps: int

    def draw(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """Points [count, 2] of the mixture."""
        which = torch.randint(len(self.centres), (count,), generator=random)
        return self.centres[which] + self.sd * torch.randn(count, 2, generator=random)


def ring() -> Toy:
    """Eight Gaussians of standard deviation 0.01 on a circle of radius 1."""
    angles = torch.arange(8) * (math.tau / 8)
    return Toy(torch.stack([angles.cos(), angles.sin()], 1), 0.01, STEPS)


def grid() -> Toy:
    """25 Gaussians of standard deviation 0.05 on a grid of spacing 2, all drawn at a quarter of that size."""
    line = torch.arange(-2, 3) / 2
    return Toy(torch.cartesian_prod(line, line), 0.05 / 4, STEPS)


TOYS: dict[str, Callable[[], Toy]] = {
    "ring": ring,
    "grid": grid,
}

# What each loss wants: R1 (Mescheder et al. 2018), R1 and R2 (Huang et al. 2024), or the gradient penalty and more
# steps of the discriminator (Gulrajani et al. 2017). The weights are small because the Gaussians are narrow.
TASKS: dict[str, generate.Config] = {
    "nonsaturating": generate.Config(loss="nonsaturating", r1=0.01),
    "minimax": generate.Config(loss="minimax", r1=0.01),
    "hinge": generate.Config(loss="hinge", r1=0.01),
    "least-squares": generate.Config(loss="least-squares", r1=0.01),
    "wasserstein": generate.Config(loss="wasserstein", gradient_penalty=0.1, d_steps=3),
    "relativistic": generate.Config(loss="relativistic", r1=0.01, r2=0.01),
}
RUNS = 3  # pairs of networks a toy and loss, each from its own random numbers
LATENT, WIDTH, TOY_BATCH = 2, 64, 128
POINTS = 2_500  # that the score of one generator looks at


class Layers(nn.Module):
    """RUNS small networks side by side, two hidden layers each: in one pass, and none knows of the others."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        sizes = [inside, WIDTH, WIDTH, outside]
        pairs = list(itertools.pairwise(sizes))
        self.weights = nn.ParameterList([torch.empty(RUNS, a, b).uniform_(-1, 1) / math.sqrt(a) for a, b in pairs])
        self.biases = nn.ParameterList([torch.empty(RUNS, 1, b).uniform_(-1, 1) / math.sqrt(a) for a, b in pairs])

    def forward(self, x: Tensor) -> Tensor:
        """[RUNS * B, inside] -> [RUNS * B, outside]; the rows of a network follow each other."""
        x = x.view(RUNS, -1, x.shape[1])
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.baddbmm(bias, x, weight)
            x = x if weight is self.weights[-1] else leaky_relu(x, 0.2)
        return x.flatten(0, 1)


class ToyGenerator(nn.Module):
    """From z to points; points are pictures of one pixel with two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers(LATENT, 2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, LATENT] -> points [B, 2, 1, 1], in no fixed range."""
        return self.layers(z)[:, :, None, None]


class ToyDiscriminator(nn.Module):
    """From points to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers(2, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """points [B, 2, 1, 1] -> logits [B]."""
        return self.layers(images.flatten(1)).squeeze(1)


@dataclass(frozen=True)
class ToyScore:
    """Gaussians that were found, and the share of points within 3 standard deviations of one (real points: 98.9%)."""

    modes: int
    quality: float


def toy_score(points: Tensor, toy: Toy) -> ToyScore:
    """Judge points [N, 2]: a Gaussian is found where a point lies within 3 standard deviations of its centre."""
    nearest = torch.cdist(points, toy.centres).min(1)
    good = nearest.values <= 3 * toy.sd
    return ToyScore(len(nearest.indices[good].unique()), float(good.float().mean()))


def train_toy(toy: Toy, task: generate.Config, seed: int = 0) -> list[ToyScore]:
    """Train RUNS tiny pairs on a toy, with the library's own task and step, and judge the averaged generators."""
    torch.manual_seed(seeds.key(seed, "toy"))
    contest = generate.GenerateTask(ToyGenerator(), ToyDiscriminator(), ImageSpec(2, 1), task, LATENT)
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
    trainer, random = Trainer(contest, config), seeds.generator(seed, "toy points")
    for step in range(toy.steps):
        trainer.step(Batch(toy.draw(batch, random)[:, :, None, None], None, step))
    with torch.inference_mode():
        drawn = trainer.average(torch.randn(RUNS * POINTS, LATENT, generator=random)).flatten(1)
    return [toy_score(points, toy) for points in drawn.chunk(RUNS)]


def toys(seed: int = 0) -> Iterator[tuple[str, dict[str, list[ToyScore]]]]:
    """For each loss: its name, and for each toy the scores of its RUNS generators."""
    for name, task in TASKS.items():
        yield name, {toy: train_toy(make(), task, seed) for toy, make in TOYS.items()}
