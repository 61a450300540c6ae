"""The facts about a trained restorer, in addition to those of every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.model import Usage
from ganvas.core.text import quoted
from ganvas.metrics.figures import number
from ganvas.tasks.restore import signs

if TYPE_CHECKING:
    from ganvas.tasks.restore.model import Restorer


def facts(model: Restorer) -> dict[str, str]:
    """The degradation that it undoes, and whether it recognises pictures with another one."""
    card, spec = model.card, model.spec
    lines = {
        spec.noun: f"pieces of {spec.size} pixels, {spec.colours}; it restores pictures of any size",
        "damage": f"{card['task']['degrade']} (lively {card['task']['lively']:g})",
        "strangers": signs.describe(card),
    }
    log = card.get("log", {})
    return lines | ({"psnr": f"{log['psnr']:.3f}"} if "psnr" in log else {})


def figures(model: Restorer) -> list[str]:
    """Its quality and that of the classical methods, a line for each."""
    lines = []
    evaluation = model.card.get("restoration", {})
    for row in evaluation.get("answers", []):
        if row["psnr"] is None:
            lines.append(f"{row['name']}: {row['note']}")
            continue
        values = f"{row['psnr']:.2f} dB, SSIM {row['ssim']:.4f}, Frechet distance {number(row['frechet'])}"
        read = f", digits read {row['read']:.1%}" if row.get("read") is not None else ""
        pieces = f"{evaluation['n']:,} held-out pieces of {evaluation['size']} px of {evaluation['data']}"
        note = f". {row['note']}" if row.get("note") else ""
        lines.append(f"{row['name']}: {values}{read}; {pieces}{note}")
    return lines


def usage(model: Restorer, place: str) -> Usage:
    """Restore a folder of pictures, and tensors."""
    given = "images, masks" if model.spec.masked else "images"
    return Usage(
        (("restore", place, "my-pictures/", "--out", "restored/"),),
        f"model = ganvas.restorer({quoted(place)})\nrestored = model.restore({given})"
        f"  # [n, {model.spec.channels}, height, width] in [-1, 1]",
    )
