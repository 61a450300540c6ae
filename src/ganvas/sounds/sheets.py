"""Sheets: many spectrograms in one picture, as a PNG file and in a terminal, and a strip of sounds to listen to."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text
from torch import Tensor

from ganvas.core import samples
from ganvas.sounds import files

COLUMNS, ROWS = 8, 32  # spectrograms in a row, and rows at most
UNLABELLED = 8  # rows where there are no classes
WIDE, HIGH = 96, 64  # pixels of a spectrogram on a sheet
HEARD = 8  # sounds of a strip where there are no classes
SHADES = " .:-=+*#%@"
CELL = 20, 7  # characters and lines of a spectrogram in a terminal


def labels_of(classes: int) -> list[int]:
    """The classes of the sounds that a sheet shows, row by row: a row of eight a class, for 32 classes at most.

    Args:
        classes: 0: unlabelled; a sheet then shows eight rows, and the numbers are all 0.
    """
    return [row if classes else 0 for row in range(min(classes, ROWS) or UNLABELLED) for _ in range(COLUMNS)]


def heard(classes: int) -> list[int]:
    """Which of the sounds of a sheet its strip plays: the first of each class; the first eight without classes."""
    return list(range(0, min(classes, ROWS) * COLUMNS, COLUMNS)) or list(range(HEARD))


@dataclass(frozen=True, eq=False)
class Preview(samples.Preview):
    """Spectrograms float [n, 1, bands, frames] in [-1, 1], eight in a row, and waves float [m, samples] to hear."""

    pictures: Tensor
    waves: Tensor
    rate: int  # samples a second

    def files(self) -> dict[str, bytes]:
        return {
            ".png": png(self.pictures),
            ".wav": files.encoded(files.strip(self.waves.cpu().numpy(), self.rate), self.rate),
        }

    def lines(self, width: int, plain: bool, height: int = 14) -> list[Text]:
        """The first spectrogram of each row, with two pixels in each character."""
        chosen = levels(self.pictures[::COLUMNS][:10])
        wide, high = CELL
        rows = -(-len(chosen) // max(1, min(len(chosen), width // wide)))
        columns = -(-len(chosen) // max(1, rows))  # rows of equal length
        pixels = grid(chosen, columns, wide, 2 * high)
        return [_line(upper, lower, plain) for upper, lower in zip(pixels[::2], pixels[1::2], strict=True)]


def _line(upper: np.ndarray, lower: np.ndarray, plain: bool) -> Text:
    """Two rows of levels, uint8 [characters] each, as a line of text."""
    if plain:
        light = (upper.astype(int) + lower) * len(SHADES) // 512
        return Text("".join(SHADES[i] for i in light), no_wrap=True)
    text, table = Text(no_wrap=True), colours()
    for top, bottom in zip(table[upper].tolist(), table[lower].tolist(), strict=True):
        text.append("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
    return text


@functools.cache
def colours() -> np.ndarray:
    """Colours uint8 [256, 3] for levels from silence to loud: dark violet, red, orange, pale yellow.

    Lightness rises evenly in Oklab (B. Ottosson, A perceptual color space for image processing, 2020), so that equal
    steps of loudness look equally large; it reads the same in grey.
    """
    t = np.linspace(0, 1, 256)
    light, strength, hue = 0.13 + 0.83 * t, 0.02 + 0.14 * np.sin(np.pi * t**0.9), np.radians(285 + 175 * t)
    a, b = strength * np.cos(hue), strength * np.sin(hue)
    cones = [light + 0.3963377774 * a + 0.2158037573 * b]
    cones += [light - 0.1055613458 * a - 0.0638541728 * b, light - 0.0894841775 * a - 1.2914855480 * b]
    to_rgb = [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965]]
    to_rgb += [[-0.0041960863, -0.7034186147, 1.7076147010]]
    rgb = (np.array(to_rgb) @ np.array(cones) ** 3).clip(0, 1).T
    return np.rint(255 * np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)).astype(np.uint8)


def levels(pictures: Tensor) -> np.ndarray:
    """Spectrograms float [n, 1, bands, frames] in [-1, 1] as uint8 [n, bands, frames], the lowest band last."""
    values = pictures[:, 0].detach().float().cpu().numpy()
    return np.rint((np.nan_to_num(values, nan=-1).clip(-1, 1) + 1) * 127.5).astype(np.uint8)[:, ::-1]


def grid(shown: np.ndarray, columns: int, wide: int, high: int) -> np.ndarray:
    """Levels uint8 [n, bands, frames] laid out row by row, each scaled to `wide` x `high` pixels; gaps are silence."""
    rows = -(-len(shown) // columns)
    sheet = np.zeros((rows * high, columns * wide), np.uint8)
    for i, level in enumerate(shown):
        top, left = i // columns * high, i % columns * wide
        cell = Image.fromarray(np.ascontiguousarray(level)).resize((wide, high), Image.Resampling.BOX)
        sheet[top : top + high, left : left + wide] = np.asarray(cell)
    return sheet


def png(pictures: Tensor, columns: int = COLUMNS) -> bytes:
    """The bytes of a PNG file with these spectrograms, float [n, 1, bands, frames] in [-1, 1].

    Time goes to the right and frequency upwards; dark is silence.
    """
    sheet = grid(levels(pictures), min(columns, max(1, len(pictures))), WIDE, HIGH)
    sheet[HIGH - 1 : -1 : HIGH, :] = sheet[:, WIDE - 1 : -1 : WIDE] = 64  # a thin line between two
    image = Image.fromarray(sheet)
    image.putpalette(colours().tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()
