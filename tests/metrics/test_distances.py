"""Distances and scores against closed forms, plain loops and torchmetrics; and that they see what is done to digits."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas import metrics
from ganvas.images import data
from ganvas.images.features import extractors
from ganvas.metrics import METRICS, Pair, Seen, Side, copies, distances, neighbours


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def white(n: int, d: int, seed: int) -> Tensor:
    """n rows whose sample mean is 0 and whose sample covariance is the identity, both to rounding."""
    x = random(n, d, seed=seed)
    return torch.linalg.qr(x - x.mean(0))[0] * math.sqrt(n - 1)


def turned(x: Tensor, seed: int = 5) -> Tensor:
    return x @ torch.linalg.qr(random(x.shape[1], x.shape[1], seed=seed))[0]


class Given(nn.Module):
    """A 'network' whose features are its input."""

    num_features = 12

    def forward(self, features: Tensor) -> Tensor:
        return features


# the Frechet distance


def test_frechet_of_gaussians_with_diagonal_covariances() -> None:
    means, sigmas = random(2, 6, seed=1), random(2, 6, seed=2).abs() + 0.1
    a = white(40, 6, 3) * sigmas[0] + means[0]
    b = white(70, 6, 4) * sigmas[1] + means[1]
    wanted = float((means[0] - means[1]).square().sum() + (sigmas[0] - sigmas[1]).square().sum())
    assert distances.frechet(a, b) == pytest.approx(wanted, rel=1e-9)
    assert distances.frechet(turned(a), turned(b)) == pytest.approx(wanted, rel=1e-9)
    assert distances.frechet(a.float(), b.float()) == pytest.approx(wanted, rel=1e-5)


def test_frechet_of_covariances_that_do_not_commute() -> None:
    a, b = random(50, 7) @ random(7, 7, seed=1), random(60, 7, seed=2) @ random(7, 7, seed=3) + 1
    product = torch.cov(a.T) @ torch.cov(b.T)
    root = torch.linalg.eigvals(product).real.clamp_min(0).sqrt().sum()  # A B is similar to a matrix without negatives
    wanted = (a.mean(0) - b.mean(0)).square().sum() + torch.cov(a.T).trace() + torch.cov(b.T).trace() - 2 * root
    assert distances.frechet(a, b) == pytest.approx(float(wanted), rel=1e-9)


def test_frechet_of_fewer_rows_than_dimensions() -> None:
    few = F.pad(white(9, 3, 1) * torch.tensor([1.0, 2.0, 3.0]), (0, 47))
    some = F.pad(white(12, 3, 2), (0, 47))
    assert distances.frechet(turned(few), turned(some)) == pytest.approx(1 + 4, rel=1e-9)  # (2-1)^2 + (3-1)^2
    apart = F.pad(white(10, 4, 3), (40, 6))  # no direction is shared: nothing cancels
    assert distances.frechet(turned(few), turned(apart)) == pytest.approx(1 + 4 + 9 + 4, rel=1e-9)
    many = F.pad(white(200, 3, 4), (0, 47)) + 1
    assert distances.frechet(turned(few), turned(many)) == pytest.approx(50 + 5, rel=1e-9)


def test_frechet_is_0_for_the_same_and_symmetric() -> None:
    a, b = random(80, 10), random(60, 10, seed=1) * 2
    assert distances.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert distances.frechet(a, a[torch.randperm(80)]) == pytest.approx(0, abs=1e-9)
    assert distances.frechet(a[:5], a[:5]) == pytest.approx(0, abs=1e-9)
    assert distances.frechet(a, b) == pytest.approx(distances.frechet(b, a), rel=1e-12)
    assert distances.frechet(a, b) > 1


def test_frechet_agrees_with_torchmetrics() -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")
    a, b = random(90, 12).float(), (random(70, 12, seed=1) * 1.5 + 0.5).float()
    theirs = fid.FrechetInceptionDistance(feature=Given(), normalize=True)
    theirs.update(a, real=True)
    theirs.update(b, real=False)
    assert distances.frechet(a, b) == pytest.approx(float(theirs.compute()), rel=1e-3)


# the kernel distance


def loop_mmd(a: Tensor, b: Tensor) -> float:
    def k(x: Tensor, y: Tensor) -> float:
        return (sum(p * q for p, q in zip(x.tolist(), y.tolist(), strict=True)) / len(x) + 1) ** 3

    n = len(a)
    within = sum(k(x[i], x[j]) for x in (a, b) for i in range(n) for j in range(n) if i != j)
    return within / (n * (n - 1)) - 2 * sum(k(x, y) for x in a for y in b) / n**2


def test_kernel_distance_is_the_double_loop_over_blocks() -> None:
    a, b = random(25, 5), random(29, 5, seed=1) + 0.4
    blocks = [1000 * loop_mmd(a[i : i + 8], b[i : i + 8]) for i in (0, 8, 16)]  # one row of a is left over
    value, error = distances.kernel(a, b, block=8)
    mean = sum(blocks) / 3
    assert value == pytest.approx(mean, rel=1e-9)
    assert error == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in blocks) / 2 / 3), rel=1e-9)


def test_kernel_distance_has_two_blocks_at_least() -> None:
    a, b = random(20, 4), random(20, 4, seed=1)
    wanted = 500 * (loop_mmd(a[:10], b[:10]) + loop_mmd(a[10:], b[10:]))
    value, error = distances.kernel(a, b)
    assert value == pytest.approx(wanted, rel=1e-9)
    assert error > 0


def test_kernel_distance_of_equal_distributions_is_0_on_average() -> None:
    found = torch.tensor(
        [distances.kernel(random(40, 6, seed=2 * i), random(40, 6, seed=2 * i + 1))[0] for i in range(300)]
    )
    assert abs(found.mean()) < 4 * found.std() / math.sqrt(300)
    assert found.min() < 0  # an estimate that cannot be negative would not be unbiased


def test_kernel_distance_agrees_with_torchmetrics() -> None:
    kid = pytest.importorskip("torchmetrics.image.kid")
    a, b = random(60, 12).float(), (random(60, 12, seed=1) + 0.3).float()
    with pytest.warns(UserWarning, match="save all extracted features"):
        theirs = kid.KernelInceptionDistance(feature=Given(), subsets=1, subset_size=60, normalize=True)
    theirs.update(a, real=True)
    theirs.update(b, real=False)
    assert distances._mmd(a, b) == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


# MiFID


def test_mifid_divides_only_where_the_images_are_near() -> None:
    assert distances.mifid(6.0, 0.05) == pytest.approx(120)
    assert distances.mifid(6.0, 0.1) == 6
    assert distances.mifid(6.0, 0.7) == 6
    assert math.isfinite(distances.mifid(6.0, 0.0))


@pytest.mark.parametrize(("away", "divides"), [(0.02, True), (0.6, False)])
def test_mifid_agrees_with_torchmetrics(away: float, divides: bool) -> None:
    module = pytest.importorskip("torchmetrics.image.mifid")
    seen = (random(80, 12) + 3).abs().float() if divides else random(80, 12).abs().float() ** 3
    drawn = (
        (seen[:50] + away * random(50, 12, seed=1).float()).abs()
        if divides
        else random(50, 12, seed=2).abs().float() ** 3
    )
    theirs = module.MemorizationInformedFrechetInceptionDistance(feature=Given(), normalize=True)
    theirs.update(drawn, real=True)  # its mean runs over what it calls real: the drawn ones are to be asked
    theirs.update(seen, real=False)
    nearest = float(neighbours.cosine_to_nearest(drawn, seen).mean())
    assert (nearest < 0.1) == divides
    assert distances.mifid(distances.frechet(seen, drawn), nearest) == pytest.approx(float(theirs.compute()), rel=1e-3)


# scores of a classifier's opinions, by hand


NOWHERE = copies.Nearest(torch.zeros(1), torch.zeros(1, dtype=torch.long))
NOTHING = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)


def pair(real: Side, other: Side, names: tuple[str, ...] = ()) -> Pair:
    return Pair(real, other, Seen(NOTHING, torch.zeros(1, 1), NOWHERE, NOWHERE, 0.5), names)


def side(features: Tensor, opinions: Tensor | None = None, labels: Tensor | None = None) -> Side:
    return Side(NOTHING.expand(len(features), -1, -1, -1), features, opinions, labels)


def opinions(chances: list[list[float]]) -> Side:
    return side(torch.zeros(len(chances), 1), torch.tensor(chances).log())


def test_classifier_score_by_hand() -> None:
    def score(chances: list[list[float]]) -> float:
        return metrics.classifier_score(pair(opinions([[1.0, 0.0001]]), opinions(chances)))

    sure = [[1.0, 1e-30, 1e-30], [1e-30, 1.0, 1e-30], [1e-30, 1e-30, 1.0]]
    assert score(sure) == pytest.approx(3, rel=1e-5)  # sure of each image and all classes alike: as many as classes
    assert score([[0.2, 0.3, 0.5]] * 4) == pytest.approx(1, rel=1e-5)
    each = [[0.9, 0.1], [0.3, 0.7]]
    total = sum(p * math.log(p / q) for row in each for p, q in zip(row, (0.6, 0.4), strict=True)) / 2
    assert score(each) == pytest.approx(math.exp(total), rel=1e-5)


def test_class_accuracy_and_label_balance_by_hand() -> None:
    drawn = torch.eye(3)[[0, 0, 1, 2]] * 5
    real = side(torch.zeros(3, 1), torch.eye(3))
    other = side(torch.zeros(4, 1), drawn, torch.tensor([0, 1, 1, 0]))
    assert metrics.class_accuracy(pair(real, other)) == 0.5
    wanted = (abs(1 / 2 - 1 / 3) + 2 * abs(1 / 4 - 1 / 3)) / 2
    assert metrics.label_balance(pair(real, other)) == pytest.approx(wanted)
    assert metrics.label_balance(pair(real, real)) == 0


def test_class_frechet_is_the_mean_over_classes_with_enough_images() -> None:
    labels = torch.arange(60) // 20  # 20 images of each of three classes
    shift = torch.tensor([[1.0], [2.0], [7.0]])[labels].double()
    features = torch.cat([white(20, 4, c) for c in range(3)])
    real, other = side(features, labels=labels), side(features + shift, labels=labels)
    names = ("a", "b", "c")
    assert metrics.class_frechet(pair(real, other, names)) == pytest.approx(4 * (1 + 4 + 49) / 3)
    fewer = side(other.features[:59], labels=labels[:59])  # 19 of the third class: it is left out
    assert metrics.class_frechet(pair(real, fewer, names)) == pytest.approx(4 * (1 + 4) / 2)
    assert math.isnan(metrics.class_frechet(pair(real, side(other.features[:19], labels=labels[:19]), names)))


def test_each_metric_says_which_way_is_better() -> None:
    assert {m.better for m in METRICS.values()} == {"lower", "higher", "near"}
    assert all(set(m.needs) <= {"logits", "labels"} for m in METRICS.values())
    assert len({m.title for m in METRICS.values()}) == len(METRICS)


# distortions of real digits: the worse, the farther


class Digits:
    """400 real digits, 400 others, and what the digits' classifier makes of pictures."""

    def __init__(self) -> None:
        mnist = data.mnist()
        order = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:800]
        self.images = mnist.held_out.images[order[400:]]
        self.extractor = extractors.load("digits", mnist.spec)
        self.real = side(self.extractor.extract(mnist.held_out.images[order[:400]])[0])
        self.other = side(self.extractor.extract(self.images)[0])

    def look(self, images: Tensor) -> Pair:
        return pair(self.real, side(self.extractor.extract(images)[0]))


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


