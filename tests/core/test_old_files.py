"""Runs of the version before the folders by floor (tests/data/old): the same pictures, the same weights at the end."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
import torch
from conftest import ganvas
from safetensors.torch import load_file
from torch import Tensor

from ganvas.core.rows import is_figure
from ganvas.core.run import Run
from ganvas.report import page
from ganvas.training.events import Noted, Started
from ganvas.training.experiment import Experiment

pytestmark = pytest.mark.long

OLD = Path(__file__).parents[1] / "data" / "old"
FIGURE = ("value", "floor", "spread")
TIMES = {"seconds", "images_per_second"}
RUNS = ("generate", "selected", "restore", "translate")
RESUMED = ("generate", "restore", "translate")  # of the other there is no snapshot
ROUNDS_ANEW = ("generate",)  # trainings whose steps round otherwise since real and fake are judged as one batch


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_old", OLD / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = script()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs, and their data made anew."""
    place = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD / "runs.tar.xz") as archive:
        archive.extractall(place, filter="data")
    make.data(place / "data")
    return place


@pytest.fixture(scope="module")
def exact(old: Path) -> bool:
    """Does this machine round as that on which the runs were made? Others are compared with a tolerance."""
    return json.loads((old / "runs" / "digests.json").read_text())["arithmetic"] == make.arithmetic()


def agree(tensors: dict[str, Tensor], wanted: dict[str, Tensor], exact: bool, tolerance: float) -> None:
    assert tensors.keys() <= wanted.keys()
    for name, tensor in tensors.items():
        assert (tensor.shape, tensor.dtype) == (wanted[name].shape, wanted[name].dtype)
        if exact:
            assert torch.equal(tensor, wanted[name]), name
        else:
            assert (tensor - wanted[name]).abs().mean() < tolerance, name


def test_models_draw_restore_and_translate_the_same_bits(old: Path, exact: bool) -> None:
    wanted = load_file(old / "runs" / "outputs.safetensors")
    for name in RUNS:
        result = make.outputs(old / "runs", (name,))
        if name == "translate":  # the model of the snapshot is kept, not that of the end
            result = {f"start.{key}": tensor for key, tensor in result.items()}
        agree(result, wanted, exact, 1e-4)


def rows(run: Run) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in run.rows()]


@pytest.mark.parametrize("name", RESUMED)
def test_a_snapshot_goes_on_to_the_same_end(name: str, old: Path, exact: bool, tmp_path: Path) -> None:
    exact = exact and name not in ROUNDS_ANEW
    shutil.copytree(old / "runs" / name, tmp_path / name)
    settings = {key: str(old / "data" / make.RUNS[name][key]) for key in ("data", "to") if key in make.RUNS[name]}
    experiment = Experiment.load(tmp_path / name).override(
        {"source" if key == "data" else key: value for key, value in settings.items()}
    )
    events = list(experiment.run(tmp_path / name))
    assert next(e for e in events if not isinstance(e, Noted)) == Started(
        make.RUNS[name]["stop"] * make.BATCH, tmp_path / name
    )
    if exact:
        digests = json.loads((old / "runs" / "digests.json").read_text())
        assert make.digest(tmp_path / name / "model.safetensors") == digests[name]
        assert rows(Run(tmp_path / name)) == rows(Run(old / "runs" / name))
    wanted = load_file(old / "runs" / "outputs.safetensors")
    agree(make.outputs(tmp_path, (name,)), wanted, exact, 0.1)
    assert "This run is complete." in (tmp_path / name / "report.html").read_text()


@pytest.mark.parametrize("name", RUNS)
def test_info_and_report_read_them(name: str, old: Path, tmp_path: Path) -> None:
    shutil.copytree(old / "runs" / name, tmp_path / name)
    output = ganvas("info", str(tmp_path / name), cwd=tmp_path)
    assert output.returncode == 0, output.stderr
    assert str(make.RUNS[name]["images"]) in output.stdout.replace(",", "")
    run = Run(tmp_path / name)
    page.write(run)
    text = run.report.read_text()
    assert "This run is complete." in text
    assert name == "selected" or "<svg" in text  # a log of one line makes no curve
    if make.RUNS[name]["recipe"] == "mnist":
        assert "How good are the pictures?" in text


def about(value: float | None) -> object:
    return value if value is None else pytest.approx(value, rel=1e-3, abs=1e-3)


# the evaluation of each task once; "selected" is of the first task too
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "selected" else n for n in RUNS])
def test_evaluate_finds_the_same_figures(name: str, old: Path, tmp_path: Path) -> None:
    shutil.copytree(old / "runs" / name, tmp_path / name)
    before = Run(old / "runs" / name).rows(Run(old / "runs" / name).metrics)
    done = ganvas(*make.measuring(tmp_path / name, old / "data"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = Run(tmp_path / name).rows(Run(tmp_path / name).metrics)
    new = after[len(before) :]
    assert new, "nothing was measured"
    was = before[-len(new) :]
    for one, other in zip(was, new, strict=True):
        assert one["metric"] == other["metric"]
        if is_figure(one):
            assert {k: other[k] for k in FIGURE} == {k: about(one[k]) for k in FIGURE}
            assert other["protocol"].keys() == one["protocol"].keys()
        else:
            key = "answers" if "answers" in one else "ways"
            for line, again in zip(one[key], other[key], strict=True):
                assert line.keys() == again.keys()
                for what, value in line.items():
                    if name == "restore" and line is one[key][-1] and isinstance(value, float):
                        assert again[what] == pytest.approx(value, rel=0.05)  # now the mean of mirrored versions
                    elif not isinstance(value, str):  # names hold the place of the run
                        assert again[what] == about(value)
