"""The user's own picture files: depth, transparency, colour profile and EXIF are preserved."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from ganvas.core import files
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import check_free, write_whole
from ganvas.images import decode

KEPT = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
SAVING: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
DEEP = 65_535.0
ABOUT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)  # EXIF: title, camera, program, date, author, rights


@dataclass(frozen=True)
class Original:
    """A picture, upright: `pixels` uint8 or uint16 [H, W, 1 or 3], and `alpha` [H, W] of the same depth or None.

    `white`: the value of white, where it is not the largest of that depth: of 12 bits kept in 16 it is 4095.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    profile: bytes | None = None
    exif: bytes | None = None
    white: float | None = None

    @property
    def top(self) -> float:
        """The value of white."""
        return self.white or float(np.iinfo(self.pixels.dtype).max)

    @property
    def assumption(self) -> str:
        """What was assumed about its values, as text; mostly ''."""
        if self.white is None:
            return ""
        return f"its values of 16 bits go up to {int(self.pixels.max()):,} only: {self.white:,.0f} is used as white"


def read(path: Path) -> Original:
    """A file's picture with all that belongs to it.

    Raises:
        UserError: it is not a picture, damaged, animated, or of a depth that cannot be kept.
    """
    try:
        content = files.read_bytes(path, decode.BYTES)
        picture = decode.opened(content)
        frames = _frames(picture)
        if frames > 1 and picture.format != "MPO":  # a camera's file with a preview in it
            raise UserError(f"{path} is animated ({frames} pictures). Extract the one that you mean.")
        deep = _is_deep(picture)
        original = (
            _colours_of_16(path, content, picture)
            if deep and picture.mode[0] != "I"
            else _of_pillow(picture, deep, path)
        )
    except decode.Unreadable as error:
        raise UserError(f"{path} cannot be read as a picture ({error}).") from error
    return _with_white(original)


def _with_white(original: Original) -> Original:
    """The same; where its values use fewer than 16 bits, the largest value of that many is its white."""
    if original.pixels.dtype != np.uint16 or original.alpha is not None:  # transparency has the full range
        return original
    _, white = decode.natural(0, float(original.pixels.max(initial=0)), False, True)
    return original if white == DEEP else replace(original, white=white)


def _frames(picture: Image.Image) -> int:
    try:
        return getattr(picture, "n_frames", 1)
    except Exception as error:  # Pillow passes on any error of its codecs
        raise decode.Unreadable(first_line(error)) from error


def _is_deep(picture: Image.Image) -> bool:
    """Does it have 16 bits a colour, which Pillow would cut to 8?"""
    tiles = str(getattr(picture, "tile", ""))
    return (
        ";16" in tiles or picture.mode[0] == "I" or (picture.format == "PPM" and bool(re.search(r", \d{4,5}\)", tiles)))
    )


def _kept(picture: Image.Image) -> bytes | None:
    """EXIF without the tags on the layout of this very file, which a TIFF has."""
    exif = picture.getexif()
    if picture.format == "TIFF":
        kept = Image.Exif()
        kept.update({tag: exif[tag] for tag in ABOUT if tag in exif})
        for tag in (0x8769, 0x8825):  # of the shot, of the place
            if inner := exif.get_ifd(tag):
                kept[tag] = inner
        exif = kept
    return exif.tobytes() if len(exif) else None


def _of_pillow(picture: Image.Image, deep: bool, path: Path) -> Original:
    try:
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        profile, kept = picture.info.get("icc_profile"), _kept(picture)
        if picture.mode in decode.WIDE:
            values = np.asarray(picture)
            if not deep and not picture.mode.startswith("I;16"):
                raise UserError(f"{path} has 32 bits a pixel. Convert it to 16 or 8 bits.")
            low, high, _ = decode.values_of(picture)
            if low < 0 or high > DEEP:
                raise UserError(f"{path} has values from {low:,.0f} to {high:,.0f}. Convert it to 16 or 8 bits.")
            return Original(values.astype(np.uint16)[:, :, None], None, profile, kept)
        if picture.mode == "CMYK":
            picture, profile = _from_cmyk(picture, profile), None
        if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
            grey = picture.mode in ("LA", "La", "L")
            array = np.asarray(picture.convert("LA" if grey else "RGBA"))
            return Original(array[:, :, :-1], array[:, :, -1], profile, kept)
        array = np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
        return Original(array if array.ndim == 3 else array[:, :, None], None, profile, kept)
    except UserError:
        raise
    except Exception as error:  # Pillow passes on any error of its codecs
        raise decode.Unreadable(first_line(error)) from error


