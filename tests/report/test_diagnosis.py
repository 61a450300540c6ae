"""The doctor's remarks on hand-made logs, one for each way in which a contest can stand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ganvas.report import diagnosis
from ganvas.training.losses import LOSSES


def log(n: int = 20, **fields: float) -> list[dict[str, Any]]:
    """n calm lines; `fields` replace those of a balanced contest."""
    base = {"accuracy_real": 0.74, "accuracy_fake": 0.68, "accuracy_held_out": 0.73, "loss_d": 1.2, "loss_g": 0.9}
    return [{"images": 1000 * (i + 1), **base, "lr_g": 4e-4, "lr_d": 4e-4, **fields} for i in range(n)]


def check(images: int, diversity: float) -> dict[str, Any]:
    return {
        "images": images,
        "metric": diagnosis.CHECK,
        "real": 0.7,
        "fake": 0.7,
        "held_out": 0.7,
        "diversity": diversity,
    }


def test_a_balanced_contest_is_called_balanced_with_its_window_and_figures() -> None:
    (text,) = diagnosis.remarks(log(), [])
    assert text.startswith("Balanced")
    assert "16,000 to 20,000 images" in text
    assert "71%" in text
    assert "74%" in text
    assert "68%" in text
    assert diagnosis.headline(log(), []) == "Balanced: the expert is right 71% of the time."


def test_only_the_last_fifth_decides() -> None:
    rows = log(16, accuracy_real=1.0, accuracy_fake=1.0, accuracy_held_out=1.0) + log()[16:]
    assert diagnosis.headline(rows, []).startswith("Balanced")


def test_an_expert_that_wins_easily_asks_for_r1_or_a_smaller_lr_d() -> None:
    rows = log(accuracy_real=0.997, accuracy_fake=0.995, accuracy_held_out=0.99)
    (text,) = diagnosis.remarks(rows, [])
    assert "wins easily" in text
    assert "99.6%" in text
    assert "r1=0.3" in text
    assert "lr_d=0.0002" in text  # half of what it was
    assert "a larger r1" in diagnosis.remarks([{**row, "r1": 0.1} for row in rows], [])[0]


def test_a_strong_critic_with_a_gradient_penalty_is_as_intended() -> None:
    text = diagnosis.remarks(
        log(accuracy_real=1.0, accuracy_fake=1.0, accuracy_held_out=1.0, gradient_penalty=0.1), []
    )[0]
    assert "intended" in text
    assert "lr_d" not in text


@pytest.mark.parametrize(
    ("right", "words"), [(0.95, "wins"), (0.94, "is ahead"), (0.84, "Balanced"), (0.55, "guesses"), (0.44, "misleads")]
)
def test_thresholds(right: float, words: str) -> None:
    rows = log(accuracy_real=right, accuracy_fake=right, accuracy_held_out=right)
    assert words in diagnosis.headline(rows, [])
    assert words in diagnosis.remarks(rows, [])[0]


def test_a_guessing_expert_has_two_readings() -> None:
    text = diagnosis.remarks(log(accuracy_real=0.5, accuracy_fake=0.52, accuracy_held_out=0.5), [])[0]
    assert "51%" in text
    assert "forgeries are very good" in text
    assert "learns nothing" in text


def test_training_images_known_by_heart() -> None:
    rows = log(accuracy_real=0.85, accuracy_fake=0.75, accuracy_held_out=0.6)
    text = diagnosis.remarks(rows, [])[0]
    assert "memorised" in text
    assert "85%" in text
    assert "60%" in text
    assert diagnosis.headline(rows, []).startswith("The expert overfits")
    assert not any("memorised" in t for t in diagnosis.remarks(log(accuracy_real=0.8, accuracy_held_out=0.71), []))


def test_low_diversity_is_suspected_mode_collapse() -> None:
    checks = [check(10_000, 0.5), check(20_000, 0.3)]
    text = diagnosis.remarks(log(), checks)[0]
    assert "suspected" in text
    assert "0.30" in text
    assert "0.50 at 10,000" in text
    assert "Mode collapse" in diagnosis.headline(log(), checks)
    assert "no sign of mode collapse" in diagnosis.remarks(log(), [check(20_000, 0.95)])[1]
    assert diagnosis.headline(log(), [check(20_000, 0.95)]).startswith("Balanced")


def test_low_but_rising_diversity_is_no_collapse() -> None:
    text = diagnosis.remarks(log(), [check(10_000, 0.2), check(20_000, 0.45)])[0]
    assert "rising" in text
    assert "suspected" not in text


def test_other_metrics_are_passed_over_and_events_without_a_name_count() -> None:
    assert len(diagnosis.remarks(log(), [{"images": 1, "metric": "other", "diversity": 0.1}])) == 1
    assert "0.10" in diagnosis.remarks(log(), [{"images": 20_000, "diversity": 0.1}])[0]


def test_a_jump_names_loss_place_and_size() -> None:
    rows = log()
    for row in rows[14:]:
        row["loss_g"] = 6.0
    text = next(t for t in diagnosis.remarks(rows, []) if "jumped" in t)
    assert "loss_g" in text
    assert "0.9 to 6 at 15,000 images" in text
    assert "lr_g=0.0002" in text
    for row in rows[16:]:
        row["loss_g"] = 0.9
    assert any("back" in t for t in diagnosis.remarks(rows, []))


def test_a_steady_climb_is_no_jump() -> None:
    rows = [{**row, "loss_g": 1.0 + 0.3 * i} for i, row in enumerate(log(40))]
    assert not any("jumped" in t for t in diagnosis.remarks(rows, []))


@pytest.mark.parametrize("count", [0, 1, diagnosis.ENOUGH - 1])
def test_few_rows_are_too_early_whatever_they_say(count: int) -> None:
    rows = log(count, accuracy_real=1.0, accuracy_fake=1.0)
    (text,) = diagnosis.remarks(rows, [check(100, 0.01)])
    assert "Too early" in text
    assert f"{count} of {diagnosis.ENOUGH}" in diagnosis.headline(rows, [])


def test_missing_fields_and_numbers_that_are_none() -> None:
    rows = [{"images": 1000 * i, "loss_d": None, "accuracy_real": float("nan")} for i in range(20)]
    (text,) = diagnosis.remarks(rows, [{"images": 5}])
    assert "there is no verdict" in text


def test_a_pairwise_loss_has_equal_accuracies() -> None:
    rows = log(accuracy_real=0.7, accuracy_fake=0.7, accuracy_held_out=0.69)
    assert diagnosis.headline(rows, []) == "Balanced: the expert is right 70% of the time."


def test_explanations_fit_the_loss() -> None:
    assert "probability" in diagnosis.explain(LOSSES["minimax"])["verdicts"]
    assert "raw score" in diagnosis.explain(LOSSES["hinge"])["verdicts"]
    assert "pairs" in diagnosis.explain(LOSSES["relativistic"])["accuracy"]
    assert "pairs" not in diagnosis.explain(LOSSES["hinge"])["accuracy"]


def test_needs_no_torch() -> None:
    code = "import sys, ganvas.report.diagnosis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
