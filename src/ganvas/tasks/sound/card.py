"""The parts of a model card that only models of sounds have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Section, Usage
from ganvas.core.text import quoted

if TYPE_CHECKING:
    from ganvas.tasks.sound.model import SoundModel


def facts(model: SoundModel) -> dict[str, str]:
    """How long the sounds are, and what represents one."""
    spec = model.spec
    window = 1_000 * spec.window / spec.rate
    apart = ", harmonics apart" if model.generator.harmonics else ""
    return {
        "sounds": f"{spec.words()}, one channel",
        "spectrogram": f"{spec.bands} bands x {spec.frames} moments, windows of {window:.0f} ms{apart}",
        "detector": "yes" if model.detector is not None else f"none: {model.no_detector}",
    }


def sections(model: SoundModel) -> list[Section]:
    """How good the detector is, and what its limits are."""
    report = model.detector_report()
    if report is None:
        return []
    rows = ", ".join(f"{row.name} {row.auroc:.3f}" for row in report.rows)
    lines = [
        f"It calls {report.false_alarm:.1%} of {report.real:,} held-out sounds 'no' (asked for: {report.alarm:.1%}).",
        f"AUROC against: {rows}.",
    ]
    if report.labels is not None:
        lines.append(f"Of wrong labels it finds {report.labels.found:.1%}.")
    lines.append("Other voices, rooms or microphones may sound odd to it although they are of the same type.")
    return [Section("Detector", "Which recordings are unlike these", lines)]


def usage(model: SoundModel, place: str) -> Usage:
    """How to draw sounds."""
    names = model.card["classes"]
    one_class = ("--class", names[-1]) if names else ()
    judged = (("detect", place, "my-recordings/"),) if model.detector is not None else ()
    return Usage(
        (("sample", place, "--count", "64", *one_class, "--out", "sounds"), *judged),
        f"waves = ganvas.load({quoted(place)}).sample(16)"
        f"  # [16, {model.spec.samples}] in [-1, 1], {model.spec.rate:,} samples a second",
        ("sound",),
    )
