"""Pictures in files: what was drawn is what is read again, and nothing is left half-written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.core.errors import UserError
from ganvas.images import data, sheets
from ganvas.images import files as image_files
from ganvas.images.data import idx
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate import save as outputs
from ganvas.tasks.generate.save import Portion

GREY, COLOUR = ImageSpec(1, 6, 3), ImageSpec(3, 6, 3)
NAMES = ("0", "one", "a/b")


def portions(spec: ImageSpec, labelled: bool = True) -> list[Portion]:
    random = torch.Generator().manual_seed(0)
    parts = []
    for start, n in ((0, 4), (4, 3)):
        images = torch.randint(0, 256, (n, spec.channels, 6, 6), generator=random, dtype=torch.uint8)
        labels = torch.randint(0, 3, (n,), generator=random) if labelled else None
        parts.append(Portion(images, labels, list(range(10 + start, 10 + start + n))))
    return parts


def written(path: Path, spec: ImageSpec, labelled: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Save, and give what was saved; nothing else may lie beside it."""
    given = portions(spec, labelled)
    assert list(outputs.save(path, given, 7, spec, NAMES if labelled else ())) == [4, 7]
    assert not list(path.parent.glob(".*"))
    labels = [p.labels for p in given if p.labels is not None]
    return torch.cat([p.samples for p in given]), torch.cat(labels) if labels else torch.empty(0)


@pytest.mark.parametrize("spec", [GREY, COLOUR])
def test_npz_holds_pictures_labels_and_seeds(spec: ImageSpec, tmp_path: Path) -> None:
    images, labels = written(tmp_path / "x.npz", spec)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert file["images"].shape == ((7, 6, 6) if spec is GREY else (7, 6, 6, 3))
        assert file["seeds"].tolist() == list(range(10, 17))
        assert file["labels"].tolist() == labels.tolist()
        assert tuple(file["class_names"]) == NAMES
    assert torch.equal(image_files.load(tmp_path / "x.npz").images, images)


@pytest.mark.parametrize("spec", [GREY, COLOUR])
def test_a_folder_has_a_png_a_picture_and_a_folder_a_class(spec: ImageSpec, tmp_path: Path) -> None:
    images, labels = written(tmp_path / "x", spec)
    for i, label in enumerate(labels.tolist()):
        path = tmp_path / "x" / ("0", "one", "a_b")[label] / f"seed{10 + i:06d}.png"
        with Image.open(path) as picture:
            assert np.array_equal(np.array(picture).reshape(6, 6, -1), images[i].permute(1, 2, 0).numpy())


def test_zip_and_unlabelled(tmp_path: Path) -> None:
    images, _ = written(tmp_path / "x.zip", GREY, labelled=False)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == [f"seed{i:06d}.png" for i in range(10, 17)]
        with Image.open(io.BytesIO(archive.read("seed000011.png"))) as picture:
            assert np.array_equal(np.array(picture), images[1, 0].numpy())


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_is_read_again_as_it_was(ending: str, tmp_path: Path) -> None:
    images, labels = written(tmp_path / f"train-images-idx3-ubyte{ending}", GREY)
    assert np.array_equal(idx.read(tmp_path / f"train-images-idx3-ubyte{ending}"), images[:, 0].numpy())
    assert idx.read(tmp_path / f"train-labels-idx1-ubyte{ending}").tolist() == labels.tolist()


def test_idx_labels_are_the_classes_own_numbers(tmp_path: Path) -> None:
    given = [Portion(p.samples, p.labels, p.seeds) for p in portions(GREY)]
    for _ in outputs.save(tmp_path / "train-images-idx3-ubyte", given, 7, GREY, ("3", "5", "8")):
        pass
    assert given[0].labels is not None
    wanted = [(3, 5, 8)[int(label)] for label in given[0].labels]
    assert idx.read(tmp_path / "train-labels-idx1-ubyte").tolist()[:4] == wanted
    assert data.load(str(tmp_path)).class_names


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("train-images-idx3-ubyte", COLOUR, "grey pictures"),
        ("train-ubyte", GREY, "train-images-idx3-ubyte"),
        ("x.gif", GREY, "writes NAME.png"),
        ("taken", GREY, "is not empty"),
        ("file/x.npz", GREY, "file"),
    ],
)
def test_places_and_forms_that_do_not_fit(name: str, spec: ImageSpec, words: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=words):
        list(outputs.save(tmp_path / name, portions(spec), 7, spec, NAMES))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


@pytest.mark.parametrize(("name", "form"), [("x.png", "PNG"), ("x.jpg", "JPEG"), ("x.WEBP", "WEBP"), ("x", "PNG")])
def test_a_sheet_is_of_the_form_of_its_name(name: str, form: str, tmp_path: Path) -> None:
    pictures = torch.randint(0, 256, (4, 4, 8, 8), dtype=torch.uint8)
    sheets.save_grid(tmp_path / name, pictures, 2, scale=3)
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.size) == (form, (48, 48))


@pytest.mark.parametrize("name", ["x.npz", "x.zip", "x", "train-images-idx3-ubyte.gz"])
def test_whoever_stops_leaves_nothing(name: str, tmp_path: Path) -> None:
    saving = outputs.save(tmp_path / name, portions(GREY), 7, GREY, NAMES)
    next(saving)
    saving.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.npz", "x.zip", "x", "train-images-idx3-ubyte"])
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(name: str, tmp_path: Path) -> None:
    if name != "x":
        (tmp_path / name).write_bytes(b"old")

    def drawn() -> Iterator[Portion]:
        yield portions(GREY)[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="disk is full"):
        list(outputs.save(tmp_path / name, drawn(), 7, GREY, NAMES, force=True))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if name == "x" else [b"old"])
