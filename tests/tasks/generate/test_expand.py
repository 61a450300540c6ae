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
from ganvas.metrics import candidates
from ganvas.metrics.lessons import Lesson
from ganvas.tasks.generate import expand as expanding
from ganvas.tasks.generate import model as generate_model

pytestmark = pytest.mark.long


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
    monkeypatch.setattr(candidates, "TRIES", 2)
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
