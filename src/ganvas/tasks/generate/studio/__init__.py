"""The studio's pages for generators that draw from noise, and for their discriminators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.tasks.generate.model import Model
from ganvas.tasks.generate.studio import draw, game, judge
from ganvas.training.studio import Best, Chart, Curve, Diagram, Goal, Page, Part

BEST = "the best that this network can do"
GROWS = (  # of 64 pixels: what the cards of both recipes' trainings show (docs/benchmarks.md)
    (0, "colours and blurs"),
    (15_000, "rough shapes"),
    (40_000, "recognisable things"),
    (160_000, "pictures with details"),
    (500_000, BEST),
)


def facts(model: Model) -> dict[str, Any]:
    """What the pages need to know about a model."""
    return {
        "latent_dim": model.latent_dim,
        "detector": model.detector is not None,
        "no_detector": model.no_detector,
        "selector": model.selector is not None,
        "writes": bool(model.class_names) and all(len(name) == 1 for name in model.class_names),
    }


PART = Part(
    name="generate",
    best=Best("frechet", "value", "Frechet distance", lower=True),
    charts=(
        Chart(
            "Losses",
            (Curve("loss_d", "expert", "--expert"), Curve("loss_g", "forger", "--forger")),
            "Each network’s error. They pull against each other: flat is good, falling is not the goal.",
        ),
    ),
    diagram=Diagram(
        "noise",
        "Forger",
        "forged pictures",
        "real pictures",
        "Noise goes into the forger (generator), which turns it into a picture. The expert (discriminator) sees forged "
        "and real pictures in turn and says which is which. Whichever is wrong learns from it: the expert to look "
        "more closely, the forger to fool it.",
    ),
    goals=(
        Goal(
            "digits",
            "Draw digits",
            "The network learns to write 0 to 9. The pictures come with Ganvas.",
            0,
            (("mnist", ""),),
            {
                "mnist": (
                    (0, "specks"),
                    (4_000, "strokes, the first digits"),
                    (20_000, "digits, some of them odd"),
                    (60_000, "good digits"),
                    (100_000, "clear digits, 98% of them the one asked for"),
                    (300_000, "its best digits"),
                )
            },
            ready="mnist",
            files=("image/*", ".zip"),
        ),
        Goal(
            "pictures",
            "Draw pictures like mine",
            "New faces, logos, textures … like yours. You need a hundred or more.",
            1,
            (("few", ""), ("images", ""), ("mnist", "")),
            {
                "few": GROWS,
                "images": GROWS,
                "mnist": ((0, "grey smudges"), (10_000, "first shapes"), (60_000, "good drawings"), (300_000, BEST)),
            },
            files=("image/*", ".zip"),
        ),
    ),
    preview="From noise to pictures",
    before="Before the training: noise.",
    pages=(
        Page("forger", "Forger", "generator.js"),
        Page("expert", "Expert", "discriminator.js"),
        Page("game", "You against the machine", "game.js"),
    ),
    scripts=Path(__file__).parent,
    exported=True,
    functions={
        "draw": draw.draw,
        "walk": draw.walk,
        "walk.atlas": draw.atlas,
        "write": draw.write_text,
        "export": draw.export,
        "judge": judge.judge,
        "play.ready": game.ready,
        "play.deal": game.deal,
        "play.teach": game.teach,
        "play.answer": game.answer,
    },
    facts=facts,
)
