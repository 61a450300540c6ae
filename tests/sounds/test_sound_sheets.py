"""Sheets of spectrograms."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.sounds import decode, sheets
from ganvas.sounds.sheets import COLUMNS, HIGH, WIDE, Preview

RATE = 8_000


def preview(classes: int = 3, bands: int = 64, frames: int = 40) -> Preview:
    count = len(sheets.labels_of(classes))
    pictures = -torch.ones(count, 1, bands, frames)
    for i in range(count):  # a bar of full loudness in the lowest quarter, in the first half
        pictures[i, :, : bands // 4, : frames // 2] = 1
    return Preview(pictures, torch.rand(len(sheets.heard(classes)), 1_000) - 0.5, RATE)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(("classes", "rows"), [(0, 8), (1, 1), (3, 3), (32, 32), (100, 32)])
def test_a_row_a_class(classes: int, rows: int) -> None:
    labels = sheets.labels_of(classes)
    assert len(labels) == rows * COLUMNS
    assert labels[:: sheets.COLUMNS] == (list(range(rows)) if classes else [0] * 8)
    heard = sheets.heard(classes)
    assert len(heard) == (rows if classes else 8)
    assert len({labels[i] for i in heard}) == (rows if classes else 1)


@pytest.mark.parametrize("shape", [(64, 40), (128, 64), (16, 500)])
def test_a_sheet_shows_time_to_the_right_and_frequency_upwards(shape: tuple[int, int]) -> None:
    sheet = pixels(preview(3, *shape).files()[".png"])
    assert sheet.shape == (3 * HIGH, COLUMNS * WIDE, 3)
    for top in range(0, 3 * HIGH, HIGH):
        for left in range(0, COLUMNS * WIDE, WIDE):
            cell = sheet[top : top + HIGH, left : left + WIDE]
            assert cell[HIGH - 5, 5].sum() > 600  # low and early: loud
            assert cell[HIGH - 5, WIDE - 5].sum() < 40  # late: silent
            assert cell[5, 5].sum() < 40  # high: silent


def test_the_strip_is_heard() -> None:
    shown = preview(3)
    sound = decode.read(shown.files()[".wav"])
    assert sound.rate == RATE
    assert len(sound.wave) == 3 * 1_000 + 2 * 0.15 * RATE
    np.testing.assert_allclose(sound.wave[:1_000], shown.waves[0], atol=1 / 32_000)


def test_the_same_preview_has_the_same_bytes() -> None:
    torch.manual_seed(0)
    one = preview(0)
    assert one.files() == Preview(one.pictures.clone(), one.waves.clone(), RATE).files()
    assert list(one.files()) == [".png", ".wav"]


def test_damaged_values_do_not_stop_a_sheet() -> None:
    shown = preview(1)
    shown.pictures[0, 0, :, 0] = float("nan")
    shown.pictures[0, 0, :, 1] = float("inf")
    shown.waves[0, 0] = float("nan")
    assert pixels(shown.files()[".png"]).shape == (HIGH, COLUMNS * WIDE, 3)


def lightness(colours: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours [n, 3]: another measure than the one that the colours were made with."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_colours_grow_lighter_evenly() -> None:
    found = lightness(sheets.colours().astype(float))
    assert found[0] < 3
    assert found[-1] > 90
    steps = np.diff(found[::16])
    assert steps.min() > 0.4 * steps.mean()
    assert steps.max() < 1.6 * steps.mean()
    assert (np.abs(np.diff(sheets.colours().astype(int), axis=0)).max()) < 12  # no jumps


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [5, 45, 100, 300])
def test_lines_fit_the_terminal(width: int, plain: bool) -> None:
    lines = preview(10).lines(width, plain)
    across = max(1, min(10, width // sheets.CELL[0]))
    assert len(lines) == -(-10 // across) * sheets.CELL[1]
    assert all(len(line) <= max(width, sheets.CELL[0]) for line in lines)
    if plain:
        text = lines[sheets.CELL[1] - 1].plain
        assert text[0] == "@"
        assert text[sheets.CELL[0] - 1] == " "
