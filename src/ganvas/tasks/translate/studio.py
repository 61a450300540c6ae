"""What the web studio shows of models that turn pictures of one kind into another."""

from __future__ import annotations

from typing import Any

from ganvas.core.progress import last
from ganvas.images import uploads
from ganvas.report.diagnosis import Rows, number
from ganvas.tasks.translate.model import Translator
from ganvas.training.studio import Best, Chart, Curve, Diagram, Goal, Part, Tile

SMALL = 128  # pixels of a side up to which a translated picture is shown in squares
PLACES = {"middle_b": "in the middle", "border_b": "at the border"}


def remarks(rows: Rows, checks: Rows) -> list[str]:
    """Remarks on the last check."""
    check = next((c for c in reversed(checks) if c.get("metric") == "round-trip"), None)
    if check is None:
        return ["The first results appear with the first picture."]
    texts = []
    cycle = number(check, "cycle_a")
    if cycle is not None:
        texts.append(f"Pictures translated there and back match the originals at {cycle:.1f} dB (higher is better).")
    follow = [f"{value:.2f} {place}" for key, place in PLACES.items() if (value := number(check, key)) is not None]
    if follow:
        scale = "(1: the order of all pictures is kept; 0: not at all)"
        texts.append(f"Colours follow the input by {', '.join(follow)} {scale}.")
    return texts


def facts(model: Translator) -> dict[str, Any]:
    """Facts for the page that applies a model."""
    size = model.spec.size
    about = f"Turns {model.kinds[0]} into {model.kinds[1]} and back"
    about += "." if model.any_size else f", in {size}x{size} pixels."
    return {"kinds": list(model.kinds), "any_size": model.any_size, "about": about, "squares": size <= SMALL}


def apply(model: Translator, content: bytes, to: str, mask: bytes | None) -> dict[str, Any]:
    """A picture before and after, as PNG, and warnings.

    Args:
        to: the kind of the result, 'a' or 'b'.
        mask: not used.

    Raises:
        UserError: it is not a picture, or one that this model cannot translate.
    """
    original = uploads.original(content) if model.any_size else uploads.square(content, model.spec)
    after = last(model.translate_picture(original, to))
    return {"before": uploads.original_png(original), "after": uploads.original_png(after), "warnings": []}


PART = Part(
    name="translate",
    best=Best("round-trip", "cycle_a", "there and back", " dB"),
    remarks=remarks,
    question="How well does it translate?",
    charts=(
        Chart(
            "What is lost on the way",
            (
                Curve("loss_cycle", "there and back", "--forger"),
                Curve("loss_identity", "left alone", "--held"),
            ),
            "Distance of pixels, in a range of 2. Lower is better.",
        ),
    ),
    compared=(*Part.compared, ("loss_cycle", "There and back")),
    tiles=(Tile("there and back", "{cycle_a} dB"),),
    diagram=Diagram(
        "kind A",
        "Forger",
        "as kind B",
        "real pictures of kind B",
        "The forger (generator) turns a picture of one kind into the other. The expert (discriminator) compares it "
        "with real ones; another forger translates it back, and it must match the original.",
    ),
    goals=(
        Goal(
            "translate",
            "Turn one kind into another",
            "Photos into drawings, summer into winter, and back. You need a set of each kind, but not pairs.",
            3,
            (("translate", ""),),
            {
                "translate": (
                    (0, "changed colours"),
                    (10_000, "a first likeness"),
                    (60_000, "the main shapes of the other kind"),
                    (200_000, "the best that this network can do"),
                )
            },
            which="Which pictures are of the first kind?",
            other="Which are of the other kind?",
            files=("image/*", ".zip"),
        ),
    ),
    two_sources=True,
    functions={"apply": apply},
    facts=facts,
)
