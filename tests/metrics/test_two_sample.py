"""The fresh expert: right where fakes are plain to see, at a loss where there are none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas import metrics
from ganvas.images import classifier, data
from ganvas.metrics import Pair, Seen, Side, copies, two_sample
from ganvas.metrics.two_sample import Verdict
from ganvas.tasks.generate.evaluate.metrics import RAW

pytestmark = pytest.mark.long


def noise(count: int, channels: int = 1, size: int = 8, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, size, size), generator=random, dtype=torch.uint8)


def black(count: int, channels: int = 1, size: int = 8) -> Tensor:
    return torch.zeros(count, channels, size, size, dtype=torch.uint8)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any training, for what is so whatever the expert has learned."""
    monkeypatch.setattr(two_sample, "STEPS", 12)


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 12)])
def test_black_is_told_from_noise(channels: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if channels > 1:  # the other case is learned as long as it is by default
        monkeypatch.setattr(two_sample, "STEPS", 60)
    found = two_sample.distinguish(noise(256, channels, size), black(256, channels, size), classifier.fresh)
    assert found.accuracy > 0.98
    assert found.tested == 256
    assert found.interval[0] > 0.9


def test_real_images_are_not_told_from_real_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "STEPS", 100)  # 25 epochs: it knows by heart what it learns from
    mnist = data.mnist()
    images = mnist.train.images[torch.randperm(60_000, generator=torch.Generator().manual_seed(0))[:600], :, ::2, ::2]
    found = two_sample.distinguish(images[:300], images[300:], classifier.fresh, epochs=3)
    low, high = found.interval
    assert low <= 0.5 <= high or 0.4 < found.accuracy < 0.6


def test_wilsons_interval_by_hand() -> None:
    low, high = Verdict(0.5, 100, torch.empty(0)).interval
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)  # the textbook's example: 50 of 100
    low, high = Verdict(1.0, 10, torch.empty(0)).interval
    assert high == pytest.approx(1)
    assert low == pytest.approx(10 / (10 + 1.96**2))  # what is left of the formula where p = 1
    for p in (0.0, 0.03, 0.9):  # its ends are the shares from which p lies Z standard errors away
        for end in Verdict(p, 50, torch.empty(0)).interval:
            assert (p - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / 50, abs=1e-12)


@pytest.mark.usefixtures("hasty")
def test_a_seed_is_a_verdict() -> None:
    real, fake = noise(128), noise(128, seed=1) // 2 + 40
    once, twice, other = (two_sample.distinguish(real, fake, classifier.fresh, seed, epochs=1) for seed in (3, 3, 4))
    assert once.accuracy == twice.accuracy
    assert torch.equal(once.fakes, twice.fakes)
    assert not torch.equal(once.fakes, other.fakes)


@pytest.mark.usefixtures("hasty")
def test_nobody_elses_random_numbers_change() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    first = two_sample.distinguish(noise(64), black(64), classifier.fresh, epochs=1)
    assert torch.equal(torch.rand(3), wanted)
    again = two_sample.distinguish(
        noise(64), black(64), classifier.fresh, epochs=1
    )  # and they have no say in the verdict
    assert torch.equal(first.fakes, again.fakes)


def test_the_easiest_fakes_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "STEPS", 100)
    real = noise(400, size=12)
    fake = noise(400, size=12, seed=1)
    plain = torch.arange(400) % 2 == 0
    fake[plain] = 0  # half of the fakes are black, the others are as the real ones
    order = two_sample.distinguish(real, fake, classifier.fresh, epochs=4).fakes
    assert len(order) == 200
    assert len(order.unique()) == 200
    count = int(plain[order].sum())
    assert plain[order][:count].double().mean() > 0.95


@pytest.mark.usefixtures("hasty")
def test_the_rest_of_the_longer_set_is_left_out() -> None:
    found = two_sample.distinguish(noise(101), black(300), classifier.fresh, epochs=1)
    assert found.tested == 2 * 51
    assert len(found.fakes) == 51
    assert found.fakes.max() < 300


@pytest.mark.usefixtures("hasty")
def test_the_metric_is_the_accuracy_with_half_the_interval_in_standard_errors() -> None:
    nowhere = copies.Nearest(torch.zeros(1), torch.zeros(1, dtype=torch.long))
    real, fake = (Side(x, torch.zeros(len(x), 1), raw=RAW) for x in (noise(200), black(200)))
    pair = Pair(real, fake, Seen(fake.samples, fake.features, nowhere, nowhere, 0.5))
    accuracy, error = metrics.fresh_classifier(pair)
    low, high = pair.verdict.interval
    assert accuracy == pair.verdict.accuracy
    assert 2 * 1.96 * error == pytest.approx(high - low)
