"""Decoding: an image file of any format as pixels of one shape: upright, 8 bits, cropped or padded, scaled."""

from __future__ import annotations

import importlib
import io
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, features

from ganvas.core.errors import first_line

warnings.filterwarnings("ignore", module=r"PIL\.")  # Ganvas reports problems of images itself
SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".tga", ".ppm", ".pgm", ".pbm", ".pnm"}
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "GIF", "BMP", "DIB", "TIFF", "TGA", "PPM")  # no other is decoded
if "avif" in features.modules and features.check("avif"):  # Pillow 11.3 and later, as it is built for most systems
    SUFFIXES, FORMATS = SUFFIXES | {".avif"}, (*FORMATS, "AVIF")
if find_spec("pillow_heif"):
    SUFFIXES |= {".heic", ".heif", ".hif"}
LIMIT = 200_000_000  # pixels of an image: more is a decompression bomb, or useless for training
BYTES = 500_000_000  # bytes of an image file, or of a member of an archive, that are read at most
SPARE = 2  # a large JPEG is decoded at 1/2, 1/4 or 1/8, but at least at this multiple of the wanted size
WIDE = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # modes of more than 8 bits
WHITES = (255, 1023, 4095, 16383, 65535)  # the largest values of 8, 10, 12, 14 and 16 bits
SLACK = 0.1  # of the range: scaling and sharpening overshoot by so much, which is clipped
LEVELS = np.arange(256, dtype=np.float32) / 255
LIGHT = np.where(
    LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4
)  # linear light of each sRGB level
Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, LIMIT)  # photographs of 100 megapixels are not bombs


Range = tuple[float, float]  # the values that become 0 and 255: black and white


class Depth(NamedTuple):
    """How greys of more than 8 bits become 8, for a whole data set; None: as each image's values suggest."""

    whole: Range | None = None  # of whole numbers
    floats: Range | None = None


@dataclass(frozen=True)
class Shape:
    """The shape that images get; zeros are filled in from the images (see `data.config.DataConfig`).

    `depth` says how greys of more than 8 bits become 8; None: there are some, but their range is not known yet.
    """

    size: int = 0
    channels: int = 0
    fit: str = "crop"
    linear: bool = False
    depth: Depth | None = Depth()


class Unreadable(Exception):
    """A file that is damaged or not an image; the message says why."""


def opened(data: bytes | np.ndarray | Exception) -> Image.Image:
    """The image in the bytes of a file, or in an array uint8 [C, H, W]; it is not decoded yet.

    The checksums of PNG files are checked, because Pillow decodes changed pixels without an error.

    Args:
        data: an exception is the reason why there are no bytes.

    Raises:
        Unreadable: it is not an image, a PNG file with a wrong checksum, or has too many pixels.
    """
    if isinstance(data, Exception):
        raise Unreadable(str(data)) from data
    if isinstance(data, np.ndarray):
        return Image.fromarray(np.ascontiguousarray(data[0] if len(data) == 1 else data.transpose(1, 2, 0)))
    try:
        picture = Image.open(io.BytesIO(data), formats=_formats(data))
        if picture.format == "PNG":
            Image.open(io.BytesIO(data), formats=["PNG"]).verify()
    except Image.UnidentifiedImageError as error:
        raise Unreadable("it is not a picture" if data else "it is empty") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"it has more than {LIMIT // 1_000_000} million pixels") from error
    except Exception as error:  # Pillow raises many kinds: OSError, SyntaxError, struct.error ...
        raise Unreadable(first_line(error)) from error
    if picture.width * picture.height > LIMIT:
        raise Unreadable(f"it has more than {LIMIT // 1_000_000} million pixels")
    return picture


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats that a file may have; the reader of HEIF is only loaded for a file of that family."""
    if data[4:8] != b"ftyp" or ".heic" not in SUFFIXES:
        return FORMATS
    importlib.import_module("pillow_heif").register_heif_opener()
    return (*FORMATS, "HEIF")


def plain(picture: Image.Image, size: int = 0, depth: Depth | None = None) -> Image.Image:
    """The image decoded and upright, in one of the modes L, RGB and RGBA, with 8 bits a channel.

    Args:
        picture: from `opened`.
        size: pixels a side to which it will be scaled; large JPEGs are then not decoded at full size. 0: full size.
        depth: how greys of more than 8 bits become 8; None: as the image's values suggest.

    Raises:
        Unreadable: the file is damaged.
    """
    try:
        if size:
            picture.draft(None, (SPARE * size, SPARE * size))  # pyright: ignore[reportArgumentType]  # None: as it is
        picture.load()
        if picture.info or picture.format == "TIFF":  # only there can the orientation be stated
            ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode in WIDE:
            return _eight_bits(picture, depth)
        if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
            return picture.convert("RGBA")
        wanted = "L" if picture.mode in ("1", "L") else "RGB"
        return picture if picture.mode == wanted else picture.convert(wanted)
    except Exception as error:  # see `opened`
        raise Unreadable(first_line(error)) from error


def fitted(picture: Image.Image, shape: Shape) -> np.ndarray:
    """An image of `plain` as uint8 [C, size, size].

    Transparent pixels become white unless the shape has four channels.
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
    """An image of `plain` at its own size, as uint8 [H, W, channels]."""
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


def natural(low: float, high: float, floats: bool, whole: bool) -> Range:
    """The values of black and white, guessed from values that go from `low` to `high`.

    Floats in about 0 to 1, or -1 to 1, have that range, and a small overshoot is clipped. Whole numbers, and floats
    that may be 8-bit levels, have the range of as many bits as are needed. Otherwise white is the largest value, and
    black is 0, or the lowest value if that is clearly below 0.

    Args:
        floats: are the values stored as floats?
        whole: are all values whole numbers, however they are stored?
    """
    if floats and high <= 1 + SLACK and low >= -1 - SLACK:
        return (0.0 if low >= -SLACK else -1.0), 1.0
    fits = WHITES if whole else WHITES[:1] if high > WHITES[0] / 4 else ()
    white = float(next((top for top in fits if high <= top + 0.5), max(high, 1.0)))
    return (0.0 if low >= -SLACK * white else low), white


