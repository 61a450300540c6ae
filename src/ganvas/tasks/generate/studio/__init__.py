"""The studio's pages for generators that draw from noise, and for their discriminators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.tasks.generate.model import Model
from ganvas.tasks.generate.studio import draw, game, judge
from ganvas.training.studio import Best, Chart, Curve, Diagram, Page, Part


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
        "Noise goes into the forger (generator), who makes a picture of it. The expert (discriminator) sees forged and "
        "real pictures in turn and says which is which. Whoever is wrong learns from it: the expert to look more "
        "closely, the forger to fool it.",
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
