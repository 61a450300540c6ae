"""Pictures that a program has in memory, as training data."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas as command
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import ganvas
from ganvas.api import experiment
from ganvas.core.errors import UserError
from ganvas.images.data import ImageData, memory
from ganvas.tasks.generate.evaluate import source

X = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
FLOATS = torch.from_numpy(X).permute(0, 3, 1, 2).float() / 255
SHORT: dict[str, Any] = {"images": 48, "batch": 16, "sample_every": 0, "detect": 0}


class Pairs(Dataset[Any]):
    classes = ("cat", "dog")

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int) -> Any:
        return FLOATS[i], torch.tensor(i % 2)


def load(data: object, **settings: str) -> ImageData:
    return experiment("images", data, settings).load_data()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (X, ""),
        (torch.from_numpy(X), ""),
        (X.astype(np.int64), ""),
        ([Image.fromarray(x) for x in X], ""),
        ([*X.transpose(0, 3, 1, 2)], ""),
        (FLOATS, "0 to 1 became 0 to 255"),
        (FLOATS.bfloat16(), None),
        (FLOATS * 2 - 1, "-1 to 1 became 0 to 255"),
        (FLOATS.numpy() * 255, "0 to 255 became 0 to 255"),
        (Pairs(), "0 to 1 became 0 to 255"),
    ],
)
def test_forms_of_the_same_pictures(data: object, note: str | None) -> None:
    found, wanted = load(data, labels="false"), load(X)
    assert found.spec == wanted.spec
    if note is None:  # of fewer bits
        return
    assert found.fingerprint == wanted.fingerprint
    assert torch.equal(found.train.images, wanted.train.images)
    assert [note in text for text in found.notes] == ([True] if note else [])


def test_labels() -> None:
    assert load(Pairs()).class_names == ("cat", "dog")
    assert load((X, [f"c{i % 3}" for i in range(len(X))])).class_names == ("c0", "c1", "c2")
    as_pandas = np.array([f"c{i % 3}" for i in range(len(X))], dtype=object)
    assert load((X, as_pandas)).class_names == ("c0", "c1", "c2")
    assert load((X, None)).class_names == ()
    found = load((FLOATS, torch.eye(2)[torch.arange(len(X)) % 2]))
    assert found.class_names == ("0", "1")
    assert found.train.labels is not None
    assert len(found.train.labels) == len(found.train.images)


def test_pictures_of_different_sizes_and_colours(tmp_path: Path) -> None:
    Image.fromarray(X[0]).save(tmp_path / "one.png")
    pictures: list[Any] = [Image.fromarray(x).resize((8 + i % 3, 9)) for i, x in enumerate(X)]
    pictures[0], pictures[1] = tmp_path / "one.png", pictures[1].convert("L")
    found = load(pictures, size="8")
    assert found.spec.words() == "8x8 colour"
    assert len(found.train.images) + len(found.held_out.images) == len(X)
    floats = [np.asarray(x.convert("L")) / 255 for x in map(Image.fromarray, X)]
    floats[3] = floats[3][:-1]
    assert "0 to 1 became 0 to 255" in load(floats, size="8").notes[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((FLOATS - 0.5) / 0.2, r"values below 0 are not pixels.*undo it: x \* std \+ mean"),
        (FLOATS * float("nan"), "not numbers"),
        (X.astype(object), "holds Python objects"),
        (X[0], "seems to be one picture"),
        (X[:, :, :, :2], "two channels"),
        ((X, [0, 1]), "has 2 labels for the 60 pictures"),
        ([], "data=list is empty"),
        ([X[0], 3], r"data\[1\] is a int, not a picture"),
        ([(X[0], 1), X[1]], "item 1 has no label, and others have"),
        ([(X[0], 1, 2)], r"data\[0\] has 3 parts"),
        ([X[0], X[1] / 255], r"different kinds of numbers \(float64, uint8\)"),
        ([Image.new("I;16", (8, 8))], r"more than 8 bits a channel"),
        ([X[0], "none.png"], r"no file|none.png"),
        ({"x": X}, "data=dict does not hold pictures"),
        (5, "need a length and numbered items"),
        (iter(X), r"gives its items in turn: give list\(data\)"),
        ([{"image": X[0], "label": 1}], r"a dict \('image', 'label'\), not a picture: give \[\(x\['image'\]"),
        ([X, [0, 1]], r"their labels are a pair \(pictures, labels\)"),
        ((X, [None, *range(59)]), "item 0 has no label, and others have"),
        (np.ma.masked_less(X, 9), "masked array has places without a value"),
        (FLOATS.to_sparse(), "float32 cannot be read"),
        (DataLoader(Pairs()), r"give its Dataset \(loader.dataset\)"),
    ],
)
def test_what_is_no_data(data: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(data)


def test_errors_of_the_user_s_own_data_set() -> None:
    class Bad(Pairs):
        def __getitem__(self, i: int) -> Any:
            raise KeyError(f"no {i}")

    with pytest.raises(UserError, match=r"data\[0\] of 60 fails with KeyError: 'no 0'"):
        load(Bad())


def test_a_run_and_its_resume(tmp_path: Path) -> None:
    run = ganvas.fit("classic-mlp", data=X, run=tmp_path / "run", show=False, **SHORT)
    assert len(run.data.train.images) > 40
    assert run.model.card["data"]["source"] == "pictures"
    sampler, _, real = source.find(run.folder, X)
    assert (sampler.real, real.fingerprint) == (real, run.data.fingerprint)  # pyright: ignore[reportAttributeAccessIssue]
    for again in (lambda: ganvas.TrainedRun(run.folder).data, lambda: source.find(run.folder, None)):
        with pytest.raises(UserError, match="that only a Python program had"):
            again()
    longer = {**SHORT, "images": 64}
    with pytest.raises(UserError, match="was trained on other images"):
        ganvas.fit("classic-mlp", data=X[:50], run=run.folder, show=False, **longer)
    done = command("resume", "run", "images=80", cwd=tmp_path)
    assert (done.returncode, "ganvas.fit(..., data=pictures, run=FOLDER)" in done.stderr) == (2, True)
    np.savez(tmp_path / "x.npz", images=X)
    done = command("resume", "run", "images=80", "--data", "x.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_name_of_data_holds_them() -> None:
    name = memory.held(X)
    assert str(name) is name is copy.deepcopy(name)
    assert name == "memory://ndarray"
    found = experiment("images", X)
    assert found.to_dict()["data"]["source"] == name
    with pytest.raises(UserError, match="leave it out, or save the pictures as files"):
        found.override({"evaluate_every": "1000"})
    with pytest.raises(UserError, match="the recipe sound needs a path or a name"):
        experiment("sound", X)
