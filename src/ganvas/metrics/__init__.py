"""Metrics: how far generated samples are from real ones. A metric is one function here and one line in METRICS.

Each function takes a `Pair`: real samples (the reference) and others to compare with them, generated or real. It
returns a value, or a value with its standard error. What it means depends on the extractor, the number of samples and
the split: `ganvas.evaluate` states them, with the value that other real samples get by the same code (the floor).

Nothing here depends on the kind of sample: a task that measures more than features passes what is needed as `Raw`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ganvas.metrics import copies, distances, enough, neighbours, two_sample
from ganvas.metrics.copies import Nearest
from ganvas.metrics.distances import Gaussian
from ganvas.metrics.neighbours import Neighbourhood
from ganvas.metrics.two_sample import Verdict

CLASS_LEAST = 20  # samples of a class needed for a distance within the class
CLASSED = 0.5  # share of the real samples whose classes must have that many
HELD_OUT = round(1 / copies.NEAR)  # held-out samples needed to estimate the quantile `copies.NEAR`


@dataclass(frozen=True)
class Raw:
    """How the samples themselves are compared, rather than their features.

    flat: samples [N, ...] -> vectors [N, D], whose Euclidean distances are compared; network: makes a fresh
    classifier for samples like the given ones, see `two_sample.distinguish`.
    """

    flat: Callable[[Tensor], Tensor]
    network: Callable[[Tensor], nn.Module]


@dataclass(frozen=True)
class Side:
    """The samples of one side, with what the metrics need.

    samples [N, ...]; features float [N, D]; logits [N, K] of the classifier, if the extractor
    knows the data's classes; labels int64 [N]: the true class, or the class that was requested.
    """

    samples: Tensor
    features: Tensor
    logits: Tensor | None = None
    labels: Tensor | None = None
    raw: Raw | None = None  # None: no metrics of the samples themselves

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def radii(self) -> tuple[Tensor, Tensor]:
        return neighbours.radii(self.features)

    @cached_property
    def gaussian(self) -> Gaussian:
        return Gaussian.of(self.features)

    @cached_property
    def variance(self) -> float:
        return enough.variance(self.features)

    @cached_property
    def raw_variance(self) -> float:
        return enough.variance(self.flat)

    @property
    def flat(self) -> Tensor:
        """The samples themselves as vectors [N, D]."""
        assert self.raw is not None
        return self.raw.flat(self.samples)


@dataclass(frozen=True)
class Seen:
    """Training samples [M, ...], their features [M, D], and the distances of held-out samples to them.

    `held_out_raw`: by the samples themselves (see `Raw`).
    """

    samples: Tensor
    features: Tensor
    held_out_raw: Nearest
    held_out_features: Nearest
    held_out_angle: float  # mean cosine distance


@dataclass(frozen=True)
class Pair:
    """`real`: the reference; `other`: what is measured, or, for the floor (`other_is_real`), other real samples.

    Training samples have distance 0 to themselves: for the floor, distances to training samples are those of the
    held-out ones.
    """

    real: Side
    other: Side
    seen: Seen
    class_names: tuple[str, ...] = ()
    other_is_real: bool = False
    seed: int = 0
    inception: bool = False  # are the features those of an Inception network?

    @cached_property
    def distance(self) -> float:
        return distances.between(self.real.gaussian, self.other.gaussian)

    @cached_property
    def near(self) -> Neighbourhood:
        return neighbours.neighbourhood(self.real.features, self.other.features, self.real.radii, self.other.radii[0])

    @cached_property
    def raw_to_seen(self) -> Nearest:
        if self.other_is_real:
            return self.seen.held_out_raw
        assert self.other.raw is not None
        return copies.nearest(self.other.flat, self.other.raw.flat(self.seen.samples))

    @cached_property
    def _to_seen(self) -> tuple[Nearest, float]:
        return copies.nearest_by_features(self.other.features, self.seen.features)

    @cached_property
    def features_to_seen(self) -> Nearest:
        return self.seen.held_out_features if self.other_is_real else self._to_seen[0]

    @cached_property
    def angle_to_seen(self) -> float:
        return self.seen.held_out_angle if self.other_is_real else self._to_seen[1]

    @cached_property
    def verdict(self) -> Verdict:
        assert self.other.raw is not None
        return two_sample.distinguish(self.real.samples, self.other.samples, self.other.raw.network, self.seed)


def frechet(pair: Pair) -> float:
    return pair.distance


def kernel(pair: Pair) -> tuple[float, float]:
    return distances.kernel(pair.real.features, pair.other.features)


def precision(pair: Pair) -> float:
    return pair.near.precision


def recall(pair: Pair) -> float:
    return pair.near.recall


def density(pair: Pair) -> float:
    return pair.near.density


def coverage(pair: Pair) -> float:
    return pair.near.coverage


def mifid(pair: Pair) -> float:
    if pair.inception:
        return distances.mifid(pair.distance, pair.angle_to_seen)
    return distances.memory_informed(pair.distance, pair.angle_to_seen, pair.seen.held_out_angle)


def _can_detect_copies(pair: Pair) -> str:
    """Why the features cannot show copies of training samples; empty where they can."""
    usual = pair.seen.held_out_angle
    if not usual > 1e-6:
        return "the held-out images are the training images, to the extractor"
    if pair.inception and usual < distances.NEAR:
        return (
            f"held-out real images are nearer than {distances.NEAR:g} to training images themselves ({usual:.3f}), and "
            "would count as copies"
        )
    return ""


def classifier_score(pair: Pair) -> float:
    """exp of the mean KL divergence of an image's class probabilities from all images' (Salimans et al. 2016)."""
    assert pair.other.logits is not None
    log_each = pair.other.logits.double().log_softmax(1)
    log_all = (torch.logsumexp(log_each, 0) - torch.tensor(len(log_each)).log()).unsqueeze(0)
    return float((log_each.exp() * (log_each - log_all)).sum(1).mean().exp())


def class_accuracy(pair: Pair) -> float:
    """Share of the images that the classifier assigns to the requested class."""
    assert pair.other.logits is not None
    assert pair.other.labels is not None
    return float((pair.other.logits.argmax(1) == pair.other.labels).double().mean())


def class_frechet(pair: Pair) -> float:
    """Mean over the classes of the Frechet distance between the images of one class (classes of at least 20 images)."""
    real, other = pair.real, pair.other
    values = [
        distances.frechet(real.features[real.labels == c], other.features[other.labels == c])
        for c in _classes_of_both(pair)
    ]
    return sum(values) / len(values) if values else math.nan


def _classes_of_both(pair: Pair) -> list[int]:
    """The classes of which both sides have enough images."""
    assert pair.real.labels is not None
    assert pair.other.labels is not None
    counts = [torch.bincount(x, minlength=len(pair.class_names)) for x in (pair.real.labels, pair.other.labels)]
    return (torch.minimum(*counts) >= CLASS_LEAST).nonzero()[:, 0].tolist()


def _has_classes(pair: Pair) -> str:
    """Why too few classes have enough images; empty where enough of them do."""
    classes = _classes_of_both(pair)
    assert pair.real.labels is not None
    if torch.isin(pair.real.labels, torch.tensor(classes)).double().mean() >= CLASSED:
        return ""
    text = f"only {len(classes)} of the {len(pair.class_names)} classes have {CLASS_LEAST} "
    return f"{text}real and as many generated images"


def label_balance(pair: Pair) -> float:
    """Total variation distance between the shares of the classes, as the classifier assigns them."""

    def shares(logits: Tensor) -> Tensor:
        return torch.bincount(logits.argmax(1), minlength=logits.shape[1]) / len(logits)

    assert pair.real.logits is not None
    assert pair.other.logits is not None
    return float((shares(pair.real.logits) - shares(pair.other.logits)).abs().sum() / 2)


def near_copies_raw(pair: Pair) -> float:
    """Share of the samples that are nearer to a training sample than 99% of the held-out ones, without features."""
    return pair.raw_to_seen.share_below(copies.limit(pair.seen.held_out_raw))


def near_copies_features(pair: Pair) -> float:
    """The same by features."""
    return pair.features_to_seen.share_below(copies.limit(pair.seen.held_out_features))


def check_near(held_out: Callable[[Seen], Nearest]) -> Callable[[Pair], str]:
    """A check that the distance of real samples to training samples is known."""

    def check(pair: Pair) -> str:
        nearest = held_out(pair.seen)
        if len(nearest.distance) < HELD_OUT:
            return f"it needs {HELD_OUT} held-out images, and there are {len(nearest.distance)}"
        if copies.limit(nearest) > 0:
            return ""
        return f"more than {copies.NEAR:.0%} of the held-out images are copies of training images themselves"

    return check


def fresh_classifier(pair: Pair) -> tuple[float, float]:
    """Accuracy of a fresh classifier, and its standard error from the 95% interval."""
    low, high = pair.verdict.interval
    return pair.verdict.accuracy, (high - low) / (2 * two_sample.Z)


def _anything(pair: Pair) -> str:
    return ""


@dataclass(frozen=True)
class Metric:
    """A function of a pair, its title, which direction is better, and what it needs."""

    function: Callable[[Pair], float | tuple[float, float]]
    title: str
    better: str  # 'lower', 'higher', or 'near' (to the value that real images get)
    least: int = 50  # samples on each side that differ from each other
    needs: tuple[str, ...] = ()  # 'logits': a classifier of these classes; 'labels': samples of known class
    check: Callable[[Pair], str] = _anything  # another reason why it would be meaningless; empty: none
    once: bool = False  # computed for the first repeat only: its error follows from the number of samples
    slow: bool = False  # left out unless requested
    share: bool = False  # shown as a percentage
    raw: bool = False  # computed from the samples themselves, not from features

    def missing(self, pair: Pair) -> str:
        """Why it cannot be measured for this pair, as a clause; empty where it can."""
        real, other = pair.real, pair.other
        sides = (real, "real images"), (other, "other real images" if pair.other_is_real else "pictures")
        for side, what in sides:
            if lack := enough.too_few(side.samples, min(2, len(side)), what):
                return lack
        fewest = min(len(real), len(other))
        if fewest < self.least:
            return f"it needs {self.least} images of each kind, and there are {fewest}"
        if "logits" in self.needs and other.logits is None:
            return "this extractor does not know the classes of these images"
        if "labels" in self.needs and (other.labels is None or real.labels is None):
            return "the pictures were not asked for by class"
        for side, what in sides:
            if lack := enough.too_few(side.samples, self.least, what) or self._unusable(pair, side, what):
                return lack
        return self.check(pair)

    def _unusable(self, pair: Pair, side: Side, what: str) -> str:
        """Why the features of these samples, or the samples themselves, cannot be measured; empty where they can."""
        if self.raw:
            return enough.too_alike(side.raw_variance, pair.real.raw_variance, what)
        logits = side.logits if "logits" in self.needs else None
        return (
            enough.not_finite(side.features, what)
            or enough.not_finite(logits, what)
            or enough.too_alike(side.variance, pair.real.variance, what)
        )


METRICS: dict[str, Metric] = {
    "frechet": Metric(frechet, "Frechet distance", "lower", least=100),
    "kernel": Metric(kernel, "kernel distance x 1000", "lower", least=100),
    "precision": Metric(precision, "precision", "near"),
    "recall": Metric(recall, "recall", "near"),
    "density": Metric(density, "density", "near"),
    "coverage": Metric(coverage, "coverage", "near"),
    "mifid": Metric(mifid, "Frechet, memory-informed", "lower", least=100, check=_can_detect_copies, once=True),
    "classifier-score": Metric(classifier_score, "classifier score", "near", least=100, needs=("logits",)),
    "label-balance": Metric(label_balance, "class balance error", "lower", least=100, needs=("logits",), share=True),
    "class-accuracy": Metric(class_accuracy, "class accuracy", "higher", needs=("logits", "labels"), share=True),
    "class-frechet": Metric(
        class_frechet, "Frechet distance per class", "lower", least=200, needs=("labels",), check=_has_classes
    ),
    "near-copies-features": Metric(
        near_copies_features,
        "near copies by features",
        "lower",
        check=check_near(lambda seen: seen.held_out_features),
        once=True,
        share=True,
    ),
}
