"""A trained model used on its own: one file is enough, a seed is a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import quick

import ganvas
from ganvas.core import checkpoint
from ganvas.core.errors import UserError


@pytest.fixture(scope="module")
def model(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> ganvas.Model:
    folder = tmp_path_factory.mktemp("sample") / "run"
    for _ in quick("mnist", blobs, steps=4).run(folder):
        pass
    return ganvas.load(folder)


def test_shape_range_and_class_names(model: ganvas.Model) -> None:
    pictures = model.sample(n=5, classes=1, seed=3)
    assert pictures.shape == (5, 1, 12, 12)
    assert pictures.dtype == torch.float32
    assert pictures.abs().max() <= 1
    assert model.class_names == ("0", "1")
    assert model.sample(n=0).shape == (0, 1, 12, 12)


def test_a_seed_and_a_class_are_one_picture_in_any_batch(model: ganvas.Model) -> None:
    many = model.sample(n=300, classes=1, seed=0)
    assert torch.allclose(many[7], model.sample(n=1, classes=1, seed=7)[0], atol=1e-5)
    assert torch.allclose(many[290], model.sample(n=20, classes="1", seed=280)[10], atol=1e-5)
    assert not torch.allclose(many[7], many[8], atol=1e-2)
    assert not torch.allclose(many[7], model.sample(n=1, classes=0, seed=7)[0], atol=1e-3)


def test_classes_as_a_list_and_in_turn(model: ganvas.Model) -> None:
    mixed = model.sample(n=4, classes=[1, "0", 1, 0], seed=0)
    assert torch.allclose(mixed[1], model.sample(n=1, classes=0, seed=1)[0], atol=1e-5)
    turns = model.sample(n=4, seed=0)
    assert torch.allclose(turns[3], model.sample(n=1, classes=1, seed=3)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "words"), [(2, "no class"), ("seven", "no class"), ([0, 1], "2 classes were given")]
)
def test_wrong_classes(model: ganvas.Model, classes: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        model.sample(n=3, classes=classes)  # pyright: ignore[reportArgumentType]


def test_a_model_without_labels(blobs: Path, tmp_path: Path) -> None:
    for _ in quick("mnist-unlabelled", blobs, steps=2).run(tmp_path / "run"):
        pass
    model = ganvas.load(tmp_path / "run")
    assert model.sample(n=3).shape == (3, 1, 12, 12)
    with pytest.raises(UserError, match="without labels"):
        model.sample(n=3, classes=1)


def test_the_model_file_is_enough_and_tells_no_paths(model: ganvas.Model, blobs: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere.safetensors"
    alone.write_bytes(model.path.read_bytes())
    assert torch.equal(ganvas.load(alone).sample(n=4), model.sample(n=4))
    assert str(blobs).encode() not in alone.read_bytes()
    assert ganvas.load(alone).discriminator(model.sample(n=4, classes=0), torch.zeros(4, dtype=torch.long)).shape == (
        4,
    )


def test_models_that_cannot_be_loaded_say_why(model: ganvas.Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run or model"):
        ganvas.load(tmp_path / "nothing")
    with pytest.raises(UserError, match="not a run's folder"):
        ganvas.load(tmp_path)
    (tmp_path / "short.safetensors").write_bytes(model.path.read_bytes()[:5000])
    with pytest.raises(UserError, match="damaged"):
        ganvas.load(tmp_path / "short.safetensors")
    tensors, card = checkpoint.load(model.path)
    card["network"]["name"] = "diffusion"
    checkpoint.save(tmp_path / "later.safetensors", tensors, card)
    with pytest.raises(UserError, match="diffusion"):
        ganvas.load(tmp_path / "later.safetensors")
    card["network"]["name"] = "classic-mlp"
    checkpoint.save(tmp_path / "other.safetensors", tensors, card)
    with pytest.raises(UserError):
        ganvas.load(tmp_path / "other.safetensors")


def test_the_python_door(blobs: Path, tmp_path: Path) -> None:
    events = list(
        ganvas.train("classic-mlp", data=blobs, run=tmp_path / "run", images=64, batch=16, sample_at=(16, 32), detect=0)
    )
    assert sum(isinstance(e, ganvas.Stepped) for e in events) == 4
    assert [e.images for e in events if isinstance(e, ganvas.Sampled)] == [0, 16, 32, 64]
    assert isinstance(events[-1], ganvas.Saved)
    with pytest.raises(UserError, match="Did you mean 'images'"):
        next(iter(ganvas.train("mnist", imgaes=3)))
    for name in ganvas.__all__:
        assert getattr(ganvas, name) is not None
