"""Arrays in .npz and .npy files: which are pictures and labels, in what form, and what cannot be told."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.images import data
from ganvas.images import files as image_files
from ganvas.images.data import arrays, npz
from ganvas.images.decode import Shape
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.save import Portion, save

GREY = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3), np.uint8)
Y = np.arange(40) % 2


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def saved(place: Path, **members: Any) -> Path:
    np.savez(place / "x.npz", **members)
    return place / "x.npz"


# -------------------- labels


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (Y[:, None], ("0", "1")),
        (Y[None], ("0", "1")),
        (np.eye(2)[Y], ("0", "1")),
        (np.eye(2, dtype=bool)[Y], ("0", "1")),
        (np.eye(5, dtype=np.int64)[Y + 3], ("3", "4")),
        (Y * 1.0, ("0", "1")),
        (Y.astype(bool), ("False", "True")),
        (np.array(["cat", "dog"])[Y], ("cat", "dog")),
        (np.array([b"cat", "naïve".encode()])[Y], ("cat", "naïve")),
        (np.array(["10", "9"])[Y], ("9", "10")),
        (Y.astype(np.uint64) * 2**62, ("0", str(2**62))),
    ],
)
def test_labels_of_every_form_are_read(labels: np.ndarray, names: tuple[str, ...], tmp_path: Path) -> None:
    contents = arrays.read(saved(tmp_path, images=GREY, labels=labels))
    assert contents.class_names == names
    assert contents.train[1] is not None
    assert contents.train[1].dtype == np.int64
    wanted = 1 - Y if names == ("9", "10") else Y  # in the order of the numbers that the texts are
    assert np.array_equal(contents.train[1], wanted)
    for_evaluate = image_files.load(tmp_path / "x.npz")
    assert for_evaluate.class_names == names
    assert for_evaluate.labels is not None
    assert for_evaluate.labels.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (Y[:39], "'labels' has 39 labels for the 40 pictures of 'images'"),
        (np.ones((40, 3)), "3 numbers per picture that are not one-hot"),
        (np.full((40, 2), 0.5), "not one-hot|holds 0.5"),
        (Y + 0.5, r"holds 0\.5, which is not a class"),
        (np.where(Y, np.nan, 1.0), "holds nan, which is not a class"),
        (Y - 1, "holds -1; classes are counted from 0"),
        (np.array(["a", " "])[Y], "has no text for picture 1"),
        (np.array(["a", "A"])[Y], "differ only in case"),
        (np.array([b"\xff", b"a"])[Y], "not UTF-8"),
        (Y + 1j, "these are not labels"),
        (np.array(Y, dtype="datetime64[s]"), "these are not labels"),
        (np.zeros((40, 2, 2), int), "these are not labels"),
        (np.array(7), "a single value for the 40 pictures"),
        (np.array([*Y], dtype=object), "Python objects"),
    ],
)
def test_labels_that_are_none_are_refused(labels: np.ndarray, words: str, tmp_path: Path) -> None:
    path = saved(tmp_path, images=GREY, labels=labels)
    with pytest.raises(UserError, match=words):
        data.load(str(path))
    assert data.load(str(path), labelled=False).class_names == ()


def test_names_of_classes_are_honoured(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cow", "dog"])
    path = saved(tmp_path, images=GREY, labels=Y + 2, class_names=names)
    dataset = data.load(str(path))
    assert dataset.class_names == ("cow", "dog")
    assert dataset.notes == ()
    assert image_files.load(path).named(("dog", "cow")).class_names == ("dog", "cow")
    path = saved(tmp_path, images=GREY, labels=names[[3, 1]][Y], classes=names)
    assert data.load(str(path)).class_names == ("bee", "dog")
    for labels, words in ((Y + 3, "a label 4, but 'class_names' names 4 classes"), (names[Y], "not a class in")):
        with pytest.raises(UserError, match=words):
            data.load(
                str(saved(tmp_path, images=GREY, labels=labels, class_names=names[1:] if words[:2] == "no" else names))
            )


@pytest.mark.parametrize("channels", [1, 3])
def test_what_ganvas_wrote_is_read_whole(channels: int, tmp_path: Path) -> None:
    images = torch.from_numpy(COLOUR[:, :, :, :channels].transpose(0, 3, 1, 2).copy())
    portion = Portion(images, torch.from_numpy(Y), range(40))
    for _ in save(tmp_path / "x.npz", [portion], 40, ImageSpec(channels, 8, 2), ("left", "right")):
        pass
    loaded = image_files.load(tmp_path / "x.npz")
    assert torch.equal(loaded.images, images)
    assert loaded.labels is not None
    assert loaded.labels.tolist() == Y.tolist()
    assert loaded.class_names == ("left", "right")
    assert loaded.form == "8 bits, as in the files"
    assert data.load(str(tmp_path / "x.npz")).notes == ()


# -------------------- names and splits


@pytest.mark.parametrize(
    "names",
    [
        ("x_test", "x_train", "y_train", "y_test"),
        ("test_images", "train_images", "train_labels", "test_labels"),
        ("X_val", "X_train", "Y_train", "Y_val"),
        ("testX", "trainX", "trainY", "testY"),
        ("test", "train", "train_target", "test_target"),
        ("t", "images", "labels", "t"),
    ],
)
def test_splits_are_what_they_are_called(names: tuple[str, ...], tmp_path: Path) -> None:
    test, train, y_train, y_test = names
    members = {test: GREY[30:], train: GREY[:30], y_train: Y[:30, None], y_test: Y[30:, None]}
    if test == y_test:
        members = {train: GREY[:30], y_train: Y[:30, None], "test_images": GREY[30:], "test_labels": Y[30:, None]}
        test = "test_images"
    dataset = data.load(str(saved(tmp_path, **members)))
    assert torch.equal(dataset.train.images[:, 0], torch.from_numpy(GREY[:30]))
    assert torch.equal(dataset.held_out.images[:, 0], torch.from_numpy(GREY[30:]))
    assert dataset.train.labels is not None
    assert dataset.held_out.labels is not None
    assert dataset.train.labels.tolist() == Y[:30].tolist()
    assert dataset.held_out.labels.tolist() == Y[30:].tolist()
    assert dataset.notes == (f"x.npz: 10 pictures of '{test}' are held out.",)
    with pytest.raises(UserError, match="holds several sets of pictures"):
        image_files.load(tmp_path / "x.npz")


def test_validation_and_test_are_both_held_out(tmp_path: Path) -> None:
    members = {"train_images": GREY[:20], "val_images": GREY[20:25], "test_images": GREY[25:]}
    labels = {f"{s}_labels": y[:, None] for s, y in (("train", Y[:20]), ("val", Y[20:25]), ("test", Y[25:]))}
    dataset = data.load(str(saved(tmp_path, **members, **labels)))  # as MedMNIST has it
    assert dataset.class_names == ("0", "1")
    assert torch.equal(dataset.held_out.images[:, 0], torch.from_numpy(np.concatenate([GREY[25:], GREY[20:25]])))
    assert dataset.notes == ("x.npz: 15 pictures of 'test_images' and 5 pictures of 'val_images' are held out.",)


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    flat = GREY.reshape(40, -1)  # as scikit-learn's digits would be saved
    path = saved(
        tmp_path, data=flat, target=Y, images=GREY, feature_names=np.array(["a"]), target_names=np.array(["n", "y"])
    )
    dataset = data.load(str(path))
    assert dataset.class_names == ("n", "y")
    assert len(dataset.train.images) + len(dataset.held_out.images) == 40
    assert dataset.notes == ("x.npz: skipped feature_names [1], data [40, 64].",)


def test_arrays_without_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", COLOUR, Y)
    dataset = data.load(str(tmp_path / "x.npz"))
    assert dataset.spec == ImageSpec(3, 8, 2)
    assert dataset.notes == ("x.npz: 'arr_0' is read as pictures, 'arr_1' as their labels.",)
    np.savez(tmp_path / "x.npz", GREY[:30], Y[:30], GREY[30:], Y[30:])
    with pytest.raises(UserError, match=r"several arrays that may be pictures: arr_0 \[30, 8, 8\], arr_2 \[10, 8, 8\]"):
        data.load(str(tmp_path / "x.npz"))
    np.save(tmp_path / "x.npy", COLOUR)
    assert data.load(str(tmp_path / "x.npy")).spec == ImageSpec(3, 8)
    assert image_files.load(tmp_path / "x.npy").images.shape == (40, 3, 8, 8)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"x_test": GREY, "y_test": Y}, "pictures of a test split, and none to train on"),
        ({"x_train": GREY, "y_train": Y, "y_test": Y}, r"has y_test \[40\] but no pictures that belong to it"),
        ({"x_train": GREY, "y_train": Y, "x_test": GREY}, "the pictures of test have no labels"),
        ({"x_train": GREY, "x_test": GREY[:, :6, :6]}, "pictures of different shapes"),
        ({"x_train": GREY, "x_test": GREY / 255}, "'x_test' holds float64 and 'x_train' uint8"),
        ({"x_train": GREY, "images": GREY}, "with and without a split in their names"),
        ({"images": GREY, "data": GREY}, "several arrays that may be pictures: images"),
        ({"images": GREY, "labels": Y, "y": Y}, "several arrays that may be labels"),
        ({"x_train": GREY, "y_train": Y, "x_test": GREY, "y_test": Y + 1}, "label 2, which no training picture has"),
        ({"a": Y, "b": Y}, r"no array of images \(it has a \[40\], b \[40\]\)"),
    ],
)
def test_what_is_not_clear_is_not_guessed(members: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        data.load(str(saved(tmp_path, **members)))


# -------------------- pixels


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (COLOUR[0], "one picture: put many into one array with np.stack"),
        (COLOUR.reshape(40, -1), r"x\.reshape\(-1, 3, 8, 8\), or x\.reshape\(-1, 8, 8, 3\)"),
        (GREY.reshape(40, -1), r"x\.reshape\(-1, 8, 8\)"),
        (COLOUR[None], r"stacked once too often: save x\[0\]"),
        (COLOUR[..., :2], "two channels"),
        (COLOUR.transpose(1, 2, 3, 0), r"x\.transpose\(3, 0, 1, 2\)"),
        (COLOUR[:, :3], r"may be either of the last two. If it is \[N, C, H, W\]"),
        (np.zeros((40, 8, 8, 7)), "7 channels"),
        (GREY[:0], "has the shape"),
        (np.array([*GREY, None], dtype=object), "Python objects"),
        (GREY * 1j, "complex128, not numbers"),
        ((GREY / 255 - 0.5) / 0.25, r"standardised, undo it"),
        (GREY.astype(int) - 128, "values below 0 are not pixels"),
        (np.where(GREY > 250, np.inf, GREY), "not numbers"),
    ],
)
def test_forms_that_are_refused_say_the_way_out(images: np.ndarray, words: str, tmp_path: Path) -> None:
    path = saved(tmp_path, images=images)
    for read in (lambda: data.load(str(path)), lambda: image_files.load(path)):
        with pytest.raises(UserError, match=words):
            read()


@pytest.mark.parametrize(
    ("images", "note"),
    [
        (GREY / 255, "pixels of float64 from 0 to 1: 0 to 1 became 0 to 255."),
        (
            GREY / 255 * 1.06 - 0.03,
            "pixels of float64 from -0.03 to 1.03: 0 to 1 became 0 to 255, and values beyond were clipped.",
        ),
        (GREY / 127.5 - 1, "pixels of float64 from -1 to 1: -1 to 1 became 0 to 255."),
        (GREY.astype(np.float16), "pixels of float16 from 0 to 255: 0 to 255 became 0 to 255."),
        (GREY.astype(np.uint16) * 257, "pixels of uint16 from 0 to 65,535: 0 to 65,535 became 0 to 255."),
        (GREY.astype(np.uint16) * 16, "pixels of uint16 from 0 to 4,080: 0 to 4,095 became 0 to 255."),
        (GREY.astype(np.int64), None),
        (GREY / 255 * 3, "pixels of float64 from 0 to 3: 0 to 3 became 0 to 255."),
    ],
)  # fmt: skip
def test_pixels_of_every_range_are_read_and_told(images: np.ndarray, note: str | None, tmp_path: Path) -> None:
    contents = arrays.read(saved(tmp_path, images=images))
    assert contents.notes == (() if note is None else (f"x.npz: {note}",))
    wanted = GREY.astype(int)
    if note is not None and "clipped" in note:
        wanted = np.rint((wanted * 1.06 - 0.03 * 255).clip(0, 255)).astype(int)
    assert np.abs(contents.train[0][:, 0] - wanted).max() <= (1 if "4,095" in (note or "") else 0)
    assert image_files.load(tmp_path / "x.npz").form == (
        f"8 bits (x.npz: {note})" if note else "8 bits, as in the files"
    )


def test_one_range_for_both_splits(tmp_path: Path) -> None:
    train = np.minimum(GREY[:30], 200) / 255.0  # dim, and without the negative values that the test pictures have
    contents = arrays.read(saved(tmp_path, x_train=train, x_test=GREY[30:] / 127.5 - 1))
    assert contents.train[0].min() == 128
    assert contents.test is not None
    assert contents.test[0].min() == 0


def test_pictures_that_are_not_square_are_cut_with_a_word(tmp_path: Path) -> None:
    path = saved(tmp_path, images=np.concatenate([GREY, GREY], 2))
    dataset = data.load(str(path))
    assert dataset.spec == ImageSpec(1, 8)
    assert dataset.train.images[:].shape[2:] == (8, 8)
    assert any("16x8 pixels: cropped to the centre square (fit=pad keeps all)" in note for note in dataset.notes)
    padded = data.load(str(path), Shape(fit="pad"))
    assert padded.train.images[:].shape[2:] == (8, 8)
    assert not any("cut out" in note for note in padded.notes)


# -------------------- what a file states is not trusted


def test_an_array_is_only_read_where_it_is_what_its_head_says(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    raw = (tmp_path / "x.npy").read_bytes()
    for shape, words in ((b"(90, 8, 8)", "'x' states 5,888 bytes and has 2,688"), (b"(-4, 8, 8)", "states -128 bytes")):
        (tmp_path / "x.npy").write_bytes(raw.replace(b"(40, 8, 8)", shape))
        with pytest.raises(UserError, match=words):
            data.load(str(tmp_path / "x.npy"))
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(UserError, match=r"cannot be read as an \.npy file"):
        data.load(str(tmp_path / "x.npy"))


def test_only_what_is_wanted_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, images=GREY, latents=np.zeros((40, 512)), seeds=np.arange(40))
    read, seen = npz.Member.read, []
    monkeypatch.setattr(npz.Member, "read", lambda self: (seen.append(self.name), read(self))[1])
    data.load(str(path))
    assert seen == ["images"]


def test_what_would_fill_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros((400, 64, 64), np.uint8))
    np.savez(tmp_path / "plain.npz", images=np.zeros((400, 64, 64), np.uint8))
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with monkeypatch.context() as patch:
        patch.setattr(files, "UNFOLDED", 1_000_000)
        with pytest.raises(UserError, match="unpack to 1,638,400: such files are made to exhaust the memory"):
            data.load(str(tmp_path / "bomb.npz"))
    monkeypatch.setattr(files, "memory_left", lambda: 1_000_000)
    with pytest.raises(UserError, match=r"needs 0\.0 GB of memory, and 0\.0 GB are free"):
        data.load(str(tmp_path / "plain.npz"))


def test_arrays_packed_otherwise_than_numpy_does_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", GREY)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_LZMA) as file:
        file.write(tmp_path / "images.npy", "images.npy")
    with pytest.raises(UserError, match="packed in a way that NumPy does not use"):
        data.load(str(tmp_path / "x.npz"))
