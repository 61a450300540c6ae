"""What a restorer says of itself and of pictures unlike those of its training."""

from __future__ import annotations

import pytest

from ganvas.tasks.restore import signs, words
from ganvas.tasks.restore.degradations import DEGRADATIONS
from ganvas.tasks.restore.model import Difference


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("noise:25", "Removes: noise (strength 25 of 255)."),
        (
            "noise:5-50+jpeg:30-90,scratches",
            "Removes: noise (strength 5 to 50 of 255), traces of JPEG (quality 30 to 90",
        ),
        ("down:2", "Makes pictures 2 times as large."),
        ("blur:0-2+down:2", "Removes: blur (0 to 2 pixels). Makes pictures 2 times as large."),
        ("holes:10-40", "Removes: holes (up to 40% of the picture)."),
        ("noise:10,holes:25", "Removes: holes (up to 25% of the picture)."),  # of an earlier version: the noise stays
        ("pairs", "Removes the damage of the pairs that it was trained on."),
        ("dust:3", "Removes: dust:3."),
    ],
)
def test_what_a_model_removes(setting: str, said: str) -> None:
    assert words.removes(setting).startswith(said)


def test_every_degradation_and_sign_has_its_words() -> None:
    assert words.REMOVED.keys() == DEGRADATIONS.keys() - {"down"}
    assert words.EFFECTS.keys() == {(name, above) for name in signs.SIGNS for above in (False, True)}
    assert all(words.removes(name) for name in DEGRADATIONS)


def test_what_is_unlike_is_said_in_words() -> None:
    less, known = words.warnings([Difference("noise in levels", 16.1, 19.1, 25.8)], "noise:25")
    assert less == ("This photo has less noise (16) than the model was trained on (19 to 26); fine detail may be lost.")
    assert known.startswith("This model knows noise only")
    (more, _) = words.warnings([Difference("noise in levels", 60.0, 19.1, 25.8)], "noise:25")
    assert "more noise (60)" in more
    assert words.warnings([], "noise:25") == []
    (_, known) = words.warnings([Difference("noise in levels", 16.1, 19.1, 25.8)], "pairs")
    assert known.startswith("This model knows the damage of its training pairs only")
