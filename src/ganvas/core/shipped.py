"""The trained models that come with Ganvas, by their names: they can be used before any training."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "models"


def names() -> list[str]:
    """The names of these models."""
    return sorted(file.stem for file in FOLDER.glob("*.safetensors"))


def shipped(name: str | os.PathLike[str]) -> Path | None:
    """The file of the model of this name; None: there is none."""
    return FOLDER / f"{name}.safetensors" if str(name) in names() else None
