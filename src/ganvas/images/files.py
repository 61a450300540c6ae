"""Images in files, real or generated: folders (a sub-folder per class), .npz files and single images."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.core import files, seeds
from ganvas.core.errors import UserError
from ganvas.images import decode
from ganvas.images.data import arrays, npz
from ganvas.images.data.pictures import PICTURES
from ganvas.images.decode import Depth
from ganvas.images.spec import ImageSpec
from ganvas.sources import given

MODES = {"L": "grey", "RGB": "colour", "RGBA": "colour with transparency", "P": "palette", "1": "black and white"}
MODES |= {"CMYK": "printers' colours", "LA": "grey with transparency"}


@dataclass(frozen=True)
class Pictures:
    """Images uint8 [N, C, H, W] and, if there are sub-folders, labels int64 [N] with their names.

    `form` says in words how they were stored, and what was converted.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]
    form: str = "8 bits, as in the files"
    doing = "looking at pictures"
    order = "as in the files"
    trained = 0  # images that the generator has seen: not known

    @property
    def spec(self) -> ImageSpec:
        return ImageSpec(self.images.shape[1], self.images.shape[2], len(self.class_names))

    def named(self, class_names: tuple[str, ...]) -> Pictures:
        """The same with the class numbers of a data set; without labels if that does not have all these classes."""
        if self.labels is None or not set(self.class_names) <= set(class_names):
            return replace(self, labels=None, class_names=())
        numbers = torch.tensor([class_names.index(name) for name in self.class_names])
        return replace(self, labels=numbers[self.labels], class_names=class_names)

    def some(self, count: int, seed: int, repeat: int = 0) -> tuple[Tensor, Tensor | None]:
        """Up to `count` images [n, C, H, W] and labels, in an order that follows from the seed."""
        index = torch.randperm(len(self.images), generator=seeds.generator(seed, "pictures"))[:count]
        return self.images[index], None if self.labels is None else self.labels[index]


class Fitted(NamedTuple):
    """An image from a file in the shape that a model needs, uint8 [C, H, W], and what had to be changed."""

    path: Path
    image: Tensor
    changes: str


def is_pictures(source: str | os.PathLike[str]) -> bool:
    """Is this a folder of images or a NumPy file, and not a run or a model?"""
    place = files.place(source)
    if place.is_dir():
        return not (place / "model.safetensors").exists() and not (place / "experiment.json").exists()
    return npz.is_numpy(place)


def load(source: str | os.PathLike[str]) -> Pictures:
    """Read all images of a folder or a NumPy file.

    Raises:
        UserError: there are none, one cannot be read, or they differ in size or are not square.
    """
    place = files.place(source)
    return _from_numpy(place) if npz.is_numpy(place) and not place.is_dir() else _from_folder(place)


