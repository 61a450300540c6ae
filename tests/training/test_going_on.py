"""How a training begins, is stopped and goes on: signals, moved data, smoke runs, no home, too little memory."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import pwd
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import quick

from ganvas import api
from ganvas.cli import train as cli
from ganvas.cli.display import Lines
from ganvas.core import checkpoint, config, files
from ganvas.core import model as models
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.report import page
from ganvas.tasks.generate.task import GenerateTask
from ganvas.training import trainer
from ganvas.training.events import Event, Logged, Warned
from ganvas.training.experiment import Experiment


def small(blobs: Path, images: int = 160) -> Experiment:
    experiment = quick("mnist", blobs)
    task = dataclasses.replace(experiment.task, detect=0)
    return dataclasses.replace(
        experiment, task=task, training=dataclasses.replace(experiment.training, images=images, tick_every=16)
    )


# -------------------- signals


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGHUP ends this process, as it usually does; below nohup it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("gone", [False, True])
def test_a_signal_saves(
    number: int, gone: bool, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """`gone`: with SIGHUP the terminal is gone as well, and every word to it is an error."""
    shown = Lines.show

    def show(self: Lines, event: Event) -> None:
        shown(self, event)
        if isinstance(event, Logged) and event.images == 48:
            signal.raise_signal(number)
            if gone and number == signal.SIGHUP:
                raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Lines, "show", show)
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # this process keeps its output
    assert cli.watch(small(blobs), tmp_path / "run") == 128 + number
    card = checkpoint.load(Run(tmp_path / "run").snapshots()[0])[1]
    assert card["images"] == 48
    if not gone:
        assert f"Stopped and saved. Resume with:\n  {cli.command('resume')}" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_another_error_of_the_display_saves_as_well(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(_: Lines, event: Event) -> None:
        if isinstance(event, Logged) and event.images == 32:
            raise BrokenPipeError

    monkeypatch.setattr(Lines, "show", show)
    with pytest.raises(BrokenPipeError):
        cli.watch(small(blobs), tmp_path / "run")
    assert checkpoint.load(Run(tmp_path / "run").snapshots()[0])[1]["images"] == 32


def test_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cli.stop_on_signal() as asked:
            signal.raise_signal(signal.SIGHUP)
            assert asked == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# -------------------- data that was moved


def test_a_resume_after_the_data_moved(blobs: Path, tmp_path: Path) -> None:
    first, second, run = tmp_path / "first", tmp_path / "second", tmp_path / "run"
    shutil.copytree(blobs, first)
    for _ in small(first).run(run):
        pass
    first.rename(second)
    with pytest.raises(UserError, match=rf"{first}, which no longer exists.* resume {run} --data PLACE"):
        cli.resume(run, "images=240")
    with pytest.raises(UserError, match=r"training\.lr_g"):
        cli.resume(run, "images=240", "lr_g=1", data=str(second))
    assert cli.resume(run, "images=240", data=str(second)) == 0
    assert Run(run).settings()["data"]["source"] == str(second)
    assert Run(run).rows()[-1]["images"] == 240
    other = second / "train-images-idx3-ubyte.gz"
    other.write_bytes((second / "t10k-images-idx3-ubyte.gz").read_bytes())
    (second / "train-labels-idx1-ubyte").write_bytes((second / "t10k-labels-idx1-ubyte").read_bytes())
    with pytest.raises(UserError, match="was trained on other images"):
        cli.resume(run, "images=320")


# -------------------- smoke


def test_what_the_user_sets_wins_over_smoke(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Experiment] = []
    monkeypatch.setattr(cli, "watch", lambda experiment, *_: found.append(experiment) or 0)
    cli.train("mnist", "images=200", "batch=20", "sample_at=40", "detect=30", smoke=True)
    cli.train("mnist", "batch=20", smoke=True)
    given, usual = (experiment.training for experiment in found)
    assert (given.images, given.batch, given.tick_every, given.sample_every, given.sample_at) == (
        200,
        20,
        100,
        200,
        (40,),
    )
    assert (usual.images, usual.batch, usual.tick_every, usual.sample_every, usual.sample_at) == (400, 20, 100, 200, ())
    assert [experiment.task.detect for experiment in found] == [30, 400]


# -------------------- no home, no name


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without HOME and without an entry in the list of users, as in many containers."""

    def none(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", none)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError):
        Path.home()
    return tmp_path


def test_a_user_without_a_home(nobody: Path, blobs: Path) -> None:
    for _ in small(blobs, 32).run("run"):
        pass
    page.write(Run(nobody / "run"))
    assert models.load("run").sample(1).shape == (1, 1, 12, 12)  # pyright: ignore[reportAttributeAccessIssue]
    assert files.cache_folder().is_absolute()
    for call in (
        lambda: models.load("~/run"),
        lambda: list(small(blobs).run("~/run")),
        lambda: api.find("~/mine.py:x"),
        lambda: api.experiment("images", "~/pictures").load_data(),
    ):
        with pytest.raises(UserError, match=r"~|home"):
            call()
    assert not (nobody / "~").exists()


# -------------------- far too much


@pytest.mark.parametrize(
    "setting",
    [
        f"images={10**30}",
        "images=1e12000",
        "batch=10**12",
        f"batch={10**12}",
        f"g_quarter={10**9}",
        "lr_g=1e400",
        "lr_g=1e30",
        f"latent_dim={10**12}",
        f"size={10**7}",
        f"seed={2**200}",
        f"seed={'9' * 5_000}",
        f"sample_at={10**25}",
        "r1=1e99",
    ],
    ids=lambda text: text[:20],
)
def test_settings_that_are_far_too_large(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(UserError) as caught:
        api.experiment("mnist", settings={name: value})
    assert str(caught.value).startswith(name)
    assert len(str(caught.value)) < 200


def test_numbers_that_python_does_not_write(blobs: Path) -> None:
    experiment = small(blobs)
    with pytest.raises(UserError, match="images=a number of thousands of digits is out of range"):
        dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, images=10**5_000))
    assert config.shown("x" * 100) == f"'{'x' * 49}... (102 characters)"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    ],
)
def test_too_little_memory_says_what_to_lower(
    error: Exception, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: object) -> None:
        raise error

    monkeypatch.setattr(trainer.Trainer, "step", step)
    with pytest.raises(UserError, match=r"not have enough memory.*batch=16, size=12.*g_quarter=96"):
        list(small(blobs).run(tmp_path / "run"))
    monkeypatch.undo()
    monkeypatch.setattr(trainer.Trainer, "step", lambda *_: torch.empty(2**62))
    with pytest.raises(UserError, match="not have enough memory"):
        list(small(blobs).run(tmp_path / "run"))


