"""The parts of a model card that only generators have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Section, Usage
from ganvas.core.text import quoted

if TYPE_CHECKING:
    from ganvas.tasks.generate.model import Model


def facts(model: Model) -> dict[str, str]:
    """Whether it has a selector and a detector."""
    selector = "yes: it rejects drawings that look forged" if model.selector is not None else "none"
    detector = "yes" if model.detector is not None else f"none: {model.no_detector}"
    return {"selector": selector, "detector": detector}


def sections(model: Model) -> list[Section]:
    """How good the detector is, and what its limits are."""
    report = model.card.get("detector")
    if not report:
        return []
    rows = ", ".join(f"{r['name']} {r['auroc']:.3f}{'' if r['learned'] else ' (never seen)'}" for r in report["rows"])
    lines = [
        f"Of {report['real']:,} held-out real images it calls {report['false_alarm']:.1%} 'no' at a threshold set for "
        f"{report['alarm']:.1%}; expected calibration error {report['calibration_error']:.3f}.",
        f"AUROC against: {rows}.",
        "Its limits: pictures that resemble none of these, and real images that were prepared differently, which it "
        "may reject. Of this generator's own pictures it accepts "
        f"{report['rows'][0]['passed']:.1%}.",
    ]
    return [Section("Detector", "The discriminator as a detector", lines)]


def usage(model: Model, place: str) -> Usage:
    """How to generate pictures, and to use the detector."""
    spec, names = model.spec, model.card["classes"]
    one_class = ("--class", names[-1]) if names else ()
    return Usage(
        (("sample", place, "--count", "64", *one_class), ("detect", place, "my-images/")),
        f"pictures = ganvas.load({quoted(place)}).sample(16)"
        f"  # [16, {spec.channels}, {spec.size}, {spec.size}] in [-1, 1]",
    )
