"""What `ganvas evaluate` measures: a generator or pictures in files, and the real images to compare them with."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.run import Run, run_of
from ganvas.images import files as image_files
from ganvas.images.data import ImageData
from ganvas.images.data.memory import name_of
from ganvas.images.data.trained_on import in_shape, reading, trained_on
from ganvas.images.decode import Shape
from ganvas.images.files import Pictures
from ganvas.images.spec import ImageSpec
from ganvas.report.diagnosis import number
from ganvas.tasks.generate.model import Model, load


@dataclass(frozen=True)
class Sampler:
    """A model whose pictures are compared with `real`; `Pictures` is the same for pictures in files."""

    model: Model
    real: ImageData
    doing = "drawing"
    order = "as often as in the data"
    form = "8 bits, lossless"

    @property
    def spec(self) -> ImageSpec:
        return self.model.spec

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.model.class_names

    @property
    def trained(self) -> int:
        return int(number(self.model.card, "images") or 0)

    def some(self, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
        return sample(self.model, self.real, count, seed, repeat)


def sample(model: Model, real: ImageData, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
    """The pictures of a repeat's seeds, uint8 [count, C, H, W], and their classes.

    Classes are as frequent as in the training images, because they are so in the reference.

    Raises:
        UserError: the generator draws values that are not numbers.
    """
    first = seed + repeat * count
    labels = None
    if model.class_names and real.train.labels is not None and model.class_names == real.class_names:
        order = torch.randint(len(real.train.labels), (count,), generator=seeds.generator(seed, "classes", repeat))
        labels = real.train.labels[order]
    numbers = range(first, first + count)  # the first process gets all pictures, the others none
    return model.pictures(numbers, None if labels is None else labels.tolist()), labels


def find(source: str | os.PathLike[str], data: object) -> tuple[Pictures | Sampler, Run | None, ImageData]:
    """What is measured, the run that it belongs to, and the real images to compare with.

    Raises:
        UserError: there is no such source, or the real images are not known or not those of the training.
    """
    if image_files.is_pictures(source):
        pictures = image_files.load(source)
        if data is None:
            raise UserError(f"{source} holds pictures. Name the real images to compare them with: --data mnist.")
        spec = pictures.spec
        real = in_shape(name_of(data), Shape(spec.size, spec.channels))
        return pictures.named(real.class_names), None, real
    model = load(source)
    real = trained_on(model, source, data)
    return Sampler(model, real), run_of(model.path), real


__all__ = ["Sampler", "find", "reading", "run_of", "sample", "trained_on"]
