"""Masks: what is taken for the hole, and what is refused because it leaves that in doubt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ganvas.core.errors import UserError
from ganvas.tasks.restore import holes

HOLE = (slice(10, 20), slice(15, 30))  # 150 of 2,000 pixels, 7.5%


def mask(path: Path, ground: tuple[int, int], hole: tuple[int, int]) -> Path:
    """A mask of 40 rows and 50 columns; (level, alpha) around the hole and in it."""
    array = np.full((40, 50, 2), ground, np.uint8)
    array[HOLE] = hole
    Image.fromarray(array, "LA").save(path)
    return path


@pytest.mark.parametrize(
    ("ground", "hole", "kind", "told"),
    [
        ((0, 255), (255, 255), None, "the white of m.png, 7.5% of the pixels"),
        ((0, 0), (255, 255), None, "the white of m.png, 7.5% of the pixels"),  # painted on a transparent layer
        ((255, 255), (0, 255), "black", "the black of m.png, 7.5% of the pixels"),
        ((255, 255), (255, 0), "transparent", "the transparent part of m.png, 7.5% of the pixels"),
        ((255, 255), (0, 0), "transparent", "the transparent part of m.png, 7.5% of the pixels"),
        ((100, 255), (160, 255), "white", "the white of m.png, 7.5% of the pixels"),
    ],
)
def test_the_hole_is_found_and_told(
    ground: tuple[int, int], hole: tuple[int, int], kind: str | None, told: str, tmp_path: Path
) -> None:
    found = holes.of_mask(mask(tmp_path / "m.png", ground, hole), kind)
    wanted = np.zeros((40, 50), bool)
    wanted[HOLE] = True
    assert np.array_equal(found.missing, wanted)
    assert found.description == told


@pytest.mark.parametrize(
    ("ground", "hole", "words"),
    [
        ((255, 255), (255, 0), "more than half of the picture would be filled (92.5% white, 7.5% transparent)"),
        ((255, 255), (0, 255), "more than half of the picture would be filled (92.5% white, 7.5% black)"),
        ((0, 255), (0, 0), "has no white, which is what is missing (92.5% black, 7.5% transparent)"),
        ((0, 255), (128, 255), "neither black nor white nor transparent (7.5% of its pixels)"),
        ((0, 255), (255, 128), "neither black nor white nor transparent (7.5% of its pixels)"),
        ((0, 255), (0, 255), "nothing is missing: it is all black"),
        ((255, 255), (255, 255), "everything is missing: it is all white"),
    ],
)
def test_what_leaves_it_in_doubt_is_refused(
    ground: tuple[int, int], hole: tuple[int, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        holes.of_mask(mask(tmp_path / "m.png", ground, hole))
    assert words in str(error.value)


def test_a_kind_that_is_not_there_and_one_that_is_all(tmp_path: Path) -> None:
    path = mask(tmp_path / "m.png", (0, 255), (255, 255))
    with pytest.raises(UserError, match="nothing is missing in it, by the transparent part of"):
        holes.of_mask(path, "transparent")
    with pytest.raises(UserError, match="all of it would be filled"):
        holes.of_mask(mask(tmp_path / "n.png", (0, 255), (0, 255)), "black")
    with pytest.raises(UserError, match=r"no kind of hole 'grey'. Valid: black, transparent, white"):
        holes.of_mask(path, "grey")


@pytest.mark.parametrize("name", ["smooth.png", "squeezed.jpg", "brush.png"])
def test_blurred_edges_are_no_doubt(name: str, tmp_path: Path) -> None:
    """Round brushes with smooth edges, JPEG, and the studio's own masks: white on black, edges smoothed."""
    drawn = Image.new("L", (400, 320))
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((60, 50, 200, 160), 255)
    pen.line((20, 300, 380, 180), 255, 12)
    if name == "brush.png":
        drawn = drawn.resize((200, 160), Image.Resampling.BILINEAR).resize((400, 320), Image.Resampling.BILINEAR)
    drawn.filter(ImageFilter.GaussianBlur(1)).save(tmp_path / name, quality=60)
    found = holes.of_mask(tmp_path / name)
    assert 0.1 < found.missing.mean() < 0.2