def gather(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The image files at these paths and in these folders, each once.

    Raises:
        UserError: there is no such file, or a folder has no pictures in it, or cannot be read.
    """
    return [*given.look(places, PICTURES, archives=False, labelled=False).paths]


def fit(path: Path, spec: ImageSpec, depth: Depth | None = None) -> tuple[Tensor, str]:
    """An image in the shape that a model needs, uint8 [C, H, W], and what had to be changed, in words ('': nothing).

    It is cropped to the middle square, scaled, and converted to grey or colour; transparent pixels become white.

    Args:
        depth: how greys of more than 8 bits become 8, if the model's card says so (`decode.depth_of`).

    Raises:
        UserError: the file cannot be read as a picture.
    """
    try:
        raw = decode.opened(_content(path))
        mode, size = raw.mode, raw.size
        changes = [f"{size[0]}x{size[1]} to {spec.size}x{spec.size} pixels"] if size != (spec.size, spec.size) else []
        if decode.is_wide(raw):
            (black, white), (low, high) = decode.range_of(raw, depth)
            beyond = f" (its values are {decode.range_text((low, high))})" if low < black or high > white else ""
            changes.append(f"values of {decode.range_text((black, white))} scaled to 0 to 255{beyond}")
            mode = "L"
        picture = decode.plain(raw, spec.size, depth)
        array = decode.fitted(picture, decode.Shape(spec.size, spec.channels))
    except (OSError, decode.Unreadable) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}).") from error
    became = "L" if spec.channels == 1 else "RGB"
    if mode != became:
        changes.append(f"{MODES.get(mode, mode)} to {MODES[became]}")
    return torch.from_numpy(array.copy()), ", ".join(changes)


def _content(path: Path) -> bytes | Exception:
    try:
        return files.read_bytes(path, decode.BYTES)
    except UserError as error:
        return error


def fit_all(
    places: Sequence[str | os.PathLike[str]],
    spec: ImageSpec,
    depth: Depth | None = None,
) -> tuple[list[Fitted], list[str]]:
    """All images of files and folders (see `fit`), and a sentence for each file that is not an image.

    Raises:
        UserError: there is no such file, an empty folder, or nothing that can be read.
    """
    fitted: list[Fitted] = []
    broken: list[str] = []
    for path in gather(places):
        try:
            fitted.append(Fitted(path, *fit(path, spec, depth)))
        except UserError as error:
            broken.append(str(error))
    if not fitted:
        raise UserError("\n".join(broken))
    return fitted, broken


def _from_folder(place: Path) -> Pictures:
    """All images, upright and with 8 bits as in a training, but neither scaled nor recoloured."""
    paths = gather([place])
    depth, wide = depth_of(paths)
    loaded, modes = [], Counter[str]()
    for path in paths:
        try:
            raw = decode.opened(_content(path))
            modes[raw.mode] += 1
            picture = decode.plain(raw, 0, depth)
        except decode.Unreadable as error:
            raise UserError(f"{path} cannot be read as a picture ({error}). Remove it.") from error
        array = decode.channelled(picture, len(picture.getbands())).transpose(2, 0, 1)
        loaded.append(array)
        if array.shape != loaded[0].shape or array.shape[1] != array.shape[2]:
            raise UserError(
                f"{path} is a picture of {_words(array)} and {paths[0].name} of {_words(loaded[0])}; square "
                "pictures of one size and with the same channels are needed."
            )
    unusual = [MODES.get(mode, mode) for mode in modes if mode not in ("L", "RGB", "RGBA", *decode.WIDE)]
    changed = [f"from {', '.join(unusual)}"] * bool(unusual) + [f"from values of {text}" for text in wide]
    form = f"8 bits, converted {' and '.join(changed)}" if changed else "8 bits, as in the files"
    names = tuple(sorted({p.relative_to(place).parts[0] for p in paths if len(p.relative_to(place).parts) > 1}))
    images = torch.from_numpy(np.stack(loaded))
    if not names or any(p.parent == place for p in paths):
        return Pictures(images, None, (), form)
    labels = torch.tensor([names.index(p.relative_to(place).parts[0]) for p in paths])
    return Pictures(images, labels, names, form)


def depth_of(paths: Sequence[Path]) -> tuple[Depth, list[str]]:
    """One range for all images of more than 8 bits, and sentences on it."""
    seen = decode.Seen()
    for path in paths:
        with contextlib.suppress(decode.Unreadable):  # reported when it is read
            seen.add(decode.opened(_content(path)))
    return seen.depth, seen.summary()


def _from_numpy(place: Path) -> Pictures:
    stored = arrays.read(place, split=False)
    images, labels = stored.train
    if images.shape[2] != images.shape[3]:
        raise UserError(f"{place} holds pictures of {_words(images[0])}; square ones are needed.")
    form = f"8 bits ({' '.join(stored.notes)})" if stored.notes else "8 bits, as in the files"
    return Pictures(
        torch.from_numpy(images), None if labels is None else torch.from_numpy(labels), stored.class_names, form
    )


def _words(array: np.ndarray) -> str:
    return f"{array.shape[2]}x{array.shape[1]} pixels and {array.shape[0]} channel{'s' * (array.shape[0] > 1)}"
