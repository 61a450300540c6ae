"""Ranges, grids, PNG files and the small drawings of the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganvas.images import sheets
from ganvas.images import tensors as im


def numbered(count: int, channels: int = 1, height: int = 2, width: int = 3) -> Tensor:
    """Images of one value each: 1, 2, 3 ... (in colour, 1, 101, 201 for the first)."""
    images = torch.zeros(count, channels, height, width, dtype=torch.uint8)
    for i in range(count):
        for c in range(channels):
            images[i, c] = i + 1 + 100 * c
    return images


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


# -------------------- ranges


def test_all_values_survive_the_round_trip() -> None:
    values = torch.arange(256).to(torch.uint8).view(1, 1, 16, 16)
    floats = im.to_float(values)
    assert floats.dtype == torch.float32
    assert floats.min() == -1
    assert floats.max() == 1
    assert torch.equal(im.to_uint8(floats), values)


def test_to_float_leaves_its_input_alone_and_is_channels_last() -> None:
    images = numbered(2, channels=3)
    before = images.clone()
    assert im.to_float(images).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


def test_to_uint8_clamps_and_rounds() -> None:
    floats = torch.tensor([-9.0, -1.0, -1 + 0.9 / 255, -1 + 1.1 / 255, 0.999, 1.0, 1.001, 1e9]).view(1, 1, 2, 4)
    assert im.to_uint8(floats).flatten().tolist() == [0, 0, 0, 1, 255, 255, 255, 255]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_to_uint8_takes_any_float(kind: torch.dtype) -> None:
    floats = torch.tensor([-1.0, 0.5, 1.0, -0.5], dtype=kind).view(1, 1, 2, 2).requires_grad_(True)
    result = im.to_uint8(floats)
    assert result.dtype == torch.uint8
    assert result.flatten().tolist() == [0, 191, 255, 64]


# -------------------- grids


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_lays_out_row_by_row(channels: int) -> None:
    sheet = sheets.grid(numbered(5, channels), columns=3)
    assert sheet.shape == (4, 9, channels)
    assert sheet.dtype == np.uint8
    for i in range(5):
        cell = sheet[2 * (i // 3) : 2 * (i // 3) + 2, 3 * (i % 3) : 3 * (i % 3) + 3]
        assert (cell == [i + 1 + 100 * c for c in range(channels)]).all()
    assert (sheet[2:, 6:] == 0).all()  # the last row is not full


def test_grid_does_not_turn_or_mirror() -> None:
    image = torch.arange(6, dtype=torch.uint8).view(1, 1, 2, 3)
    assert sheets.grid(image, 1)[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(("count", "columns", "shape"), [(4, 2, (4, 6, 1)), (4, 4, (2, 12, 1)), (1, 3, (2, 9, 1))])
def test_grid_size(count: int, columns: int, shape: tuple[int, ...]) -> None:
    assert sheets.grid(numbered(count), columns).shape == shape


def test_grid_takes_channels_last_memory() -> None:
    images = torch.arange(36).to(torch.uint8).view(2, 3, 2, 3)
    turned = images.contiguous(memory_format=torch.channels_last)
    assert np.array_equal(sheets.grid(turned, 2), sheets.grid(images, 2))


# -------------------- PNG files


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_holds_the_same_pixels(channels: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    pixels = decoded(sheets.png(array))
    assert np.array_equal(pixels, array[:, :, 0] if channels == 1 else array)


def test_png_draws_pixels_as_squares() -> None:
    array = np.array([[[10], [20]], [[30], [40]]], np.uint8)
    pixels = decoded(sheets.png(array, scale=3))
    assert np.array_equal(pixels, np.kron(array[:, :, 0], np.ones((3, 3), np.uint8)))


def test_save_grid(tmp_path: Path) -> None:
    sheets.save_grid(tmp_path / "sheet.png", numbered(4, 3), columns=2)
    assert np.array_equal(decoded((tmp_path / "sheet.png").read_bytes()), sheets.grid(numbered(4, 3), 2))
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


# -------------------- drawings for terminals


@pytest.mark.parametrize(
    ("count", "columns", "side", "height", "lines", "cells"),
    [(10, 5, 28, 14, 14, 70), (3, 2, 28, 14, 14, 28), (1, 1, 12, 12, 6, 12), (4, 4, 32, 2, 1, 8)],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_halves_shape(count: int, columns: int, side: int, height: int, lines: int, cells: int, channels: int) -> None:
    for half in sheets.halves(numbered(count, channels, side, side), columns, height):
        assert half.shape == (lines, cells, 3)


def test_halves_show_the_upper_pixel_above_the_lower() -> None:
    image = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 1, 2, 2)
    upper, lower = sheets.halves(image, 1, 2)
    assert upper.tolist() == [[[1, 1, 1], [2, 2, 2]]]
    assert lower.tolist() == [[[3, 3, 3], [4, 4, 4]]]


def test_halves_keep_colours() -> None:
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert {tuple(half[0, 0].tolist()) for half in sheets.halves(image, 1, 2)} == {(10, 20, 30)}


@pytest.mark.parametrize(
    ("width", "height", "across", "down"),
    [(80, 14, 5, 2), (80, 28, 5, 4), (120, 30, 10, 5), (200, 70, 10, 10), (40, 14, 2, 5), (5, 1, 1, 10)],
)
def test_a_terminal_is_used_as_far_as_it_goes(width: int, height: int, across: int, down: int) -> None:
    preview = sheets.Sheet(numbered(100, 1, 28, 28))
    lines = preview.lines(width, True, height)
    side = 12 if width == 120 else sheets.SIDE
    assert (len(lines), {len(line.plain) for line in lines}) == (down * side // 2, {across * side})
    assert len(lines) <= height or down * across == 10  # the first column of the sheet is always whole


@pytest.mark.parametrize("count", [1, 7, 10, 15, 30])
def test_few_images_have_a_preview_too(count: int) -> None:
    assert sheets.Sheet(numbered(count, 3, 16, 16)).lines(100, False, 20)
