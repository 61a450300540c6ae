"""Models that the worker holds, and what its tasks share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ganvas import images as im
from ganvas import loading, sample
from ganvas.errors import UserError
from ganvas.sample import Model

PIXELS = 40_000_000  # of a picture that is sent


@functools.lru_cache(maxsize=3)
def _cached(path: str, changed: int) -> Any:
    return loading.load(path)


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
        raise UserError(f"This model {sample.USES[sample.task_of(model.card)].split(':')[0]}.")
    return model


def check_pixels(picture: Image.Image) -> None:
    if picture.width * picture.height > PIXELS:
        raise UserError(
            f"That picture has {picture.width}x{picture.height} pixels; {PIXELS // 1_000_000} million are the most."
        )


def as_png(picture: Tensor) -> bytes:
    """uint8 [C, H, W] -> PNG."""
    return im.png(picture.permute(1, 2, 0).contiguous().numpy())
