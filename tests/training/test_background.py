"""Evaluation beside a training: it costs the training no wait, keeps the best model, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import quick, write_idx

import ganvas
from ganvas.core.run import Run
from ganvas.tasks.generate.evaluate import evaluate as evaluation
from ganvas.training import background, loop
from ganvas.training.background import Background
from ganvas.training.events import Event, Measured
from ganvas.training.experiment import Experiment

pytestmark = pytest.mark.long

DEADLINE = 900  # seconds for an evaluation in its own process, on however busy a machine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def measuring(blobs: Path, steps: int = 6, every: int = 32) -> Experiment:
    experiment = quick("mnist", blobs, steps)
    config = dataclasses.replace(experiment.training, evaluate_every=every, evaluate_count=100)
    return dataclasses.replace(experiment, training=config)


def rows(run: Run) -> list[dict[str, Any]]:
    return [row for row in run.rows(run.metrics) if "protocol" in row]


MODULE = "ganvas.tasks.generate.evaluate.evaluate"


class Fake(Background):
    """Starts nothing; `slow` tells whether what was started last ever ends."""

    slow = True
    made: ClassVar[list[Fake]] = []

    def __init__(self, run: Run, count: int, module: str, device: str) -> None:
        super().__init__(run, count, module)
        self.started: list[int] = []
        self.given = True
        Fake.made = [self]

    @property
    def busy(self) -> bool:
        return self.slow and bool(self.started)

    def start(self, images: int) -> None:
        assert self.run.candidate(images).is_file()
        self.started.append(images)
        self.images, self.given = images, False

    def collect(self) -> list[dict[str, Any]]:
        if self.given or self.busy:
            return []
        self.given = True
        return [{"images": self.images, "metric": "frechet"}]


def train(experiment: Experiment, folder: Path) -> list[Event]:
    return list(experiment.run(folder))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the child outlives the training
def test_a_training_is_measured_and_its_best_model_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Background] = []
    source, random = tmp_path / "source", np.random.default_rng(0)
    source.mkdir()
    for name in ("train", "t10k"):  # of the size of digits: a small extractor looks at them
        write_idx(source / f"{name}-images-idx3-ubyte", random.integers(0, 256, (120, 28, 28)).astype(np.uint8))
        write_idx(source / f"{name}-labels-idx1-ubyte", random.integers(0, 2, 120).astype(np.uint8))

    class Watched(Background):
        def __init__(self, run: Run, count: int, module: str, device: str) -> None:
            super().__init__(run, count, module)
            made.append(self)

    monkeypatch.setattr(loop, "Background", Watched)
    train(measuring(source, steps=2, every=1_000), tmp_path / "run")
    process = made[0].process
    assert process is not None
    assert process.wait(DEADLINE) == 0, (tmp_path / "run" / "evaluation" / "log.txt").read_text()
    run = Run(tmp_path / "run")
    found = rows(run)
    assert [row["metric"] for row in found] == list(evaluation.BRIEF)
    assert {row["images"] for row in found} == {32}
    assert found[0]["protocol"]["count"] == 100
    assert found[0]["value"] > 0
    assert ganvas.load(run.best).card["images"] == 32
    assert list(run.checkpoints.glob("candidate_*")) == []
    assert {row["metric"] for row in made[0].collect()} == set(evaluation.BRIEF)
    assert made[0].collect() == []
    del process
    made.clear()
    gc.collect()


def test_the_better_of_two_candidates_stays(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(quick("mnist", blobs, steps=2), tmp_path / "run")
    run = Run(tmp_path / "run")
    protocol = evaluation.Protocol("pixels", "-", 100, "held-out", 0, 1, "none", "blobs", "f")
    values: dict[int, float] = {10: 5.0, 20: 7.0, 30: 4.0, 40: 4.5}

    def evaluate(model: Path, *_: Any, **__: Any) -> Iterator[evaluation.Figure]:
        images = int(model.stem.split("_")[1])
        found = evaluation.Figure("frechet", "-", values[images], 0.1, 1.0, 0.1, "lower", False, protocol, images)
        run.append(found.row(), run.metrics)
        yield found

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    kept = []
    for images in values:
        content = run.model.read_bytes()
        run.candidate(images).write_bytes(content)
        before = run.best.stat().st_ino if run.best.exists() else 0
        evaluation.measure_candidate(run.candidate(images), 100)
        kept.append(run.best.stat().st_ino != before)
        assert not run.candidate(images).exists()
    assert kept == [True, False, True, False]
    values[50] = 9.0  # alone under its protocol, it is the best there is
    protocol = dataclasses.replace(protocol, count=50)
    run.candidate(50).write_bytes(run.model.read_bytes())
    before = run.best.stat().st_ino
    evaluation.measure_candidate(run.candidate(50), 50)
    assert run.best.stat().st_ino != before


def test_training_never_waits(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Background", Fake)
    events = train(measuring(blobs, steps=8), tmp_path / "run")
    assert Run(tmp_path / "run").rows()[-1]["images"] == 128
    assert Fake.made[0].started == [32, 128]  # the first, which never ends, and the last, which is always measured
    assert not any(isinstance(e, Measured) for e in events)


def test_results_are_told_when_they_are_in(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Background", Fake)
    monkeypatch.setattr(Fake, "slow", False)
    events = train(measuring(blobs, steps=9), tmp_path / "run")
    assert Fake.made[0].started == [32, 64, 96, 128, 144]
    told = [e for e in events if isinstance(e, Measured)]
    assert [e.images for e in told] == [32, 64, 128]  # at each log line (48, 96, 144 images) what is in by then
    assert told[0].rows == [{"images": 32, "metric": "frechet"}]


def test_without_evaluate_every_nothing_is_started(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "Background", Fake)
    train(quick("mnist", blobs, steps=3), tmp_path / "run")
    assert Fake.made[0].started == []
    assert not (tmp_path / "run" / "evaluation").exists()


def test_measuring_changes_nothing_in_the_training(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "Background", Fake)
    train(measuring(blobs, steps=4), tmp_path / "a")
    train(quick("mnist", blobs, steps=4), tmp_path / "b")
    a, b = ganvas.load(tmp_path / "a"), ganvas.load(tmp_path / "b")
    assert bool((a.sample(4) == b.sample(4)).all())


def test_a_resume_clears_what_was_under_way(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Background", Fake)
    experiment = measuring(blobs, steps=4)
    train(experiment, tmp_path / "run")
    run = Run(tmp_path / "run")
    stale = run.candidate(32)
    stale.write_bytes(b"half")
    run.append({"images": 9_999, "metric": "frechet", "protocol": {}}, run.metrics)  # of a time that was rewound
    run.append({"images": 32, "metric": "frechet", "protocol": {}}, run.metrics)
    train(experiment, tmp_path / "run")
    assert not stale.exists()
    assert [row["images"] for row in rows(run)] == [32]


def test_the_latest_result_alone_is_collected(tmp_path: Path) -> None:
    class Ended:
        def poll(self) -> int:
            return 0

    found = Background(Run(tmp_path), 100, MODULE)
    assert not found.busy
    assert found.collect() == []
    run = Run(tmp_path)
    texts = dict.fromkeys(("extractor", "mark", "split", "labels", "data", "fingerprint"), "x")
    protocol = {**texts, "count": 100, "seed": 0, "repeats": 1}
    values = {"value": 1.0, "spread": None, "floor": 0.5, "floor_spread": None}
    figure = {"metric": "frechet", "title": "x", "better": "lower", "share": False, **values, "protocol": protocol}
    for row in ({"images": 5, **figure}, {"images": 7, **figure}, {"images": 7, "metric": "other"}):
        run.append(row, run.metrics)
    found.images, found.process = 7, Ended()  # pyright: ignore[reportAttributeAccessIssue]
    assert found.collect() == [{"images": 7, **figure}]
    assert found.collect() == []


def test_a_new_start_gives_up_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    real = background.subprocess.Popen
    commands: list[list[str]] = []
    places: list[tuple[str, str]] = []

    def popen(command: list[str], **more: Any) -> Any:
        commands.append(command)
        places.append((more["env"]["OMP_NUM_THREADS"], more["env"]["CUDA_VISIBLE_DEVICES"]))
        return real([command[0], str(tmp_path / "sleeper.py")], **more)

    monkeypatch.setattr(background.subprocess, "Popen", popen)
    found = Background(Run(tmp_path), 123, MODULE)
    found.start(10)
    first = found.process
    assert first is not None
    assert found.busy
    assert found.collect() == []
    started = time.monotonic()
    found.start(20)
    assert time.monotonic() - started < 10
    assert first.poll() is not None
    assert found.process is not None
    found.process.kill()
    found.process.wait()
    assert [c[1:] for c in commands] == [  # -P: the working folder may be somebody else's
        ["-P", "-m", MODULE, str(Run(tmp_path).candidate(n)), "123", str(background.LIMIT)] for n in (10, 20)
    ]
    assert places == [("1", "-1")] * 2  # it leaves the training's GPU alone
    monkeypatch.setattr(background.processes, "cores", lambda: 16)
    assert Background(Run(tmp_path), 123, MODULE, "cuda").threads == 8
    assert json.dumps(found.collect()) == "[]"
