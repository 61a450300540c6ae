"""The generator of sounds in the studio: sounds of seeds, between two of them, and on a map between four."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.latent import blend, corner_weights, mixed
from ganvas.sounds import files, sheets
from ganvas.tasks.sound.model import SoundModel

SOUNDS = 32  # in one request, at most
POINTS = 120  # of a drawn waveform


def sounds(model: SoundModel, numbers: list[int], kind: str | None, truncation: float | None) -> list[dict[str, Any]]:
    """The sounds of seeds.

    Args:
        kind: the class of all of them; None takes the classes in turn.

    Returns:
        For each `seed`, `kind` (its class, None where there are none), `wav` and `picture` (the bytes of a WAV file
        and of a PNG of its spectrogram), and `wave`: POINTS pairs of the lowest and highest value, in -1 to 1.

    Raises:
        UserError: there are too many, or the model has no such class, or it draws values that are not numbers.
    """
    if not 0 < len(numbers) <= SOUNDS:
        raise UserError(f"{len(numbers)} sounds at once: from 1 to {SOUNDS} are possible.")
    labels = model.labels(kind or None, len(numbers)) if model.class_names else None
    found = _made(model, seeds.latents(numbers, model.latent_dim, truncation=truncation), labels)
    for i, entry in enumerate(found):
        entry["seed"] = numbers[i]
        entry["kind"] = None if labels is None else model.class_names[int(labels[i])]
    return found


def between(
    model: SoundModel, ends: list[int], kinds: list[str] | None, share: float, truncation: float | None = None
) -> dict[str, Any]:
    """The sound on the way from one seed (share 0) to another (share 1); as an entry of `sounds` without `seed`.

    Args:
        kinds: the classes of both ends; between two the sound is of a mixture of both.
    """
    if len(ends) != 2 or not 0 <= share <= 1:
        raise UserError("A place on the way has two seeds, and a share between 0 and 1.")
    weights = torch.tensor([1 - share, share], dtype=torch.float32)
    return _mixture(model, ends, kinds, weights, truncation)


def at(model: SoundModel, corners: list[int], x: float, y: float, kinds: list[str] | None) -> dict[str, Any]:
    """The sound at a place of the map whose corners are four seeds; x, y in 0 to 1; as `between`.

    Args:
        kinds: the class of each corner (none: the first); between two classes the sound is of a mixture of both.
    """
    if len(corners) != 4 or not (0 <= x <= 1 and 0 <= y <= 1):
        raise UserError("A place on the map has four corner seeds, and x and y between 0 and 1.")
    return _mixture(model, corners, kinds, corner_weights(x, y))


def _mixture(
    model: SoundModel, numbers: list[int], kinds: list[str] | None, weights: Tensor, truncation: float | None = None
) -> dict[str, Any]:
    """The sound between seeds, and between their classes, by weights [N] that add up to 1."""
    z = blend(seeds.latents(numbers, model.latent_dim, truncation=truncation), weights)
    labels = model.labels(list(kinds) if kinds else [0] * len(numbers), len(numbers)) if model.class_names else None
    if labels is not None:
        labels = mixed(labels, weights, len(model.class_names))
    return _made(model, z[None], labels)[0]


def _made(model: SoundModel, z: Tensor, labels: Tensor | None) -> list[dict[str, Any]]:
    with torch.inference_mode():
        pictures = model.pictures(z, labels)
        waves = model.spec.codec.sounds(pictures).cpu()
    if not bool(waves.isfinite().all()):
        raise UserError("This model draws values that are not numbers: its training went wrong.")
    return [shown(model, picture, wave) for picture, wave in zip(pictures.cpu(), waves, strict=True)]


def shown(model: SoundModel, picture: Tensor, wave: Tensor) -> dict[str, Any]:
    """A sound for a page: its WAV file, its spectrogram, its waveform.

    Args:
        picture: float [1, bands, frames] in [-1, 1].
        wave: float [samples] in [-1, 1].
    """
    return {
        "wav": files.encoded(wave.numpy(), model.spec.rate),
        "picture": sheets.png(picture[None], 1),
        "wave": [[round(float(v), 3) for v in (part.min(), part.max())] for part in wave.tensor_split(POINTS)],
    }
