"""What the web studio shows of models that restore pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ganvas.core.progress import last
from ganvas.images import uploads
from ganvas.report.diagnosis import Rows, number
from ganvas.tasks.restore.model import Restorer
from ganvas.training.studio import Best, Chart, Curve, Diagram, Part, Tile

HOLE = 127  # the grey level that is shown where a pixel is missing


def remarks(rows: Rows, checks: Rows) -> list[str]:
    """Remarks on the last check."""
    check = next((c for c in reversed(checks) if c.get("metric") == "fidelity"), None)
    if check is None:
        return ["The first figures come with the first picture."]
    psnr, degraded = number(check, "psnr"), number(check, "psnr_damaged")
    if psnr is None or degraded is None:
        return []
    return [
        f"Mended pieces are at {psnr:.1f} dB, damaged ones at {degraded:.1f} dB: higher is nearer to the true ones. "
        "1 dB more is a fifth less of squared error."
    ]


def facts(model: Restorer) -> dict[str, Any]:
    """Facts for the page that applies a model."""
    spec, degradation = model.spec, model.card["task"]["degrade"]
    larger = f"; pictures get {spec.scale} times as large" if spec.scale > 1 else ""
    about = f"Its damage: {degradation}{larger}.{' Paint over what is missing.' if spec.masked else ''}"
    return {"damage": degradation, "scale": spec.scale, "masked": spec.masked, "about": about}


def apply(model: Restorer, content: bytes, to: str, mask: bytes | None) -> dict[str, Any]:
    """A picture before and after, as PNG, and warnings.

    Args:
        mask: a picture that is bright where pixels are missing, for models that fill holes.

    Raises:
        UserError: it is not a picture, or one that this model cannot restore.
    """
    original = uploads.original(content)
    missing = uploads.mask(mask, original) if model.spec.masked else None
    after = last(model.restore_picture(original, missing))
    warnings = [f"It is unlike the pictures of the training: {text}." for text in model.unlike(original)]
    if missing is not None:  # what was painted over is shown as a hole
        original = replace(original, pixels=np.where(missing[:, :, None], np.uint8(HOLE), original.pixels))
    return {"before": uploads.original_png(original), "after": uploads.original_png(after), "warnings": warnings}


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
            "Higher is nearer to the true pictures.",
        ),
    ),
    compared=(*Part.compared, ("psnr", "PSNR of training pieces, dB")),
    tiles=(Tile("PSNR, held out", "{psnr} dB (damaged {psnr_damaged})"),),
    diagram=Diagram(
        "damaged",
        "Mender",
        "mended pictures",
        "true pictures",
        "Damaged pictures go into the mender (generator), who must come near to the true ones. Where lively is above 0 "
        "an expert (discriminator) also says whether a patch looks true.",
    ),
    functions={"apply": apply},
    facts=facts,
)
