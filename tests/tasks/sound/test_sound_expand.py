"""Scaling a data set of sounds: what is dropped, what is left behind, and a trial that tells sounds from nonsense."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import small_sounds
import torch
from small_sounds import NAMES, Data, sounds
from torch import Tensor

import ganvas
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.samples import Rows
from ganvas.metrics import candidates
from ganvas.metrics.candidates import Expanded
from ganvas.metrics.lessons import Lesson
from ganvas.sounds import kind
from ganvas.tasks.sound import expand as expanding
from ganvas.tasks.sound.detect import Verdict

DATA = Data(Rows(*sounds(150, 1)), Rows(*sounds(60, 2)))


@dataclasses.dataclass
class Model:
    """Draws what is in a list, class by class, and calls some of it."""

    waves: Tensor  # int16 [n, samples], of the classes 0, 1, 2, 0 ...
    verdict: str = "yes"
    path: Path = Path("model.safetensors")
    class_names: tuple[str, ...] = NAMES
    spec: Any = DATA.spec
    detector: object = True
    no_detector: str = "a test has none"

    def draw_waves(self, numbers: Sequence[int], label: int) -> Tensor:
        of_class = self.waves[label::3].float() / 32_767
        return torch.stack([of_class[number % len(of_class)] for number in numbers])

    def detect(self, waves: Tensor, label: int, alarm: float) -> list[Verdict]:
        return [Verdict(0.5, self.verdict, given=self.class_names[label])] * len(waves)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanding, "LEAST_STEPS", 25)
    monkeypatch.setattr(expanding, "MOST_STEPS", 25)
    monkeypatch.setattr(expanding.cl, "BATCH", 16)
    monkeypatch.setattr(candidates, "TRIES", 2)
    monkeypatch.setattr(expanding.sources, "suiting", lambda *_: DATA)


def expanded(monkeypatch: pytest.MonkeyPatch, model: Model, out: Path, **options: Any) -> list[Any]:
    monkeypatch.setattr(expanding, "load", lambda _: model)
    return [event for event in expanding.expand("x", out, **options) if not isinstance(event, Doing)]


def test_new_sounds_are_written_and_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made, *lessons = expanded(monkeypatch, Model(sounds(300, 5)[0]), tmp_path / "more.zip", count=30, repeats=1)
    assert isinstance(made, Expanded)
    assert made.kept == 90
    assert made.short == ()
    found = kind.find(str(tmp_path / "more.zip"))
    assert found.labels is not None
    assert {name: found.labels.count(name) for name in NAMES} == dict.fromkeys(NAMES, 30)
    assert [lesson.size for lesson in lessons] == [100, 150]
    wrong, *_ = (  # the class of each is another one's
        event
        for event in expanded(
            monkeypatch, Model(sounds(301, 5)[0][1:]), tmp_path / "wrong", count=30, repeats=1, form="ogg"
        )
        if isinstance(event, Lesson)
    )
    assert max(wrong.synthetic) < 0.45 < 0.55 < min(lessons[0].synthetic)
    assert len([*(tmp_path / "wrong" / "low").glob("*.ogg")]) == 30


def test_in_python_it_is_the_same_function_as_for_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(expanding, "load", lambda _: Model(sounds(300, 5)[0]))
    file = small_sounds.write_model(tmp_path / "drums.safetensors", *NAMES)
    made, *_ = (
        event
        for event in ganvas.expand(file, tmp_path / "more", 5, repeats=0, form="flac")
        if isinstance(event, Expanded)
    )
    assert made.kept == 15
    assert len([*(tmp_path / "more" / "low").glob("*.flac")]) == 5
    checkpoint.save(tmp_path / "rows.safetensors", {}, {"task": {"name": "table"}})
    with pytest.raises(UserError, match=r"rows\.safetensors draws rows of a table"):
        next(ganvas.expand(tmp_path / "rows.safetensors", tmp_path / "none"))
    with pytest.raises(UserError, match=r"nothing\.safetensors"):
        next(ganvas.expand(tmp_path / "nothing.safetensors", tmp_path / "none"))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            Model(DATA.train.samples),
            r"120 are near copies of training sounds, and silent or rejected by the detector are 0\.",
        ),
        (Model(sounds(300, 5)[0], "no"), r"rejected by the detector are \d{2,3}\."),
        (Model(sounds(300, 5)[0], "another class"), r"rejected by the detector are \d{2,3}\."),
        (Model(torch.zeros_like(DATA.train.samples), detector=None), r"rejected by the detector are 120\."),
    ],
)
def test_copies_rejects_and_silence_are_dropped_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Model, words: str
) -> None:
    monkeypatch.setattr(candidates, "PORTION", 40)
    with pytest.raises(UserError, match=words):
        expanded(monkeypatch, model, tmp_path / "more", count=20, repeats=0)
    assert list(tmp_path.iterdir()) == []


def test_who_stops_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(expanding, "load", lambda _: Model(sounds(300, 5)[0]))
    events: Any = expanding.expand("x", tmp_path / "more", 20, repeats=0)
    while (event := next(events)).text == "reading the real sounds":
        pass
    assert event.text == "drawing 20 of class low"
    events.close()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = small_sounds.write_model(tmp_path / "plain.safetensors")
    with pytest.raises(UserError, match="without labels"):
        next(expanding.expand(plain, tmp_path / "out"))
    other = dataclasses.replace(Model(DATA.train.samples), class_names=("a", "b", "c"))
    for model, out, options, words in (
        (other, "out", {"count": 0}, "at least 1 sound"),
        (other, "out.wav", {}, "a folder or NAME.zip"),
        (other, "out.mp3", {}, "a folder or NAME.zip"),
        (other, "out", {}, "other classes than .* draws: a, b, c"),
    ):
        with pytest.raises(UserError, match=words):
            expanded(monkeypatch, model, tmp_path / out, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["plain.safetensors"]
