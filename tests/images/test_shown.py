"""Pictures that a notebook shows, and pictures that a program hands over."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.images import tensors as im
from ganvas.images.handed import floats, tensor
from ganvas.images.shown import MOST, Pictures
from ganvas.images.spec import ImageSpec


def some(n: int = 5, channels: int = 3, side: int = 8) -> Pictures:
    return Pictures.of(torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    return Image.open(io.BytesIO(content))


def test_a_notebook_shows_a_sheet_enlarged_until_it_can_be_seen() -> None:
    assert opened(some()._repr_png_()).size == (5 * 8 * 8, 8 * 8)  # one row, eight times as large
    assert opened(some(20)._repr_png_()).size == (8 * 8 * 8, 3 * 8 * 8)
    assert opened(some(2, side=900)._repr_png_()).size == (1280 // 2, 1280)  # a column, smaller
    assert opened(some(2 * MOST)._repr_png_()).height == 13 * 8 * 8
    assert opened(some(1, channels=1)[0]._repr_png_()).mode == "L"
    assert opened(some(4, channels=4)._repr_png_()).mode == "RGBA"
    shown = np.asarray(opened(some()._repr_png_()))[::8, ::8]
    assert np.array_equal(shown[:, :8], some().pixels()[0])
    assert some(0)._repr_png_() is None
    wide = Pictures.of(torch.zeros(20, 1, 8, 8), columns=10)
    assert opened(wide._repr_png_()).size == (80 * 8, 16 * 8)


def test_pillow_numpy_and_files_get_them_with_one_call(tmp_path: Path) -> None:
    pictures = some()
    assert pictures.pixels().shape == (5, 8, 8, 3)
    assert pictures.pixels().dtype == np.uint8
    assert pictures[0].pixels().shape == (8, 8, 3)
    assert [p.mode for p in pictures.pil()] == ["RGB"] * 5
    assert pictures[2].pil().size == (8, 8)
    assert some(2, channels=1).pil()[0].mode == "L"
    np.testing.assert_array_equal(pictures.numpy(), torch.Tensor(pictures).numpy())
    assert pictures.numpy().shape == (5, 3, 8, 8)
    assert pictures.sheet().size == (40, 8)
    for name in ("a.png", "b.JPG", "c.webp"):
        pictures.save(tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (40, 8)
    some(2, channels=4).save(tmp_path / "white.jpg")
    pictures.save(tmp_path / "each")
    assert len(list((tmp_path / "each").glob("*.png"))) == 5
    with Image.open(tmp_path / "each" / "00002.png") as picture:
        assert np.array_equal(np.asarray(picture), pictures.pixels()[2])
    with pytest.raises(UserError, match=r"a\.gif: pictures are saved as"):
        pictures.save(tmp_path / "a.gif")


def test_pytorch_takes_them_as_the_tensor_they_are() -> None:
    pictures = some()
    for made in (
        pictures * 2,
        torch.stack([pictures[0], pictures[1]]),
        torch.cat([pictures, pictures]),
        pictures.clone(),
    ):
        assert type(made) is torch.Tensor
    assert isinstance(pictures[1:3], Pictures)
    assert isinstance(pictures[torch.tensor([0, 2])], Pictures)
    assert isinstance(pictures[0], Pictures)
    assert type(pictures[0, 0]) is torch.Tensor
    assert type(pictures[:, 0]) is torch.Tensor
    assert float(pictures[0, 0, 0, 0]) == float(torch.Tensor(pictures)[0, 0, 0, 0])
    assert torch.equal(pictures.cpu(), pictures + 0)
    assert torch.nn.functional.conv2d(pictures, torch.ones(1, 3, 1, 1)).shape == (5, 1, 8, 8)
    assert type(copy.deepcopy(pictures)) is torch.Tensor
    assert type(pickle.loads(pickle.dumps(pictures))) is torch.Tensor
    torch.save(pictures, file := io.BytesIO())
    file.seek(0)
    assert torch.equal(torch.load(file), pictures)
    weight = torch.ones(1, requires_grad=True)
    (pictures * weight).sum().backward()
    assert weight.grad is not None
    pictures.resize_(5, 192)
    assert pictures._repr_png_() is None


def test_other_tensors_are_refused() -> None:
    for bad in (torch.zeros(5, 2, 8, 8), torch.zeros(3, 3), torch.zeros(1, 3, 8, 8, dtype=torch.int64)):
        with pytest.raises(UserError, match="does not hold pictures"):
            Pictures.of(bad)


GREY, COLOUR = ImageSpec(1, 8), ImageSpec(3, 8)


def test_pictures_are_taken_in_every_form(tmp_path: Path) -> None:
    pictures = some()
    pixels = im.to_uint8(pictures)
    first = pictures[0].pil()
    first.save(tmp_path / "first.png")
    for given in (pixels, pictures.pixels(), pixels.numpy(), pictures.pil(), list(pictures.pixels())):
        assert torch.equal(tensor(given, COLOUR, sized=True), pixels)
    for given in (first, tmp_path / "first.png", str(tmp_path / "first.png"), pictures[0].pixels(), [first]):
        assert torch.equal(tensor(given, COLOUR, sized=True), pixels[:1])
    assert torch.allclose(floats(pictures.numpy(), COLOUR, sized=True), torch.Tensor(pictures))
    assert floats([first, pictures[0]], COLOUR, sized=True).shape == (2, 3, 8, 8)
    grey = some(4, channels=1).pixels()
    for given, count in ((grey, 4), (grey[..., 0], 4), (grey[0], 1), (grey[0, ..., 0], 1)):
        assert tensor(given, GREY, sized=True).shape == (count, 1, 8, 8)
    large = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    assert tensor(large, GREY, sized=True).unique().tolist() == [255]  # transparent pixels become white
    assert tensor(large, COLOUR, sized=False).shape == (1, 3, 30, 40)
    assert large.mode == "RGBA"
    assert tensor([], GREY, sized=True).shape == (0, 1, 8, 8)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((2, 8, 8, 2), np.uint8), "has the shape"),
        (np.zeros((2, 8, 8, 3), np.int64), "holds int64"),
        (np.full((1, 8, 8, 3), 255.0), "go from 255 to 255"),
        (np.full((1, 8, 8, 3), np.nan), "must be in -1 to 1"),
        (7, "int does not hold pictures"),
        (["no-such.png"], "no-such.png"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)], "differ in their shape"),
    ],
)
def test_what_is_not_pictures_is_refused_with_a_sentence(given: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        tensor(given, COLOUR, sized=True)  # pyright: ignore[reportArgumentType]
