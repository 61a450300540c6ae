"""Nothing is lost: a run that was stopped or killed ends bit for bit as the one that never was."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import ganvas, quick

from ganvas.api import RECIPES
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.training.events import Saved, Started, Stepped, Warned
from ganvas.training.experiment import Experiment

TIMES = {"seconds", "images_per_second"}
BY_TASK = (
    "mnist",
    "denoise",
    "translate",
    "table",
    "sound",
    "denoise-sound",
)  # one of each task: what a snapshot holds is the task's
SAME = (  # as another one, on other data
    "derain", "superres", "inpaint", "stacked-mnist", "images", "classic-dcgan-64", "mnist-unlabelled",
    "sound-few",
)  # fmt: skip


def train(experiment: Experiment, folder: Path, steps: int | None = None) -> list[object]:
    """Train until the end, or leave the loop after some steps."""
    events = []
    for event in experiment.run(folder):
        events.append(event)
        if steps is not None and isinstance(event, Stepped):
            steps -= 1
            if not steps:
                break
    return events


def results(folder: Path) -> dict[str, object]:
    """All that a run leaves behind, without wall-clock times."""
    run = Run(folder)
    found: dict[str, object] = {p.name: p.read_bytes() for p in run.samples.iterdir()}
    found["log"] = [{k: v for k, v in row.items() if k not in TIMES} for row in run.rows()]
    found["metrics"] = run.rows(run.metrics)
    for path in [run.model, *run.snapshots()[:1], *run.models.glob("*.safetensors")]:
        tensors, card = checkpoint.load(path)
        found[path.name] = {name: t.numpy().tobytes() for name, t in tensors.items()}
        found[path.name + " card"] = card["images"]
    return found


def test_every_task_is_killed() -> None:
    assert {RECIPES[recipe]().kind for recipe in BY_TASK} == {recipe().kind for recipe in RECIPES.values()}


@pytest.mark.parametrize(
    "recipe",
    [
        r if r == "mnist" else pytest.param(r, marks=pytest.mark.slow if r in SAME else pytest.mark.long)
        for r in RECIPES
    ],
)
def test_leaving_the_loop_and_coming_back_changes_nothing(recipe: str, blobs: Path, tmp_path: Path) -> None:
    experiment = quick(recipe, blobs, steps=20 if recipe in BY_TASK else 12)
    train(experiment, tmp_path / "whole")
    for steps in (7, 1, 5) if recipe in BY_TASK else (7,):  # stops off the beat of log lines and pictures
        train(experiment, tmp_path / "parts", steps)
    train(experiment, tmp_path / "parts")
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


NURSERY = """
import os, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
import json, time
from ganvas.api import RECIPES
from ganvas.cli import main
from ganvas.training.experiment import Experiment
for recipe in RECIPES.values():
    recipe().kind
while told := sys.stdin.readline():
    folder, arguments = json.loads(told)
    child = os.fork()
    if not child:
        os.chdir(folder)
        print(os.getpid(), flush=True)
        if arguments:
            sys.argv = ["ganvas", *arguments]
            for name, number in (("out", 1), ("err", 2)):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
            main()
            sys.exit()
        for event in Experiment.from_dict(json.load(open("experiment.json"))).run("killed"):
            print(event.images, flush=True)
            time.sleep(0.01)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("ended", code, sep="\\n", flush=True)
"""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has imported all there is, and forks another for each folder it is told; where errors go."""
    errors = tmp_path_factory.mktemp("nursery") / "errors"
    command = [sys.executable, "-c", NURSERY, str(torch.get_num_threads())]
    with open(errors, "w") as file:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True)
    with process:
        yield process, errors
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.long
@pytest.mark.parametrize("recipe", [r if r in BY_TASK else pytest.param(r, marks=pytest.mark.slow) for r in RECIPES])
def test_kill_9_at_any_moment(
    recipe: str, blobs: Path, tmp_path: Path, nursery: tuple[subprocess.Popen[str], Path]
) -> None:
    """The same with a process that is killed without warning, several times."""
    experiment = quick(recipe, blobs, steps=36)
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, save_seconds=0.05))
    train(experiment, tmp_path / "whole")
    (tmp_path / "experiment.json").write_text(json.dumps(experiment.to_dict()))
    process, errors = nursery
    assert process.stdin is not None
    assert process.stdout is not None
    for images in (150, 350) if recipe == "mnist" else (250,):
        process.stdin.write(json.dumps([str(tmp_path), []]) + "\n")
        process.stdin.flush()
        child = int(process.stdout.readline())
        told = iter(process.stdout.readline, "ended\n")
        reached = next((int(text or -1) for text in told if not text or int(text) >= images), -1)
        assert reached >= images, errors.read_text()
        os.kill(child, signal.SIGKILL)
        for text in told:  # until its end is known
            assert text, errors.read_text()
        assert int(process.stdout.readline()) == -signal.SIGKILL
    assert 150 <= Run(tmp_path / "killed").rows()[-1]["images"] < experiment.training.images
    train(experiment, tmp_path / "killed")
    assert results(tmp_path / "killed") == results(tmp_path / "whole")


def test_a_damaged_snapshot_is_named_and_the_one_before_is_taken(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs)
    train(experiment, tmp_path / "whole")
    train(experiment, tmp_path / "run", 4)
    train(experiment, tmp_path / "run", 4)
    newest = Run(tmp_path / "run").snapshots()[0]
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1
    newest.write_bytes(content)
    events = train(experiment, tmp_path / "run")
    assert any(isinstance(e, Warned) and newest.name in e.text for e in events)
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    for path in Run(tmp_path / "run").snapshots():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="No snapshot"):
        train(experiment, tmp_path / "run")


