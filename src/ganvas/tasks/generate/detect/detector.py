"""The discriminator as a detector: a small calibrated head on the features of its layers.

A discriminator's raw logit says little by itself: it has only ever compared its generator's newest pictures with real
ones. After the adversarial training, the head learns to tell held-out real images from the run's own pictures at many
stages, degraded images and outliers (training images fill in where few are held out). It also uses the distance of the
features from those of real images (Mahalanobis, as in Lee et al. 2018). Its probabilities are calibrated on real images
that neither network has learned from (Platt 1999); the rest of the held-out images is kept for its report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds
from ganvas.core.text import one_line
from ganvas.images import tensors as im
from ganvas.tasks.generate.detect.outliers import LEARNED, UNSEEN

LEAST = 100  # held-out images that a detector needs: 40 of them calibrate it, for 1 false alarm in 41
USED = 200  # held-out images that are used at least, if there are so many
PARTS = 0.2, 0.4  # shares of the held-out images that the head learns from, and that calibrate it
FAKES = 0.25  # share of generated pictures among the images that are not real
ROUNDS, BATCH, RATE, DECAY = 16, 256, 3e-3, 0.02
WIDTH = 64
SHRINK = 0.05  # share of the identity in the features' covariance
OUTLYING = 6.0  # standard deviations at which a feature is clipped (softly)
SHOWN = 1_000  # pictures of an outlier family in a report
LEVELS = 1_001  # quantiles that are stored of the scores of real images, and of all others


class Detector(nn.Module):
    """The head on a discriminator's features, and the quantiles that thresholds are taken from."""

    def __init__(self, width: int) -> None:
        """`width`: number of features that `summary` returns for the discriminator's layers."""
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
        """features [B, width] -> calibrated logits [B], positive for images like those that were trained on."""
        return self.platt[0] * self.raw(features) + self.platt[1]

    def standard(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features standardised by those of real images, and the logarithm of their distance from them."""
        x = (features - self.mean) / self.scale
        return x, ((x @ self.whiten).square().mean(1) + 1e-6).log()

    def raw(self, features: Tensor) -> Tensor:
        """The head's logits [B], before they are calibrated."""
        x, distance = self.standard(features)
        far = (distance - self.far[0]) / self.far[1]
        extreme = (x.abs().amax(1) + 1e-6).log()
        x = torch.cat([OUTLYING * torch.tanh(x / OUTLYING), far.clamp(-8, 8)[:, None], extreme[:, None]], 1)
        return self.head(x).squeeze(1)

    def thresholds(self, alarm: float) -> tuple[float, float]:
        """The probability below which the verdict is 'no', and the one from which it is 'yes'; between: 'not sure'.

        On average at most a share `alarm` of new real images is below the first; a share smaller than `smallest_alarm`
        cannot be promised. At most the same share of the learned outliers reaches the second, which is never below the
        first.
        """
        no, yes = float(_at(self.real_scores, alarm)), float(_at(self.other_scores, 1 - alarm))
        return no, max(no, yes)


@dataclass(frozen=True)
class Parts:
    """Indices of the held-out images that the head learns from, that calibrate it, and that its report uses."""

    learn: Tensor
    calibrate: Tensor
    report: Tensor


def parts(count: int, seed: int, most: int) -> Parts:
    """Divide `count` held-out images; the same for the same seed. `most`: see `learn`."""
    order = torch.randperm(count, generator=seeds.generator(seed, "detector"))[: max(USED, most // 2)]
    ends = [round(len(order) * share) for share in (PARTS[0], PARTS[0] + PARTS[1])]
    return Parts(order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])


def summary(layers: Sequence[Tensor]) -> Tensor:
    """One row of features an image, [B, width]: mean, spread and maximum of each map, and the last layer as it is.

    Of other layers without maps, the same three over all units.
    """
    statistics = []
    for number, layer in enumerate(layers, 1):
        x = layer.float()
        if x.dim() == 2 and number == len(layers):
            statistics.append(x)
            continue
        x = x.flatten(2) if x.dim() == 4 else x.unsqueeze(1)
        mean = x.mean(2)
        statistics += [mean, ((x - mean[:, :, None]).square().mean(2) + 1e-8).sqrt(), x.amax(2)]
    return torch.cat(statistics, 1)


@torch.no_grad()
def features(discriminator: nn.Module, images: Tensor) -> Tensor:
    """images uint8 [n, C, H, W] -> features [n, width] on the CPU."""
    device = next(discriminator.parameters()).device
    rows = [summary(discriminator.features(im.to_float(x.to(device)))).cpu() for x in images.split(256)]  # pyright: ignore[reportCallIssue]
    return torch.cat(rows)


def probabilities(discriminator: nn.Module, detector: Detector, images: Tensor) -> Tensor:
    """Each image's probability of being like the training images, [n] on the CPU; images uint8 [n, C, H, W]."""
    return torch.sigmoid(detector(features(discriminator, images).to(detector.mean.device))).cpu()


def negatives(real: Tensor, fakes: Tensor, seed: int, turn: str) -> Tensor:
    """As many images as `real` that the detector should reject: a share FAKES generated, the rest learned outliers."""
    random, count = seeds.generator(seed, "strangers", turn), round(FAKES * len(real))
    generated = fakes[torch.randint(len(fakes), (count,), generator=random)] if count > len(fakes) else fakes[:count]
    groups = real[torch.randperm(len(real), generator=random)[: len(real) - count]].tensor_split(len(LEARNED))
    outliers = [family(group, random) for family, group in zip(LEARNED.values(), groups, strict=True) if len(group)]
    return torch.cat([generated, *outliers])


def learn(
    discriminator: nn.Module, train: Tensor, held_out: Tensor, fresh: Tensor, older: Tensor, seed: int, most: int
) -> Detector:
    """Fit and calibrate the head.

    Args:
        discriminator: in evaluation mode.
        train, held_out: real images, uint8 [n, C, H, W]; at least LEAST are held out.
        fresh: the finished generator's pictures, uint8 [m, C, H, W].
        older: pictures from earlier in the same run.
        most: training images that are used at most; of the held-out images half as many, or USED.
    """
    chosen = parts(len(held_out), seed, most)
    order = torch.randperm(len(train), generator=seeds.generator(seed, "detector's images"))[:most]
    fakes = torch.cat([fresh, older])
    fakes = fakes[torch.randperm(len(fakes), generator=seeds.generator(seed, "detector's fakes"))]
    to_learn, to_calibrate = fakes[: len(fakes) * 2 // 3], fakes[len(fakes) * 2 // 3 :]
    real, kept_back = torch.cat([held_out[chosen.learn], train[order]]), held_out[chosen.calibrate]
    learned = [features(discriminator, x) for x in (real, negatives(real, to_learn, seed, "learn"))]
    calibration = [
        features(discriminator, x) for x in (kept_back, negatives(kept_back, to_calibrate, seed, "calibrate"))
    ]
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(seed, "detector"))
        detector = Detector(learned[0].shape[1])
        _standardise(detector, learned[0])
        _fit(detector, *learned)
    _calibrate(detector.eval().requires_grad_(False), *calibration)
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
    """Train the head; half of each batch is real."""
    steps = max(200, ROUNDS * len(real) // BATCH)
    optimizer = optimizers.AdamW(detector.head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    target = torch.cat([torch.ones(BATCH // 2), torch.zeros(BATCH // 2)])
    for _ in range(steps):
        picked = [side[torch.randint(len(side), (BATCH // 2,))] for side in (real, other)]
        loss = F.binary_cross_entropy_with_logits(detector.raw(torch.cat(picked)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _calibrate(detector: Detector, real: Tensor, other: Tensor) -> None:
    """Fit Platt's two parameters by Newton's method, and store the quantiles that thresholds are taken from."""
    raw = torch.cat([detector.raw(real), detector.raw(other)]).double()
    target = (torch.arange(len(raw)) < len(real)).double()
    weight = torch.where(target > 0, 0.5 / len(real), 0.5 / len(other))
    inputs = torch.stack([raw, torch.ones_like(raw)], 1)
    platt = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for _ in range(30):
        p = torch.sigmoid(inputs @ platt)
        gradient = inputs.T @ (weight * (p - target))
        hessian = (inputs * (weight * p * (1 - p))[:, None]).T @ inputs + 1e-9 * torch.eye(2, dtype=torch.float64)
        platt = platt - torch.linalg.solve(hessian, gradient).clamp(-1, 1)
    detector.platt.copy_(platt)
    detector.real_scores.copy_(_levels(torch.sigmoid(detector(real))))
    detector.other_scores.copy_(1 - _levels(1 - torch.sigmoid(detector(other))).flip(0))


def _levels(scores: Tensor) -> Tensor:
    """For LEVELS shares from 0 to 1: the score that on average at most this share of new images is below.

    A new image is equally likely to take each place among n others: it is below the k-th lowest with a chance of
    k / (n + 1), however scores are distributed (conformal prediction, Vovk et al. 2005). For a share too small: 0.
    """
    shares, count = torch.linspace(0, 1, LEVELS, dtype=torch.float64), len(scores)
    rank = (shares * (count + 1) + 1e-9).floor().long().clamp(max=count)
    return torch.cat([scores.new_zeros(1), scores.sort().values])[rank]


def smallest_alarm(calibrated: int) -> float:
    """The smallest false-alarm rate that can be promised after calibration on so many real images."""
    return 1 / (calibrated + 1)


def why_none(held_out: int, most: int) -> str:
    """Why a training with so many held-out images and `detect=most` ends without a detector; empty if it has one."""
    if not most:
        return "the training had detect=0"
    if held_out >= LEAST:
        return ""
    return (
        f"{held_out:,} held-out pictures, {LEAST} needed; train on more pictures (of a folder about a tenth is held "
        "out)"
    )


def why_none_in(card: dict[str, Any]) -> str:
    """Why the model with this card has no detector, as far as the card says."""
    reason, task = card.get("no_detector"), card.get("task")
    if isinstance(reason, str) and reason:
        return one_line(reason[:300])
    if not card.get("finished"):
        return "it is trained at the end of a training; resume it: ganvas resume RUN"
    if isinstance(task, dict) and task.get("detect") == 0:
        return why_none(0, 0)
    return (
        "its training ended without one, and did not note why (older versions needed 200 held-out pictures, and did "
        f"not say so); train again, with at least {LEAST} held-out pictures"
    )


def _at(quantiles: Tensor, share: float) -> Tensor:
    """The quantile of a share, interpolated between the stored ones."""
    position = min(max(share, 0.0), 1.0) * (len(quantiles) - 1)
    low = min(int(position), len(quantiles) - 2)
    return torch.lerp(quantiles[low], quantiles[low + 1], position - low)


def auroc(real: Tensor, other: Tensor) -> float:
    """Share of the pairs in which the real image scores higher; a tie counts half (Mann and Whitney 1947)."""
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
    """How the detector does on pictures of one family: their number, AUROC against real images, share that passes.

    `learned`: the head was trained on other pictures of this family.
    """

    name: str
    learned: bool
    count: int
    auroc: float
    passed: float


@dataclass(frozen=True)
class Report:
    """How good a detector is: on real images that nothing has learned from, and on each family of other pictures."""

    alarm: float
    false_alarm: float
    calibration_error: float
    real: int
    rows: tuple[Row, ...]
    calibrated: int = 0  # real images that it was calibrated on


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
    """Test the detector on the held-out images that were kept for this, and on other pictures.

    Args:
        held_out: all held-out images; they, `seed` and `most` as given to `learn`.
        fresh: the generator's pictures, uint8, with seeds that the detector has not learned from.
        alarm: the false-alarm rate of the thresholds.
        more: other pictures by name, uint8 [n, C, H, W].
    """
    chosen = parts(len(held_out), seed, most)
    real = held_out[chosen.report]
    scores = probabilities(discriminator, detector, real)
    no, _ = detector.thresholds(alarm)
    rows = []

    def row(name: str, pictures: Tensor, learned: bool) -> None:
        other_scores = probabilities(discriminator, detector, pictures)
        passed = float((other_scores >= no).float().mean())
        rows.append(Row(name, learned, len(other_scores), auroc(scores, other_scores), passed))

    row("own pictures, new seeds", fresh, True)
    for name, pictures in (more or {}).items():
        row(name, pictures, False)
    random = seeds.generator(seed, "detector's report")
    for families, learned in ((UNSEEN, False), (LEARNED, True)):
        for name, family in families.items():
            row(name, family(real[:SHOWN], random), learned)
    rejects = probabilities(discriminator, detector, negatives(real, fresh, seed, "report"))
    both, is_real = torch.cat([scores, rejects]), torch.arange(len(scores) + len(rejects)) < len(scores)
    error = calibration_error(both, is_real)
    return Report(alarm, float((scores < no).float().mean()), error, len(real), tuple(rows), len(chosen.calibrate))