def noisy(images: Tensor, sigma: float) -> Tensor:
    noise = sigma * random(*images.shape).float()
    return (images.float() + noise).clamp(0, 255).round().to(torch.uint8)


def blurred(images: Tensor, width: int) -> Tensor:
    return F.avg_pool2d(images.float(), width, 1, width // 2).round().to(torch.uint8)


def assert_ever_worse(pairs: list[Pair]) -> None:
    for name, function in (("frechet", metrics.frechet), ("kernel", lambda p: metrics.kernel(p)[0])):
        found = [function(p) for p in pairs]
        assert all(a < b for a, b in pairwise(found)), f"{name}: {found}"


def test_the_more_noise_the_farther(digits: Digits) -> None:
    pairs = [digits.look(noisy(digits.images, sigma)) for sigma in (0, 10, 20, 40, 80)]
    assert_ever_worse(pairs)
    precisions = [metrics.precision(p) for p in pairs]
    assert precisions[0] > 0.8
    assert all(a > b for a, b in pairwise(precisions[:4])), precisions
    assert precisions[4] < 0.05


def test_the_more_blur_the_farther(digits: Digits) -> None:
    assert_ever_worse([digits.look(blurred(digits.images, width)) for width in (1, 3, 5, 9)])


def test_the_fewer_distinct_images_the_farther(digits: Digits) -> None:
    kept = (400, 200, 20, 4, 1)
    pairs = [pair(digits.real, side(digits.other.features[torch.arange(400) % n])) for n in kept]
    assert_ever_worse([pairs[0], *pairs[2:]])  # half of them twice is within the kernel distance's error
    assert metrics.frechet(pairs[0]) < metrics.frechet(pairs[1]) < metrics.frechet(pairs[2])
    coverages, recalls = [metrics.coverage(p) for p in pairs], [metrics.recall(p) for p in pairs]
    assert all(a > b for a, b in pairwise(coverages)), coverages
    assert recalls[0] > recalls[1] > recalls[2], recalls
    assert recalls[2:] == [0, 0, 0]  # balls of radius 0 hold nothing
    assert coverages[-1] < 0.1
