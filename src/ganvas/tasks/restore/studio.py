"""What the web studio shows of models that restore pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ganvas.core.progress import last
from ganvas.images import uploads
from ganvas.report.diagnosis import Rows, number
from ganvas.tasks.restore import words
from ganvas.tasks.restore.model import Restorer
from ganvas.training.studio import Best, Chart, Curve, Diagram, Goal, Part, Tile

CLEANEST = "the best that this network can do"
HOLE = 127  # the grey level that is shown where a pixel is missing


def remarks(rows: Rows, checks: Rows) -> list[str]:
    """Remarks on the last check."""
    check = next((c for c in reversed(checks) if c.get("metric") == "fidelity"), None)
    if check is None:
        return ["The first check comes with the first picture."]
    psnr, degraded = number(check, "psnr"), number(check, "psnr_damaged")
    if psnr is None or degraded is None:
        return []
    return [
        f"Restored pieces are at {psnr:.1f} dB, damaged ones at {degraded:.1f} dB: higher is nearer to the originals. "
        "1 dB more is a fifth less of squared error."
    ]


def facts(model: Restorer) -> dict[str, Any]:
    """Facts for the page that applies a model."""
    spec, degradation = model.spec, model.card["task"]["degrade"]
    about = words.removes(degradation) + (" Paint over what is missing." if spec.masked else "")
    return {"damage": degradation, "scale": spec.scale, "masked": spec.masked, "about": about}


def apply(model: Restorer, content: bytes, to: str, mask: bytes | None) -> dict[str, Any]:
    """A picture before and after, and warnings: PNG, but what was sent as a JPEG comes back as one (`form`).

    Args:
        mask: a picture that is bright where pixels are missing, for models that fill holes.

    Raises:
        UserError: it is not a picture, or one that this model cannot restore.
    """
    original = uploads.original(content)
    missing = uploads.mask(mask, original) if model.spec.masked else None
    after = last(model.restore_picture(original, missing))
    warnings = words.warnings(model.differences(original), model.card["task"]["degrade"])
    if missing is not None:  # what was painted over is shown as a hole
        original = replace(original, pixels=np.where(missing[:, :, None], np.uint8(HOLE), original.pixels))
    made, form = uploads.as_sent(content, after)
    return {"before": uploads.original_png(original), "after": made, "form": form, "warnings": warnings}


PART = Part(
    name="restore",
    best=Best("fidelity", "psnr", "PSNR", " dB"),
    remarks=remarks,
    preview="From damaged to restored",
    rule="Rows of three from above: damaged, restored, the original (held out, never trained on).",
    question="How well does it restore?",
    contest=lambda task: bool(number(task, "lively")),
    charts=(
        Chart(
            "PSNR of training pieces, dB",
            (Curve("psnr", "PSNR", "--held"),),
            "Higher is nearer to the original pictures.",
        ),
    ),
    compared=(*Part.compared, ("psnr", "PSNR of training pieces, dB")),
    tiles=(Tile("PSNR, held out", "{psnr} dB (damaged {psnr_damaged})"),),
    diagram=Diagram(
        "damaged",
        "Restorer",
        "restored pictures",
        "original pictures",
        "Damaged pictures go into the restorer (generator), which must come near to the originals. Where lively is "
        "above 0 an expert (discriminator) also says whether a patch looks real.",
    ),
    goals=(
        Goal(
            "restore",
            "Restore pictures",
            "Remove noise or rain, enlarge, fill holes. A dozen good photographs are enough.",
            2,
            (
                ("denoise", "Take out noise"),
                ("superres", "Enlarge to twice the size"),
                ("derain", "Take out rain"),
                ("inpaint", "Fill what is missing"),
            ),
            {
                "denoise": (
                    (0, "less noise, soft edges"),
                    (4_000, "most of the noise gone"),
                    (20_000, "clean pictures with fine detail"),
                    (60_000, CLEANEST),
                ),
                "superres": ((0, "a little sharper than scaling"), (20_000, "sharp edges"), (60_000, CLEANEST)),
                "derain": ((0, "fainter streaks"), (10_000, "most streaks gone"), (60_000, CLEANEST)),
                "inpaint": (
                    (0, "blurry fillings"),
                    (30_000, "fillings that follow edges"),
                    (100_000, CLEANEST),
                ),
            },
            choice="What should it do?",
            which="Which undamaged pictures should it learn from?",
            files=("image/*", ".zip"),
        ),
    ),
    functions={"apply": apply},
    facts=facts,
)