def test_another_error_stays_itself(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.Trainer, "step", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        list(small(blobs).run(tmp_path / "run"))


def test_networks_larger_than_the_memory_are_never_built(blobs: Path) -> None:
    """Of 2^14 channels the weights alone would be terabytes, which the system might well promise."""
    experiment = small(blobs).override({"g_quarter": str(2**14), "latent_dim": str(2**16), "g_half": str(2**14)})
    with pytest.raises(UserError, match=r"not have enough memory.*g_quarter=16384"):
        experiment.build(experiment.load_data().spec)


# -------------------- what the end may bring


def test_one_picture_held_out_is_enough_for_the_check(tmp_path: Path) -> None:
    """The spread of a single picture is no number, of which torch would warn."""
    np.savez(tmp_path / "few.npz", images=np.random.default_rng(0).integers(0, 256, (12, 12, 12), np.uint8))
    experiment = quick("mnist-unlabelled", tmp_path / "few.npz", steps=4)
    training = dataclasses.replace(experiment.training, batch=4, images=16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in dataclasses.replace(experiment, training=training).run(tmp_path / "run"):
            pass
    assert len(experiment.load_data().held_out.images) == 1


def test_a_detector_gone_wrong_does_not_spoil_the_model(
    tmp_path: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(self: GenerateTask, *_: object) -> Iterator[str]:
        self.learned["detector"] = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(self.learned["detector"].weight, math.nan)  # pyright: ignore[reportArgumentType]
        self.findings["detector"] = {"real": 3}
        yield "learned"

    monkeypatch.setattr(GenerateTask, "finish", finish)
    told = [e.text for e in small(blobs, 32).run(tmp_path / "run") if isinstance(e, Warned)]
    assert told == ["The detector has values that are infinite or not numbers (NaN): the model is kept without it."]
    found = models.load(tmp_path / "run")
    assert found.card["finished"]
    assert "detector" not in found.card
