"""Do drawn samples help? Verdicts that are honest, and candidates that are dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.metrics.candidates import Candidates
from ganvas.metrics.lessons import Lesson, conclusion, lessons, stratified, verdict_on
from ganvas.metrics.show import show_lessons

NAMES = "pictures", "images"


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
    sentence = conclusion([lesson(100, 0.1), lesson(1_000, 0.03), lesson(60_000, 0.0)], *NAMES)
    assert sentence == "The extra pictures help when added to 100 and 1,000 real images, but not to 60,000."
    assert conclusion([lesson(100, 0.0)], *NAMES) == "The extra pictures do not help."
    assert "hurt" in conclusion([lesson(100, -0.1)], *NAMES)
    assert "At least five repeats" in conclusion([Lesson(100, (0.5,), (0.9,), (0.9,))], *NAMES)


def test_the_table_is_whole_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_lessons([lesson(100, 0.1), lesson(60_000, 0.0)], *NAMES)
    shown = capsys.readouterr().out
    assert "10.0% ± 0.7%" in shown
    assert "…" not in shown
    assert "The extra pictures help when added to 100 real images" in shown


def test_a_stratified_part_has_all_classes_alike() -> None:
    labels = torch.tensor([0] * 90 + [1] * 10)
    part = stratified(labels, 20, torch.Generator().manual_seed(0))
    assert labels[part].bincount().tolist() == [18, 2]
    assert len(part.unique()) == 20


def test_real_ones_alone_and_with_drawn_ones_are_the_same_real_ones() -> None:
    asked: list[tuple[tuple[int, ...] | None, bool]] = []

    def learn(real: Tensor | None, drawn: bool, seed: int) -> float:
        asked.append((None if real is None else tuple(real.tolist()), drawn))
        return 0.25 * (real is not None) + 0.5 * drawn

    events = list(lessons(torch.arange(150) % 2, learn, 0, 2, *NAMES))
    found = [event for event in events if isinstance(event, Lesson)]
    assert [lesson.size for lesson in found] == [100, 150]
    assert found[0].real == (0.25, 0.25)
    assert found[0].both == (0.75, 0.75)
    assert found[0].synthetic == (0.5, 0.5)
    assert asked[2][0] == asked[3][0] != asked[4][0]  # a repeat has other real ones
    assert [drawn for _, drawn in asked[2:4]] == [False, True]
    shares = [event.share for event in events if isinstance(event, Doing)]
    assert shares == [i / 10 for i in range(10)]


def candidates() -> Candidates:
    """Samples 0, 1, 2 ... of each class: every third is a near copy, every second of class 1 is rejected."""
    drawn = [0, 0]

    def draw(numbers: list[int], label: int) -> Tensor:
        drawn[label] += len(numbers)
        return torch.arange(drawn[label] - len(numbers), drawn[label])

    return Candidates(draw, lambda x: x % 3 == 0, lambda x, label: (x % 2 == 0) & (label == 1), seed=0)


def test_near_copies_and_rejects_are_dropped_and_counted() -> None:
    found = candidates()
    first, second = (torch.cat([p.samples for p in found.of_class(label, 20)]) for label in (0, 1))
    assert first.tolist() == [i for i in range(40) if i % 3][:20]
    assert second.tolist() == [i for i in range(80) if i % 3 and i % 2][:20]
    assert (found.copies, found.rejected) == (10 + 20, 20)  # of the first 30 candidates and of 60
    made = found.written(Path("x"), ("a", "b"), 20, "")
    assert (made.kept, made.short) == (40, ())
    assert "40 pictures: x" in next(made.words(*NAMES))


def test_a_class_of_which_too_few_are_good_is_named() -> None:
    found = Candidates(lambda numbers, label: torch.tensor(numbers), lambda x: x % 40 != 0, lambda x, _: x < 0, seed=0)
    assert sum(len(portion.seeds) for portion in found.of_class(0, 50)) < 50
    assert found.written(Path("x"), ("odd",), 50, "").short == (f"odd ({found.kept[0]})",)
    with pytest.raises(UserError, match="None of the samples could be kept"):
        Candidates(found.draw, lambda x: x == x, found.reject, seed=0).check("images", "ganvas evaluate x")
