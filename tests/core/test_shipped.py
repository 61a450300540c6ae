"""The models that come with Ganvas, and the commands that use them without being told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas
from ganvas import cli
from ganvas.core import shipped
from ganvas.core.errors import UserError
from ganvas.core.locate import locate
from ganvas.images.apply import RESTORED

DIGESTS = {  # SHA-256, as benchmarks/models.py wrote them
    "mnist": "",
    "restore": "",
}


def said(*words: object) -> object:
    return cli.app([*map(str, words)], result_action="return_value")


def photo(path: Path) -> Path:
    """A smooth picture with noise of 25 levels."""
    rows, columns = np.mgrid[:64, :96]
    smooth = 127 + 80 * np.sin(rows / 14)[..., None] * np.cos(columns / 11)[..., None] * np.ones(3)
    noisy = smooth + np.random.default_rng(0).normal(0, 25, smooth.shape)
    Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8)).save(path, quality=100)
    return path


def roughness(path: Path) -> float:
    """The mean square step from one pixel to the next, in levels."""
    return float(np.square(np.diff(np.asarray(Image.open(path).convert("RGB"), float), axis=1)).mean())


def test_each_is_as_it_was_made_and_has_a_notice() -> None:
    notice = (shipped.FOLDER / "NOTICE").read_text()
    assert {name: hashlib.sha256(locate(name).read_bytes()).hexdigest() for name in shipped.names()} == DIGESTS
    assert all(f"{name}.safetensors" in notice for name in DIGESTS)
    assert all(locate(name).stat().st_size < 2_500_000 for name in DIGESTS)


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
    assert np.asarray(Image.open(tmp_path / "written.png")).mean() > 5
    with pytest.raises(UserError, match="no run or model hello"):  # a word asks for no digits
        said("write", "hello", "x")


def test_the_digits_are_read_as_what_was_asked_for() -> None:
    model = ganvas.load("mnist")
    assert float(model.sample(64).std()) > 0.3


def test_a_photo_is_restored_without_a_model_next_to_it(tmp_path: Path) -> None:
    old = photo(tmp_path / "old.jpg")
    assert said("restore", old) == 0
    made = tmp_path / f"old{RESTORED}.jpg"
    assert roughness(made) < 0.2 * roughness(old)
    with pytest.raises(UserError, match="old-restored"):  # nothing is overwritten unasked
        said("restore", old)
    photo(tmp_path / "old.png")
    assert said("restore", tmp_path, "--force") == 0  # the folder: what is restored is not restored again
    assert {path.name for path in tmp_path.iterdir()} == {"old.jpg", "old.png", "old-restored.jpg", "old-restored.png"}


def test_pictures_that_become_png_do_not_share_a_name(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "a.bmp")
    Image.new("RGB", (32, 32), "navy").save(tmp_path / "a.png")
    assert said("restore", tmp_path / "a.png", tmp_path / "a.bmp") == 0
    assert len([*tmp_path.glob("*restored*")]) == 2
