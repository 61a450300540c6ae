"""Trained models of any task, by the task that their card names."""

from __future__ import annotations

import os

from ganvas import checkpoint, restoring, sample, translating
from ganvas.errors import UserError
from ganvas.locate import locate
from ganvas.restoring import Restorer
from ganvas.sample import Model
from ganvas.translating import Translator

LOADERS = {"restore": restoring.load, "translate": translating.load}


def load(path: str | os.PathLike[str], device: str = "auto") -> Model | Restorer | Translator:
    """A model of any task.

    Raises:
        UserError: as `sample.load`.
    """
    return LOADERS.get(task(path), sample.load)(path, device)


def task(path: str | os.PathLike[str]) -> str:
    """What a run or a model was trained to do; '' where that cannot be read: whoever reads it next says why."""
    try:
        return sample.task_of(checkpoint.head(locate(path)))
    except (UserError, KeyError, TypeError, AttributeError):
        return ""
