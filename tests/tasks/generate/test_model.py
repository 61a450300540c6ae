"""A trained model used on its own: one file is enough, a seed is a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import quick

import ganvas
from ganvas.core import checkpoint, locate, registry
from ganvas.core.errors import UserError
from ganvas.core.model import TrainedModel
from ganvas.export import hub
from ganvas.images.shown import Pictures


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


def test_what_is_drawn_shows_itself_and_is_a_tensor(model: ganvas.Model) -> None:
    pictures = model.sample(4)
    assert isinstance(pictures, Pictures)
    assert (pictures._repr_png_() or b"")[:4] == b"\x89PNG"
    assert not pictures.is_inference()
    assert torch.equal(model.sample(np.int64(4)), pictures)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n", [-1, "4", 2.5, True, None])
def test_wrong_numbers(model: ganvas.Model, n: object) -> None:
    with pytest.raises(UserError, match=r"n=.* is not a whole number of at least 0"):
        model.sample(n)  # pyright: ignore[reportArgumentType]
    if not isinstance(n, int) or n is True:
        with pytest.raises(UserError, match=r"seed=.* is not a whole number"):
            model.sample(2, seed=n)  # pyright: ignore[reportArgumentType]


def test_a_model_shows_its_card_in_a_few_lines(model: ganvas.Model) -> None:
    lines = repr(model).splitlines()
    assert 3 <= len(lines) <= 6
    assert "12x12 grey" in lines[0]
    assert "classes: 0, 1" in lines[1]
    html = model._repr_html_()
    assert html.count("data:image/png;base64,") == 1
    assert "12x12 grey" in html
    odd = dataclasses.replace(model, card={**model.card, "data_name": "<b>\x1b[31m"})
    assert "<b>" not in odd._repr_html_()
    assert "\x1b" not in repr(odd)
    for task in map(registry.find, registry.names()):
        assert task.Model.__repr__ is TrainedModel.__repr__


def test_networks_without_labels_and_devices_that_are_not_there_are_refused(model: ganvas.Model) -> None:
    with pytest.raises(UserError, match=r"draws 2 classes: generator\(z, labels\) with labels int64 \[3\]"):
        model.generator(torch.zeros(3, model.latent_dim))
    with pytest.raises(UserError, match=r"knows 2 classes: give it labels, int64 \[3\]"):
        model.discriminator(torch.zeros(3, 1, 12, 12))
    for device in ("cuda:77", "gpu"):
        with pytest.raises(UserError, match=f"device='{device}' cannot be used here"):
            ganvas.load(model.path, device=device)


def test_the_names_that_users_of_the_hub_know(
    model: ganvas.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = model.save_pretrained(tmp_path / "saved")
    assert model.save_pretrained(tmp_path / "saved") == place  # what is there is overwritten, as others do
    assert sorted(p.name for p in Path(place).iterdir()) == ["README.md", "model.safetensors"]
    again = ganvas.Model.from_pretrained(place)
    assert torch.equal(again.sample(2), model.sample(2))
    with pytest.raises(UserError, match="is a Model, not a Restorer"):
        ganvas.Restorer.from_pretrained(place)
    pushed: list[object] = []
    monkeypatch.setattr(hub, "push", lambda model, target, force=False: pushed.append(target))
    model.push_to_hub("me/digits")
    model.push_to_hub("hf://me/digits")
    assert pushed == ["hf://me/digits"] * 2
    asked: list[object] = []
    monkeypatch.setattr(locate, "_download", lambda name: asked.append(name) or model.path)
    assert torch.equal(ganvas.Model.from_pretrained("me/digits").sample(2), model.sample(2))
    assert asked == ["hf://me/digits"]


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
