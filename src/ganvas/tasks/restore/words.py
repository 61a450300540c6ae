"""What a restorer removes, and how a picture differs from those of its training, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.core.errors import UserError
from ganvas.tasks.restore import damages, signs
from ganvas.tasks.restore.degrade import Step
from ganvas.tasks.restore.model import Difference

REMOVED = {
    "noise": "noise (strength {} of 255)",
    "grain": "grey grain (strength {} of 255)",
    "poisson": "photon noise (as of {} photons at white)",
    "jpeg": "traces of JPEG (quality {} of 100)",
    "blur": "blur ({} pixels)",
    "rain": "rain (streaks over {}% of the picture)",
    "scratches": "scratches",
    "spots": "dust and stains",
    "holes": "holes (up to {}% of the picture)",
}
"""What is removed where a degradation is learned, by its name; {} is its amount."""
NOISE, CONTRAST, BLOCKS = signs.SIGNS
EFFECTS = {
    (NOISE, False): ("This photo has less noise ({value}) than the model was trained on ({low} to {high})",
                     "fine detail may be lost"),
    (NOISE, True): ("This photo has more noise ({value}) than the model was trained on ({low} to {high})",
                    "some of it will remain"),
    (CONTRAST, False): ("This photo is softer than those that the model was trained on",
                        "the result may look smooth; a model trained on blur would help"),
    (CONTRAST, True): ("This photo has more fine texture than those that the model was trained on",
                       "some of it may be taken for damage"),
    (BLOCKS, False): ("This photo has fewer traces of JPEG than those that the model was trained on",
                      "fine detail may be lost"),
    (BLOCKS, True): ("This photo has stronger traces of JPEG than those that the model was trained on",
                     "they may remain; a model trained on jpeg would help"),
}  # fmt: skip
"""What is unlike, and what may come of it, for a sign below or above its range."""


def removes(degradation: str) -> str:
    """A sentence on what a model of this setting `degrade` does, such as: Removes noise (strength 25 of 255)."""
    try:
        plan = damages.plan_of(degradation)
        if not plan.groups:
            return "Removes the damage of the pairs that it was trained on."
    except UserError:  # of another version
        return f"Removes: {degradation}."
    steps = [step for step in plan.steps if step.kind.marks or not plan.masked]  # holes: the rest stays as it is
    parts = list(dict.fromkeys(_removed(step) for step in steps if step.name in REMOVED))
    texts = [f"Removes: {', '.join(parts)}."] if parts else []
    if plan.scale > 1:
        texts.append(f"Makes pictures {plan.scale} times as large.")
    return " ".join(texts)


def _removed(step: Step) -> str:
    if step.name == "holes":
        return REMOVED["holes"].format(f"{step.high:g}")
    return REMOVED[step.name].format(f"{step.low:g}" + (f" to {step.high:g}" if step.high > step.low else ""))


def warnings(differences: Sequence[Difference], degradation: str) -> list[str]:
    """A sentence for each difference, and what this model knows: others need another model."""
    sentences = []
    for name, value, low, high in differences:
        what, effect = EFFECTS[name, value > high]
        shown = what.format(value=f"{value:.0f}", low=f"{low:.0f}", high=f"{high:.0f}")
        sentences.append(f"{shown}; {effect}.")
    if sentences:
        steps = damages.plan_of(degradation).steps
        names = ", ".join(dict.fromkeys(step.name for step in steps)) or "the damage of its training pairs"
        sentences.append(f"This model knows {names} only; other damage stays and needs a model that was trained on it.")
    return sentences
