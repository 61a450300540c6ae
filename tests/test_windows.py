"""Ganvas where only what Windows has is there: see tests/windows.py. What was never run: docs/howto/windows.md."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import windows
from conftest import write_blobs, write_rows, write_sounds
from PIL import Image

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="it looks into /proc"),
]
SOURCES = sorted((Path(__file__).parent.parent / "src" / "ganvas").rglob("*.py"))
ALLOWED = ".lock ", "core/locks.py"  # Windows leaves the file of a lock


def shown(place: Path, *commands: str) -> None:
    """Run commands, one after the other in one process; nothing may be refused that Windows refuses."""
    log = place / "refused.txt"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(place / "cache")}
    command = [sys.executable, windows.__file__, str(log), *commands]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-4_000:]
    refused = [line for line in log.read_text().splitlines() if not all(part in line for part in ALLOWED)]
    assert not refused, "\n".join(refused)


def test_training_resuming_and_drawing(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    write_blobs(tmp_path / "digits", 300, 120)
    train = "train mnist --data digits --smoke --run runs/a detect=0"
    shown(
        tmp_path,
        "refuses",
        "twice runs/c",
        train,
        "resume runs/a images=800",
        "stopped train mnist --data digits --run runs/b detect=0",
        "sample mnist --count 4 --out four",
        "sample mnist --count 4 --out four --force",
        "sample mnist --count 4 --out four.npz",
        "sample mnist --count 4 --out four.npz --force",
        "write 26",
        "detect mnist four/0",
        "info runs/a",
    )


@pytest.mark.slow
def test_other_tasks(tmp_path: Path) -> None:
    for folder, light in (("a", 50), ("b", 150)):
        (tmp_path / folder).mkdir()
        for i in range(30):
            Image.new("RGB", (32, 32), (light, i, 2 * i)).save(tmp_path / folder / f"{i}.png")
    write_rows(tmp_path / "rows.csv", 600)
    write_sounds(tmp_path / "sounds")
    shown(
        tmp_path,
        "data check a",
        "data pack a packed size=32",
        "train images --data packed --smoke --run runs/i",
        "train denoise --data a --smoke --run runs/d",
        "restore runs/d a/1.png --out clean",
        "train translate --data a --to b --smoke --run runs/t images=48",
        "translate runs/t a --to b --out as-b",
        "train table --data rows.csv --smoke --run runs/r",
        "sample runs/r --count 50 --out new.csv",
        "sample runs/r --count 50 --out sqlite:///new.db",
        "detect runs/r rows.csv --out odd.csv",
        "train sound --data sounds --smoke --run runs/s images=160",
        "sample runs/s --count 4 --out four.wav",
        "evaluate runs/d",
        "data cache --clear",
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_texts_are_opened_with_their_encoding(path: Path) -> None:
    """Windows would take its own, such as cp1252."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or any(k.arg in ("encoding", None) for k in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("read_text", "write_text"):
            raise AssertionError(f"{path}:{node.lineno} has no encoding=")
        if name == "open" and isinstance(node.func, ast.Name):
            modes = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
            mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "" if modes else "r"
            assert "b" in str(mode) or mode == "", f"{path}:{node.lineno} has no encoding="
