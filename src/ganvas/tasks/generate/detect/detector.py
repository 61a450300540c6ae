"""The discriminator as a detector: a small calibrated head on what its layers see.

A discriminator's own logit is of no use to people: it compares a batch of its generator's newest pictures with real
ones, and has never seen anything else. The head learns, after the contest, from held-out real images against the run's
own pictures of many moments, spoilt images and strangers (training images make up for few held-out ones). It also looks
at how far features are from those of real images (the distance of Mahalanobis, as Lee et al. 2018 use it). Its
probabilities are calibrated on real images that neither network has learned from (Platt 1999), and a third part of the
held-out images is left for its report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.text import one_line
from ganvas.images import tensors as im
from ganvas.tasks.generate.detect.outliers import LEARNED, UNSEEN

LEAST = 100  # held-out images without which there is no detector: 40 of them calibrate it, for 1 false alarm in 41
USED = 200  # held-out images that are used at least, where there are as many
PARTS = 0.2, 0.4  # shares of the held-out images that the head learns from, and that calibrate it
FAKES = 0.25  # share of generated pictures among the images that are not real
ROUNDS, BATCH, RATE, DECAY = 16, 256, 3e-3, 0.02
WIDTH = 64
SHRINK = 0.05  # share of the identity in the features' covariance
OUTLYING = 6.0  # standard deviations at which a feature is cut off
SHOWN = 1_000  # pictures of a family in a report
LEVELS = 1_001  # quantiles that are kept of the scores of real images, and of others


class Detector(nn.Module):
    """A discriminator's features, the head on them, and what thresholds follow from."""

    def __init__(self, width: int) -> None:
        """`width`: features that `summary` gives of the discriminator's layers."""
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))
        self.whiten = nn.Buffer(torch.eye(width))
        self.far = nn.Buffer(torch.tensor([0.0, 1.0]))  # mean and spread of real images' log distances
        self.head = nn.Sequential(
            nn.Linear(width + 2, WIDTH),
            nn.LeakyReLU(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.LeakyReLU(0.1),
            nn.Linear(WIDTH, 1),
        )
        self.platt = nn.Buffer(torch.tensor([1.0, 0.0]))
        self.real_scores = nn.Buffer(torch.zeros(LEVELS))
        self.other_scores = nn.Buffer(torch.zeros(LEVELS))

    def forward(self, features: Tensor) -> Tensor:
        """features [B, width] -> calibrated logits [B], positive for the kind of images that was trained on."""
        return self.platt[0] * self.raw(features) + self.platt[1]

    def standard(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features in standard deviations of real images', and the logarithm of their distance from these."""
        x = (features - self.mean) / self.scale
        return x, ((x @ self.whiten).square().mean(1) + 1e-6).log()

    def raw(self, features: Tensor) -> Tensor:
        x, distance = self.standard(features)
        far = (distance - self.far[0]) / self.far[1]
        extreme = (x.abs().amax(1) + 1e-6).log()
        x = torch.cat([OUTLYING * torch.tanh(x / OUTLYING), far.clamp(-8, 8)[:, None], extreme[:, None]], 1)
        return self.head(x).squeeze(1)

    def thresholds(self, alarm: float) -> tuple[float, float]:
        """Probabilities below which an image is 'not' of the kind, and from which on it is; between: 'not sure'.

        Of new real images no more than a share `alarm` is below the first on average; a share below `smallest_alarm`
        cannot be promised. Of the others that were learned from no more reach the second, never below the first.
        """
        no, yes = float(_at(self.real_scores, alarm)), float(_at(self.other_scores, 1 - alarm))
        return no, max(no, yes)


@dataclass(frozen=True)
class Parts:
    """Held-out images that the head learns from, that calibrate it, and that are left for its report (numbers)."""

    learn: Tensor
    calibrate: Tensor
    report: Tensor


def parts(count: int, seed: int, most: int) -> Parts:
    """How `count` held-out images are divided; equal for equal seeds. `most`: see `learn`."""
    order = torch.randperm(count, generator=seeds.generator(seed, "detector"))[: max(USED, most // 2)]
    ends = [round(len(order) * share) for share in (PARTS[0], PARTS[0] + PARTS[1])]
    return Parts(order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])


def summary(layers: Sequence[Tensor]) -> Tensor:
    """What a discriminator's layers see, [B, width]: mean, spread and maximum of each map, and the last layer as it is.

    Of other layers without maps the same three, over all their units.
    """
    found = []
    for number, layer in enumerate(layers, 1):
        x = layer.float()
        if x.dim() == 2 and number == len(layers):
            found.append(x)
            continue
        x = x.flatten(2) if x.dim() == 4 else x.unsqueeze(1)
        mean = x.mean(2)
        found += [mean, ((x - mean[:, :, None]).square().mean(2) + 1e-8).sqrt(), x.amax(2)]
    return torch.cat(found, 1)


@torch.no_grad()
def features(discriminator: nn.Module, images: Tensor) -> Tensor:
    """images uint8 [n, C, H, W] -> features [n, width] on the CPU."""
    device = next(discriminator.parameters()).device
    found = [summary(discriminator.features(im.to_float(x.to(device)))).cpu() for x in images.split(256)]  # pyright: ignore[reportCallIssue]
    return torch.cat(found)


def probabilities(discriminator: nn.Module, detector: Detector, images: Tensor) -> Tensor:
    """How probable each image is of the kind, [n] on the CPU, wherever the networks are; images uint8 [n, C, H, W]."""
    return torch.sigmoid(detector(features(discriminator, images).to(detector.mean.device))).cpu()


def others(real: Tensor, fakes: Tensor, seed: int, turn: str) -> Tensor:
    """As many images that are not of the kind: a share of FAKES, the rest from the learned families in equal shares."""
    random, count = seeds.generator(seed, "strangers", turn), round(FAKES * len(real))
    own = fakes[torch.randint(len(fakes), (count,), generator=random)] if count > len(fakes) else fakes[:count]
    pieces = real[torch.randperm(len(real), generator=random)[: len(real) - count]].tensor_split(len(LEARNED))
    made = [family(piece, random) for family, piece in zip(LEARNED.values(), pieces, strict=True) if len(piece)]
    return torch.cat([own, *made])


def learn(
    discriminator: nn.Module, train: Tensor, held_out: Tensor, fresh: Tensor, older: Tensor, seed: int, most: int
) -> Detector:
    """Fit and calibrate the head.

    Args:
        discriminator: in evaluation mode.
        train, held_out: real images, uint8 [n, C, H, W]; at least LEAST are held out.
        fresh: the finished generator's pictures, uint8 [m, C, H, W].
        older: the same run's pictures of earlier moments.
        most: training images that are used at most, and twice the held-out images that are.
    """
    chosen = parts(len(held_out), seed, most)
    order = torch.randperm(len(train), generator=seeds.generator(seed, "detector's images"))[:most]
    both = torch.cat([fresh, older])
    both = both[torch.randperm(len(both), generator=seeds.generator(seed, "detector's fakes"))]
    to_learn, to_calibrate = both[: len(both) * 2 // 3], both[len(both) * 2 // 3 :]
    real, kept = torch.cat([held_out[chosen.learn], train[order]]), held_out[chosen.calibrate]
    sides = [features(discriminator, x) for x in (real, others(real, to_learn, seed, "learn"))]
    check = [features(discriminator, x) for x in (kept, others(kept, to_calibrate, seed, "calibrate"))]
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(seed, "detector"))
        detector = Detector(sides[0].shape[1])
        _standardise(detector, sides[0])
        _fit(detector, *sides)
    _calibrate(detector.eval().requires_grad_(False), *check)
    return detector.to(next(discriminator.parameters()).device)


def _standardise(detector: Detector, real: Tensor) -> None:
    detector.mean.copy_(real.mean(0))
    detector.scale.copy_(real.std(0).clamp_min(1e-3 * float(real.std()) + 1e-8))
    x, _ = detector.standard(real)
    covariance = (1 - SHRINK) * (x.T @ x) / len(x) + SHRINK * torch.eye(x.shape[1])
    values, vectors = torch.linalg.eigh(covariance.double())
    detector.whiten.copy_((vectors * values.clamp_min(1e-6).rsqrt()).float())
    _, distance = detector.standard(real)
    detector.far.copy_(torch.stack([distance.mean(), distance.std().clamp_min(1e-3)]))


def _fit(detector: Detector, real: Tensor, other: Tensor) -> None:
    """Half real images and half others in each batch."""
    steps = max(200, ROUNDS * len(real) // BATCH)
    optimizer = torch.optim.AdamW(detector.head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    wanted = torch.cat([torch.ones(BATCH // 2), torch.zeros(BATCH // 2)])
    for _ in range(steps):
        picked = [side[torch.randint(len(side), (BATCH // 2,))] for side in (real, other)]
        loss = F.binary_cross_entropy_with_logits(detector.raw(torch.cat(picked)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _calibrate(detector: Detector, real: Tensor, other: Tensor) -> None:
    """Platt's two numbers by Newton's method, and the quantiles that thresholds come from."""
    raw = torch.cat([detector.raw(real), detector.raw(other)]).double()
    wanted = (torch.arange(len(raw)) < len(real)).double()
    weight = torch.where(wanted > 0, 0.5 / len(real), 0.5 / len(other))
    ones = torch.stack([raw, torch.ones_like(raw)], 1)
    platt = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for _ in range(30):
        p = torch.sigmoid(ones @ platt)
        slope = ones.T @ (weight * (p - wanted))
        bend = (ones * (weight * p * (1 - p))[:, None]).T @ ones + 1e-9 * torch.eye(2, dtype=torch.float64)
        platt = platt - torch.linalg.solve(bend, slope).clamp(-1, 1)
    detector.platt.copy_(platt)
    detector.real_scores.copy_(_levels(torch.sigmoid(detector(real))))
    detector.other_scores.copy_(1 - _levels(1 - torch.sigmoid(detector(other))).flip(0))


def _levels(scores: Tensor) -> Tensor:
    """For each share from 0 to 1 in LEVELS steps the score that no more of new images are below, on average.

    Of n images and a new one each is the lowest equally often: the new one is below the k-th of them with a chance of
    k / (n + 1), however they are distributed (conformal prediction, Vovk et al. 2005). A share too small for one: 0.
    """
    shares, count = torch.linspace(0, 1, LEVELS, dtype=torch.float64), len(scores)
    place = (shares * (count + 1) + 1e-9).floor().long().clamp(max=count)
    return torch.cat([scores.new_zeros(1), scores.sort().values])[place]


def smallest_alarm(calibrated: int) -> float:
    """The smallest false-alarm rate that so many real images can promise: a new one is the lowest so often."""
    return 1 / (calibrated + 1)


def why_none(held_out: int, most: int) -> str:
    """Why a training with so many held-out images, and this `detect`, ends without a detector; empty: it has one."""
    if not most:
        return "the training was told to learn none (detect=0)"
    if held_out >= LEAST:
        return ""
    return (
        f"{held_out:,} held-out pictures, {LEAST} needed; train on more pictures (of a folder about a tenth is held "
        "out)"
    )


def why_none_in(card: dict[str, Any]) -> str:
    """Why the model of this card has no detector, as far as the card tells."""
    said, task = card.get("no_detector"), card.get("task")
    if isinstance(said, str) and said:
        return one_line(said[:300])
    if not card.get("finished"):
        return "it is learned when a training ends; let it end: ganvas resume RUN"
    if isinstance(task, dict) and task.get("detect") == 0:
        return why_none(0, 0)
    return (
        "its training ended without one, and did not note why (older versions needed 200 held-out pictures, and did "
        f"not say so); train anew, with {LEAST} held-out pictures or more"
    )


def _at(quantiles: Tensor, share: float) -> Tensor:
    """The value that a share is below, between the quantiles that were kept."""
    place = min(max(share, 0.0), 1.0) * (len(quantiles) - 1)
    low = min(int(place), len(quantiles) - 2)
    return torch.lerp(quantiles[low], quantiles[low + 1], place - low)


def auroc(real: Tensor, other: Tensor) -> float:
    """Share of the pairs in which the real image has the higher score; ties count a half (Mann and Whitney 1947)."""
    scores = torch.cat([real, other]).double()
    _, inverse, counts = scores.unique(return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0).double() - (counts.double() - 1) / 2
    total = ranks[inverse[: len(real)]].sum()
    return float((total - len(real) * (len(real) + 1) / 2) / (len(real) * len(other)))


def calibration_error(probabilities: Tensor, is_real: Tensor, bins: int = 15) -> float:
    """Expected calibration error: how far a stated probability is from what happens (Guo et al. 2017, eq. 3)."""
    which = (probabilities * bins).long().clamp(0, bins - 1)
    gaps = torch.zeros(bins).index_add(0, which, probabilities.float() - is_real.float())
    return float(gaps.abs().sum() / len(probabilities))


@dataclass(frozen=True)
class Row:
    """Pictures of one kind before the detector: how many, AUROC of held-out real images against them, share let pass.

    `learned`: the head has learned from others of this kind.
    """

    name: str
    learned: bool
    count: int
    auroc: float
    passed: float


@dataclass(frozen=True)
class Report:
    """What a detector is worth on real images that nothing has learned from, and against whom."""

    alarm: float
    false_alarm: float
    calibration_error: float
    real: int
    rows: tuple[Row, ...]
    calibrated: int = 0  # real images that thresholds rest on


def report(
    discriminator: nn.Module,
    detector: Detector,
    held_out: Tensor,
    fresh: Tensor,
    seed: int,
    most: int,
    alarm: float = 0.05,
    more: dict[str, Tensor] | None = None,
) -> Report:
    """Ask the detector about the held-out images that were left for this, and about others.

    Args:
        held_out: all held-out images, as `learn` got them with the same seed and `most`.
        fresh: the generator's pictures, uint8, of seeds that it has not learned from.
        alarm: the false-alarm rate that thresholds are asked for.
        more: other pictures by name, uint8 [n, C, H, W].
    """
    chosen = parts(len(held_out), seed, most)
    real = held_out[chosen.report]
    scores = probabilities(discriminator, detector, real)
    no, _ = detector.thresholds(alarm)
    rows = []

    def row(name: str, pictures: Tensor, learned: bool) -> None:
        found = probabilities(discriminator, detector, pictures)
        passed = float((found >= no).float().mean())
        rows.append(Row(name, learned, len(found), auroc(scores, found), passed))

    row("own pictures, new seeds", fresh, True)
    for name, pictures in (more or {}).items():
        row(name, pictures, False)
    random = seeds.generator(seed, "detector's report")
    for families, learned in ((UNSEEN, False), (LEARNED, True)):
        for name, family in families.items():
            row(name, family(real[:SHOWN], random), learned)
    mixed = probabilities(discriminator, detector, others(real, fresh, seed, "report"))
    both, is_real = torch.cat([scores, mixed]), torch.arange(len(scores) + len(mixed)) < len(scores)
    error = calibration_error(both, is_real)
    return Report(alarm, float((scores < no).float().mean()), error, len(real), tuple(rows), len(chosen.calibrate))
