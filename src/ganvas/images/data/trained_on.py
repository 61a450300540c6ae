"""The images that a model was trained on, where they still exist; for everything that measures a model on them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.core.model import TrainedModel
from ganvas.core.run import Run, run_of
from ganvas.core.text import one_line
from ganvas.images import data as datasets
from ganvas.images import files as image_files
from ganvas.images.data import ImageData, Split
from ganvas.images.data.memory import name_of
from ganvas.images.decode import Shape

PLACES = ("source", "twins", "to")  # the settings that say where data is


def trained_on(
    model: TrainedModel,
    source: str | os.PathLike[str],
    data: object = None,
    size: int = 0,
    to: str | os.PathLike[str] | None = None,
    allowed: Callable[[object], None] = lambda _: None,
) -> ImageData:
    """The images that a model was trained on, where they still exist; or those that the user names.

    Args:
        source: what the user calls the model.
        data: a name, a path, or pictures in memory; see `memory.held`.
        size: of patches, if it should differ from that of the training.
        to: with `data`, the pictures of the other set.
        allowed: raises a UserError for data named by the run or the model that must not be read.

    Raises:
        UserError: they are missing, or have changed.
    """
    settings = _checked(model.card.get("data", {}), f"The card of {model.path}")
    fit, labelled = settings["fit"], settings["labels"]
    size = size if size and fit == "pieces" else model.spec.size
    shape = Shape(size, model.spec.channels, fit, settings["linear"])
    if data is not None and to is not None:
        return datasets.load(name_of(data), shape, False, to=str(to))
    if data is not None:
        return in_shape(name_of(data), shape, labelled)
    run = run_of(model.path)
    if run is not None:
        settings = _named_by(run)
    name, twins, other = settings["source"], settings["twins"] if run is not None else "", settings["to"]
    if run is None and not {name, other or name} <= set(datasets.DATASETS):  # a card must not lead to files
        names = " and ".join(one_line(x) for x in (name, other) if x)
        raise UserError(f"{source} was trained on '{names}', which does not exist here. Name these images with --data.")
    for place in (name, twins, other):
        allowed(place)
    real = datasets.load(name, shape, labelled, twins, other)
    if real.fingerprint != model.card.get("fingerprint"):
        raise UserError(f"{name} holds other images now than {source} was trained on. Name the right ones with --data.")
    return real


def reading(source: str | os.PathLike[str], data: object) -> str:
    """A sentence on the data about to be read because a run, not the user, names it; empty where there is none."""
    if data is not None or image_files.is_pictures(source):
        return ""
    run = run_of(locate(source))
    settings = {} if run is None else _named_by(run)
    places = [one_line(settings[key]) for key in PLACES if settings.get(key)]
    if not places or places[0] in datasets.DATASETS:
        return ""
    return f"reading the data that {source} names: {' and '.join(places)}"


def in_shape(name: str, shape: Shape, labelled: bool = True) -> ImageData:
    """The images that a user names: those of a folder come in the shape of a model's pictures."""
    return datasets.load(name, Shape() if datasets.has_own_shape(name) else shape, labelled)


def some(split: Split, most: int, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """At most so many images of a split in a random order, uint8 [n, C, H, W], and their labels where there are any."""
    order = torch.randperm(len(split.images), generator=random)[:most]
    return split.images[order], None if split.labels is None else split.labels[order]


def _named_by(run: Run) -> dict[str, Any]:
    """The data settings of a run, which anyone may have written.

    Raises:
        UserError: they cannot be read, or name something that is neither a file nor a folder.
    """
    try:
        known = run.settings()["data"]
    except UserError as error:
        raise UserError(f"{error} Name the data with --data.") from error
    except KeyError as error:
        raise UserError(f"{run.experiment} is damaged ({error}). Name the data with --data.") from error
    settings = _checked(known, str(run.experiment))
    for name in (settings[key] for key in PLACES):
        place = files.place(name)
        if name not in datasets.DATASETS and os.path.lexists(place) and not (place.is_dir() or place.is_file()):
            raise UserError(
                f"{run.experiment} names {one_line(name)} as its data, which is neither a file nor a folder."
            )
    return settings


def _checked(known: Any, what: str) -> dict[str, Any]:
    """The settings of a data set, of the types that they must have.

    Raises:
        UserError: one of them is of another type.
    """
    usual = {"source": "", "twins": "", "to": "", "fit": "crop", "labels": True, "linear": False}
    if not isinstance(known, dict):
        raise UserError(f"{what} is damaged: its data is not a group of settings. Name the data with --data.")
    settings = {key: known.get(key, value) for key, value in usual.items()}
    for key, value in settings.items():
        if type(value) is not type(usual[key]) or "\0" in str(value):
            raise UserError(f"{what} is damaged: its data has an invalid '{key}'. Name the data with --data.")
    return settings
