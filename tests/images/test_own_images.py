"""The user's own images: what is read, how it is brought into shape, what is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import quick
from PIL import Image

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.images import data, decode
from ganvas.images import files as image_files
from ganvas.images.data import ImageData
from ganvas.images.decode import Shape
from ganvas.images.spec import ImageSpec
from ganvas.sources import labels, listing
from ganvas.training.batches import Batches
from ganvas.training.events import Started, Warned


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def noise(seed: int, width: int = 16, height: int = 16, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def save(path: Path, array: np.ndarray, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array).save(path, **more)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """60 colour pictures of 16 pixels in three classes."""
    for i in range(60):
        save(tmp_path / "mine" / "abc"[i % 3] / f"{i:03d}.png", noise(i))
    return tmp_path / "mine"


def known(dataset: ImageData) -> dict[bytes, tuple[str, str]]:
    """Pixels -> split and class."""
    rows = {}
    for name, split in (("train", dataset.train), ("held out", dataset.held_out)):
        kinds = [
            "" if split.labels is None else dataset.class_names[int(i)]
            for i in (split.labels if split.labels is not None else torch.zeros(len(split.images)))
        ]
        rows |= {x.numpy().tobytes(): (name, kind) for x, kind in zip(split.images[:], kinds, strict=True)}
    return rows


def pixels(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array.transpose(2, 0, 1)).tobytes()


# -------------------- forms


def as_zip(tree: Path, root: str = "") -> Path:
    with zipfile.ZipFile(tree.with_name("mine.zip"), "w") as file:
        for path in sorted(tree.rglob("*.png"), reverse=True):
            file.write(path, root + path.relative_to(tree).as_posix())
    return tree.with_name("mine.zip")


def as_tar(tree: Path) -> Path:
    with tarfile.open(tree.with_name("mine.tar.gz"), "w:gz") as file:
        file.add(tree, "around/it")
    return tree.with_name("mine.tar.gz")


def test_a_folder_a_zip_and_a_tar_are_one_set(tree: Path) -> None:
    dataset = data.load(str(tree))
    assert dataset.spec == ImageSpec(3, 16, 3)
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.name == "mine"
    rows = known(dataset)
    assert len(rows) == 60
    assert {rows[pixels(noise(i))][1] for i in range(0, 60, 3)} == {"a"}
    for other in (as_zip(tree), as_zip(tree, "mine/"), as_tar(tree)):
        again = data.load(str(other))
        assert (again.fingerprint, again.spec, again.name) == (dataset.fingerprint, dataset.spec, "mine")
        assert torch.equal(again.train.images[:], dataset.train.images[:])


def test_content_alone_decides(tree: Path) -> None:
    before = data.load(str(tree))
    for i, path in enumerate(sorted(tree.rglob("*.png"))):
        path.rename(path.with_name(f"z{99 - i}.PNG"))
    save(tree / ".hidden" / "x.png", noise(500))
    save(tree / "__MACOSX" / "a" / "x.png", noise(501))
    (tree / "notes.txt").write_text("no picture")
    after = data.load(str(tree))
    assert after.fingerprint == before.fingerprint
    assert torch.equal(after.train.images[:], before.train.images[:])
    (tree / "a").rename(tree / "d")
    assert data.load(str(tree)).fingerprint != before.fingerprint


def test_more_pictures_move_none(tree: Path) -> None:
    before = known(data.load(str(tree)))
    assert {"train", "held out"} == {split for split, _ in before.values()}
    for i in range(60, 200):
        save(tree / "a" / f"{i:03d}.png", noise(i))
    save(tree / "b" / "twin.png", noise(0))
    after = known(data.load(str(tree)))
    assert all(after[k][0] == split for k, (split, _) in before.items())
    assert 5 <= sum(split == "held out" for split, _ in after.values()) <= 40


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "validation"), ("train", "val")])
def test_splits_are_honoured(tmp_path: Path, train: str, test: str) -> None:
    for i in range(20):
        save(tmp_path / "x" / (test if i < 5 else train) / "ab"[i % 2] / f"{i}.png", noise(i))
    dataset = data.load(str(tmp_path / "x"))
    assert dataset.class_names == ("a", "b")
    assert {i for i in range(20) if known(dataset)[pixels(noise(i))][0] == "held out"} == set(range(5))


def test_a_set_with_one_folder_or_loose_pictures_has_no_classes(tmp_path: Path) -> None:
    for i in range(12):
        save(tmp_path / "x" / "all" / f"{i}.png", noise(i))
    assert data.load(str(tmp_path / "x")).spec.classes == 0
    save(tmp_path / "x" / "more" / "1.png", noise(20))
    save(tmp_path / "x" / "loose.png", noise(21))
    dataset = data.load(str(tmp_path / "x"))
    assert dataset.spec.classes == 0
    assert "1 pictures are next to the folders" in dataset.notes[0]


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for i in range(24):
        save(tmp_path / "x" / str(i % 12) / f"{i}.png", noise(i))
    assert data.load(str(tmp_path / "x")).class_names == tuple(map(str, range(12)))


def test_few_pictures_have_one_held_out(tmp_path: Path) -> None:
    for count in (2, 3, 5):
        for i in range(count):
            save(tmp_path / str(count) / f"{i}.png", noise(i))
        dataset = data.load(str(tmp_path / str(count)))
        assert len(dataset.held_out.images) >= 1
        assert len(dataset.train.images) + len(dataset.held_out.images) == count
    save(tmp_path / "one" / "1.png", noise(1))
    with pytest.raises(UserError, match="1 different pictures are too few"):
        data.load(str(tmp_path / "one"))


# -------------------- tables of labels


def flat(tmp_path: Path) -> Path:
    for i in range(20):
        save(tmp_path / "x" / "images" / f"{i}.png", noise(i))
    return tmp_path / "x"


def table(
    path: Path, rows: list[tuple[str, object]], head: tuple[str, str] = ("file_name", "label"), mark: str = ","
) -> None:
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=mark).writerows([head, *rows])


def names(folder: str = "images/") -> list[tuple[str, object]]:
    return [(f"{folder}{i}.png", "odd" if i % 2 else "even") for i in range(20)]


def as_csv(place: Path) -> None:
    table(place / "labels.csv", names())


def as_bare_csv(place: Path) -> None:
    table(place / "any.csv", names(""), ("Image", "Class"), ";")


def as_metadata(place: Path) -> None:
    table(place / "images" / "metadata.csv", names(""))


def as_lines(place: Path) -> None:
    rows = [json.dumps({"file_name": n, "category": c, "more": 1}) for n, c in names("")]
    (place / "images" / "metadata.jsonl").write_text("\n".join(rows) + "\n")


def as_stylegan(place: Path) -> None:
    (place / "dataset.json").write_text(json.dumps({"labels": [[n, int(c == "odd")] for n, c in names()]}))


@pytest.mark.parametrize("write", [as_csv, as_bare_csv, as_metadata, as_lines, as_stylegan], ids=lambda f: f.__name__)
def test_labels_in_a_table(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(flat(tmp_path))
    assert data.load(str(tmp_path / "x"), labelled=False).class_names == ()
    dataset = data.load(str(tmp_path / "x"))
    odd = "1" if write is as_stylegan else "odd"
    assert len(dataset.class_names) == 2
    assert all((known(dataset)[pixels(noise(i))][1] == odd) == bool(i % 2) for i in range(20))
    assert data.load(str(tmp_path / "x"), labelled=False).spec.classes == 0


def test_a_table_of_stylegan_without_labels(tmp_path: Path) -> None:
    (flat(tmp_path) / "dataset.json").write_text('{"labels": null}')
    assert data.load(str(tmp_path / "x")).spec.classes == 0


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([(n, i) for i, (n, _) in enumerate(names())], ("id", "score"), "columns id, score; one of label, "),
        ([*names(), ("gone.png", "odd")], ("file", "label"), r"names 1 file that .*first: gone.png, line 22\)"),
        (names()[:-3], ("file", "label"), r"3 pictures have no label in labels.csv.*images/17"),
        ([(n, "Odd" if n.endswith("/3.png") else c) for n, c in names()], ("file", "label"), "'Odd' and 'odd'"),
        ([*names()[:-1], ("images/19.png", "")], ("file", "label"), "line 21 lacks"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit(
    tmp_path: Path, rows: list[tuple[str, object]], head: tuple[str, str], words: str
) -> None:
    table(flat(tmp_path) / "labels.csv", rows, head)
    with pytest.raises(UserError, match=words):
        data.load(str(tmp_path / "x"))
    assert len(data.load(str(tmp_path / "x"), labelled=False).train.images) > 10


def test_tables_that_are_damaged(tmp_path: Path) -> None:
    place = flat(tmp_path)
    (place / "metadata.jsonl").write_text('{"file_name": ')
    with pytest.raises(UserError, match=r"metadata.jsonl is damaged"):
        data.load(str(place))
    (place / "metadata.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"metadata.jsonl is damaged"):
        data.load(str(place))
    assert labels.is_table("a/Metadata.JSONL")
    assert not labels.is_table("a/config.json")


def test_classes_that_differ_by_case_and_classes_only_in_the_test(tmp_path: Path) -> None:
    for i in range(8):
        save(tmp_path / "x" / ("Cat", "cat")[i % 2] / f"{i}.png", noise(i))
        save(tmp_path / "y" / ("train/a", "train/b", "test/b", "test/q")[i % 4] / f"{i}.png", noise(i))
    with pytest.raises(UserError, match="'Cat' and 'cat', which differ only in case"):
        data.load(str(tmp_path / "x"))
    with pytest.raises(UserError, match="the test images have the class 'q'"):
        data.load(str(tmp_path / "y"))


# -------------------- shape


def shaped(picture: Image.Image, **more: object) -> np.ndarray:
    shape = Shape(**{"size": 8, "channels": 3, **more})  # pyright: ignore[reportArgumentType]
    return decode.fitted(decode.plain(picture), shape)


@pytest.mark.parametrize(
    ("sizes", "channels", "spec"),
    [
        ([(20, 20)], 1, ImageSpec(1, 20)),
        ([(20, 20)], 3, ImageSpec(3, 20)),
        ([(20, 20)], 4, ImageSpec(3, 20)),
        ([(90, 70), (80, 80)], 3, ImageSpec(3, 64)),
        ([(300, 300)], 1, ImageSpec(1, 64)),
        ([(55, 90), (51, 60)], 3, ImageSpec(3, 48)),
        ([(100, 100)], 3, ImageSpec(3, 96)),
        ([(20, 20), (20, 22)], 3, ImageSpec(3, 20)),
    ],
)
def test_the_shape_that_is_chosen(tmp_path: Path, sizes: list[tuple[int, int]], channels: int, spec: ImageSpec) -> None:
    for i in range(12):
        save(tmp_path / "x" / f"{i}.png", noise(i, *sizes[i % len(sizes)], channels))
    assert data.load(str(tmp_path / "x")).spec == spec


def test_the_shape_that_is_asked_for(tree: Path) -> None:
    assert data.load(str(tree), Shape(12, 1)).spec == ImageSpec(1, 12, 3)
    assert data.load(str(tree), Shape(0, 4)).spec == ImageSpec(4, 16, 3)


def test_crop_takes_the_middle_and_pad_keeps_all() -> None:
    array = np.zeros((8, 24, 3), np.uint8)
    array[:, :8], array[:, 8:16], array[:, 16:] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    assert (shaped(Image.fromarray(array)) == np.array([0, 200, 0], np.uint8)[:, None, None]).mean() > 0.7
    array = np.full((8, 24, 3), 50, np.uint8)
    array[3:5, 10:14] = 255
    padded = shaped(Image.fromarray(array), size=24, fit="pad")
    assert np.array_equal(padded[:, 8:16], array.transpose(2, 0, 1))
    assert (padded[:, :8] == 50).all()
    assert (padded[:, 16:] == 50).all()


def test_linear_light_keeps_the_brightness_of_fine_detail() -> None:
    fine = np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255
    inside = np.s_[0, 2:-2, 2:-2]
    assert abs(int(shaped(Image.fromarray(fine), channels=1)[inside].mean()) - 127) <= 2
    assert abs(int(shaped(Image.fromarray(fine), channels=1, linear=True)[inside].mean()) - 188) <= 2
    flat = np.arange(256, dtype=np.uint8)[:, None].repeat(256, 1)
    same = decode._scaled(Image.fromarray(flat), (256, 256), (0, 0, 256, 256), True)
    assert np.array_equal(np.asarray(same), flat)


def test_transparency_becomes_white_or_is_kept() -> None:
    array = np.zeros((8, 8, 4), np.uint8)
    array[:4] = (255, 0, 0, 255)
    picture = Image.fromarray(array)
    assert shaped(picture)[:, 0, 0].tolist() == [255, 0, 0]
    assert shaped(picture)[:, 7, 0].tolist() == [255, 255, 255]
    assert shaped(picture, channels=4)[:, 7, 0].tolist() == [0, 0, 0, 0]
    assert shaped(picture, channels=4, size=4, linear=True)[:, 0, 0].tolist() == [255, 0, 0, 255]
    palette = Image.fromarray(np.zeros((8, 8), np.uint8)).convert("P")
    palette.info["transparency"] = 0
    assert (shaped(palette) == 255).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    expected = np.rint(ramp / 257)
    assert np.array_equal(shaped(Image.fromarray(ramp), channels=1)[0], expected)
    assert np.array_equal(shaped(Image.fromarray(ramp.astype(np.int32)), channels=1)[0], expected)
    assert shaped(Image.fromarray((ramp / 65520).astype(np.float32)), channels=1).max() == 255
    with pytest.raises(decode.Unreadable, match="not numbers"):
        shaped(Image.fromarray(np.full((8, 8), np.nan, np.float32)))


def test_cmyk_and_a_turned_camera(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "ink.jpg", quality=95)
    red = shaped(decode.opened((tmp_path / "ink.jpg").read_bytes()))
    assert red[0].min() > 230
    assert red[1:].max() < 30
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 6  # it is to be turned clockwise: the file has it bright at the left
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(shaped(decode.opened((tmp_path / "turned.png").read_bytes())), upright.transpose(2, 0, 1))


def test_a_large_jpeg_is_decoded_at_a_fraction(tmp_path: Path) -> None:
    y, x = np.mgrid[:512, :512] / 512
    array = np.stack([127 + 100 * np.sin(9 * x), 127 + 100 * np.cos(7 * y), 255 * x * y], 2).astype(np.uint8)
    save(tmp_path / "x.jpg", array, quality=95)
    raw = decode.opened((tmp_path / "x.jpg").read_bytes())
    assert decode.plain(raw, 32).size == (64, 64)
    full = decode.plain(decode.opened((tmp_path / "x.jpg").read_bytes()))
    a, b = (decode.fitted(p, Shape(32, 3)).astype(int) for p in (decode.plain(raw, 32), full))
    assert np.abs(a - b).mean() < 1


def test_the_same_conversion_serves_single_pictures(tmp_path: Path) -> None:
    ramp = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    image, told = image_files.fit(tmp_path / "x.png", ImageSpec(1, 8))
    assert np.array_equal(image[0].numpy(), np.rint(ramp / 257))
    assert told == "values of 0 to 65,535 scaled to 0 to 255"


def test_idx_files_and_arrays_in_another_shape(blobs: Path, tmp_path: Path) -> None:
    native, larger = data.load(str(blobs)), data.load(str(blobs), Shape(16, 3))
    assert larger.spec == ImageSpec(3, 16, 2)
    assert (len(larger.train.images), len(larger.held_out.images)) == (300, 100)
    assert isinstance(native.train.images, torch.Tensor)
    assert native.fingerprint == data.load(str(blobs), Shape(12, 1)).fingerprint != larger.fingerprint
    images = np.stack([noise(i, 8, 8) for i in range(40)])
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(40) % 3 + 4)
    dataset = data.load(str(tmp_path / "x.npz"))
    assert dataset.class_names == ("4", "5", "6")
    assert isinstance(dataset.train.images, torch.Tensor)
    assert known(dataset)[pixels(noise(4, 8, 8))][1] == "5"
    np.savez(tmp_path / "y.npz", images=np.stack([noise(i, 8, 10) for i in range(40)]))
    assert data.load(str(tmp_path / "y.npz"), Shape(8)).spec == ImageSpec(3, 8)


# -------------------- bad input


def test_broken_pictures_are_named_and_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "a" / "000.png").write_bytes(b"no picture")
    (tree / "b" / "cut.png").write_bytes((tree / "b" / "001.png").read_bytes()[:200])
    (tree / "b" / "empty.jpg").write_bytes(b"")
    save(tree / "c" / "bomb.png", noise(0, 40, 40))
    monkeypatch.setattr(decode, "LIMIT", 1_000)
    (note,) = data.load(str(tree)).notes
    assert "4 of 63 pictures could not be read" in note
    for text in (
        "a/000.png (it is not a picture)",
        "b/cut.png (",
        "b/empty.jpg (it is empty)",
        "bomb.png (it has more than",
    ):
        assert text in note


def test_a_training_warns_of_broken_pictures(tree: Path, tmp_path: Path) -> None:
    (tree / "a" / "000.png").write_bytes(b"no picture")
    events = quick("classic-mlp", tree, steps=2).run(tmp_path / "run")
    messages = [e for e in events if isinstance(e, Warned | Started)]
    assert isinstance(messages[0], Warned)
    assert "a/000.png" in messages[0].text
    assert isinstance(messages[1], Started)


def test_a_file_without_permission_is_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = files.read_bytes

    def refuse(path: Path, most: int) -> bytes:
        if path.name == "004.png":
            raise files.cannot("read", path, PermissionError(13, "Permission denied"))
        return read(path, most)

    monkeypatch.setattr(files, "read_bytes", refuse)
    assert "b/004.png (Cannot read" in data.load(str(tree)).notes[0]


def test_a_folder_without_permission(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    with pytest.raises(UserError, match=r"Cannot read .*mine/a: there is no permission"):
        data.load(str(tree))


def test_folders_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures: it has nothing"):
        data.load(str(tmp_path / "empty"))
    for name in ("a.txt", "b.TXT", "c.md", "README"):
        (tmp_path / "empty" / name).write_text("x")
    with pytest.raises(UserError, match=r"it has 2 \.txt, 1 .*Pictures end in \.apng, .*\.bmp"):
        data.load(str(tmp_path / "empty"))
    (tmp_path / "empty" / "x.png").write_text("x")
    with pytest.raises(UserError, match=r"None of the 1 pictures of .* can be read. The first: x.png"):
        data.load(str(tmp_path / "empty"))


def test_archives_that_are_damaged_or_unsafe(tree: Path, tmp_path: Path) -> None:
    content = as_zip(tree).read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[:-100])
    (tmp_path / "cut.tar.gz").write_bytes(as_tar(tree).read_bytes()[:-2000])
    (tmp_path / "no.tar").write_bytes(b"no tar file")
    for name in ("cut.zip", "cut.tar.gz", "no.tar"):
        with pytest.raises(UserError, match=f"{name} is damaged"):
            data.load(str(tmp_path / name))
    for bad in ("../x.png", "/x.png", "a\\..\\..\\x.png", "C:\\x.png"):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
            file.writestr(bad, b"x")
        with pytest.raises(UserError, match="points out of the archive"):
            data.load(str(tmp_path / "bad.zip"))
    damaged = bytearray(content)
    damaged[60:64] = b"\0\0\0\0"  # inside the first member
    (tmp_path / "damaged.zip").write_bytes(damaged)
    assert "1 of 60 pictures could not be read" in data.load(str(tmp_path / "damaged.zip")).notes[0]
    with tarfile.open(tmp_path / "link.tar", "w") as file:
        for name in ("link.png", "x/../../y.png"):
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE if name == "link.png" else tarfile.REGTYPE
            member.linkname = "/etc/passwd"
            file.addfile(member, io.BytesIO(b""))
    with pytest.raises(UserError, match="points out of the archive"):
        data.load(str(tmp_path / "link.tar"))


def test_a_batch_that_is_too_large_says_what_to_do(tree: Path) -> None:
    with pytest.raises(UserError, match=r"choose a smaller one: batch=\d"):
        Batches(data.load(str(tree)), 10_000, 0, torch.device("cpu"))


def test_a_batch_of_more_pictures_than_there_are_has_each_equally_often(tree: Path) -> None:
    loaded = data.load(str(tree))
    count = len(loaded.train.samples)
    batches = Batches(loaded, 3 * count, 0, torch.device("cpu"))
    assert torch.bincount(batches._index(0)).tolist() == [3] * count
    between = torch.bincount(batches._index(count // 2), minlength=count)  # the end of an epoch, two, and a beginning
    assert int(between.sum()) == 3 * count
    assert set(between.tolist()) <= {2, 3, 4}


@pytest.mark.skipif(".avif" not in decode.SUFFIXES, reason="this Pillow reads no AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    array = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    result = shaped(decode.opened(save(tmp_path / "x.avif", array, quality=95).read_bytes()), size=16)
    assert np.abs(result.astype(int) - array.transpose(2, 0, 1)).max() < 12


def test_heif_is_read_where_what_reads_it_is_installed(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    array = np.full((64, 64, 3), (200, 40, 90), np.uint8)
    assert {".heic", ".heif"} <= decode.SUFFIXES
    heif.from_pillow(Image.fromarray(array)).save(tmp_path / "x.heic", quality=95)
    result = shaped(decode.opened((tmp_path / "x.heic").read_bytes()), size=64)
    assert np.abs(result.astype(int) - array.transpose(2, 0, 1)).max() < 12
    content = (tmp_path / "x.heic").read_bytes()
    with pytest.raises(decode.Unreadable):
        decode.plain(decode.opened(content[: len(content) - 20]))


def test_a_png_with_one_bit_turned_is_named_or_right() -> None:
    """Pillow decodes changed pixels of a PNG file without a word: the file's own checksums are looked at."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8))
    out, refused = io.BytesIO(), 0
    picture.save(out, "PNG")
    data = out.getvalue()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        try:
            result = decode.plain(decode.opened(bytes(changed)))
        except decode.Unreadable:
            refused += 1
        else:
            assert np.array_equal(np.asarray(result), np.asarray(picture))
    assert refused > 0.9 * len(data)
