"""What the card of a restorer says in addition to every model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Usage
from ganvas.core.text import quoted

if TYPE_CHECKING:
    from ganvas.tasks.restore_sound.model import SoundRestorer


def facts(model: SoundRestorer) -> dict[str, str]:
    """The noise that it takes out."""
    card, spec = model.card, model.spec
    lines = {
        "sounds": f"trained on {spec.words()}; it restores sounds of any length, at this rate",
        "noise": f"{card['task']['degrade']} (lively {card['task']['lively']:g})",
    }
    log = card.get("log", {})
    return lines | ({"SDR": f"{log['sdr']:.2f} dB, of training sounds"} if "sdr" in log else {})


def figures(model: SoundRestorer) -> list[str]:
    """Its quality and that of the classical methods, a line for each."""
    lines = []
    evaluation = model.card.get("restoration", {})
    for row in evaluation.get("answers", []):
        if row["ratio"] is None:
            lines.append(f"{row['name']}: clear pitch {row['clear']:.1%}; {evaluation['n']:,} held-out sounds")
            continue
        values = f"SDR {row['sdr']:.2f} dB, spectral distance {row['lsd']:.2f} dB, clear pitch {row['clear']:.1%}"
        lines.append(f"{row['name']}, SNR {row['ratio']:g} dB: {values}")
    return lines


def usage(model: SoundRestorer, place: str) -> Usage:
    """Restore a folder of recordings, and waves."""
    return Usage(
        (("restore", place, "my-recordings/", "--out", "restored/"),),
        f"restored = ganvas.load({quoted(place)}).restore(waves)"
        f"  # [n, samples] in [-1, 1], {model.spec.rate:,} samples a second",
        ("sound",),
    )
