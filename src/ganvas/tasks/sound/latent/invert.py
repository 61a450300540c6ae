"""Inversion: the sound that the generator can draw which is nearest to a recording; see `core.latent.Search`.

Spectrograms are compared, in what can be heard of them: what is 60 dB softer than the recording's loudest moment counts
as silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.latent import SAMPLES, Search, joined
from ganvas.sounds.codec import FLOOR
from ganvas.tasks.sound.model import BATCH, SoundModel

DECIBELS = -FLOOR / 2  # of a level of 1 in a spectrogram
HEARD = 60 / DECIBELS  # below the loudest level, softer ones are not heard
STEPS = 200  # of gradient descent


@dataclass(frozen=True)
class InvertedSounds:
    """What was found for n recordings.

    latents [n, dim], labels int64 [n] (None: no classes), pictures [n, 1, bands, frames] in [-1, 1] and waves
    [n, samples]. `distance` [n] is the root mean square difference of the levels of bands, in dB, where the recording
    or the found sound is heard; `usual` [n] is the mean distance of sounds that are drawn at random, of the same class.
    """

    latents: Tensor
    labels: Tensor | None
    pictures: Tensor
    waves: Tensor
    distance: Tensor
    usual: Tensor


def invert(
    model: SoundModel,
    waves: Tensor,
    classes: int | str | Sequence[int | str] | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> InvertedSounds:
    """Find the latent vectors whose sounds are nearest to recordings.

    Args:
        waves: float [n, samples] in [-1, 1], `spec.rate` samples a second, as `sounds.files.recording` makes them.
        classes: what they are, as in `SoundModel.sample`; None: try every class and keep the nearest sound.
        steps: of gradient descent; see `core.latent.Search.nearest`.
        seed: of the sounds from which the search starts.

    Raises:
        UserError: a class that the model does not have, waves of another length, or values that are not numbers.
    """
    if waves.ndim != 2 or waves.shape[1] != model.spec.samples or not len(waves):
        wanted = f"[n, {model.spec.samples}]"
        raise UserError(f"The recordings have the shape {list(waves.shape)}; {wanted} is needed (model.spec.samples).")
    if not waves.isfinite().all():
        raise UserError("The recordings have values that are not numbers.")
    labels = None if classes is None else model.labels(classes, len(waves))
    targets = model.spec.codec.encode(waves.float())
    search = Search(model.generator, model.latent_dim, len(model.class_names), coarse, error)
    found = joined([*search.nearest(targets, labels, steps, seed)])
    if not found.samples.isfinite().all():
        raise UserError(f"{model.path} draws values that are not numbers: its training went wrong.")
    parts = [model.spec.codec.sounds(part) for part in found.samples.split(BATCH)]
    usual = [
        _usual(model, targets[i], None if found.labels is None else int(found.labels[i]), seed)
        for i in range(len(targets))
    ]
    return InvertedSounds(
        found.latents,
        found.labels,
        found.samples,
        torch.cat(parts),
        decibels(found.samples, targets),
        torch.tensor(usual),
    )


def _usual(model: SoundModel, target: Tensor, label: int | None, seed: int) -> float:
    """The mean distance of sounds drawn at random from this one, [1, bands, frames]."""
    numbers = [seeds.key(seed, "usual", i) for i in range(SAMPLES)]
    labels = None if label is None else torch.full((SAMPLES,), label)
    drawn = model.pictures(seeds.latents(numbers, model.latent_dim), labels).cpu()
    return float(decibels(drawn, target.expand_as(drawn)).mean())


def floor_of(pictures: Tensor) -> Tensor:
    """The level below which each of these spectrograms [n, 1, bands, frames] is not heard, [n, 1, 1, 1]."""
    return (pictures.amax((1, 2, 3), keepdim=True) - HEARD).clamp_min(-1)


def coarse(pictures: Tensor) -> Tensor:
    """Spectrograms [n, 1, bands, frames] in what is heard of them, blurred."""
    return _blur(torch.maximum(pictures, floor_of(pictures)))


def error(drawn: Tensor, wanted: Tensor) -> Tensor:
    """The mean square difference of spectrograms and of blurred ones, [n], without what is not heard in both."""
    floor = floor_of(wanted)
    apart = torch.where(wanted > floor, drawn - wanted, F.relu(drawn - floor))
    return apart.square().flatten(1).mean(1) + _blur(apart).square().flatten(1).mean(1)


def decibels(drawn: Tensor, wanted: Tensor) -> Tensor:
    """How far spectrograms are apart, [n] in dB; see `InvertedSounds`."""
    floor = floor_of(wanted)
    apart = (torch.maximum(drawn, floor) - torch.maximum(wanted, floor)).flatten(1)
    heard = ((drawn > floor) | (wanted > floor)).flatten(1)
    return DECIBELS * (apart.square().sum(1) / heard.sum(1).clamp_min(1)).sqrt()


def _blur(pictures: Tensor) -> Tensor:
    """Blur slightly: a harmonic that is slightly off then counts as nearer than none."""
    return F.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
