"""Texts spoken by a generator: each name of a class in it is a new sound of that class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.sounds import joins
from ganvas.tasks.sound.model import SoundModel

GAP = 0.07  # seconds from one sound to the next, without the silence around them
PAUSES = {" ": 0.25, "-": 0.15, ".": 0.35, ":": 0.25, "/": 0.15, ",": 0.25, "+": 0.15}  # seconds of each mark
LONGEST = 500  # sounds in a text


def write(model: SoundModel, text: str, seed: int = 0, truncation: float | None = None) -> Tensor:
    """Speak a text of class names: each is a new sound, without the silence around it; marks are pauses.

    Args:
        text: names of the model's classes one after the other, with spaces and the marks - . : / , + between them. A
            digit means the class of its English name if no class has its own name.
        seed: another seed gives other sounds.
        truncation: see `SoundModel.sample`.

    Returns:
        A wave float [n] in [-1, 1], `spec.rate` samples a second.

    Raises:
        UserError: the model has no classes, the text has something that is neither a class nor a mark, is too long, or
            one of its sounds is silent.
    """
    parts = model.parts(text)
    classes = [part.text for part in parts if part.is_class]
    if len(classes) > LONGEST:
        raise UserError(f"That text has {len(classes)} sounds: {LONGEST} at most.")
    numbers = [seeds.key(seed, "write", i) for i in range(len(classes))]
    drawn = iter(torch.cat([*model.draw(numbers, classes, truncation)]).numpy())
    sounds: list[np.ndarray | float] = []
    for part in parts:
        if not part.is_class:
            sounds.append(PAUSES[part.text])
            continue
        sounds.append(sound := joins.bare(next(drawn), model.spec.rate))
        if not len(sound):
            raise UserError(f"The sound that was drawn for {part.text} is silent: choose another seed than {seed}.")
    return torch.from_numpy(joins.with_pauses(sounds, model.spec.rate, GAP))
