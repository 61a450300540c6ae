"""The parts of a model card that only models of sounds have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Usage
from ganvas.core.text import quoted

if TYPE_CHECKING:
    from ganvas.tasks.sound.model import SoundModel


def facts(model: SoundModel) -> dict[str, str]:
    """How long the sounds are, and what stands for one."""
    spec = model.spec
    window = 1_000 * spec.window / spec.rate
    return {
        "sounds": f"{spec.words()}, one channel",
        "spectrogram": f"{spec.bands} bands x {spec.frames} moments, windows of {window:.0f} ms",
    }


def usage(model: SoundModel, place: str) -> Usage:
    """How to draw sounds."""
    names = model.card["classes"]
    one_class = ("--class", names[-1]) if names else ()
    return Usage(
        (("sample", place, "--count", "64", *one_class, "--out", "sounds"),),
        f"waves = ganvas.load({quoted(place)}).sample(16)"
        f"  # [16, {model.spec.samples}] in [-1, 1], {model.spec.rate:,} samples a second",
        ("sound",),
    )
