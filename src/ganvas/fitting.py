"""One picture of any kind as pixels of a wanted shape: upright, 8 bits, cut or padded to a square, scaled."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from PIL import Image, ImageOps, features

SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".tga", ".ppm", ".pgm", ".pbm", ".pnm"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "GIF", "BMP", "DIB", "TIFF", "TGA", "PPM")  # no other is decoded
if "avif" in features.modules and features.check("avif"):  # Pillow 11.3 and later, as it is built for most systems
    SUFFIXES, FORMATS = SUFFIXES | {".avif"}, (*FORMATS, "AVIF")
if find_spec("pillow_heif"):
    SUFFIXES |= {".heic", ".heif", ".hif"}
LIMIT = 200_000_000  # pixels of a file: more is a bomb, or no picture to train on
SPARE = 2  # a large JPEG may be decoded at a half, a quarter or an eighth, down to so many times the wanted size
WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # modes of more than 8 bits
LEVELS = np.arange(256, dtype=np.float32) / 255
LIGHT = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)  # of each level: sRGB
Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, LIMIT)  # photographs of 100 megapixels are no bombs


@dataclass(frozen=True)
class Shape:
    """The shape that pictures get; a 0 is filled in from what the pictures are (see `data.DataConfig`)."""

    size: int = 0
    channels: int = 0
    fit: str = "crop"
    linear: bool = False


class Unreadable(Exception):
    """A file that is no picture, or a damaged one; the text says why."""


def opened(data: bytes | np.ndarray | Exception) -> Image.Image:
    """A picture from the bytes of a file, or from an array uint8 [C, H, W]; only its head is read.

    Args:
        data: may also be why the bytes could not be had.

    Raises:
        Unreadable: it is no picture, or one of too many pixels.
    """
    if isinstance(data, Exception):
        raise Unreadable(str(data)) from data
    if isinstance(data, np.ndarray):
        return Image.fromarray(np.ascontiguousarray(data[0] if len(data) == 1 else data.transpose(1, 2, 0)))
    try:
        picture = Image.open(io.BytesIO(data), formats=_formats(data))
    except Image.UnidentifiedImageError as error:
        raise Unreadable("it is no picture" if data else "it is empty") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"it has more than {LIMIT // 1_000_000} million pixels") from error
    except Exception as error:  # Pillow raises what its parts raise: OSError, SyntaxError, struct.error ...
        raise Unreadable(str(error)) from error
    if picture.width * picture.height > LIMIT:
        raise Unreadable(f"it has more than {LIMIT // 1_000_000} million pixels")
    return picture


def _formats(data: bytes) -> tuple[str, ...]:
    """What a file may be; what reads HEIF is loaded when the first file of that family comes."""
    if data[4:8] != b"ftyp" or ".heic" not in SUFFIXES:
        return FORMATS
    importlib.import_module("pillow_heif").register_heif_opener()
    return (*FORMATS, "HEIF")


def plain(picture: Image.Image, size: int = 0) -> Image.Image:
    """The picture upright, as one of the modes L, RGB and RGBA, 8 bits a channel.

    Args:
        picture: as `opened` gives it.
        size: side in pixels that it will be scaled to; a large JPEG is then decoded at less than its full size.

    Raises:
        Unreadable: the file is damaged.
    """
    try:
        if size:
            picture.draft(None, (SPARE * size, SPARE * size))  # pyright: ignore[reportArgumentType]  # None: as it is
        picture.load()
        if picture.info or picture.format == "TIFF":  # only there can it say how the camera was held
            ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode in WIDE:
            return _eight_bits(picture)
        if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
            return picture.convert("RGBA")
        wanted = "L" if picture.mode in ("1", "L") else "RGB"
        return picture if picture.mode == wanted else picture.convert(wanted)
    except Exception as error:  # see `opened`
        raise Unreadable(str(error)) from error


def fitted(picture: Image.Image, shape: Shape) -> np.ndarray:
    """A picture of `plain` as uint8 [C, size, size].

    What is transparent becomes white unless the shape has four channels.
    """
    picture = _coloured(picture, shape.channels)
    width, height = picture.size
    side = shape.size
    if (width, height) == (side, side):
        return _array(picture)
    if shape.fit == "crop" or width == height:
        cut = min(width, height)
        left, top = (width - cut) / 2, (height - cut) / 2
        return _array(_scaled(picture, (side, side), (left, top, left + cut, top + cut), shape.linear))
    scale = side / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = _scaled(picture, inner, (0, 0, width, height), shape.linear)
    sheet = Image.new(small.mode, (side, side), _border(small))
    sheet.paste(small, ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return _array(sheet)


def channelled(picture: Image.Image, channels: int) -> np.ndarray:
    """A picture of `plain` at its own size, as uint8 [H, W, channels]."""
    array = np.asarray(_coloured(picture, channels))
    return array[:, :, None] if array.ndim == 2 else array


def _coloured(picture: Image.Image, channels: int) -> Image.Image:
    if channels < 4 and picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return picture if picture.mode == mode else picture.convert(mode)


def _array(picture: Image.Image) -> np.ndarray:
    array = np.asarray(picture)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Greys of 16 bits, of 32 and floats: the range that the values lie in becomes 0..255 as a whole."""
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise Unreadable("it holds values that are not numbers")
    most = values.max(initial=0)
    if picture.mode.startswith("I;16"):
        full = 65535.0
    else:
        full = next(
            (limit for limit in (1.0, 255.0, 65535.0) if most <= limit and (limit > 1 or picture.mode == "F")), most
        )
    return Image.fromarray(np.rint(values * (255 / full)).clip(0, 255).astype(np.uint8))


def _border(picture: Image.Image) -> tuple[int, ...]:
    """The middle colour of a picture's outermost pixels."""
    array = np.asarray(picture).reshape(picture.height, picture.width, -1)
    edges = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    return tuple(int(v) for v in np.median(edges, axis=0))


def _scaled(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float], linear: bool
) -> Image.Image:
    """Lanczos, on the stored values or in linear light (IEC 61966-2-1, sRGB)."""
    if not linear:
        return picture.resize(size, Image.Resampling.LANCZOS, box)
    values = np.atleast_3d(np.asarray(picture))
    light = LIGHT[values[..., :3]]
    alpha = values[..., 3:].astype(np.float32) / 255 if values.shape[2] == 4 else None
    bands = light if alpha is None else np.concatenate([light * alpha, alpha], 2)
    small = [Image.fromarray(band).resize(size, Image.Resampling.LANCZOS, box) for band in np.moveaxis(bands, 2, 0)]
    bands = np.stack([np.asarray(band) for band in small], 2).clip(0, 1)
    light = bands if alpha is None else (bands[..., :3] / bands[..., 3:].clip(1e-6)).clip(0, 1)
    colours = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    bands = colours if alpha is None else np.concatenate([colours, bands[..., 3:]], 2)
    pixels = np.rint(bands * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
