"""GOLDEN: the first five steps of every recipe, most on MNIST, kept as text. `make golden` writes them anew."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import write_rows, write_sounds

from ganvas.api import RECIPES
from ganvas.images import data
from ganvas.training.trainer import Trainer

FOLDER = Path(__file__).parent / "golden"
LONG = "classic-dcgan"  # each of whose steps takes more than a second: all five are slow, two are not
NAMES = ("loss_d", "loss_g", "d_real", "d_fake", "psnr", "sdr", "loss_distance", "loss_cycle", "loss_identity", "nll")


@pytest.fixture(scope="module")
def mnist() -> data.ImageData:
    return data.mnist()


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [
        *(pytest.param(r, 2 if r == LONG else 5, marks=pytest.mark.long if r != "mnist" else []) for r in RECIPES),
        pytest.param(LONG, 5, marks=pytest.mark.slow),
    ],
)
def test_first_five_steps(recipe: str, steps: int, mnist: data.ImageData, tmp_path: Path) -> None:
    experiment = RECIPES[recipe]().override({"device": "cpu", "precision": "fp32"})
    if getattr(experiment.network, "head", "") == "scanned":  # a threshold multiplies what processors round differently
        experiment = experiment.override({"head": "clamp"})
    if recipe == "table":  # the contest is what there is to watch
        source = write_rows(tmp_path / "rows.csv", 500)
        experiment = experiment.override({"source": str(source), "warmup": "0"})
        images: Any = experiment.load_data()
    elif "sound" in recipe:
        images = experiment.override({"source": str(write_sounds(tmp_path / "sounds"))}).load_data()
    else:
        images = mnist if experiment.data.labels else mnist.unlabelled()
    if recipe == "translate":  # between digits and their negatives
        negatives = data.Split(255 - images.train.images, None)
        images = dataclasses.replace(images, other=dataclasses.replace(images, train=negatives))
    batches = experiment.batches(images)
    trainer = Trainer(experiment.build(images.spec), experiment.training)
    rows, names, write = [], [], os.environ.get("GANVAS_GOLDEN") == "write"
    for _ in range(5 if write else steps):
        trainer.step(batches.at(trainer.images))
        means = trainer.means()
        names = [name for name in NAMES if name in means]
        rows.append([means[name] for name in names])
    path = FOLDER / f"{recipe}.txt"
    if write:
        lines = [" ".join(f"{value:.6f}" for value in row) for row in rows]
        path.write_text("\n".join([" ".join(names), *lines]) + "\n")
    kept = [[float(text) for text in line.split()] for line in path.read_text().splitlines()[1:]]
    assert len(kept) == 5
    for step, (row, golden) in enumerate(zip(rows, kept[: len(rows)], strict=True)):
        allowed = 2e-4 * 5**step  # processors round differently, and the contest multiplies the difference
        assert row == pytest.approx(golden, rel=allowed, abs=allowed / 2), f"step {step}"
