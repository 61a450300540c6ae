"""Two processes that torchrun starts train the tables of a database together, one table after the other."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("sqlalchemy", reason="needs the extra `tables`")

import ganvas as gv
from ganvas.core import checkpoint

pytestmark = pytest.mark.long

SCHEMA = """
CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER, y TEXT);
CREATE TABLE b (id INTEGER PRIMARY KEY, z INTEGER, a INTEGER REFERENCES a);
"""
SETTINGS = {"images": 640, "batch": 64, "width": 16, "d_width": 16, "dropout": 0, "device": "cpu"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.slow  # that two ranks of one table are one process, test_distributed sees
def test_two_ranks_are_one_process(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.executescript(SCHEMA)  # 54 rows of `a` to train on, fewer than a batch; 53 after one for each rank
        connection.executemany("INSERT INTO a VALUES (?, ?, ?)", [(i, i % 7, "pqr"[i % 3]) for i in range(59)])
        connection.executemany("INSERT INTO b VALUES (?, ?, ?)", [(i, i % 5, i % 59) for i in range(200)])
    connection.close()
    settings = [f"{name}={value}" for name, value in SETTINGS.items()]
    words = ["ganvas", "train", "table", "--data", "sqlite:///x.db", "--run", "two", *settings]
    script = f"import sys\nfrom ganvas.cli.main import main\nsys.argv = {words}\nmain()\n"
    (tmp_path / "both.py").write_text(script)
    done = subprocess.run(
        [*TORCHRUN, "both.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("All parts are trained") == 1
    assert checkpoint.head(tmp_path / "two" / "b" / "model.safetensors")["machine"]["ranks"] == 2
    for _ in gv.train("table", data=f"sqlite:///{tmp_path}/x.db", run=tmp_path / "one", **SETTINGS):  # pyright: ignore[reportArgumentType]
        pass
    alone, together = (load_file(tmp_path / name / "b" / "model.safetensors") for name in ("one", "two"))
    assert alone.keys() == together.keys()
    for name, value in alone.items():
        if value.dtype.is_floating_point:
            assert torch.allclose(value, together[name], atol=1e-3), name
    assert gv.load(tmp_path / "two").sample()["b"]["a"].notna().all()
