"""What the web studio shows of sounds and of their models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.report.diagnosis import Rows
from ganvas.tasks.sound.model import SoundModel
from ganvas.tasks.sound.studio import draw, judge, pairs
from ganvas.training.studio import Chart, Curve, Diagram, Goal, Page, Part, Tile

GROWS = (
    (0, "noise that begins to take shape"),
    (10_000, "recognisable sounds"),
    (60_000, "clear sounds"),
    (200_000, "the best that this network can do"),
)


def facts(model: SoundModel) -> dict[str, Any]:
    """What pages need to know of the model: how long its sounds are, how many a page may ask for at once, whether it
    can judge recordings of so many seconds, and why not.
    """
    return {
        "seconds": model.spec.seconds,
        "rate": model.spec.rate,
        "most": draw.SOUNDS,
        "detector": model.detector is not None,
        "no_detector": model.no_detector,
        "longest": judge.SECONDS,
    }


def remarks(log: Rows, checks: Rows) -> list[str]:
    """How the training is going, in plain words."""
    from ganvas.tasks.sound.report import remarks  # the report's templates are read where they are needed

    return remarks(log, checks)


PART = Part(
    name="sound",
    remarks=remarks,
    charts=(
        Chart(
            "Losses",
            (Curve("loss_d", "expert", "--expert"), Curve("loss_g", "forger", "--forger")),
            "Each network’s error. They pull against each other: flat is good, falling is not the goal.",
        ),
    ),
    compared=(
        ("loss_g", "Forger’s loss"),
        ("loss_d", "Expert’s loss"),
        ("accuracy_held_out", "Accuracy on held-out sounds"),
    ),
    tiles=(Tile("variety compared with real sounds", "{diversity}"),),
    diagram=Diagram(
        "noise",
        "Forger",
        "drawn sounds",
        "real sounds",
        "The forger (generator) turns noise into a spectrogram, from which a sound is made. The expert "
        "(discriminator) sees drawn and real spectrograms in turn and says which is which. Whichever is wrong learns "
        "from it: the expert to look more closely, the forger to fool it.",
    ),
    samples="sounds",
    made="drawn",
    source=("Sounds", "a folder of sounds"),
    goals=(
        Goal(
            "sounds",
            "Make sounds",
            "Short sounds like yours: drums, words, calls. You need a hundred or more.",
            5,
            (("sound", ""), ("sound-few", "")),
            {"sound": GROWS, "sound-few": GROWS},
            noun="sounds",
            which="Which sounds?",
            files=("audio/*", ".zip"),
        ),
    ),
    preview="From noise to sounds",
    before="Before the training: noise.",
    film="film.js",
    check="check.js",
    pages=(
        Page("play", "Play", "play.js"),
        Page("judge", "Judge a recording", "judge.js"),
        Page("real", "Which is real?", "pairs.js"),
    ),
    scripts=Path(__file__).parent,
    exported=True,
    functions={
        "sounds": draw.sounds,
        "between": draw.between,
        "at": draw.at,
        "pairs": pairs.pairs,
        "judge": judge.judge,
    },
    facts=facts,
)
