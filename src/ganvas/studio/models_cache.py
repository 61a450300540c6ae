"""Models that the worker holds, and what its tasks share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ganvas.core import model as models
from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.core.model import task_name
from ganvas.images import decode, sheets
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.model import Model

PIXELS = 40_000_000  # of a picture that is sent


@functools.lru_cache(maxsize=3)
def _cached(path: str, changed: int) -> Any:
    return models.load(path, "cpu")  # a limit of memory and a GPU's own addresses do not go together


def load(path: str) -> Any:
    """A model of any task, from memory where its file has not changed."""
    file = Path(path)
    try:
        return _cached(path, file.stat().st_mtime_ns)
    except OSError as error:
        raise UserError("This run has no model yet: it comes with the first snapshot.") from error


def drawer(path: str) -> Model:
    model = load(path)
    if not isinstance(model, Model):
        raise UserError(f"This model {registry.find(task_name(model.card)).usage.split(':')[0]}.")
    return model


def sent(content: bytes, size: int = 0) -> Image.Image:
    """A picture that somebody sent, as `fitting.plain` gives it; `size`: as there.

    Raises:
        UserError: it is no picture, a damaged one, or too large.
    """
    try:
        raw = decode.opened(content)
        if raw.width * raw.height > PIXELS:
            raise UserError(
                f"That picture has {raw.width}x{raw.height} pixels; {PIXELS // 1_000_000} million are the most."
            )
        return decode.plain(raw, size)
    except decode.Unreadable as error:
        raise UserError(f"That cannot be read as a picture ({error}).") from error


def cut(content: bytes, spec: ImageSpec) -> np.ndarray:
    """A picture that somebody sent, as a model's pictures are: uint8 [C, size, size]."""
    return decode.fitted(sent(content, spec.size), decode.Shape(spec.size, spec.channels))


def as_png(picture: Tensor) -> bytes:
    """uint8 [C, H, W] -> PNG."""
    return sheets.png(picture.permute(1, 2, 0).contiguous().numpy())
