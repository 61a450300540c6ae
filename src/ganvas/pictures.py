"""Pictures that lie in files, whoever drew them: folders of images (a sub-folder a class), .npz files, single ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ganvas import files, seeds
from ganvas.errors import UserError
from ganvas.files import cannot
from ganvas.spec import ImageSpec

MODES = {"L": "grey", "RGB": "colour", "RGBA": "colour with transparency", "P": "palette", "1": "black and white"}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


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
            raise UserError(f"{place} holds no pictures: there is no {', '.join(sorted(SUFFIXES))} file in it.")
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
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            size, mode = picture.size, picture.mode
            if mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", size, "white"), picture)
            picture = picture.convert("L" if spec.channels == 1 else "RGB")
            if size != (spec.size, spec.size):
                picture = ImageOps.fit(picture, (spec.size, spec.size), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}).") from error
    array = torch.from_numpy(np.array(picture)).view(spec.size, spec.size, -1).permute(2, 0, 1)
    changes = [f"{size[0]}x{size[1]} to {spec.size}x{spec.size} pixels"] if size != (spec.size, spec.size) else []
    if mode != picture.mode:
        changes.append(f"{MODES.get(mode, mode)} to {MODES[picture.mode]}")
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
        raise UserError(" ".join(broken))
    return fitted, broken


def _inside(folder: Path) -> list[Path]:
    """All image files in a folder and below it, in the order of their names."""
    try:
        return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        raise cannot("read", folder, error) from error


def _from_folder(place: Path) -> Pictures:
    paths = _inside(place)
    if not paths:
        raise UserError(
            f"{place} holds no pictures (and no run): there is no {', '.join(sorted(SUFFIXES))} file in it."
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
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # numpy raises what its parts raise: OSError, ValueError, BadZipFile, TypeError ...
        raise UserError(f"{place} cannot be read as an .npz file ({error}).") from error
    name = "images" if "images" in arrays else next((n for n, a in arrays.items() if a.ndim >= 3), None)
    if name is None:
        raise UserError(f"{place} has no array of images (it has {', '.join(arrays) or 'nothing'}).")
    x = arrays[name]
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = x.transpose(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[2] != x.shape[3] or not len(x):
        raise UserError(
            f"{place}: '{name}' has the shape {arrays[name].shape}; [N, H, H], [N, H, H, C] or [N, C, H, H] is needed."
        )
    if x.dtype.kind not in "fiub":
        raise UserError(f"{place}: '{name}' holds {x.dtype}, no numbers.")
    if x.dtype.kind == "b":
        x = x.astype(np.uint8) * 255
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise UserError(f"{place}: '{name}' holds values that are not numbers (NaN or infinite).")
        low, high = float(x.min()), float(x.max())
        if low < -1.001 or high > 1.001:
            raise UserError(f"{place}: '{name}' goes from {low:g} to {high:g}; floats must lie in [-1, 1] or [0, 1].")
        x = np.rint((x + 1) * 127.5 if low < 0 else x * 255)
    elif x.min() < 0 or x.max() > 255:
        raise UserError(f"{place}: '{name}' holds values outside 0..255.")
    labels = arrays.get("labels")
    tensor = torch.from_numpy(np.ascontiguousarray(x.astype(np.uint8)))
    if labels is None or labels.shape != (len(x),) or labels.dtype.kind not in "iu":
        return Pictures(tensor, None, ())
    if labels.min() < 0:
        raise UserError(f"{place}: 'labels' holds {labels.min()}; classes are counted from 0.")
    names = tuple(str(n) for n in range(int(labels.max()) + 1))
    return Pictures(tensor, torch.from_numpy(labels.astype(np.int64)), names)


def _words(array: np.ndarray) -> str:
    return f"{array.shape[2]}x{array.shape[1]} pixels and {array.shape[0]} channel{'s' * (array.shape[0] > 1)}"
