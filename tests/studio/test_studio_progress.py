"""How far a running training is, and how often its expert is right: one answer for all pages."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient
from test_studio import a_run

from ganvas.core import registry
from ganvas.core.run import Run
from ganvas.report import diagnosis, page
from ganvas.studio.app import create
from ganvas.studio.index import Runs
from ganvas.studio.jobs import Job, Jobs
from ganvas.studio.live import Cursor, Watch
from ganvas.training import pace


def test_the_first_step_is_written_at_once_and_then_one_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, now = a_run(tmp_path / "run"), [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    made = pace.Pace(run, 0, 200)
    written = []
    for i in range(1, 32):
        now[0] += 0.125
        made.step(8 * i, 5 + i / 8, last=i == 31)
        if not written or json.loads(run.progress.read_text()) != written[-1]:
            written.append(json.loads(run.progress.read_text()))
    assert [row["images"] for row in written] == [8, 72, 136, 200, 248]  # a second apart, and the last
    assert written[0] == {"images": 8, "epoch": 0.04, "seconds": 5.125, "images_per_second": 64.0}
    assert not run.rows()  # a resumed training makes the same log


def test_a_speed_is_that_of_the_last_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, now = a_run(tmp_path / "run"), [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    made, images = pace.Pace(run, 0, 200), 0
    for each in [10] * 20 + [40] * 10:
        now[0] += 1
        images += each
        made.step(images, now[0])
    assert json.loads(run.progress.read_text())["images_per_second"] == 40


def test_one_process_writes_and_the_lock_s_holder_cleans_up(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    pace.Pace(Run(run.folder, writes=False), 0, 10).step(8, 1.0)
    assert not run.progress.exists()
    run.save_progress({"images": 900})  # of a training that was killed
    with run.locked():
        assert not run.progress.exists()
        run.save_progress({"images": 8})
    assert not run.progress.exists()
    assert not list(run.folder.glob("*.part"))
    run.progress.mkdir()
    run.save_progress({"images": 8})  # a disk that refuses stops no training


def test_progress_is_an_event_of_its_own_while_a_training_runs(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", 2)
    run.save_progress({"images": 70})  # left by a training that was killed

    async def watch() -> list[Any]:
        told: list[Any] = []
        stream = cast("AsyncGenerator[Any]", Watch(run, threading.Event()).follow(Cursor()))
        with run.locked():
            async for event in stream:
                if event is None:
                    continue
                told.append(event[:2])
                if event[0] == "state":
                    run.save_progress({"images": 24, "images_per_second": 8.0})
                if event[0] == "progress" and event[1]["images"] == 24:
                    run.progress.write_text("[")  # whatever it holds
                    run.save_progress({"images": 32})
                elif event[0] == "progress":
                    assert Cursor.of(str(event[2])) == event[2]
                    break
            assert Runs(tmp_path).summary("run")["images"] == 32  # the card moves, too
        assert Runs(tmp_path).summary("run")["images"] == 10
        await stream.aclose()
        return told

    told = asyncio.run(watch())
    assert [kind for kind, _ in told] == ["row", "row", "state", "progress", "progress"]
    assert told[-2:] == [
        ("progress", {"images": 24, "images_per_second": 8.0}),
        ("progress", {"images": 32}),
    ]


def test_a_run_shows_one_number_everywhere(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    for i in range(20):  # early lines, the last one and the check of 100 pictures all say something else
        right = 0.95 if i < 16 else (0.72, 0.66, 0.70, 0.60)[i - 16]
        run.append({"images": 10 * i, "accuracy_real": right, "accuracy_fake": right - 0.02, "loss_d": 1, "loss_g": 1})
    run.append({"images": 190, "metric": diagnosis.CHECK, "real": 0.78, "fake": 0.76}, run.metrics)
    rows, checks = run.rows(), run.rows(run.metrics)
    shares = {key: diagnosis.percent(share) for key, share in diagnosis.columns(rows).items() if share is not None}
    assert shares == {"accuracy_real": "67%", "accuracy_fake": "65%"}  # the bars
    assert Runs(tmp_path).summary("run")["figure"] == {"title": "expert right", "value": 66, "unit": "%", "lower": True}
    assert diagnosis.headline(rows, checks) == "Balanced: the expert is right 66% of the time."
    page.write(run)
    told = re.sub(r"<[^>]+>", " ", run.report.read_text())
    assert "right 66% of the time" in told
    assert re.search(r"Accuracy, real\s+67\.0%", told)  # the table of the latest figures
    assert "78%" not in told


@pytest.mark.parametrize("task", ["restore", "restore-sound"])
def test_without_an_expert_there_is_no_contest(task: str) -> None:
    part = registry.find(task).studio
    for settings in ({"lively": 0}, {"lively": 0.0}, {}, {"lively": "x"}):
        assert not part.shown(settings)["contest"]
    assert part.shown({"lively": 0.1})["contest"]
    assert part.shown({})["question"] == "How well does it restore?"
    assert registry.first().studio.shown({})["contest"]


def test_a_job_that_waits_for_its_own_run_says_so(tmp_path: Path) -> None:
    queue = Jobs(tmp_path)
    first, other, again = (
        Job(1, "train", "a", (), "running"),
        Job(2, "resume", "b", (), "waiting"),
        Job(3, "resume", "a", (), "waiting"),
    )
    queue.jobs = [first, again]
    assert queue.waits_for_itself(again)
    queue.jobs = [first, other, again]
    assert not queue.waits_for_itself(again)
    assert not queue.waits_for_itself(other)
    assert not queue.waits_for_itself(first)


def test_a_run_is_renamed_and_deleted_but_not_one_that_is_trained(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    run, other = a_run(tmp_path / "runs" / "00000-a", 1), a_run(tmp_path / "runs" / "00001-b", 1)
    (tmp_path / "kept.txt").write_text("mine")
    (run.samples / "link").symlink_to(tmp_path / "kept.txt")
    (run.folder / "folder").symlink_to(tmp_path)
    client = TestClient(create(tmp_path / "runs", tmp_path), base_url="http://localhost:1", headers={"x-ganvas": "1"})
    studio = cast("Any", client.app).state.studio

    def ask(name: str, what: str, body: dict[str, str]) -> tuple[int, str]:
        answer = client.post(f"/api/runs/{name}/{what}", json=body)
        return answer.status_code, answer.json().get("detail", "")

    with run.locked():
        for what, body in (("delete", {"run": "00000-a"}), ("rename", {"to": "c"})):
            assert ask("00000-a", what, body) == (
                400,
                "00000-a is being trained, or is waiting to be. Stop it first, or remove it from the queue.",
            )
    studio.jobs.jobs = [Job(1, "resume", "00000-a", (), "waiting")]
    assert ask("00000-a", "delete", {"run": "00000-a"})[0] == 400
    studio.jobs.jobs = []
    studio.games.file.parent.mkdir(parents=True, exist_ok=True)
    studio.games.file.write_text("".join(f'{{"run": "{r}", "you": 9, "fooled": 4}}\n' for r in ("00000-a", "00001-b")))
    assert ask("00000-a", "rename", {"to": "00001-b"}) == (
        400,
        "There is a folder 00001-b already. Choose another name.",
    )
    for bad in ("../x", "", "a/b", ".hidden", "x" * 200):
        assert ask("00000-a", "rename", {"to": bad})[0] == 422
    assert ask("00000-a", "rename", {"to": "faces"}) == (200, "")
    assert [row["name"] for row in client.get("/api/runs").json()["runs"]] == ["00001-b", "faces"]
    assert studio.games.all("faces")["games"] == 1
    assert ask("faces", "delete", {"run": "00001-b"})[0] == 400
    assert ask("faces", "delete", {"run": "faces"}) == (200, "")
    assert ask("faces", "delete", {"run": "faces"})[0] == 404
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["00001-b"]
    assert studio.games.all("faces")["games"] == 0
    assert studio.games.all("00001-b")["games"] == 1
    assert other.rows()
    assert (tmp_path / "kept.txt").read_text() == "mine"
