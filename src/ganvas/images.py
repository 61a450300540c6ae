"""Images as tensors, as files and as grids. The one place where ranges are converted."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.errors import UserError, first_line
from ganvas.files import read_bytes, write_whole

BYTES, PIXELS = 500_000_000, 200_000_000  # of a PNG that Ganvas wrote, at most


def to_float(images: Tensor) -> Tensor:
    """uint8 [B, C, H, W] in 0..255 -> float [B, C, H, W] in [-1, 1], channels last in memory."""
    return images.float().div_(127.5).sub_(1.0).contiguous(memory_format=torch.channels_last)


def levels(images: Tensor) -> Tensor:
    """float [B, C, H, W] in [-1, 1] (clamped) -> float [B, C, H, W] with the whole numbers of 0..255."""
    return images.float().clamp(-1, 1).add(1).mul(127.5).round()


def to_uint8(images: Tensor) -> Tensor:
    """float [B, C, H, W] in [-1, 1] (clamped) -> uint8 [B, C, H, W] in 0..255, rounded, on the CPU."""
    return levels(images.detach()).to(torch.uint8).cpu()


def join(portions: Iterable[Tensor], channels: int, size: int) -> Tensor:
    """uint8 [n, C, H, W] of each portion -> uint8 [N, C, H, W], also where there is none."""
    return torch.cat([torch.empty(0, channels, size, size, dtype=torch.uint8), *portions])


def grid(images: Tensor, columns: int) -> np.ndarray:
    """Lay images out row by row without gaps.

    Args:
        images: uint8 [B, C, H, W].
        columns: images a row; the last row is filled up with black.

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
    except Exception as error:  # Pillow raises what its parts raise
        raise UserError(f"{path} cannot be read as a picture ({first_line(error)}).") from error
    if (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.dtype != np.uint8:
        raise UserError(f"{path} is no picture that Ganvas wrote.")
    return torch.from_numpy(array).view(*array.shape[:2], -1).permute(2, 0, 1)


def png(array: np.ndarray, scale: int = 1) -> bytes:
    """uint8 array [H, W, C] -> the bytes of a PNG file, each pixel drawn as a square of `scale` pixels."""
    image = to_pil(array)
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def save_grid(path: Path, images: Tensor, columns: int, scale: int = 1) -> None:
    """Write uint8 [B, C, H, W] as one PNG.

    Raises:
        UserError: the file cannot be written.
    """
    write_whole(path, png(grid(images, columns), scale))


def blocks(images: Tensor, columns: int, height: int = 14) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """A small drawing for the terminal: a character cell shows two pixels, one above the other.

    Args:
        images: uint8 [B, C, H, W].
        columns: images a row.
        height: pixels that an image is scaled down to (two a line of text).

    Returns:
        Lines of cells; a cell is ((r, g, b) of the upper pixel, (r, g, b) of the lower one).
    """
    count, _, h, w = images.shape
    width = max(1, round(w * height / h))
    sheet = to_pil(grid(images, columns)).convert("RGB")
    rows = -(-count // columns)
    pixels = np.asarray(sheet.resize((columns * width, rows * height), Image.Resampling.BOX)).tolist()
    return [
        [(tuple(upper), tuple(lower)) for upper, lower in zip(top, bottom, strict=True)]
        for top, bottom in zip(pixels[::2], pixels[1::2], strict=True)
    ]
