"""A training chooses its threads by steps that leave no trace, and keeps them when it is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import quick
from test_resume import BY_TASK, results, train

from ganvas.core import checkpoint
from ganvas.core.run import Run
from ganvas.training import threads
from ganvas.training.events import Noted
from ganvas.training.forecast import Trial

Work = Callable[[], object]


class Cores:
    """Two of them, so that a training may choose; which of both is quickest is made up, and computing takes one."""

    def __init__(self, patch: pytest.MonkeyPatch, best: int) -> None:
        self.best, self.count, self.choices, self.seconds = best, 2, 0, 1.0
        patch.setattr(threads, "given", lambda: False)
        patch.setattr(threads, "quickest", self.quickest)
        patch.setattr(torch, "get_num_threads", lambda: self.count)
        patch.setattr(torch, "set_num_threads", self.set)

    def set(self, count: int) -> None:
        self.count = count

    def quickest(self, work: Work, most: int) -> tuple[int, float]:
        assert most == 2
        for _ in range(6):
            work()
        self.choices += 1
        self.count = self.best
        return self.best, self.seconds


def notes(events: list[object]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted) and "thread" in event.text]


@pytest.mark.parametrize(
    "recipe", [r if r == "mnist" else pytest.param(r, marks=pytest.mark.long) for r in (*BY_TASK, "photos", "images")]
)
def test_the_steps_that_are_timed_leave_no_trace(
    recipe: str, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = quick(recipe, blobs, steps=8)
    train(experiment, tmp_path / "given")
    cores = Cores(monkeypatch, best=1)
    said = notes(train(experiment, tmp_path / "chosen"))
    assert cores.choices == 1
    assert said == ["Computing with one thread of 2, which is quickest here and now. Set OMP_NUM_THREADS to choose it."]
    assert cores.count == 2  # as before the training
    assert results(tmp_path / "chosen") == results(tmp_path / "given")
    assert checkpoint.load(Run(tmp_path / "chosen").snapshots()[0])[1]["machine"]["threads"] == 1


@pytest.mark.parametrize(
    "recipe", [r if r == "mnist" else pytest.param(r, marks=pytest.mark.long) for r in ("mnist", "translate", "table")]
)
def test_nor_do_those_of_a_later_choice(
    recipe: str, blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = quick(recipe, blobs, steps=12)
    train(experiment, tmp_path / "given")
    cores = Cores(monkeypatch, best=1)
    monkeypatch.setattr(threads, "OTHER", 1.0)  # after every log line
    monkeypatch.setattr(threads, "PAUSE", 0.0)
    train(experiment, tmp_path / "chosen")
    assert cores.choices == 4  # at the start, and after three lines of four
    assert results(tmp_path / "chosen") == results(tmp_path / "given")


def test_all_threads_are_no_news(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = Cores(monkeypatch, best=2)
    assert not notes(train(quick("mnist", blobs, steps=3), tmp_path / "run"))
    assert cores.choices == 1


def test_a_resumed_training_has_the_threads_of_its_snapshot(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = Cores(monkeypatch, best=1)
    experiment = quick("mnist", blobs, steps=6)
    train(experiment, tmp_path / "run", steps=3)
    cores.best = 2
    events = train(experiment, tmp_path / "run")
    assert cores.choices == 1
    assert not [event for event in events if "threads was" in getattr(event, "text", "")]
    assert checkpoint.load(Run(tmp_path / "run").snapshots()[0])[1]["machine"]["threads"] == 1


def test_they_are_chosen_anew_when_the_speed_is_another(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = Cores(monkeypatch, best=2)
    trial = Trial(quick("mnist", blobs), quick("mnist", blobs).load_data())
    trainer, clock = trial.trainer, SimpleNamespace(now=0.0)
    monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=lambda: clock.now))
    own = threads.Threads(trainer, trial.batches)
    cores.seconds = trainer.config.batch / 100  # 100 images a second
    assert own.choose() == []
    clock.now = 100.0
    assert own.logged(60.0) == []  # pictures and snapshots take time
    assert cores.choices == 1
    cores.best, cores.seconds = 1, trainer.config.batch / 30
    (note,) = own.logged(4.0)  # another program has begun
    assert "one thread of 2" in note.text
    assert (cores.choices, cores.count) == (2, 1)
    cores.best, cores.seconds = 2, trainer.config.batch / 100
    assert own.logged(80.0) == []  # it has ended, but the last choice is too near
    clock.now = 200.0
    assert "2 threads of 2" in own.logged(80.0)[0].text
    clock.now = 300.0
    assert own.logged(10.0) == []  # slow with any number
    assert cores.choices == 4
    clock.now = 400.0
    assert own.logged(11.0) == []  # which is known now
    assert cores.choices == 4


def test_a_number_that_is_given_and_a_gpu_are_left_alone(blobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = quick("mnist", blobs)
    trial = Trial(experiment, experiment.load_data())
    cores = Cores(monkeypatch, best=1)
    trial.trainer.device = torch.device("cuda")
    assert threads.Threads(trial.trainer, trial.batches).choose() == []
    trial.trainer.device = torch.device("cpu")
    monkeypatch.setattr(threads, "given", lambda: True)
    own = threads.Threads(trial.trainer, trial.batches)
    own.resume({"threads": 1})
    assert own.choose() == []
    assert (cores.choices, cores.count) == (0, 2)


@pytest.mark.parametrize("known", [None, "2", 0, 3, True])
def test_a_number_that_cannot_be_is_not_taken(known: object, blobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = quick("mnist", blobs)
    trial = Trial(experiment, experiment.load_data())
    cores = Cores(monkeypatch, best=1)
    threads.Threads(trial.trainer, trial.batches).resume({"threads": known})
    assert cores.count == 2