def test_changed_settings_are_refused_with_the_difference(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs)
    train(experiment, tmp_path / "run", 3)
    with pytest.raises(UserError, match=r"training\.lr_g: .* in the folder, 0\.5 now"):
        train(experiment.override({"lr_g": "0.5"}), tmp_path / "run")
    with pytest.raises(UserError, match=r"training\.images"):
        train(experiment.override({"images": "32"}), tmp_path / "run")  # shorter is no extension


def test_a_longer_run_extends_the_old_one(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("classic-mlp", blobs, steps=10)  # its learning rate does not depend on the length
    train(experiment, tmp_path / "run")
    longer = experiment.override({"images": "320"})
    events = train(longer, tmp_path / "run")
    assert isinstance(events[0], Started)
    assert events[0].images == 160
    assert Experiment.load(tmp_path / "run").training.images == 320
    train(longer, tmp_path / "whole")
    assert results(tmp_path / "run")["model.safetensors"] == results(tmp_path / "whole")["model.safetensors"]
    assert len(train(longer, tmp_path / "run")) == 1  # finished: nothing to do


def test_other_images_are_refused(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs)
    train(experiment, tmp_path / "run", 3)
    other = tmp_path / "other"
    other.mkdir()
    for path in blobs.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    train(experiment.override({"source": str(other)}), tmp_path / "run", 1)  # the same images elsewhere are fine
    raw = bytearray((other / "train-labels-idx1-ubyte").read_bytes())
    raw[-1] = 1 - raw[-1]
    (other / "train-labels-idx1-ubyte").write_bytes(raw)
    with pytest.raises(UserError, match="other images"):
        train(experiment.override({"source": str(other)}), tmp_path / "run")


def test_two_trainings_in_one_folder(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs)
    first = experiment.run(tmp_path / "run")
    next(first)
    with pytest.raises(UserError, match="Another training is running"):
        train(experiment, tmp_path / "run")
    first.close()  # pyright: ignore[reportAttributeAccessIssue]
    train(experiment, tmp_path / "run")


def test_a_folder_with_other_files_is_refused(blobs: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_mother.txt").write_text("dear")
    with pytest.raises(UserError, match=r"to_mother\.txt"):
        train(quick("mnist", blobs), tmp_path / "letters")
    assert [p.name for p in (tmp_path / "letters").iterdir() if p.name != ".lock"] == ["to_mother.txt"]


def test_a_full_disk_leaves_the_last_state_intact(blobs: Path, tmp_path: Path) -> None:
    """The size limit of a process stands for a full disk: the write fails in the middle of a file."""
    experiment = quick("mnist", blobs)
    train(experiment, tmp_path / "run", 5)
    before = results(tmp_path / "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(UserError, match="What was saved before is intact"):
            train(experiment, tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run = Run(tmp_path / "run")
    assert checkpoint.load(run.snapshots()[0])[1]["images"] == 5 * 16
    assert results(tmp_path / "run")["model.safetensors"] == before["model.safetensors"]
    assert not list(run.folder.rglob("*.part"))
    train(experiment, tmp_path / "whole")
    train(experiment, tmp_path / "run")
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_too_little_space_is_said_before_the_training(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr("ganvas.core.run.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="1 MB free"):
        train(quick("mnist", blobs), tmp_path / "run")


def test_numbers_that_are_not_finite_stop_the_training(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("classic-mlp", blobs)
    for name in ("lr_d", "lr_g"):
        object.__setattr__(experiment.training, name, 1e20)  # far beyond what the settings take
    with pytest.raises(UserError, match=r"(loss_\w|weight|D).*images.*last good snapshot.*snapshot_0"):
        train(experiment, tmp_path / "run")
    tensors, _ = checkpoint.load(Run(tmp_path / "run").snapshots()[0])
    assert all(bool(t.isfinite().all()) for t in tensors.values())


def test_snapshots_are_pruned_and_come_by_the_clock(blobs: Path, tmp_path: Path) -> None:
    experiment = quick("mnist", blobs, steps=8)
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, save_seconds=0.0))
    events = train(experiment, tmp_path / "run")
    assert sum(isinstance(e, Saved) for e in events) == 9
    assert len(Run(tmp_path / "run").snapshots()) == 3


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_names_the_command_that_resumes(
    number: int, blobs: Path, tmp_path: Path, nursery: tuple[subprocess.Popen[str], Path]
) -> None:
    command = ["train", "classic-mlp", "--data", str(blobs), "--run", "run"]
    settings = ["batch=20", "images=1M", "tick_every=200", "sample_every=100000", "sample_at="]
    process, errors = nursery
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([str(tmp_path), [*command, *settings]]) + "\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    deadline = time.monotonic() + 900
    while not Run(tmp_path / "run").rows() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child, number)
    assert process.stdout.readline() == "ended\n", errors.read_text()
    assert int(process.stdout.readline()) == 128 + number, (tmp_path / "err").read_text()
    assert "ganvas resume run" in (tmp_path / "out").read_text()
    state = checkpoint.load(Run(tmp_path / "run").snapshots()[0])[1]
    assert state["images"] >= Run(tmp_path / "run").rows()[-1]["images"] > 0
    done = ganvas("resume", "run", "images=30000", cwd=tmp_path)
    assert done.returncode == 2  # shorter than it was meant to be
    assert "training.images" in done.stderr
