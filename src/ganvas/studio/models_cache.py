"""The worker's cache of models."""

from __future__ import annotations

import functools
from pathlib import Path

from ganvas.core import model as models
from ganvas.core.errors import UserError
from ganvas.core.model import TrainedModel


@functools.lru_cache(maxsize=3)
def _cached(path: str, changed: int) -> TrainedModel:
    return models.load(path, "cpu")  # a GPU needs more address space than the memory limit allows


def load(path: str) -> TrainedModel:
    """A model of any task, from memory where its file has not changed."""
    file = Path(path)
    try:
        return _cached(path, file.stat().st_mtime_ns)
    except OSError as error:
        raise UserError("This run has no model yet: it comes with the first snapshot.") from error
