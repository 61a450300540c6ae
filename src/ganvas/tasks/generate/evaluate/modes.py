"""Count how many modes of stacked MNIST a generator covers, and measure how evenly.

Stacked MNIST has 1,000 modes: three digits in three channels. A digit classifier finds the mode of each of 26,000
pictures; a mode counts once it is seen, and KL(modes seen || uniform) measures how even their shares are. Sources: Metz
et al. 2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 26,000).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.features import extractors
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.model import Model

MODES = 1_000  # of stacked MNIST: three digits
COUNT = 26_000  # pictures that are usually generated

Classify = Callable[[Tensor], Tensor]  # uint8 [N, 1, 28, 28] -> the digits shown, int64 [N]


@dataclass(frozen=True)
class Score:
    """Modes seen at least once, KL(modes seen || uniform) in nats, and the number of pictures."""

    modes: int
    kl: float
    count: int


def score(images: Tensor, classify: Classify) -> Score:
    """Count how many of the 1,000 modes occur among stacked digits, and measure how evenly.

    Args:
        images: uint8 [N, 3, 28, 28], at least one.
    """
    digits = classify(images.flatten(0, 1)[:, None]).view(-1, 3)
    modes = digits @ torch.tensor([100, 10, 1])
    return from_counts(torch.bincount(modes, minlength=MODES))


def from_counts(counts: Tensor) -> Score:
    """The score for the number of pictures of each mode, int64 [K]; an unseen mode adds nothing to the KL."""
    total = int(counts.sum())
    shares = counts[counts > 0].double() / total
    return Score(len(shares), float((shares * (shares * len(counts)).log()).sum()), total)


def expected_kl(shares: Tensor, count: int) -> float:
    """The expected KL of `count` pictures if each channel has the digits in these shares, independently.

    Exact: a sum over the binomial probabilities of how often each mode is seen. It is near the KL of the modes' real
    shares plus (K - 1) / 2 N, because N pictures never fall evenly (Miller 1955): 0.0193 for uniform modes, N = 26,000.

    Args:
        shares: of the ten digits, [10].
    """
    shares = shares.double() / shares.sum()
    modes = torch.einsum("i,j,k->ijk", shares, shares, shares).flatten()
    modes = modes[modes > 0]
    most = count * float(modes.max())
    times = torch.arange(1, min(count, int(most + 12 * math.sqrt(most) + 20)) + 1).double()[:, None]
    chance = torch.distributions.Binomial(count, modes).log_prob(times).exp()
    return float((chance * (times / count) * (times / count * MODES).log()).sum())


def classifier() -> Classify:
    """The digit classifier that comes with Ganvas."""
    digits = extractors.load("digits", ImageSpec(1, 28))

    def classify(images: Tensor) -> Tensor:
        opinions = digits.extract(images)[1]
        assert opinions is not None
        return opinions.argmax(1)

    return classify


def check(model: Model) -> None:
    """Raise a UserError if a model does not generate stacked MNIST."""
    spec, name = model.spec, model.card.get("data_name")
    if (spec.channels, spec.size) != (3, 28):
        raise UserError(
            f"{model.path} draws {spec.channels}x{spec.size}x{spec.size} pictures of {name}; modes are counted on "
            "3x28x28 pictures of stacked-mnist (ganvas train stacked-mnist)."
        )
    if name != "stacked-mnist":
        raise UserError(f"{model.path} was trained on {name}; modes are counted on stacked-mnist.")


@dataclass(frozen=True)
class Scores:
    """The score of a model, and the values to compare it with."""

    model: Score
    control: Score  # of as many real pictures, by the same code
    floor_uniform: float  # expected KL of uniform modes
    floor_copy: float  # expected KL of a perfect copy of the data
    errors: float  # share of MNIST's test digits that the classifier gets wrong


def score_model(model: Model, count: int = COUNT, seed: int = 0, classify: Classify | None = None) -> Scores:
    """Score `count` pictures of a model, with the seeds `seed`, `seed` + 1, ..., and as many real ones.

    Raises:
        UserError: the model does not generate stacked MNIST, or returns values that are not numbers; or `count` is
            not between 1,000 (fewer pictures cannot show all modes) and 128,000 (the number of real pictures).
    """
    check(model)
    if not MODES <= count <= data.STACKED[0]:
        few = f" Fewer cannot show {MODES:,} classes." if count < MODES else ""
        raise UserError(f"--count {count}: choose between {MODES:,} and {data.STACKED[0]:,} pictures.{few}")
    classify = classify or classifier()
    pictures = torch.cat([im.to_uint8(portion) for portion in model.draw(range(seed, seed + count))])
    mnist, real = data.mnist(), data.stacked_mnist().train.images
    real = real[torch.randperm(len(real), generator=seeds.generator(seed, "control"))[:count]]
    assert mnist.train.labels is not None
    assert mnist.held_out.labels is not None
    shares = torch.bincount(torch.cat([mnist.train.labels, mnist.held_out.labels]), minlength=10)
    return Scores(
        model=score(pictures, classify),
        control=score(real, classify),
        floor_uniform=expected_kl(torch.ones(10), count),
        floor_copy=expected_kl(shares, count),
        errors=float((classify(mnist.held_out.images) != mnist.held_out.labels).float().mean()),
    )
