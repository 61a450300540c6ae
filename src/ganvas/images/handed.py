"""Pictures that a program hands over: tensors, NumPy arrays, Pillow images, paths, or a list of these."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.files import place, read_bytes
from ganvas.images import decode
from ganvas.images import tensors as im
from ganvas.images.decode import Depth
from ganvas.images.spec import ImageSpec

One = Tensor | np.ndarray | Image.Image | str | os.PathLike[str]
Given = One | Sequence[One]
ROUNDED = 1.001  # the largest value of a float, with some room for rounding
WAY = "Give a tensor [n, C, H, W], a NumPy array [n, H, W, C], Pillow images, or paths of picture files."


def tensor(images: Given, spec: ImageSpec, sized: bool, depth: Depth | None = None) -> Tensor:
    """Pictures as a tensor [n, C, H, W], uint8, or float in [-1, 1] where they were given as floats.

    Args:
        images: a tensor [n, C, H, W] or [C, H, W]; a NumPy array with the channels last or first, or with none where
            they are grey, uint8 or float in [-1, 1]; a Pillow image or a path; or a list of these.
        spec: the shape that the model knows; Pillow images and files get its colours, transparent pixels become white.
        sized: Pillow images and files are cropped to the middle square and scaled to its size, too.
        depth: how greys of more than 8 bits become 8, if the model's card says so (`decode.depth_of`).

    Raises:
        UserError: something else, a file that cannot be read, or pictures of different sizes.
    """
    if isinstance(images, Tensor):
        return _from_tensor(images)
    if isinstance(images, np.ndarray):
        return _from_array(images, spec)
    if isinstance(images, Image.Image | str | os.PathLike):
        return _from_picture(images, spec, sized, depth)
    if not isinstance(images, Sequence):
        raise UserError(f"{type(images).__name__} does not hold pictures. {WAY}")
    parts = [tensor(one, spec, sized, depth) for one in images]
    if not parts:
        return torch.empty(0, spec.channels, spec.size, spec.size, dtype=torch.uint8)
    sizes = sorted({tuple(part.shape[1:]) for part in parts})
    if len(sizes) > 1:
        raise UserError(f"The pictures differ in their shape: {sizes[0]} and {sizes[1]}. Give them one by one.")
    if len({part.dtype for part in parts}) > 1:
        parts = [im.to_float(part) if part.dtype == torch.uint8 else part.float() for part in parts]
    return torch.cat(parts)


def floats(images: Given, spec: ImageSpec, sized: bool) -> Tensor:
    """As `tensor`, float in [-1, 1]."""
    pictures = tensor(images, spec, sized)
    return im.to_float(pictures) if pictures.dtype == torch.uint8 else pictures


def _from_tensor(images: Tensor) -> Tensor:
    images = images[None] if images.dim() == 3 else images
    if images.dtype == torch.uint8:
        return images
    _check_values("tensor", images.dtype.is_floating_point, str(images.dtype).removeprefix("torch."))
    if images.numel():
        _check_range("tensor", float(images.min()), float(images.max()))
    return images.float()


def _check_values(what: str, suits: bool, kind: str) -> None:
    if not suits:
        raise UserError(f"The {what} holds {kind}; pictures are uint8 in 0 to 255, or float in -1 to 1.")


def _check_range(what: str, low: float, high: float) -> None:
    if not (low >= -ROUNDED and high <= ROUNDED):  # NaN, too
        raise UserError(
            f"The {what}'s values go from {low:.3g} to {high:.3g}; as floats they must be in -1 to 1 (as uint8: 0 to "
            "255)."
        )


def _from_array(array: np.ndarray, spec: ImageSpec) -> Tensor:
    channels, shape = spec.channels, array.shape
    _check_values("array", array.dtype == np.uint8 or array.dtype.kind == "f", str(array.dtype))
    if array.dtype.kind == "f" and array.size:
        _check_range("array", float(array.min()), float(array.max()))
    values = torch.from_numpy(np.array(array, np.uint8 if array.dtype == np.uint8 else np.float32, order="C"))
    if len(shape) == 4 and channels in (shape[1], shape[3]):
        return values.movedim(3, 1) if shape[3] == channels else values
    if len(shape) == 3 and channels in (shape[0], shape[2]):
        return values.movedim(2, 0)[None] if shape[2] == channels else values[None]
    if channels == 1 and len(shape) in (2, 3):
        return values[None, None] if len(shape) == 2 else values[:, None]
    raise UserError(f"The array has the shape {shape}; {spec.colours} pictures are [n, H, W, {channels}].")


def _from_picture(
    given: Image.Image | str | os.PathLike[str], spec: ImageSpec, sized: bool, depth: Depth | None
) -> Tensor:
    name = "The picture" if isinstance(given, Image.Image) else str(given)
    try:
        raw = given.copy() if isinstance(given, Image.Image) else decode.opened(read_bytes(place(given), decode.BYTES))
        picture = decode.plain(raw, depth=depth)
        if sized:
            array = decode.fitted(picture, decode.Shape(spec.size, spec.channels))
        else:
            array = decode.channelled(picture, spec.channels).transpose(2, 0, 1)
    except decode.Unreadable as error:
        raise UserError(f"{name} cannot be read as a picture ({error}).") from error
    return torch.from_numpy(array.copy())[None]
