"""Pictures that lie in files, whoever drew them: folders of images (a sub-folder a class), .npz files, single ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas import files, fitting, seeds
from ganvas.data import arrays
from ganvas.errors import UserError
from ganvas.files import cannot
from ganvas.spec import ImageSpec

MODES = {"L": "grey", "RGB": "colour", "RGBA": "colour with transparency", "P": "palette", "1": "black and white"}


@dataclass(frozen=True)
class Pictures:
    """Images uint8 [N, C, H, W] and, where there are sub-folders, labels int64 [N] with their names."""

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]
    doing = "looking at pictures"
    order = "as in the files"
    form = "8 bits, as in the files"
    trained = 0  # images that the generator has seen: not known

    @property
    def spec(self) -> ImageSpec:
        return ImageSpec(self.images.shape[1], self.images.shape[2], len(self.class_names))

    def named(self, class_names: tuple[str, ...]) -> Pictures:
        """The same with the class numbers of a data set; without labels where it does not have all these classes."""
        if self.labels is None or not set(self.class_names) <= set(class_names):
            return Pictures(self.images, None, ())
        numbers = torch.tensor([class_names.index(name) for name in self.class_names])
        return Pictures(self.images, numbers[self.labels], class_names)

    def some(self, count: int, seed: int, repeat: int = 0) -> tuple[Tensor, Tensor | None]:
        """`count` of them in an order chosen by the seed."""
        index = torch.randperm(len(self.images), generator=seeds.generator(seed, "pictures"))[:count]
        return self.images[index], None if self.labels is None else self.labels[index]


class Fitted(NamedTuple):
    """A picture from a file as a model needs it, uint8 [C, H, W], and what had to be changed."""

    path: Path
    image: Tensor
    changes: str


def is_pictures(source: str | os.PathLike[str]) -> bool:
    """Is this a folder of pictures or an .npz file, and no run or model?"""
    place = files.place(source)
    if place.is_dir():
        return not (place / "model.safetensors").exists() and not (place / "experiment.json").exists()
    return place.suffix == ".npz"


def load(source: str | os.PathLike[str]) -> Pictures:
    """Read all pictures.

    Raises:
        UserError: there are none, one cannot be read, or they are of unlike sizes or hold values that are no pixels.
    """
    place = files.place(source)
    return _from_npz(place) if place.suffix == ".npz" and not place.is_dir() else _from_folder(place)


def gather(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The image files that paths of files and of folders mean, each once.

    Raises:
        UserError: there is no such file, or a folder has no pictures in it.
    """
    found: list[Path] = []
    for name in places:
        place = files.place(name)
        inside = _inside(place) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"{place} holds no pictures: there is no {', '.join(sorted(fitting.SUFFIXES))} file in it.")
        if not place.exists():
            raise UserError(f"There is no file or folder {place}.")
        found += inside
    return list(dict.fromkeys(found))


def fit(path: Path, spec: ImageSpec) -> tuple[Tensor, str]:
    """One picture as a model needs it, uint8 [C, H, W], and what had to be changed, in words ('' for nothing).

    It is cut to its middle square, scaled, and turned grey or coloured; what is transparent becomes white.

    Raises:
        UserError: the file cannot be read as a picture.
    """
    try:
        raw = fitting.opened(path.read_bytes())
        mode, size = raw.mode, raw.size
        picture = fitting.plain(raw, spec.size)
    except (OSError, fitting.Unreadable) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}).") from error
    array = torch.from_numpy(fitting.fitted(picture, fitting.Shape(spec.size, spec.channels)).copy())
    became = "L" if spec.channels == 1 else "RGB"
    changes = [f"{size[0]}x{size[1]} to {spec.size}x{spec.size} pixels"] if size != (spec.size, spec.size) else []
    if mode != became:
        changes.append(f"{MODES.get(mode, mode)} to {MODES[became]}")
    return array, ", ".join(changes)


def fit_all(places: Sequence[str | os.PathLike[str]], spec: ImageSpec) -> tuple[list[Fitted], list[str]]:
    """All pictures of files and folders as a model needs them, and a sentence for each file that is none.

    Raises:
        UserError: there is no such file, an empty folder, or nothing that can be read.
    """
    fitted: list[Fitted] = []
    broken: list[str] = []
    for path in gather(places):
        try:
            fitted.append(Fitted(path, *fit(path, spec)))
        except UserError as error:
            broken.append(str(error))
    if not fitted:
        raise UserError("\n".join(broken))
    return fitted, broken


def _inside(folder: Path) -> list[Path]:
    """All image files in a folder and below it, in the order of their names."""
    try:
        return sorted(p for p in folder.rglob("*") if p.suffix.lower() in fitting.SUFFIXES and p.is_file())
    except OSError as error:
        raise cannot("read", folder, error) from error


def _from_folder(place: Path) -> Pictures:
    paths = _inside(place)
    if not paths:
        raise UserError(
            f"{place} holds no pictures (and no run): there is no {', '.join(sorted(fitting.SUFFIXES))} file in it."
        )
    arrays = []
    for path in paths:
        try:
            with Image.open(path) as image:
                mode = image.mode if image.mode in ("L", "RGB", "RGBA") else "RGB"
                array = np.asarray(image.convert(mode))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{path} cannot be read as a picture ({error}). Remove it.") from error
        arrays.append(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
        if arrays[-1].shape != arrays[0].shape or arrays[-1].shape[1] != arrays[-1].shape[2]:
            raise UserError(
                f"{path} is a picture of {_words(arrays[-1])} and {paths[0].name} of {_words(arrays[0])}; square "
                "pictures of one size are needed."
            )
    names = tuple(sorted({p.relative_to(place).parts[0] for p in paths if len(p.relative_to(place).parts) > 1}))
    images = torch.from_numpy(np.stack(arrays))
    if not names or any(p.parent == place for p in paths):
        return Pictures(images, None, ())
    return Pictures(images, torch.tensor([names.index(p.relative_to(place).parts[0]) for p in paths]), names)


def _from_npz(place: Path) -> Pictures:
    images, labels = arrays.read_npz(place)
    if images.shape[2] != images.shape[3]:
        raise UserError(f"{place} holds pictures of {_words(images[0])}; square ones are needed.")
    if labels is None:
        return Pictures(torch.from_numpy(images), None, ())
    names = tuple(str(n) for n in range(int(labels.max()) + 1))
    return Pictures(torch.from_numpy(images), torch.from_numpy(labels), names)


def _words(array: np.ndarray) -> str:
    return f"{array.shape[2]}x{array.shape[1]} pixels and {array.shape[0]} channel{'s' * (array.shape[0] > 1)}"
