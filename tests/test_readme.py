"""The README's commands and the examples run as they stand: trainings cut short, MNIST too but where marked slow."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import small_mnist
import torch
from command import ganvas, process
from shown import write_data

from ganvas.images.data import DATASETS, survey
from ganvas.training import forecast

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.long


def commands(page: str) -> list[str]:
    """The `ganvas` commands in the page's console blocks and tables, in their order."""
    found = re.findall(r"^\$ (ganvas .*?)(?:#.*)?$|(?<=[|,] )`(ganvas .*?)`", page, re.MULTILINE)
    return [(block or cell).strip() for block, cell in found]


COMMANDS = commands((ROOT / "README.md").read_text())
NO_DETECTOR = "detect=0"  # the README's first training learns one: a second each
SHORTER = {  # trainings whose twenty steps take long, of which fewer show the same
    "ganvas train mnist": ["images=320"],
    "ganvas train classic-mlp": ["images=320", NO_DETECTOR],
    "ganvas train mnist --data path/to/fashion": ["images=320", NO_DETECTOR],
    "ganvas train sound --data drums/ --run runs/drums": ["images=160"],
    "ganvas train denoise-sound --data drums/ --run runs/cleaner": ["images=160"],
    "ganvas train translate --data faces/ --to emoji/ --run runs/emoji": ["images=48"],
}
UNTIL_STOPPED = "ganvas studio"  # it does not end: test_studio.py and test_deploy.py talk to it
TO_RUN = [command for command in COMMANDS if command != UNTIL_STOPPED]


def shortened(command: str, blobs: Path, few: bool = False) -> list[str]:
    """The words of a command, its training cut short, to a few steps if so wished."""
    words = [str(blobs) if word == "path/to/fashion" else word for word in shlex.split(command)[1:]]
    if words[0] == "train":
        words += ["--smoke", *(SHORTER.get(command, []) if few else [])]
    return words[:2] if words[0] == "resume" else words  # the length that the smoke test has


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "mnist", small_mnist.small)
    monkeypatch.setattr(survey, "mirror", functools.partial(survey.mirror, steps=2))
    monkeypatch.setattr(forecast, "SECONDS", 0.05)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the README's commands are given, one after the other."""
    place = tmp_path_factory.mktemp("readme")
    write_data(place)
    return place


def test_the_readme_trains_and_draws() -> None:
    assert any(c.startswith("ganvas train mnist") for c in COMMANDS)
    assert any(c.startswith("ganvas sample") for c in COMMANDS)
    assert UNTIL_STOPPED in COMMANDS
    assert len({*COMMANDS}) == len(COMMANDS)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", range(len(TO_RUN)), ids=TO_RUN)
def test_readme_commands_run_in_their_order(
    number: int, place: Path, blobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each where those before it have run: one by itself begins with them."""
    done_file, before = place / "done", 0
    if done_file.exists():
        before = int(done_file.read_text())
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    for n in range(min(before, number), number + 1):
        done_file.write_text(str(n + 1))
        words = shortened(TO_RUN[n], blobs, few=True)
        short = ["--frames", "4"] if words[0] == "walk" and "--time-lapse" not in words else []
        done = ganvas(*words, *short, cwd=place)
        assert done.returncode == 0, f"{TO_RUN[n]}: {done.stderr}"


@pytest.mark.slow
def test_readme_commands_run_in_processes_of_their_own_on_all_of_mnist(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(tmp_path)
    for command in TO_RUN:
        with monkeypatch.context() as patch:
            if "my-pictures" in command or "faces" in command:  # the cache of MNIST may be used, these need not be kept
                patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
            done = process(*shortened(command, blobs), cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.usefixtures("small")
def test_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    script = str(ROOT / "examples" / "quickstart.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, "320"])
    with torch.random.fork_rng(devices=[]):
        runpy.run_path(script, run_name="__main__")
    assert (tmp_path / "sevens.png").is_file()
    assert "Loss_D" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_own_recipe_runs(tmp_path: Path) -> None:
    recipe = f"{ROOT / 'examples' / 'my_recipes.py'}:hinge"
    done = ganvas("train", recipe, "--smoke", NO_DETECTOR, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mnist-hinge" in done.stdout


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["small", "whole"])
def test_the_notebook_runs_from_top_to_bottom(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("GANVAS_IMAGES", "640" if whole else "320")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(ROOT / "examples" / "digits.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    if not whole:
        cut = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import small_mnist; small_mnist.use()"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(cut))
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=900, resources=where, shutdown_kernel="immediate").execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in shown) >= 4  # what was drawn, written and found
    live, card = [o["data"]["text/html"] for o in shown if "text/html" in o.get("data", {})]
    assert 'value="1.0000"' in live
    assert "Finished: runs/notebook" in live or f"Finished: {tmp_path / 'runs' / 'notebook'}" in live
    assert "data:image/png;base64," in live
    assert live.count("data:image/svg+xml;base64,") == 2
    assert "Model: 28x28 grey" in card
    assert "data:image/png;base64," in card
    assert not re.findall(r"ganvas\.(?:images|report|tasks|core|training)", "".join(c.source for c in notebook.cells))
    told = "".join(o.get("text", "") for o in shown)
    assert "forged digits" in told
    assert "Frechet distance" in told


@pytest.mark.slow
def test_the_notebook_of_sounds_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("GANVAS_IMAGES", "320")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(ROOT / "examples" / "sounds", tmp_path / "sounds")
    notebook = nbformat.read(ROOT / "examples" / "sounds.ipynb", as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=900, resources=where, shutdown_kernel="immediate").execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    pages = [o["data"]["text/html"] for o in shown if "text/html" in o.get("data", {})]
    assert [page.count("<audio") for page in pages] == [1, 8, 4, 1, 2]  # the strip, two samples, a walk, an inversion
    assert "data:image/png;base64," in pages[0]
    assert "Frechet distance, timbre" in "".join(o.get("text", "") for o in shown)


def test_the_notebook_of_restoring_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("GANVAS_IMAGES", "64")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(ROOT / "examples" / "photos", tmp_path / "photos")
    notebook = nbformat.read(ROOT / "examples" / "restore.ipynb", as_version=4)
    cut = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import small_mnist; small_mnist.use()"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(cut))
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=900, resources=where, shutdown_kernel="immediate").execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in shown) == 5  # old, restored, both; noisy digits, restored
    assert "restored/old.jpg" in "".join(o.get("text", "") for o in shown)


@pytest.mark.parametrize("name", ["digits", "restore", "sounds"])
def test_notebooks_are_clean_and_name_what_there_is(name: str) -> None:
    import nbformat

    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "outputs are not committed"
    for cell in code:
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) or _is_module(node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ganvas":
                assert hasattr(importlib.import_module("ganvas"), node.attr)


def _is_module(package: str, name: str) -> bool:
    return importlib.util.find_spec(f"{package}.{name}") is not None


def test_the_idea_in_one_file_runs_without_ganvas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = ROOT / "examples" / "gaussians.py"
    assert "ganvas" not in re.findall(r"import (\w+)|from (\w+)", script.read_text())
    assert len(script.read_text().splitlines()) < 150
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "300"])
    with torch.random.fork_rng(devices=[]):
        runpy.run_path(str(script), run_name="__main__")
    found = [int(n) for n in re.findall(r"centres found (\d)", capsys.readouterr().out)]
    assert found[0] < 4
    assert found[-1] == 8
    assert (tmp_path / "gaussians.png").is_file()
