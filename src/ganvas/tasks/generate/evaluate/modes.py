"""How many kinds of pictures a generator draws, and how evenly: stacked MNIST.

Stacked MNIST has 1,000 kinds, three digits in three channels. A classifier of digits names the kind of each of 26,000
pictures; a kind counts once it was seen, and KL(kinds seen || uniform) says how even their shares are. Source: Metz et
al. 2017, section 3.3; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2 (the 26,000).
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

KINDS = 1_000  # of stacked MNIST: three digits in a row
COUNT = 26_000  # pictures that are usually drawn

Classify = Callable[[Tensor], Tensor]  # uint8 [N, 1, 28, 28] -> the digits that it sees, int64 [N]


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
        opinions = digits.extract(images)[1]
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
class Scores:
    """The score of a model, and what it is to be held against."""

    model: Score
    control: Score  # of as many real pictures, by the same code
    floor_uniform: float  # KL that uniform kinds would score on average
    floor_copy: float  # KL that a perfect copy of the data would score on average
    errors: float  # share of MNIST's test digits that the classifier names wrongly


def score_model(model: Model, count: int = COUNT, seed: int = 0, classify: Classify | None = None) -> Scores:
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
    return Scores(
        model=score(drawn, classify),
        control=score(real, classify),
        floor_uniform=expected_kl(torch.ones(10), count),
        floor_copy=expected_kl(shares, count),
        errors=float((classify(mnist.held_out.images) != mnist.held_out.labels).float().mean()),
    )
