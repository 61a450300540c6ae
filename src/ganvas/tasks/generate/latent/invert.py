"""Inversion: find the latent vector whose picture is nearest to a given image; see `core.latent.Search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core.latent import Search, joined
from ganvas.images.handed import Given, floats
from ganvas.images.shown import Pictures
from ganvas.tasks.generate.model import Model


@dataclass(frozen=True)
class Inverted:
    """latents [n, D], labels int64 [n] (None: no classes), pictures [n, C, H, W] in [-1, 1], and their distance.

    `distance` [n] is the root mean square difference between the picture's and the image's pixels, in [0, 2].
    """

    latents: Tensor
    labels: Tensor | None
    pictures: Pictures
    distance: Tensor


def invert(
    model: Model,
    images: Given,
    classes: int | str | Sequence[int | str] | None = None,
    steps: int = 200,
    seed: int = 0,
) -> Inverted:
    """Find the latent vectors whose pictures are nearest to images.

    Args:
        images: float [n, C, H, W] in [-1, 1], uint8, a NumPy array, Pillow images or paths: see `images.handed.tensor`.
        classes: what they show, as in `Model.sample`; None: try every class and keep the nearest picture.
        steps: of gradient descent; see `core.latent.Search.nearest`.

    Raises:
        UserError: a class that the model does not have.
    """
    images = floats(images, model.spec, sized=True)
    labels = None if classes is None else model.labels(classes, len(images))
    search = Search(model.generator, model.latent_dim, len(model.class_names), _blur, _error)
    found = joined([*search.nearest(images, labels, steps, seed)])
    distance = (found.samples - images.cpu()).square().flatten(1).mean(1).sqrt()
    return Inverted(found.latents, found.labels, Pictures.around(found.samples, columns=0), distance)


def _error(drawn: Tensor, wanted: Tensor) -> Tensor:
    """The mean square difference of pictures and of blurred pictures, [n]."""
    pairs = (drawn, wanted), (_blur(drawn), _blur(wanted))
    first, second = ((a - b).square().flatten(1).mean(1) for a, b in pairs)
    return first + second


def _blur(images: Tensor) -> Tensor:
    """Blur slightly: a stroke that is slightly off then counts as nearer than no stroke."""
    return F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
