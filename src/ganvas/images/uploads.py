"""Pictures that somebody sends over the network, and the PNGs that are sent back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.images import decode, sheets
from ganvas.images.originals import SAVING, Original
from ganvas.images.spec import ImageSpec

PIXELS = 40_000_000  # of a picture that is sent
UPRIGHT = 0x0112  # the EXIF tag of how a picture is turned
LONGEST = 4_096  # pixels of the longer side of a picture that a model is applied to


def picture(content: bytes, size: int = 0) -> Image.Image:
    """A picture that somebody sent, as `decode.plain` gives it; `size`: as there.

    Raises:
        UserError: it is not a picture, is damaged, or too large.
    """
    try:
        raw = decode.opened(content)
        if raw.width * raw.height > PIXELS:
            raise UserError(
                f"This picture has {raw.width}x{raw.height} pixels; at most {PIXELS // 1_000_000} million are allowed."
            )
        return decode.plain(raw, size)
    except decode.Unreadable as error:
        raise UserError(f"This file cannot be read as a picture ({error}).") from error


def fitted(content: bytes, spec: ImageSpec) -> np.ndarray:
    """A picture that somebody sent, as a model's pictures are: uint8 [C, size, size]. Raises as `picture`."""
    return decode.fitted(picture(content, spec.size), decode.Shape(spec.size, spec.channels))


def square(content: bytes, spec: ImageSpec) -> Original:
    """The same as an Original."""
    pixels = fitted(content, spec).transpose(1, 2, 0)
    return Original(pixels[:, :, :3], pixels[:, :, 3] if pixels.shape[2] == 4 else None)


def original(content: bytes) -> Original:
    """An upright picture of 8 bits, no larger than a model can be applied to while someone waits.

    Raises:
        UserError: as `picture`.
    """
    image = picture(content)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    array = np.asarray(image)
    if array.ndim == 2:
        return Original(array[:, :, None], None)
    if array.shape[2] == 4:
        return Original(array[:, :, :3], array[:, :, 3])
    return Original(array, None)


def mask(content: bytes | None, of: Original) -> np.ndarray:
    """Where a picture has holes: bool [H, W]. Without a mask, where it is transparent.

    Raises:
        UserError: nothing is marked, or the mask is not a picture.
    """
    height, width, _ = of.pixels.shape
    if content is None:
        if of.alpha is None:
            raise UserError("This model fills holes: paint over what is missing first.")
        return of.alpha < 128
    marked = np.asarray(picture(content).convert("L").resize((width, height), Image.Resampling.NEAREST))
    if not (marked > 127).any():
        raise UserError("Nothing is marked as missing: paint over what should be filled.")
    return marked > 127


def tensor_png(pixels: Tensor) -> bytes:
    """uint8 [C, H, W] -> PNG."""
    return sheets.png(pixels.permute(1, 2, 0).contiguous().numpy())


def as_sent(content: bytes, made: Original) -> tuple[bytes, str]:
    """What was made of a picture that somebody sent, and its format: a JPEG with its EXIF for a JPEG, else a PNG."""
    with Image.open(io.BytesIO(content), formats=decode.FORMATS) as sent:
        if sent.format not in ("JPEG", "MPO") or made.alpha is not None:
            return original_png(made), "png"
        exif = sent.getexif()
        exif.pop(UPRIGHT, None)  # the result is upright
        buffer = io.BytesIO()
        pixels = made.pixels[:, :, 0] if made.pixels.shape[2] == 1 else made.pixels
        more: dict[str, Any] = {"exif": exif.tobytes()} if len(exif) else {}
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        if sent.mode == picture.mode and sent.info.get("icc_profile"):  # not that of other inks
            more["icc_profile"] = sent.info["icc_profile"]
        picture.save(buffer, "JPEG", **SAVING["JPEG"], **more)
    return buffer.getvalue(), "jpeg"


def original_png(of: Original) -> bytes:
    """An Original of 8 bits -> PNG."""
    pixels = of.pixels if of.alpha is None else np.dstack([of.pixels, of.alpha])
    if pixels.shape[2] == 2:
        pixels = np.dstack([pixels[:, :, [0, 0, 0]], pixels[:, :, 1]])
    return sheets.png(np.ascontiguousarray(pixels))
