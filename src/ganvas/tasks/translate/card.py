"""The facts about a trained translator, in addition to those of every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Usage
from ganvas.core.text import quoted
from ganvas.metrics.figures import number

if TYPE_CHECKING:
    from ganvas.tasks.translate.model import Translator


def facts(model: Translator) -> dict[str, str]:
    """Both kinds of pictures, and the sizes that it accepts."""
    card, spec = model.card, model.spec
    size = "pictures of any size" if model.any_size else f"{spec.size}x{spec.size}"
    lines = {
        spec.noun: f"{size}, {spec.colours}",
        "kinds": f"A is {card['data_name']}, B is {card['other_name']}: it turns each into the other",
    }
    log = card.get("log", {})
    return lines | ({"loss_cycle": f"{log['loss_cycle']:.3f}"} if "loss_cycle" in log else {})


def figures(model: Translator) -> list[str]:
    """The quality of each direction and of its alternatives, a line for each."""
    lines = []
    evaluation = model.card.get("translation", {})
    for way in evaluation.get("ways", []):
        values = [f"Frechet distance {number(way['frechet'])}"]
        values += [f"colours follow in the {k} by {way[k]:.2f}" for k in ("middle", "border") if way[k] is not None]
        values += [f"there and back {way['cycle']:.1f} dB"] if way["cycle"] is not None else []
        count = " and ".join(f"{n:,}" for n in evaluation["n"])
        note = f". {way['note']}" if way.get("note") else ""
        lines.append(f"to {way['to']}, {way['name']}: {', '.join(values)}; {count} held-out pictures{note}")
    return lines


def usage(model: Translator, place: str) -> Usage:
    """Translate a folder of pictures, and tensors."""
    spec = model.spec
    return Usage(
        (("translate", place, "my-pictures/", "--to", "B", "--out", "translated/"),),
        f'model = ganvas.translator({quoted(place)})\nmade = model.translate(images, "b")'
        f"  # [n, {spec.channels}, {spec.size}, {spec.size}] in [-1, 1]",
    )
