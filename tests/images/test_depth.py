"""Greys of more than 8 bits: one range for a set, and the pictures' own where there is none; every verb reads alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.images import data, decode, originals
from ganvas.images import files as image_files
from ganvas.images.data import ImageData, depth, pack
from ganvas.images.data import survey as sv
from ganvas.images.decode import Depth, Shape
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.model import load


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def grey(seed: int, most: int = 255) -> np.ndarray:
    """16x16 whole numbers 0..most, both of which occur."""
    values = np.random.default_rng(seed).integers(0, most + 1, (16, 16)).astype(np.uint16)
    values[0, :2] = 0, most
    return values


def folder(place: Path, arrays: list[np.ndarray], suffix: str = "tif") -> Path:
    place.mkdir()
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(place / f"{i:03}.{suffix}")
    return place


def brightest(dataset: ImageData) -> list[int]:
    return sorted(int(x.max()) for split in (dataset.train, dataset.held_out) for x in split.images[:])


@pytest.mark.parametrize(
    ("low", "high", "floats", "whole", "expected"),
    [
        (0, 255, False, True, (0, 255)),
        (0, 256, False, True, (0, 1023)),
        (7, 4095, False, True, (0, 4095)),
        (0, 4096, False, True, (0, 16383)),
        (0, 65535, False, True, (0, 65535)),
        (0, 100_000, False, True, (0, 100_000)),
        (-1000, 3000, False, True, (-1000, 4095)),
        (0, 1, True, True, (0, 1)),
        (0, 1.0001, True, False, (0, 1)),
        (-0.05, 1.05, True, False, (0, 1)),
        (-1, 0.9, True, False, (-1, 1)),
        (0, 254.7, True, False, (0, 255)),
        (0, 3000, True, True, (0, 4095)),
        (0, 2.5, True, False, (0, 2.5)),
        (-4, 2.5, True, False, (-4, 2.5)),
    ],
)
def test_the_range_that_values_suggest(
    low: float, high: float, floats: bool, whole: bool, expected: tuple[float, float]
) -> None:
    assert decode.natural(low, high, floats, whole) == expected


def test_twelve_bits_in_sixteen_are_not_black(tmp_path: Path) -> None:
    dataset = data.load(str(folder(tmp_path / "a", [grey(i, 4095) for i in range(30)], "png")))
    assert dataset.spec == ImageSpec(1, 16)
    assert brightest(dataset) == [255] * 30
    assert dataset.depth == Depth((0, 4095), None)
    assert dataset.notes == ("30 pictures have more than 8 bits a pixel: values of 0 to 4,095 became 0 to 255.",)
    again = data.load(str(tmp_path / "a"))  # from the cache
    assert (again.depth, again.notes, again.fingerprint) == (dataset.depth, dataset.notes, dataset.fingerprint)


def test_dim_pictures_stay_dim_beside_the_others(tmp_path: Path) -> None:
    whole = folder(tmp_path / "whole", [grey(i, 4095 if i else 60_000) for i in range(30)])
    assert brightest(data.load(str(whole))) == [16] * 29 + [233]
    floats = folder(
        tmp_path / "floats", [(grey(i) / 255 * (0.12 if i % 2 else 3)).astype(np.float32) for i in range(30)]
    )
    dataset = data.load(str(floats))
    assert brightest(dataset) == [10] * 15 + [255] * 15  # 0.12 of 3
    assert dataset.depth == Depth(None, (0, 3))


def test_floats_that_overshoot_are_clipped_with_a_word(tmp_path: Path) -> None:
    arrays = [(grey(i) / 255).astype(np.float32) for i in range(30)]
    arrays[3][5, 5], arrays[4][5, 5] = 1.0001, -0.02
    dataset = data.load(str(folder(tmp_path / "a", arrays)))
    assert brightest(dataset) == [255] * 30
    assert dataset.depth == Depth(None, (0, 1))
    assert "values of 0 to 1 (values go from -0.02 to 1: values beyond are clipped) became 0 to 255" in dataset.notes[0]
    signed = data.load(str(folder(tmp_path / "b", [(grey(i) / 127.5 - 1).astype(np.float32) for i in range(30)])))
    assert signed.depth == Depth(None, (-1, 1))
    assert brightest(signed) == [255] * 30
    assert min(int(x.min()) for x in signed.train.images[:]) == 0


def test_sets_of_eight_bits_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path / "a", [grey(i).astype(np.uint8) for i in range(30)], "png")
    monkeypatch.setattr(depth, "mapped", None)
    dataset = data.load(str(place))
    assert dataset.notes == ()
    assert dataset.depth == Depth()


def test_pieces_and_twins_have_one_range(tmp_path: Path) -> None:
    arrays = [np.kron(grey(i, 4095), np.ones((4, 4), np.uint16)) for i in range(8)]
    clean = folder(tmp_path / "clean", arrays)
    damaged = folder(tmp_path / "damaged", [a // 2 for a in arrays])
    dataset = data.load(str(clean), Shape(16, 0, "pieces"), twins=str(damaged))
    assert dataset.depth == Depth((0, 4095), None)
    pieces = dataset.train.images[:]
    assert pieces.shape[1] == 2
    assert int(pieces[:, 0].max()) == 255
    assert int(pieces[:, 1].max()) == 127  # half as bright, as they were
    assert "values of 0 to 4,095 became 0 to 255" in dataset.notes[0]


def test_a_pack_of_its_own_keeps_what_was_done(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", [grey(i, 1000) for i in range(30)])
    list(data.pack_into(str(place), tmp_path / "p", Shape()))
    dataset = data.load(str(tmp_path / "p"))
    assert dataset.depth == Depth((0, 1023), None)
    assert "0 to 1,023 became 0 to 255" in dataset.notes[0]
    assert pack.resolve(data.listed(str(place)), Shape(16, 1)).depth is None


def test_a_model_reads_pictures_in_the_range_of_its_data(tmp_path: Path, run: Path) -> None:
    dim = tmp_path / "dim.tif"
    Image.fromarray(np.full((16, 16), 1000, np.uint16)).save(dim)
    image, told = image_files.fit(dim, ImageSpec(1, 16))
    assert int(image.max()) == 249
    assert told == "values of 0 to 1,023 scaled to 0 to 255"
    card = {**load(run).card, "depth": [[0, 4095], None]}
    image, told = image_files.fit(dim, ImageSpec(1, 16), decode.depth_of(card["depth"]))
    assert int(image.max()) == 62
    assert told == "values of 0 to 4,095 scaled to 0 to 255"
    Image.fromarray(np.full((16, 16), 9000, np.uint16)).save(dim)
    image, told = image_files.fit(dim, ImageSpec(1, 16), decode.depth_of(card["depth"]))
    assert int(image.max()) == 255
    assert told == "values of 0 to 4,095 scaled to 0 to 255 (its values are 9,000 to 9,000)"


def test_the_range_goes_into_the_card(tmp_path: Path) -> None:
    from ganvas.api import RECIPES

    dataset = data.load(str(folder(tmp_path / "a", [grey(i, 4095) for i in range(30)])))
    assert decode.depth_of(RECIPES["mnist"]().card(dataset)["depth"]) == dataset.depth
    assert "depth" not in RECIPES["mnist"]().card(dataclasses.replace(dataset, depth=Depth()))


@pytest.mark.parametrize(
    "stated", [None, 7, "ab", [], [[0, 1]] * 3, [[1, 0], None], [["x", 1], None], [[0, 1e999], None]]
)
def test_a_card_that_states_nonsense_states_nothing(stated: object) -> None:
    assert decode.depth_of(stated) == Depth()


# -------------------- evaluate reads what a training would


def test_evaluate_reads_deep_greys_as_a_training_does(tmp_path: Path) -> None:
    arrays = [grey(i, 4095) for i in range(30)]
    place = folder(tmp_path / "a", arrays)
    loaded = image_files.load(place)
    assert loaded.spec == ImageSpec(1, 16)
    trained = data.load(str(place))
    both = {x.numpy().tobytes() for split in (trained.train, trained.held_out) for x in split.images[:]}
    assert {x.numpy().tobytes() for x in loaded.images} == both
    assert loaded.form == "8 bits, converted from values of 0 to 4,095"


def test_evaluate_reads_every_kind_of_picture_as_a_training_does(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a" / "0.png", exif=exif)
    picture.convert("CMYK").save(tmp_path / "a" / "1.tif")
    picture.quantize(16).save(tmp_path / "a" / "2.png")
    loaded = image_files.load(tmp_path / "a")
    assert loaded.spec == ImageSpec(3, 16)
    for i, path in enumerate(sorted((tmp_path / "a").iterdir())):
        plain = decode.plain(decode.opened(path.read_bytes()))
        assert np.array_equal(loaded.images[i].numpy(), decode.fitted(plain, Shape(16, 3)))
    assert np.array_equal(loaded.images[0].numpy(), np.rot90(np.asarray(picture), -1).transpose(2, 0, 1))
    assert loaded.form == "8 bits, converted from printers' colours, palette"
    picture.convert("1").save(tmp_path / "bit.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "bit.png").rename(tmp_path / "b" / "bit.png")
    assert image_files.load(tmp_path / "b").spec == ImageSpec(1, 16)


# -------------------- originals


def test_twelve_bits_in_sixteen_are_restored_within_their_range(tmp_path: Path) -> None:
    Image.fromarray(grey(0, 4000)).save(tmp_path / "a.tif")
    original = originals.read(tmp_path / "a.tif")
    assert original.top == 4095
    assert np.array_equal(original.pixels[:, :, 0], grey(0, 4000))
    assert original.assumption == "its values of 16 bits go up to 4,000 only: 4,095 is used as white"
    assert originals.as_8_bits(original).pixels.max() == 249
    Image.fromarray(grey(0, 65_000)).save(tmp_path / "b.tif")
    assert originals.read(tmp_path / "b.tif").top == 65_535
    assert originals.read(tmp_path / "b.tif").assumption == ""
    Image.fromarray(grey(0).astype(np.int32) * 1000).save(tmp_path / "c.tif")
    with pytest.raises(UserError, match=r"has values from 0 to 255,000\. Convert it"):
        originals.read(tmp_path / "c.tif")


# -------------------- the doctor


def test_pictures_in_which_nothing_is_to_be_seen_are_found(tmp_path: Path) -> None:
    arrays = [grey(i).astype(np.uint8) for i in range(20)]
    arrays[3], arrays[4] = arrays[3] // 16, 255 - arrays[4] // 16
    place = folder(tmp_path / "a", arrays, "png")
    clear = np.zeros((16, 16, 4), np.uint8)  # black letters on nothing: they lie on white
    clear[4:8, 4:8, 3] = 255
    Image.fromarray(clear).save(place / "clear.png")
    steps = sv.survey(data.listed(str(place)), 16)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            survey_result = end.value
            break
    assert (survey_result.dark, survey_result.bright) == (["003.png"], ["004.png"])
    assert {"dark", "bright"} <= survey_result.to_dict().keys()
