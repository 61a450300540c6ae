"""A task from outside, of samples that are no pictures, is trained, resumed, drawn from, measured and shown."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import points
import pytest
import torch
from command import process

import ganvas
from ganvas import cli
from ganvas.core import checkpoint
from ganvas.core.model import load
from ganvas.core.run import Run
from ganvas.core.samples import Dataset, Preview, Spec
from ganvas.studio.index import Runs
from ganvas.tasks.generate.model import load as generator

pytestmark = pytest.mark.long

SETTINGS = {"images": 1000, "batch": 50, "device": "cpu", "tick_every": 100, "sample_every": 400, "save_seconds": 1e9}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ganvas.TASKS, "points", points.PointsTask)


def train(place: Path, steps: int | None = None) -> list[object]:
    events = []
    for event in ganvas.train("points", run=place, ema=200, **SETTINGS):
        events.append(event)
        steps = steps - 1 if steps is not None and isinstance(event, ganvas.Stepped) else steps
        if steps == 0:
            break
    return events


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, below a folder of runs."""
    place = tmp_path_factory.mktemp("runs") / "00000-points"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ganvas.TASKS, "points", points.PointsTask)
        train(place)
    return place


def said(*words: object) -> int:
    return cli.app([str(word) for word in words], result_action="return_value")


def test_it_keeps_the_contracts() -> None:
    spec: Spec = points.Plane()
    assert points.Plane.from_dict(spec.to_dict()) == spec
    with pytest.raises(ganvas.UserError, match="not a group of settings"):
        points.Plane.from_dict(None)
    data: Dataset = ganvas.Experiment.load_data(points.points())
    assert data.decode(data.train.samples).shape == (2_000, 2)
    assert data.fingerprint == ganvas.Experiment.load_data(points.points()).fingerprint
    preview: Preview = data.examples()
    assert list(preview.files()) == [".svg"]


def test_training_gives_events_and_a_run_with_everything(run: Path, tmp_path: Path) -> None:
    events = train(tmp_path / "again")
    assert [e.images for e in events if isinstance(e, ganvas.Sampled)] == [0, 400, 800, 1000]
    assert all(isinstance(e.preview, points.Plot) for e in events if isinstance(e, ganvas.Sampled))
    assert sorted(p.name for p in (run / "samples").iterdir())[-1] == "reals.svg"
    assert len(list((run / "samples").glob("fakes_*.svg"))) == 4
    assert {"real", "fake", "held_out"} <= Run(run).rows(run / "metrics.jsonl")[-1].keys()
    card = json.loads((run / "experiment.json").read_text())
    assert (card["task"]["name"], card["network"]["name"], card["spec"]) == ("points", "layers", {"classes": 0})


def test_stopped_and_resumed_it_ends_bit_for_bit_alike(run: Path, tmp_path: Path) -> None:
    train(tmp_path / "parts", steps=10)
    assert Run(tmp_path / "parts").snapshots()[0].name == "snapshot_000000000500.safetensors"
    train(tmp_path / "parts")
    whole, parts = (checkpoint.load(place / "model.safetensors")[0] for place in (run, tmp_path / "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    for path in (run / "samples").iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / "samples" / path.name).read_bytes()


def test_a_loaded_model_draws(run: Path) -> None:
    model = load(run, device="cpu")
    assert isinstance(model, points.Points)
    assert model.sample(5).shape == (5, 2)
    assert torch.equal(model.sample(5, seed=3)[1:], model.sample(4, seed=4))
    assert isinstance(ganvas.load(run), points.Points)
    with pytest.raises(ganvas.UserError, match="is of another type"):
        generator(run)


def test_a_longer_training_begins_with_its_weights(run: Path, tmp_path: Path) -> None:
    events = ganvas.train("points", run=tmp_path / "b", from_=run, **SETTINGS)
    assert any(isinstance(e, ganvas.Noted) and e.text.startswith("Starting with") for e in events)


def test_the_command_line_trains_resumes_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said("train", "points", "--run", tmp_path / "run", *(f"{k}={v}" for k, v in SETTINGS.items())) == 0
    out = capsys.readouterr().out
    assert "fakes_000001000.svg" in out.replace("\n", "") or "fakes_000001.svg" in out.replace("\n", "")
    assert said("resume", tmp_path / "run", "images=1200") == 0
    assert "[1,200/1,200 samples" in capsys.readouterr().out
    assert said("recipes") == 0
    assert "Eight Gaussians on a ring" in capsys.readouterr().out
    assert said("train", "points", "--run", tmp_path / "short", "--smoke", "device=cpu") == 0


def test_info_says_what_it_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said("info", run) == 0
    out = capsys.readouterr().out
    assert "points" in out
    assert "1,000 of 1,000" in out


def test_the_command_line_forecasts(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("train", "points", "--dry-run", "device=cpu") == 0
    assert "2,000" in capsys.readouterr().out


def test_wrong_settings_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ganvas.UserError, match="Did you mean"):
        list(ganvas.train("points", run=tmp_path / "a", widht=3))
    with pytest.raises(ganvas.UserError, match="other settings"):
        list(ganvas.train("points", run=run, **{**SETTINGS, "lr_g": 0.5}))
    with pytest.raises(ganvas.UserError, match="evaluate_every"):
        list(ganvas.train("points", run=tmp_path / "b", evaluate_every=100))


def test_there_is_a_report_with_curves(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "This run is complete." in text
    assert "Losses" in text
    assert "<polyline" in text or "<path" in text


def test_the_report_shows_the_previews(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "data:image/svg+xml" in text
    assert "There is no picture yet" not in text


def test_evaluate_measures_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run, tmp_path / "run")
    assert said("evaluate", tmp_path / "run", "--count", "200") == 0
    assert "Gaussians found" in capsys.readouterr().out
    (figure,) = Run(tmp_path / "run").figures()
    assert (figure["metric"], figure["floor"], figure["protocol"]["count"]) == ("centres", 8, 200)


def test_the_studio_lists_it(run: Path) -> None:
    (summary,) = Runs(run.parent).all()
    assert (summary["recipe"], summary["task"], summary["state"]) == ("points", "points", "finished")
    assert summary["error"] is None


PACKAGE = {
    "METADATA": "Metadata-Version: 2.1\nName: ganvas-points\nVersion: 1.0\n",
    "entry_points.txt": "[ganvas.tasks]\npoints = points:PointsTask\ngone = no_such_package.task:GoneTask\n",
}


def test_an_installed_package_adds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "ganvas_points-1.0.dist-info").mkdir(parents=True)
    for name, text in PACKAGE.items():
        (site / "ganvas_points-1.0.dist-info" / name).write_text(text)
    shutil.copy(points.__file__, site)
    source = Path(ganvas.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{site}:{source}")
    lines = (
        ["train", "points", "--run", "run", "images=500", "device=cpu"],
        ["resume", "run", "images=600"],
        ["recipes"],
    )
    script = (
        f"from ganvas.cli import app\nfor words in {lines}:\n    assert not app(words, result_action='return_value')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "report.html").is_file()
    assert "Eight Gaussians on a ring" in done.stdout  # a package that is broken takes nothing away
    monkeypatch.setenv("PYTHONPATH", str(source))  # without the package
    done = process("info", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "points" in done.stderr
