"""What `ganvas evaluate` measures: a model that draws or pictures in files, and the real images beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.core import files, seeds
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.core.model import TrainedModel
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.images import data as datasets
from ganvas.images import files as image_files
from ganvas.images.data import ImageData
from ganvas.images.decode import Shape
from ganvas.images.files import Pictures
from ganvas.images.spec import ImageSpec
from ganvas.report.diagnosis import number
from ganvas.tasks.generate.model import Model, load


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
        return int(number(self.model.card, "images") or 0)

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
    numbers = range(first, first + count)  # all are drawn on the first rank, none on others
    return model.pictures(numbers, None if labels is None else labels.tolist()), labels


def find(
    source: str | os.PathLike[str], data: str | os.PathLike[str] | None
) -> tuple[Pictures | Drawer, Run | None, ImageData]:
    """What is measured, the run that it lies in, and the real images to compare with.

    Raises:
        UserError: there is nothing of the kind, or the real images are not known or are others than in training.
    """
    if image_files.is_pictures(source):
        taken = image_files.load(source)
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
    model: TrainedModel,
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
    said = _said(model.card.get("data", {}), f"The card of {model.path}")
    fit, labelled = said["fit"], said["labels"]
    size = size if size and fit == "pieces" else model.spec.size
    shape = Shape(size, model.spec.channels, fit, said["linear"])
    if data is not None and to is not None:
        return datasets.load(str(data), shape, False, to=str(to))
    if data is not None:
        return _in_shape(str(data), shape, labelled)
    run = run_of(model.path)
    if run is not None:
        said = _named_by(run)
    name, twins, other = said["source"], said["twins"] if run is not None else "", said["to"]
    if run is None and not {name, other or name} <= set(datasets.DATASETS):  # a card alone leads to no files
        told = " and ".join(one_line(x) for x in (name, other) if x)
        raise UserError(f"{source} was trained on '{told}', which is not here. Name these images with --data.")
    for place in (name, twins, other):
        allowed(place)
    real = datasets.load(name, shape, labelled, twins, other)
    if real.fingerprint != model.card.get("fingerprint"):
        raise UserError(f"{name} holds other images now than {source} was trained on. Name the right ones with --data.")
    return real


def reading(source: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> str:
    """What is about to be read because a run names it and not the user: a sentence; empty where nothing is."""
    if data is not None or image_files.is_pictures(source):
        return ""
    run = run_of(locate(source))
    said = {} if run is None else _named_by(run)
    places = [one_line(said[key]) for key in ("source", "twins", "to") if said.get(key)]
    if not places or places[0] in datasets.DATASETS:
        return ""
    return f"reading the data that {source} names: {' and '.join(places)}"


def _named_by(run: Run) -> dict[str, Any]:
    """The data settings of a run, which anyone may have written.

    Raises:
        UserError: they cannot be read, or name what is no file and no folder.
    """
    try:
        known = run.settings()["data"]
    except UserError as error:
        raise UserError(f"{error} Name the data with --data.") from error
    except KeyError as error:
        raise UserError(f"{run.experiment} is damaged ({error}). Name the data with --data.") from error
    said = _said(known, str(run.experiment))
    for name in (said["source"], said["twins"], said["to"]):
        place = files.place(name)
        if name not in datasets.DATASETS and os.path.lexists(place) and not (place.is_dir() or place.is_file()):
            raise UserError(f"{run.experiment} names {one_line(name)} as its data, which is no file and no folder.")
    return said


def _said(known: Any, what: str) -> dict[str, Any]:
    """The settings of a data set, of the kinds that they must have.

    Raises:
        UserError: one of them is of another kind.
    """
    usual = {"source": "", "twins": "", "to": "", "fit": "crop", "labels": True, "linear": False}
    if not isinstance(known, dict):
        raise UserError(f"{what} is damaged: its data are no group of settings. Name the data with --data.")
    said = {key: known.get(key, value) for key, value in usual.items()}
    for key, value in said.items():
        if type(value) is not type(usual[key]) or "\0" in str(value):
            raise UserError(f"{what} is damaged: its data have a strange '{key}'. Name the data with --data.")
    return said


def _in_shape(name: str, shape: Shape, labelled: bool = True) -> ImageData:
    """The images that a user names: those of a folder come in the shape of a model's pictures."""
    return datasets.load(name, Shape() if datasets.has_own_shape(name) else shape, labelled)
