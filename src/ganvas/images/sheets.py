"""Sheets: many images laid out in one, as a PNG file and in a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text
from torch import Tensor

from ganvas.core.errors import UserError, first_line
from ganvas.core.files import read_bytes, write_whole
from ganvas.images import tensors as im
from ganvas.images.originals import SAVING
from ganvas.images.spec import ImageSpec

BYTES, PIXELS = 500_000_000, 200_000_000  # of a PNG file that Ganvas wrote, at most
COLUMNS = 10  # images in a row
SHADES = " .:-=+*#%@"
FORMS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}  # of a sheet, by the end of its name
SIDE, SMALLEST = 14, 10  # width of an image in a terminal, in characters: usual, and where more must fit


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images uint8 [n, C, H, W], ten in a row: the preview of tasks that make images."""

    pictures: Tensor

    def files(self) -> dict[str, bytes]:
        return {".png": png(grid(self.pictures, COLUMNS))}

    def lines(self, width: int, plain: bool, height: int = 14) -> list[Text]:
        """A column of the sheet as a row, and the next ones while there is room; two pixels in each character."""
        side, columns, chosen = self._fitting(width, height)
        lines = []
        for upper, lower in zip(*halves(chosen, columns, side), strict=True):
            text = Text(no_wrap=True)
            for top, bottom in zip(upper.tolist(), lower.tolist(), strict=True):
                if plain:
                    light = (sum(top) + sum(bottom)) / (6 * 256)
                    text.append(SHADES[int(light * len(SHADES))])
                else:
                    text.append("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
            lines.append(text)
        return lines

    def _fitting(self, width: int, height: int) -> tuple[int, int, Tensor]:
        """How many characters wide an image is, how many are in a line, and the images for which there is room."""
        rows = max(1, len(self.pictures) // COLUMNS)
        table = self.pictures[: rows * COLUMNS] if rows > 1 else self.pictures[:COLUMNS]
        table = table.unflatten(0, (rows, -1))[:COLUMNS] if rows > 1 else table[:, None]
        count, side = len(table), SIDE
        if SMALLEST <= width // count < SIDE:  # a little smaller, all are in one line
            side = width // count // 2 * 2
        lines = -(-count // max(1, min(count, width // side)))  # for a column of the sheet, equally long
        columns = -(-count // lines)
        shown = table[:, : max(1, height // (side // 2 * lines))].transpose(0, 1)
        black = shown.new_zeros(len(shown), columns * lines - count, *shown.shape[2:])  # fills the last line
        return side, columns, torch.cat([shown, black], 1).flatten(0, 1)


def halves(images: Tensor, columns: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower pixels of the character cells of a small sheet, uint8 [lines, characters, 3] each."""
    count, _, h, w = images.shape
    width, rows = max(1, round(w * side / h)), -(-count // columns)
    sheet = to_pil(grid(images, columns)).convert("RGB")
    pixels = np.asarray(sheet.resize((columns * width, rows * side), Image.Resampling.BOX))
    return pixels[::2], pixels[1::2]


def cut(paths: Iterable[Path], spec: ImageSpec) -> Tensor:
    """The single images of these sheets, uint8 [n, C, H, W]; empty if there are no sheets."""
    sheets = [read(path) for path in paths]
    parts = [sheet.unfold(1, spec.size, spec.size).unfold(2, spec.size, spec.size) for sheet in sheets]
    return im.join((x.flatten(1, 2).transpose(0, 1) for x in parts), spec.channels, spec.size)


def grid(images: Tensor, columns: int) -> np.ndarray:
    """Lay images out row by row without gaps.

    Args:
        images: uint8 [B, C, H, W].
        columns: images in a row; the last row is filled up with black.

    Returns:
        uint8 array [rows * H, columns * W, C].
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    sheet = torch.zeros(rows * columns, channels, height, width, dtype=torch.uint8)
    sheet[:count] = images
    sheet = sheet.view(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    return sheet.reshape(rows * height, columns * width, channels).numpy()


def to_pil(array: np.ndarray) -> Image.Image:
    """uint8 array [H, W, C] with 1, 3 or 4 channels -> a Pillow image."""
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def read(path: Path) -> Tensor:
    """A PNG that Ganvas wrote -> uint8 [C, H, W].

    Raises:
        UserError: the file cannot be read as a picture.
    """
    try:
        with Image.open(io.BytesIO(read_bytes(path, BYTES)), formats=("PNG",)) as picture:
            if picture.width * picture.height > PIXELS:
                raise ValueError(f"it has more than {PIXELS // 1_000_000} million pixels")
            array = np.array(picture)
    except UserError:
        raise
    except Exception as error:  # Pillow raises many kinds
        raise UserError(f"{path} cannot be read as a picture ({first_line(error)}).") from error
    if (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.dtype != np.uint8:
        raise UserError(f"{path} is not a picture that Ganvas wrote.")
    return torch.from_numpy(array).view(*array.shape[:2], -1).permute(2, 0, 1)


def png(array: np.ndarray, scale: int = 1) -> bytes:
    """uint8 array [H, W, C] -> the bytes of a PNG file in which each pixel is a square of `scale` pixels."""
    image = to_pil(array)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def save_grid(path: Path, images: Tensor, columns: int, scale: int = 1) -> None:
    """Write uint8 [B, C, H, W] as one picture: of the form that the name ends with in FORMS, else a PNG.

    Raises:
        UserError: the file cannot be written.
    """
    form = FORMS.get(path.suffix.lower(), "PNG")
    sheet = png(grid(images, columns), scale)
    if form != "PNG":
        with Image.open(io.BytesIO(sheet)) as picture:
            sheet = encoded(picture, form)
    write_whole(path, sheet)


def encoded(picture: Image.Image, form: str) -> bytes:
    """The bytes of a picture as PNG, JPEG (with white behind what is transparent) or WebP."""
    if form == "JPEG" and picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **SAVING.get(form, {"optimize": True}))
    return buffer.getvalue()
