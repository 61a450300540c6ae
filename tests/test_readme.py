"""The README's commands and the examples run as they stand (trainings cut short)."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ganvas
from PIL import Image

ROOT = Path(__file__).parent.parent


def commands(page: str) -> list[str]:
    """The `ganvas` commands in the page's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    lines = [line.removeprefix("$ ").split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("ganvas ")]


def test_readme_commands_run_in_their_order(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for i in range(60):
        place = tmp_path / "my-pictures" / ("cats", "dogs")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save(place / f"{i}.png")
    for name, light in (("faces", 0), ("emoji", 100)):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.fromarray(random.integers(light, light + 100, (32, 32, 3), np.uint8)).save(
                tmp_path / name / f"{i}.png"
            )
    found = commands((ROOT / "README.md").read_text())
    assert any(c.startswith("ganvas train mnist") for c in found)
    assert any(c.startswith("ganvas sample") for c in found)
    for command in found:
        if command == "ganvas studio":  # it does not end: test_studio.py and test_deploy.py talk to it
            continue
        words = [str(blobs) if word == "path/to/fashion" else word for word in shlex.split(command)[1:]]
        if words[0] == "train":
            words += ["--smoke"]
        if words[0] == "resume":
            words = words[:2]  # the length that the smoke test has
        with monkeypatch.context() as patch:
            if (
                "my-pictures" in command or "faces" in command
            ):  # what is cached of MNIST may be used, these need not be kept
                patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
            done = ganvas(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_quickstart_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "examples" / "quickstart.py"), "640"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sevens.png").is_file()
    assert "Loss_D" in done.stdout


def test_own_recipe_runs(tmp_path: Path) -> None:
    recipe = f"{ROOT / 'examples' / 'my_recipes.py'}:hinge"
    done = ganvas("train", recipe, "--smoke", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mnist-hinge" in done.stdout


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("GANVAS_IMAGES", "640")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(ROOT / "examples" / "digits.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in shown) >= 4
    assert any("the expert is right" in o.get("data", {}).get("text/plain", "") for o in shown)
    framed = [o["data"]["text/html"] for o in shown if "text/html" in o.get("data", {})]
    assert any("&lt;style&gt;" in page and "polyline" in page for page in framed)  # black boxes without a style
    told = "".join(o.get("text", "") for o in shown)
    assert "forged digits" in told
    assert "Frechet distance" in told


def test_the_idea_in_one_file_runs_without_ganvas(tmp_path: Path) -> None:
    script = ROOT / "examples" / "gaussians.py"
    assert "ganvas" not in re.findall(r"import (\w+)|from (\w+)", script.read_text())
    assert len(script.read_text().splitlines()) < 150
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "1500"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = [int(n) for n in re.findall(r"centres found (\d)", done.stdout)]
    assert found[0] < 4
    assert found[-1] == 8
    assert (tmp_path / "gaussians.png").is_file()
