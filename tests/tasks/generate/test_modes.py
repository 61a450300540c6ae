"""How many kinds, and how evenly: hand-computed counts, the sampling floors, real triplets, and the toys."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images.data import ImageData
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.bench import modes as show_modes
from ganvas.tasks.generate.evaluate import modes, toys
from ganvas.tasks.generate.model import Model
from ganvas.training import losses

pytestmark = pytest.mark.long


def reads_a_pixel(images: Tensor) -> Tensor:
    """A classifier for pictures that carry their digit in the first pixel."""
    assert images.shape[1:] == (1, 28, 28)
    return images[:, 0, 0, 0].long()


def stacked(digits: list[tuple[int, int, int]]) -> Tensor:
    images = torch.zeros(len(digits), 3, 28, 28, dtype=torch.uint8)
    images[:, :, 0, 0] = torch.tensor(digits, dtype=torch.uint8)
    return images


def as_tuple(score: modes.Score) -> tuple[float, ...]:
    return dataclasses.astuple(score)


# -------------------- the score


def test_counts_by_hand() -> None:
    score = modes.from_counts(torch.tensor([5, 0, 3, 2]))
    by_hand = 0.5 * math.log(0.5 * 4) + 0.3 * math.log(0.3 * 4) + 0.2 * math.log(0.2 * 4)
    assert (score.modes, score.count) == (3, 10)
    assert score.kl == pytest.approx(by_hand, rel=1e-12)
    assert modes.from_counts(torch.full((1000,), 26)).kl == pytest.approx(0, abs=1e-12)


def test_the_channels_are_the_digits_of_the_kind() -> None:
    classify = reads_a_pixel
    even = stacked([(a, b, c) for a in range(10) for b in range(10) for c in range(10)])
    assert as_tuple(modes.score(even, classify)) == pytest.approx((1000, 0, 1000), abs=1e-12)
    two = modes.score(stacked([(1, 2, 3), (3, 2, 1), (1, 2, 3)]), classify)
    assert two.modes == 2
    assert two.kl == pytest.approx(2 / 3 * math.log(2 / 3 * 1000) + 1 / 3 * math.log(1 / 3 * 1000))


def test_a_collapsed_generator() -> None:
    score = modes.score(stacked([(7, 7, 7)] * 500), reads_a_pixel)
    assert as_tuple(score) == pytest.approx((1, math.log(1000), 500))
    grey = modes.score(stacked([(n % 10, n % 10, n % 10) for n in range(1000)]), reads_a_pixel)  # three equal channels
    assert as_tuple(grey) == pytest.approx((10, math.log(100), 1000))


def test_even_sampling_scores_its_floor() -> None:
    kls = []
    for seed in range(20):
        drawn = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(seed))
        score = modes.from_counts(torch.bincount(drawn, minlength=1000))
        assert score.modes == 1000
        kls.append(score.kl)
    assert sum(kls) / 20 == pytest.approx(0.0193, abs=0.0006)
    assert modes.expected_kl(torch.ones(10), 26_000) == pytest.approx(999 / 52_000, abs=2e-4)
    assert modes.expected_kl(torch.ones(10), 1) == pytest.approx(math.log(1000))  # a single picture is one kind
    two = 0.001 * math.log(1000) + 0.999 * math.log(500)  # two are one kind, or two
    assert modes.expected_kl(torch.ones(10), 2) == pytest.approx(two)


def test_uneven_sampling_scores_its_floor() -> None:
    shares = torch.arange(5, 15).double() / 95
    drawn = [torch.multinomial(shares, 26_000, True, generator=torch.Generator().manual_seed(c)) for c in range(3)]
    score = modes.from_counts(torch.bincount(100 * drawn[0] + 10 * drawn[1] + drawn[2], minlength=1000))
    expected = 3 * sum(p * math.log(10 * p) for p in shares.tolist()) + 999 / 52_000
    assert modes.expected_kl(95 * shares, 26_000) == pytest.approx(expected, abs=5e-4)
    assert score.kl == pytest.approx(expected, abs=0.005)


# -------------------- a model of stacked MNIST


@pytest.fixture(scope="module")
def real() -> ImageData:
    return data.stacked_mnist()


@pytest.fixture(scope="module")
def by_heart() -> modes.Classify:
    """A classifier that knows each of the 70,000 digits by heart."""
    mnist = data.mnist()
    known = {
        digit.tobytes(): label
        for split in (mnist.train, mnist.held_out)
        if split.labels is not None
        for digit, label in zip(split.images.numpy(), split.labels.tolist(), strict=True)
    }
    return lambda images: torch.tensor([known[digit.tobytes()] for digit in images.numpy()])


class Copier(torch.nn.Module):
    """A perfect generator: it returns real pictures."""

    def __init__(self, real: Tensor) -> None:
        super().__init__()
        self.real, self.weight = real, torch.nn.Parameter(torch.zeros(1))
        self.at = 0

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        self.at += len(z)
        return self.real[self.at - len(z) : self.at].float() / 127.5 - 1


def model(generator: torch.nn.Module, spec: ImageSpec, name: str) -> Model:
    return Model(Path("run"), generator, torch.nn.Identity(), spec, 2, (), {"data_name": name})


def test_real_triplets_have_all_kinds_at_the_floor(real: ImageData, by_heart: modes.Classify) -> None:
    """A model that returns real pictures, read by one who knows each digit by heart."""
    copier = model(Copier(real.train.images[30_000:]), ImageSpec(3, 28), "stacked-mnist")
    scores = modes.score_model(copier, classify=by_heart)
    for score in (scores.model, scores.control):
        assert (score.modes, score.count) == (1000, 26_000)
        assert score.kl == pytest.approx(scores.floor_copy, abs=0.003)
    assert scores.model.kl != scores.control.kl  # other pictures, not the same ones twice
    assert scores.floor_uniform == pytest.approx(0.0193, abs=1e-4)
    assert scores.floor_copy == pytest.approx(0.0237, abs=1e-4)
    assert scores.errors == 0


def test_the_classifier_that_comes_with_ganvas_sees_what_there_is(real: ImageData, by_heart: modes.Classify) -> None:
    pictures, classify = real.held_out.images[:1_000], modes.classifier()
    measured, exact = modes.score(pictures, classify), modes.score(pictures, by_heart)
    assert measured.kl == pytest.approx(exact.kl, abs=0.02)
    assert measured.modes == pytest.approx(exact.modes, abs=10)
    digits = pictures[:300].flatten(0, 1)[:, None]
    assert float((classify(digits) == by_heart(digits)).float().mean()) > 0.99


@pytest.mark.parametrize(
    ("spec", "name", "count", "words"),
    [
        (ImageSpec(1, 28, 10), "mnist", 100, "draws 1x28x28 pictures of mnist"),
        (ImageSpec(3, 32), "stacked-mnist", 100, "3x32x32"),
        (ImageSpec(3, 28), "flowers", 100, "was trained on flowers"),
        (ImageSpec(3, 28), "stacked-mnist", 0, "--count 0"),
        (ImageSpec(3, 28), "stacked-mnist", 999, "choose between 1,000 and 128,000 pictures. Fewer cannot show 1,000"),
        (ImageSpec(3, 28), "stacked-mnist", 128_001, "128,000"),
    ],
)
def test_what_is_refused(spec: ImageSpec, name: str, count: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        modes.score_model(model(torch.nn.Identity(), spec, name), count)


# -------------------- the toys


def test_real_points_are_98_9_per_cent_good() -> None:
    for make in toys.TOYS.values():
        toy = make()
        score = toys.toy_score(toy.draw(50_000, torch.Generator().manual_seed(0)), toy)
        assert score.modes == len(toy.centres)
        assert score.quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)


def test_a_toys_score_by_hand() -> None:
    toy = toys.ring()
    points = toy.centres[[0, 0, 1, 2, 3]] + torch.tensor(
        [[0.0, 0.0], [0.0, 0.029], [0.031, 0.0], [9.0, 9.0], [0.0, 0.0]]
    )
    score = toys.toy_score(points, toy)
    assert (score.modes, score.quality) == (2, pytest.approx(3 / 5))


def test_the_sizes_are_those_of_the_papers() -> None:
    ring, grid = toys.ring(), toys.grid()
    assert ring.centres.norm(dim=1).tolist() == pytest.approx([1] * 8)
    assert grid.centres.shape == (25, 2)
    spacing = torch.pdist(grid.centres).min()
    assert float(grid.sd / spacing) == pytest.approx(0.05 / 2)


def test_every_loss_has_its_settings() -> None:
    assert list(toys.TASKS) == list(losses.LOSSES)
    assert {name: task.loss for name, task in toys.TASKS.items()} == {name: name for name in losses.LOSSES}


def test_networks_side_by_side_know_nothing_of_each_other() -> None:
    torch.manual_seed(0)
    layers, x = toys.Layers(2, 3), torch.randn(4 * toys.RUNS, 2)
    before = layers(x)
    assert before.shape == (4 * toys.RUNS, 3)
    changed = x.clone()
    changed[4:8] += 1
    moved = (layers(changed) != before).any(1)
    assert moved.tolist() == [False] * 4 + [True] * 4 + [False] * 4 * (toys.RUNS - 2)
    one = torch.nn.functional.leaky_relu(x[:4] @ layers.weights[0][0] + layers.biases[0][0], 0.2)
    one = torch.nn.functional.leaky_relu(one @ layers.weights[1][0] + layers.biases[1][0], 0.2)
    assert torch.allclose(before[:4], one @ layers.weights[2][0] + layers.biases[2][0], atol=1e-5)


def test_a_good_loss_finds_the_whole_ring() -> None:
    scores = toys.train_toy(dataclasses.replace(toys.ring(), steps=300), toys.TASKS["relativistic"])
    assert [score.modes for score in scores] == [8] * toys.RUNS
    assert len({score.quality for score in scores}) == toys.RUNS  # three different pairs


def test_every_loss_trains_the_toys_and_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toys, "TOYS", {"ring": lambda: dataclasses.replace(toys.ring(), steps=6)})
    rows = list(toys.train_all())
    assert [name for name, _ in rows] == list(losses.LOSSES)
    assert all(len(scores["ring"]) == toys.RUNS for _, scores in rows)
    assert rows == list(toys.train_all())


def test_the_tables_of_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(toys, "TOYS", {"ring": lambda: dataclasses.replace(toys.ring(), steps=2)})
    assert show_modes() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-len(losses.LOSSES) :]] == list(losses.LOSSES)
    verdict = modes.Scores(modes.Score(999, 0.031, 26_000), modes.Score(1000, 0.0241, 26_000), 0.0193, 0.0237, 0.0032)
    monkeypatch.setattr(modes, "score_model", lambda *_: verdict)
    monkeypatch.setattr("ganvas.tasks.generate.model.load", lambda _: None)
    assert show_modes(Path("run")) == 0
    shown = capsys.readouterr().out
    for text in ("999   0.0310", "1,000   0.0241", "0.0237", "0.0193", "0.32%"):
        assert text in shown
