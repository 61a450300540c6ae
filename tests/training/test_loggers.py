"""Loggers: what other programs get of a training. Their packages are replaced by ones that only remember."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from conftest import ganvas as command
from PIL import Image

import ganvas
from ganvas import api
from ganvas.core.errors import UserError
from ganvas.training import loggers

SHORT: dict[str, Any] = {"images": 64, "batch": 16, "tick_every": 32, "sample_every": 32, "detect": 0}


class Book:
    """An object whose methods remember how they were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.fails = ""
        self.info = types.SimpleNamespace(run_id="r1")

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, **named: Any) -> Book:
            if name == self.fails:
                raise OSError("the disk is full\nsecond line")
            self.calls.append((name, given, named))
            return self

        return call

    def named(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    book = Book()
    for logger in loggers.LOGGERS.values():
        monkeypatch.setitem(sys.modules, logger.package, book)  # pyright: ignore[reportArgumentType]
    return book


def train(data: Path, folder: Path, log: str | list[str]) -> list[Any]:
    return [*ganvas.train("classic-mlp", data=data, run=folder, log=log, **SHORT)]


def begin(folder: Path, log: list[str]) -> list[Any]:
    """A run is resumed after 64 images."""
    events = (event for event in [ganvas.Started(64, folder)])
    return [*loggers.logged(events, loggers.chosen(log), api.find("classic-mlp"))]


def test_tensorboard(book: Book, blobs: Path, tmp_path: Path) -> None:
    train(blobs, tmp_path / "run", "tensorboard")
    scalars = [given for given, _ in book.named("add_scalar")]
    assert [step for name, _, step in scalars if name == "train/loss_d"] == [32, 64]
    assert [step for name, _, step in scalars if name == "check/real"] == [32, 64]
    pictures = book.named("add_image")
    assert [given[2] for given, _ in pictures] == [0, 32, 64]
    assert pictures[0][0][1].shape[2] == 3
    assert book.calls[0][1:] == ((str(tmp_path / "run" / "tensorboard"),), {"purge_step": None})
    ((_, text, _), _), *_ = book.named("add_text")
    assert "|training.batch|16|" in text
    assert str(blobs) not in text
    assert book.calls[-1][0] == "close"
    begin(tmp_path / "run", ["tensorboard"])
    assert book.named("SummaryWriter")[1][1] == {"purge_step": 65}


def test_wandb_trackio_and_mlflow(book: Book, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    train(blobs, tmp_path / "run", ["wandb", "trackio", "mlflow"])
    (_, of_wandb), (_, of_trackio) = book.named("init")
    assert (of_wandb["project"], of_wandb["resume"], of_trackio["resume"]) == ("mine", "allow", "allow")
    assert of_wandb["config"]["training.batch"] == 16
    assert len(book.named("finish")) == 2
    assert [named["step"] for given, named in book.named("log_metrics") if "train/loss_d" in given[0]] == [32, 64]
    assert [named["artifact_file"] for _, named in book.named("log_image")][-1] == "samples/000000064.png"
    assert isinstance(book.named("log_image")[0][0][0], Image.Image)
    assert [given[0]["images"] for given, named in book.named("log") if not named and "check/real" in given[0]] == [
        32,
        64,
    ]
    begin(tmp_path / "run", ["wandb", "mlflow"])
    assert book.named("init")[2][1]["id"] == of_wandb["id"]
    assert [named["run_id"] for _, named in book.named("start_run")] == [None, "r1"]


def test_a_logger_that_fails_ends_no_training(book: Book, blobs: Path, tmp_path: Path) -> None:
    book.fails = "add_scalar"
    events = train(blobs, tmp_path / "run", "tensorboard")
    texts = [event.text for event in events if isinstance(event, ganvas.Warned) and "fails" in event.text]
    assert texts == ["tensorboard fails (OSError: the disk is full). The training continues without it."]
    assert isinstance(events[-1], ganvas.Noted | ganvas.Saved | ganvas.Stepped)
    assert len(book.named("add_image")) == 1
    book.fails = "SummaryWriter"
    assert ganvas.fit(
        "classic-mlp", data=blobs, run=tmp_path / "other", log="tensorboard", show=False, **SHORT
    ).finished


def test_a_training_that_is_left_is_saved_and_its_logger_ended(book: Book, blobs: Path, tmp_path: Path) -> None:
    events = ganvas.train("classic-mlp", data=blobs, run=tmp_path / "run", log="tensorboard", **SHORT)
    assert any(isinstance(event, ganvas.Stepped) for event in events)
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert book.calls[-1][0] == "close"
    assert list((tmp_path / "run" / "checkpoints").glob("*000016.safetensors"))


def test_names_and_packages(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"There is no logger 'tensorbord'. Did you mean 'tensorboard'"):
        loggers.chosen("tensorbord")
    assert loggers.chosen(None) == []
    for name, logger in loggers.LOGGERS.items():
        monkeypatch.setitem(sys.modules, logger.package, None)
        with pytest.raises(UserError, match=rf"log={name} needs \w+: pip install 'ganvas\[{name}\]'"):
            loggers.chosen(name)
    done = command("train", "mnist", "--log", "wandb", "--run", "x", cwd=tmp_path)
    assert (done.returncode, "pip install 'ganvas[wandb]'" in done.stderr) == (2, True)
    assert not (tmp_path / "x").exists()