def _from_cmyk(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Inks as colours of a screen, by the file's own profile where it has one."""
    if profile:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, inks, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except ImageCms.PyCMSError:  # a broken profile: as if there were none
            pass
    return picture.convert("RGB")


def _av(path: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise UserError(
            f"{path} has 16 bits a colour, which needs PyAV: pip install 'ganvas[video]'. Or convert it to 8."
        ) from error
    return av


def _colours_of_16(path: Path, content: bytes, picture: Image.Image) -> Original:
    av = _av(path)
    try:
        with av.open(io.BytesIO(content), format=f"{str(picture.format).lower()}_pipe") as file:
            frame = next(file.decode(video=0))
            kind = frame.format.name.removesuffix("le").removesuffix("be")
            grey, alpha = kind.startswith(("ya", "gray")), "a" in kind.replace("gray", "")
            array = frame.to_ndarray(format="rgba64le" if alpha else "rgb48le")
        turn, kept = picture.getexif().get(0x0112, 1), _kept(picture)
        profile = picture.info.get("icc_profile")
    except Exception as error:  # what FFmpeg and Pillow raise
        raise decode.Unreadable(first_line(error)) from error
    if turn != 1:
        raise UserError(f"{path} has 16 bits a colour and is on its side (EXIF). Turn it upright first.")
    return Original(array[:, :, : 1 if grey else 3], array[:, :, 3] if alpha else None, profile, kept)


def place(folder: Path, path: Path) -> Path:
    """Where a restored picture is written: under its own name, as PNG if its file type cannot store the result."""
    form = KEPT.get(path.suffix.lower())
    try:
        with files.open_regular(path) as file, Image.open(file, formats=decode.FORMATS) as picture:
            deep, clear = _is_deep(picture), "A" in picture.getbands() or "transparency" in picture.info
    except Exception:  # reported when it is read
        deep = clear = False
    fits = form is not None and not (deep and form != "PNG") and not (clear and form == "JPEG")
    return folder / (path.name if fits else f"{path.stem}.png")


def write(path: Path, original: Original, pixels: np.ndarray, alpha: np.ndarray | None, force: bool = False) -> None:
    """Write pixels [H, W, C] of the original's depth, with all that belonged to it, to a place that `place` gave.

    Raises:
        UserError: there is a file already (and no `force`), or it cannot be written.
    """
    form = KEPT[path.suffix.lower()]
    check_free(path, force=force, way="Choose another --out, or --force to overwrite it")
    combined = pixels if alpha is None else np.concatenate([pixels, alpha[:, :, None]], 2)
    if combined.dtype == np.uint16 and combined.shape[2] > 1:
        write_whole(path, _png_of_16(path, combined, original))
        return
    buffer = io.BytesIO()
    more = {"icc_profile": original.profile} if original.profile else {}
    more |= {"exif": original.exif} if original.exif else {}
    try:
        picture = Image.fromarray(combined[:, :, 0] if combined.shape[2] == 1 else combined)
        picture.save(buffer, form, **SAVING.get(form, {}), **more)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be written as {form} ({error}).") from error
    write_whole(path, buffer.getvalue())


def _png_of_16(path: Path, pixels: np.ndarray, original: Original) -> bytes:
    """A PNG of 16 bits a colour, profile and EXIF put in behind its head (PNG specification, third edition, 11.3)."""
    av = _av(path)
    if pixels.shape[2] == 2:  # grey with transparency
        pixels = pixels[:, :, [0, 0, 0, 1]]
    context = av.CodecContext.create("png", "w")
    kind = "rgba64" if pixels.shape[2] == 4 else "rgb48"
    context.width, context.height, context.pix_fmt = pixels.shape[1], pixels.shape[0], f"{kind}be"
    context.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=f"{kind}le").reformat(format=f"{kind}be")
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    more = [b"iCCPICC profile\0\0" + zlib.compress(original.profile)] if original.profile else []
    more += [b"eXIf" + original.exif.removeprefix(b"Exif\0\0")] if original.exif else []
    chunks = [struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in more]
    return data[:33] + b"".join(chunks) + data[33:]  # 8 bytes of signature and 25 of the head


def as_8_bits(original: Original) -> Original:
    """The same with 8 bits a colour."""
    if original.pixels.dtype == np.uint8:
        return original
    pixels = decode.scaled(original.pixels, 0, original.top)
    alpha = None if original.alpha is None else decode.scaled(original.alpha, 0, original.top)
    return replace(original, pixels=pixels, alpha=alpha, white=None)