def depth_of(stated: Any) -> Depth:
    """The `Depth` that a card states; the default if it states none, or nonsense."""
    try:
        ranges = [None if r is None else (float(r[0]), float(r[1])) for r in stated]
        return Depth(*ranges) if all(r is None or -np.inf < r[0] < r[1] < np.inf for r in ranges) else Depth()
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return Depth()


def is_wide(picture: Image.Image) -> bool:
    """Does an image of `opened` have more than 8 bits a value?"""
    return picture.mode in WIDE


def values_of(picture: Image.Image) -> tuple[float, float, bool]:
    """The lowest and the highest value of an image of more than 8 bits, and whether it stores floats.

    Raises:
        Unreadable: it is damaged, or holds values that are not numbers.
    """
    try:
        values = np.asarray(picture)
        low, high = float(values.min()), float(values.max())
    except Exception as error:  # see `opened`
        raise Unreadable(first_line(error)) from error
    if not np.isfinite([low, high]).all():  # min and max pass NaN on
        raise Unreadable("it holds values that are not numbers")
    return low, high, values.dtype.kind == "f"


def range_of(picture: Image.Image, depth: Depth | None = None) -> tuple[Range, Range]:
    """The range that becomes 0..255, and the range of the values, of an image of more than 8 bits."""
    low, high, floats = values_of(picture)
    known = None if depth is None else depth.floats if floats else depth.whole
    return known or natural(low, high, floats, not floats or is_whole(np.asarray(picture))), (low, high)


def is_whole(values: np.ndarray) -> bool:
    """Are all values whole numbers?"""
    return all(bool((rows == np.rint(rows)).all()) for rows in _strips(values))


def _strips(values: np.ndarray) -> list[np.ndarray]:
    """The rows in parts, so that intermediate results stay small."""
    return np.array_split(values, max(1, values.size // 4_000_000)) if len(values) else []


def scaled(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Values of any type as uint8: `black` becomes 0, `white` 255, and the rest is clipped."""
    result = np.empty(values.shape, np.uint8)
    start = 0
    for part in _strips(values):
        levels = (part.astype(np.float64) - black) * (255 / (white - black))
        result[start : start + len(part)] = np.rint(levels).clip(0, 255)
        start += len(part)
    return result


def _eight_bits(picture: Image.Image, depth: Depth | None) -> Image.Image:
    """An image of more than 8 bits with 8: the known range, or the one that its values suggest, becomes 0..255."""
    (black, white), _ = range_of(picture, depth)
    return Image.fromarray(scaled(np.asarray(picture), black, white))


class Seen:
    """The values of images of more than 8 bits, from which one `Depth` for all of them follows."""

    def __init__(self) -> None:
        self.pictures = 0
        self.extents: dict[
            bool, tuple[float, float, bool]
        ] = {}  # by 'stored as floats': lowest and highest value, and whether all are whole

    def add(self, picture: Image.Image) -> None:
        """Count the values of an image of `opened`, unless it has 8 bits.

        Raises:
            Unreadable: it is damaged, or holds values that are not numbers.
        """
        if not is_wide(picture):
            return
        low, high, floats = values_of(picture)
        self._count(floats, low, high, not floats or is_whole(np.asarray(picture)))
        self.pictures += 1

    def join(self, other: Seen) -> None:
        """Add the counts of another one."""
        for floats, values in other.extents.items():
            self._count(floats, *values)
        self.pictures += other.pictures

    def _count(self, floats: bool, low: float, high: float, whole: bool) -> None:
        least, most, all_whole = self.extents.get(floats, (low, high, whole))
        self.extents[floats] = min(least, low), max(most, high), all_whole and whole

    @property
    def depth(self) -> Depth:
        ranges = {floats: natural(low, high, floats, whole) for floats, (low, high, whole) in self.extents.items()}
        return Depth(ranges.get(False), ranges.get(True))

    def summary(self) -> list[str]:
        """Sentences on which values became black and white, for whole numbers and floats."""
        sentences = []
        for floats, known in ((False, self.depth.whole), (True, self.depth.floats)):
            if known is not None:
                low, high, _ = self.extents[floats]
                beyond = f" (values go from {range_text((low, high))}: values beyond are clipped)"
                sentences.append(range_text(known) + (beyond if low < known[0] or high > known[1] else ""))
        return sentences


def range_text(values: Range) -> str:
    """A range as text: '0 to 4,095'."""
    return " to ".join(f"{v:,.0f}" if float(v).is_integer() else f"{v:.4g}" for v in values)


def extremes(picture: Image.Image) -> tuple[int, int]:
    """The lowest and the highest value, 0 to 255, of an image of `plain`, on white where it is transparent."""
    bands = _coloured(picture, 3 if picture.mode == "RGBA" else len(picture.getbands())).getextrema()
    flat = np.ravel(bands)
    return int(flat.min()), int(flat.max())


def _border(picture: Image.Image) -> tuple[int, ...]:
    """The median colour of an image's outermost pixels."""
    array = np.asarray(picture).reshape(picture.height, picture.width, -1)
    edges = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    return tuple(int(v) for v in np.median(edges, axis=0))


def _scaled(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float], linear: bool
) -> Image.Image:
    """Scale by Lanczos, in the stored values or in linear light (IEC 61966-2-1, sRGB)."""
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
