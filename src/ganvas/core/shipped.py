"""The trained models that come with Ganvas, by their names: they can be used before any training."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "models"
ABOUT = {  # what a page calls each of them, and what it does
    "mnist": ("MNIST digits", "Draws handwritten digits and recognises them."),
    "restore": (
        "Photo restorer",
        "Removes noise and grain, scratches, spots, light blur and JPEG artefacts from photos.",
    ),
}


def names() -> list[str]:
    """The names of these models."""
    return sorted(file.stem for file in FOLDER.glob("*.safetensors"))


def shipped(name: str | os.PathLike[str]) -> Path | None:
    """The file of the model of this name; None: there is none."""
    return FOLDER / f"{name}.safetensors" if str(name) in names() else None


def title(name: str) -> str:
    """What a page calls this model."""
    return f"{ABOUT.get(name, (name, ''))[0]} (comes with Ganvas)"


def games(name: str) -> Path:
    """The file of games that are dealt already with the pictures of this model; see `benchmarks/models.py`."""
    return FOLDER / f"{name}.games.json"
