"""Scaling a data set: what is written, what is dropped, and a verdict that is honest."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganvas
from ganvas import cli
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import tensors as im
from ganvas.images.data import Split, idx
from ganvas.images.features import extractors
from ganvas.tasks.generate import expand as expanding
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.expand import Lesson, conclusion, verdict_on

pytestmark = pytest.mark.long


def lesson(size: int, gain: float, spread: float = 0.01) -> Lesson:
    gains = [gain - spread, gain, gain + spread, gain, gain]
    return Lesson(size, (0.5,) * 5, tuple(0.5 + g for g in gains), (0.4,) * 5)


def test_it_helps_only_where_the_gain_exceeds_its_spread() -> None:
    # gains 1, 2, 3: mean 2, standard deviation 1; with -2 and 6 added: mean 2, standard deviation 2.92
    assert verdict_on([0.01, 0.02, 0.03, 0.02, 0.02]) == "helps"
    assert verdict_on([-0.02, 0.01, 0.02, 0.03, 0.06]) == "makes no difference"
    assert verdict_on([-0.01, -0.02, -0.03, -0.02, -0.02]) == "hurts"
    assert verdict_on([0.0] * 5) == "makes no difference"
    assert verdict_on([0.02] * 4) == "too few repeats"


def test_the_conclusion_says_from_where_on_it_does_not_help() -> None:
    sentence = conclusion([lesson(100, 0.1), lesson(1_000, 0.03), lesson(60_000, 0.0)])
    assert sentence == "The extra pictures help beside 100 and 1,000 real images, and do not beside 60,000."
    assert conclusion([lesson(100, 0.0)]) == "The extra pictures do not help."
    assert "hurt" in conclusion([lesson(100, -0.1)])
    assert "Five repeats" in conclusion([Lesson(100, (0.5,), (0.9,), (0.9,))])


def halves(n: int, seed: int, noise: float = 60) -> Split:
    """Pictures of two classes that a classifier tells apart after some learning."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = noise * torch.randn(n, 1, 12, 12, generator=random) + 110
    images[labels == 0, :, :, :6] += 25
    images[labels == 1, :, :, 6:] += 25
    return Split(images.clamp(0, 255).to(torch.uint8), labels)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short lessons, and features that cost nothing."""
    monkeypatch.setattr(expanding, "LEAST_STEPS", 40)
    monkeypatch.setattr(expanding, "MOST_STEPS", 40)
    monkeypatch.setattr(expanding.extractors, "load", lambda _, spec: extractors.pixels(spec))


def test_more_true_images_help_and_noise_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEAST_STEPS", 30), ("MOST_STEPS", 30), ("BATCH", 32)):
        monkeypatch.setattr(expanding, name, value)
    held_out, few = halves(300, 1), halves(2_000, 2)
    nonsense = Split(torch.randint(0, 256, (400, 1, 12, 12), dtype=torch.uint8), torch.arange(400) % 2)
    by_kind = {}
    for name, made in (("true", halves(2_000, 3)), ("nonsense", nonsense)):
        lessons = expanding._lessons(Split(few.images, few.labels), held_out, made, 2, 0, 5)
        by_kind[name] = next(e for e in lessons if isinstance(e, Lesson))
    assert by_kind["true"].size == 100
    assert by_kind["true"].verdict == "helps"
    assert by_kind["nonsense"].verdict != "helps"
    assert max(by_kind["nonsense"].synthetic) < 0.75


def test_a_stratified_part_has_all_classes_alike() -> None:
    labels = torch.tensor([0] * 90 + [1] * 10)
    split = Split(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), labels)
    part = expanding._stratified(split, 20, torch.Generator().manual_seed(0))
    assert part.labels is not None
    assert part.labels.bincount().tolist() == [18, 2]
    assert len(part.images.unique()) == 20


def test_expand_writes_the_form_of_the_data(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEAST_STEPS", "MOST_STEPS"):
        monkeypatch.setattr(expanding, name, 4)
    lenient = dataclasses.replace(generate_model.load(run), detector=None)  # it would let nothing pass so early
    monkeypatch.setattr(expanding, "load", lambda _: lenient)
    cli.app(["expand", str(run), "--out", str(tmp_path / "more"), "--count", "30"], result_action="return_value")
    shown = capsys.readouterr().out
    assert "near copies of training images" in shown
    assert "5 repeats" in shown
    assert "The extra pictures" in shown
    images = idx.read(tmp_path / "more" / "train-images-idx3-ubyte.gz")
    labels = idx.read(tmp_path / "more" / "train-labels-idx1-ubyte.gz")
    assert images.shape == (len(labels), 12, 12)
    assert 0 < len(labels) <= 60
    assert set(labels.tolist()) <= {0, 1}


class Replay(nn.Module):
    """A generator that draws training images only."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = nn.Parameter(im.to_float(images), requires_grad=False)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.images[(z[:, 0].abs() * 1_000).long() % len(self.images)]


def test_copies_and_rejects_are_dropped(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = generate_model.load(run)
    seen = data.load(str(run.parent)).train.images
    monkeypatch.setattr(expanding, "TRIES", 2)
    for drawn, words in ((seen, r"(\d+) are near copies"), (255 - seen, r"detector rejects (\d+)")):
        planted = dataclasses.replace(model, generator=Replay(drawn))
        monkeypatch.setattr(expanding, "load", lambda _, planted=planted: planted)
        with pytest.raises(UserError, match=words) as error:
            list(expanding.expand(run, tmp_path / "none", 100, repeats=0))
        match = re.search(words, str(error.value))
        assert match is not None
        assert int(match[1]) >= 300
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_expanded(run: Path, tmp_path: Path, blobs: Path) -> None:
    from conftest import quick

    for _ in quick("mnist-unlabelled", blobs, steps=2).run(tmp_path / "plain"):
        pass
    with pytest.raises(UserError, match="without labels"):
        next(expanding.expand(tmp_path / "plain", tmp_path / "out"))
    with pytest.raises(UserError, match="at least 1 picture"):
        next(expanding.expand(run, tmp_path / "out", count=0))
    assert not (tmp_path / "out").exists()
    assert ganvas.load(run).class_names
