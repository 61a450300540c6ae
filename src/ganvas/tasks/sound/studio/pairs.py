"""The game of the studio: which of two sounds is a recording, and which did the generator draw?"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ganvas.core.errors import UserError
from ganvas.sounds import files
from ganvas.sounds.data import SoundData
from ganvas.sounds.fit import FULL
from ganvas.tasks.sound.model import SoundModel
from ganvas.training.evaluate import data_of, trained_on

Allowed = Callable[[object], None]  # raises a UserError if data that a card names must not be read


@dataclass(frozen=True)
class _Source:
    """A model, and which data may be read; equal for the same file with the same modification time."""

    path: str
    changed: int
    allowed: Allowed
    model: SoundModel = field(compare=False)


def pairs(model: SoundModel, seed: int, count: int, allowed: Allowed) -> dict[str, Any]:
    """`count` pairs of a held-out recording and a drawn sound, of one class where there are classes.

    Recordings are as the training has them: of the model's rate and length, and as loud as drawn ones.

    Args:
        allowed: which data may be read: a function of its place, which raises a UserError.

    Returns:
        `pairs`, lists of two WAV files; `real`, for each pair the place (0 or 1) of the recording; `kinds`, its class
        (None where there are none).

    Raises:
        UserError: the recordings cannot be read, or are too few.
    """
    data = _data(_Source(str(model.path), model.path.stat().st_mtime_ns, allowed, model))
    real, labels = data.held_out.samples, data.held_out.labels
    if len(real) < count:
        raise UserError(f"{len(real)} held-out sounds are too few for a game; {count} are needed.")
    rng = random.Random(seed)
    chosen = rng.sample(range(len(real)), count)
    numbers = [rng.randrange(1_000_000, 2_000_000) for _ in chosen]
    labelled = labels is not None and model.class_names == tuple(data.class_names)
    kinds = [int(labels[i]) for i in chosen] if labelled and labels is not None else None
    drawn = model.draw_waves(numbers, kinds if model.class_names else None)
    places, dealt = [rng.randrange(2) for _ in chosen], []
    for i, place, wave in zip(chosen, places, drawn, strict=True):
        both = [files.encoded(wave.numpy(), model.spec.rate)] * 2
        both[place] = files.encoded(real[i].float().numpy() / FULL, data.spec.rate)
        dealt.append(both)
    names = [None if kinds is None else model.class_names[kinds[j]] for j in range(count)]
    return {"pairs": dealt, "real": places, "kinds": names}


@functools.lru_cache(maxsize=1)
def _data(source: _Source) -> SoundData:
    """The sounds that a model was trained on. Raises a UserError if they are missing, or must not be read."""
    source.allowed(getattr(data_of(source.model), "source", ""))
    data = trained_on(source.model, source.path)
    if not isinstance(data, SoundData):
        raise UserError("This model was not trained on sounds.")
    return data
