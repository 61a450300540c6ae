"""A training on few rows ends once it only learns them by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from command import ganvas

from ganvas.tasks.table.model import load


def said(*words: str, folder: Path) -> int:
    """How often the command says that the training ends."""
    done = ganvas(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return " ".join((done.stdout + done.stderr).split()).count("training ends here: -log p of held-out rows was")


def test_it_ends_once_rows_are_learned_by_heart_and_stays_so(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({name: random.normal(size=150).round(2) for name in "abcdef"})  # nothing is to be learned
    table.to_csv(tmp_path / "noise.csv", index=False)
    words = ["images=300k", "width=64", "batch=64", "ema=500", "lr_g=0.005", "tick_every=100k"]
    assert said("train", "table", "--data", "noise.csv", "--run", "run", *words, folder=tmp_path) == 1
    images = load(tmp_path / "run").card["images"]
    assert 2_000 <= int(images) < 36_000
    assert said("resume", "run", "images=600k", folder=tmp_path) == 1
    assert load(tmp_path / "run").card["images"] == images
