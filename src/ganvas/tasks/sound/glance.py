"""A first look at sounds before a check or a training: how many files there are, and the recipe for so many."""

from __future__ import annotations

from typing import Any

from ganvas.core import files
from ganvas.sounds.check import FEW
from ganvas.sounds.kind import SOUNDS
from ganvas.sources import listing


def glance(source: str) -> dict[str, Any]:
    """See `Task.glance`.

    Raises:
        UserError: there are no sounds.
    """
    found = listing.find(files.place(source), SOUNDS, labelled=False)
    count = len(found.names)
    return {"count": count, "recipe": "sound-few" if count < FEW else "sound", "notes": list(found.notes)}
