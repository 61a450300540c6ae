"""Figures of tables in plain words, and the benchmark that sets methods beside each other."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ganvas.tables.data import DataConfig, of_frame
from ganvas.tasks.table.evaluate import experts, words

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))  # programs, not a package
tables = importlib.import_module("tables")


@dataclass
class One:
    value: float
    floor: float = math.nan
    spread: float = math.nan


def test_what_an_expert_finds() -> None:
    lines = words.quality({"c2st": One(0.553, 0.499), "c2st-accuracy": One(0.536, 0.5), "impossible": One(3)})
    assert "right in 54 of 100 cases; 50 is guessing" in lines[0]
    assert "hardly tell them apart" in lines[1]
    assert lines[2] == "3 drawn cells are impossible: this is an error."
    assert "no better than real rows from real rows" in words.quality({"c2st": One(0.51, 0.5)})[0]
    assert words.quality({"c2st": One(math.nan)}) == []


def test_a_leak_is_said_and_chance_is_none() -> None:
    assert "That is a leak" in words.privacy({"membership-distance": One(0.4, 0.0, 0.01)})[0]
    assert "leak" not in words.privacy({"membership-likelihood": One(0.035, -0.028, 0.022)})[0]
    assert "right in 52 of 100 cases" in words.privacy({"membership-likelihood": One(0.035, -0.028, 0.022)})[0]
    assert "lean towards training rows" in words.privacy({"nearer-training": One(0.7, 0.5, 0.01)})[0]
    assert "which is a lot" in words.privacy({"copies": One(0.3, 0.1)})[0]


def test_a_method_is_judged_by_what_it_drew(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.integers(18, 80, 400), "plan": random.choice(["gold", "basic"], 400)})
    frame["pay"] = frame["age"] * 10
    frame.iloc[:100].to_csv(tmp_path / "drawn.csv", index=False)
    data = of_frame(frame, "customers", DataConfig())
    made = tables.Made(1.0, 0.5, 2.0, 300.0)
    before, experts.TREES = experts.TREES, 10
    try:
        found = tables.judge(data, frame.iloc[:300], frame.iloc[300:], tmp_path / "drawn.csv", 0, "pay")
    finally:
        experts.TREES = before
    assert found["copies"][0] == 1
    assert found["target"]["real"] > 0.9
    text = tables.table({"ours": found}, {"ours": made}, "pay")
    assert text.splitlines()[0] == "| | ours | real rows |"
    assert "| copies of training rows | 1.000 |" in text
    assert "| peak memory, MB | 300 | |" in text
