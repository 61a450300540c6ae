"""The models that come with Ganvas, and the commands that use them without being told."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas
from ganvas import cli
from ganvas.core import checkpoint, shipped
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.metrics.figures import Figure, Protocol
from ganvas.training.evaluate import into_card

DIGESTS = {  # SHA-256, as benchmarks/models.py wrote them
    "mnist": "5372d0a6d1ff8d7cd43d8aeaad9abc12411fd433c43b1692286aa7c2564ce6f8",
    "restore": "083adbc0cee2a1af27c14204e86c1b7164519daf94b441a0778952d39b9babe2",
}


def said(*words: object) -> object:
    return cli.app([*map(str, words)], result_action="return_value")


def test_each_is_as_it_was_made_and_has_a_notice() -> None:
    notice = (shipped.FOLDER / "NOTICE").read_text()
    assert {name: hashlib.sha256(locate(name).read_bytes()).hexdigest() for name in shipped.names()} == DIGESTS
    assert all(f"{name}.safetensors" in notice for name in DIGESTS)
    assert all(locate(name).stat().st_size < 3_500_000 for name in DIGESTS)


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("mnist").parent == shipped.FOLDER
    (tmp_path / "mnist").mkdir()
    with pytest.raises(UserError, match="is not a run's folder"):
        locate("mnist")
    with pytest.raises(UserError, match="Models that come with Ganvas: mnist, restore"):
        locate("mnits")


def test_digits_are_written_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said("write", "2026") == 0
    assert said("write", "2026-11-22 10:30") == 0
    assert np.asarray(Image.open(tmp_path / "written.png")).mean() > 5
    with pytest.raises(UserError, match="no run or model hello"):  # a word asks for no digits
        said("write", "hello", "x")


def test_an_evaluation_does_not_change_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = Protocol("digits", "-", 100, "held-out", 0, 1, "none", "mnist", "-")
    figure = Figure("frechet", "Frechet distance", 1.5, 0.1, 1.0, 0.1, "lower", False, protocol)
    for name in ("theirs", "mine"):
        (tmp_path / name).mkdir()
        shutil.copy(locate("mnist"), tmp_path / name / "mnist.safetensors")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "theirs")
    for name in ("theirs", "mine"):
        into_card(ganvas.load(tmp_path / name / "mnist.safetensors"), None, [figure])
    theirs, mine = (tmp_path / name / "mnist.safetensors" for name in ("theirs", "mine"))
    assert hashlib.sha256(theirs.read_bytes()).hexdigest() == DIGESTS["mnist"]
    assert [row["value"] for row in checkpoint.head(mine)["metrics"] if row["metric"] == "frechet"] == [1.5]


def test_the_digits_are_read_as_what_was_asked_for() -> None:
    model = ganvas.load("mnist")
    assert float(model.sample(64).std()) > 0.3


def test_a_photograph_is_restored_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photos = Path(__file__).parents[2] / "examples" / "photos"
    (tmp_path / "photos").mkdir()
    for place in ("old.jpg", "photos/old.jpg"):
        (tmp_path / place).write_bytes((photos / "old.jpg").read_bytes())
    assert said("restore", "old.jpg") == 0
    assert said("restore", "photos") == 0
    wanted = np.asarray(Image.open(photos / "temple.jpg").convert("L"), np.float32)
    off = []
    for place in ("old.jpg", "old-restored.jpg", "photos/old-restored.jpg"):
        with Image.open(tmp_path / place) as picture:
            assert picture.format == "JPEG"
            off.append(float(np.square(np.asarray(picture.convert("L"), np.float32) - wanted).mean()))
    assert max(off[1:]) < 0.8 * off[0]
    with pytest.raises(UserError, match=r"There is no file or folder missing\.jpg"):
        said("restore", "missing.jpg")
