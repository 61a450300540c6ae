"""What `ganvas evaluate` measures: a model that draws or pictures in files, and the real images beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganvas import data as datasets
from ganvas import images as im
from ganvas import pictures, seeds
from ganvas.data import ImageData
from ganvas.errors import UserError
from ganvas.fitting import Shape
from ganvas.pictures import Pictures
from ganvas.run import Run
from ganvas.sample import Model, Trained, load
from ganvas.spec import ImageSpec


@dataclass(frozen=True)
class Drawer:
    """A model that draws pictures to be compared with `real`; `Pictures` are its counterpart."""

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
        return self.model.card.get("images", 0)

    def some(self, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
        return draw(self.model, self.real, count, seed, repeat)


def draw(model: Model, real: ImageData, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
    """Pictures of the seeds that belong to a repeat, uint8 [count, C, H, W], and the classes asked for.

    Classes come as often as in the training images, for the reference has them as often as they come.

    Raises:
        UserError: the generator draws values that are not numbers.
    """
    first = seed + repeat * count
    labels = None
    if model.class_names and real.train.labels is not None and model.class_names == real.class_names:
        order = torch.randint(len(real.train.labels), (count,), generator=seeds.generator(seed, "classes", repeat))
        labels = real.train.labels[order]
    drawn: list[Tensor] = []  # all of them on the first rank, none on others
    for portion in model.draw(range(first, first + count), None if labels is None else labels.tolist()):
        if not bool(torch.isfinite(portion).all()):
            bad = int((~torch.isfinite(portion)).flatten(1).any(1).nonzero()[0]) + first + sum(map(len, drawn))
            raise UserError(f"{model.path} draws values that are not numbers (seed {bad}): its training went wrong.")
        drawn.append(im.to_uint8(portion))
    return im.join(drawn, model.spec.channels, model.spec.size), labels


def find(
    source: str | os.PathLike[str], data: str | os.PathLike[str] | None
) -> tuple[Pictures | Drawer, Run | None, ImageData]:
    """What is measured, the run that it lies in, and the real images to compare with.

    Raises:
        UserError: there is nothing of the kind, or the real images are not known or are others than in training.
    """
    if pictures.is_pictures(source):
        taken = pictures.load(source)
        if data is None:
            raise UserError(
                f"{source} holds pictures. Name the real images that they are to be compared with: --data mnist."
            )
        spec = taken.spec
        real = _in_shape(str(data), Shape(spec.size, spec.channels))
        return taken.named(real.class_names), None, real
    model = load(source)
    real = trained_on(model, source, data)
    return Drawer(model, real), run_of(model.path), real


def run_of(model: Path) -> Run | None:
    """The run that a model file lies in."""
    for folder in (model.parent, model.parent.parent):
        if (folder / "experiment.json").is_file():
            return Run(folder)
    return None


def trained_on(
    model: Trained,
    source: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    size: int = 0,
    to: str | os.PathLike[str] | None = None,
    allowed: Callable[[object], None] = lambda _: None,
) -> ImageData:
    """The images that a model was trained on, where they still are; or those that the user names.

    Args:
        source: what the user calls the model.
        size: of pieces, where they shall be of another size than in the training.
        to: with `data`, the pictures of the other kind.
        allowed: raises a UserError for what the run or the model names as its data and shall not be read.

    Raises:
        UserError: they are not there, or are others now.
    """
    said = model.card.get("data", {})
    fit, labelled = said.get("fit", "crop"), said.get("labels", True)
    size = size if size and fit == "pieces" else model.spec.size
    shape = Shape(size, model.spec.channels, fit, said.get("linear", False))
    if data is not None and to is not None:
        return datasets.load(str(data), shape, False, to=str(to))
    if data is not None:
        return _in_shape(str(data), shape, labelled)
    run = run_of(model.path)
    name, twins, other = said.get("source", ""), "", said.get("to", "")
    if run is not None:
        try:
            known = run.settings()["data"]
            name, twins, other = known["source"], known.get("twins", ""), known.get("to", "")
        except UserError as error:
            raise UserError(f"{error} Name the data with --data.") from error
        except (KeyError, TypeError) as error:
            raise UserError(f"{run.experiment} is damaged ({error}). Name the data with --data.") from error
    elif name not in datasets.DATASETS:
        raise UserError(f"{source} was trained on '{name}', which is not here. Name these images with --data.")
    for place in (name, twins, other):
        allowed(place)
    real = datasets.load(name, shape, labelled, twins, other)
    if real.fingerprint != model.card.get("fingerprint"):
        raise UserError(f"{name} holds other images now than {source} was trained on. Name the right ones with --data.")
    return real


def _in_shape(name: str, shape: Shape, labelled: bool = True) -> ImageData:
    """The images that a user names: those of a folder come in the shape of a model's pictures."""
    return datasets.load(name, Shape() if datasets.has_own_shape(name) else shape, labelled)
