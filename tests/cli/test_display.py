"""The live display and the plain lines show what they promise."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ganvas.cli.display import Lines, Screen, line
from ganvas.core.progress import duration
from ganvas.images.sheets import Sheet
from ganvas.tasks.generate.task import GenerateTask
from ganvas.tasks.restore.task import RestoreTask
from ganvas.tasks.translate.task import TranslateTask
from ganvas.training.events import Evaluated, Event, Logged, Noted, Sampled, Stepped, Warned
from ganvas.training.task import Task

ROW = {
    "images": 2000,
    "epoch": 0.5,
    "loss_d": 1.25,
    "loss_g": 0.75,
    "accuracy_real": 0.7,
    "accuracy_fake": 0.6,
    "accuracy_held_out": 0.65,
    "d_real": 0.61,
    "d_fake": 0.39,
    "d_fake_after": 0.41,
    "seconds": 4.0,
    "images_per_second": 500.0,
}
CHECKED = {"real": 0.8, "fake": 0.9, "held_out": 0.8, "diversity": 1.0}
EVENTS = [
    Stepped(2000),
    Logged(2000, ROW),
    Sampled(2000, Path("fakes.png"), Sheet(torch.full((100, 1, 28, 28), 255, dtype=torch.uint8))),
    Evaluated(2000, CHECKED, GenerateTask.describe(CHECKED)),
    Warned(2000, "the moon is full"),
]


def shown(terminal: bool, width: int, colour: bool = True) -> str:
    system = "truecolor" if terminal and colour else None
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, height=60, color_system=system)
    display = Screen(console, 4000, GenerateTask, "mnist") if terminal else Lines(console, 4000, GenerateTask)  # pyright: ignore[reportArgumentType]
    with display:
        for event in EVENTS:
            display.show(event)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_screen_shows_progress_figures_and_pictures() -> None:
    text = shown(True, 150)
    for words in ("mnist", "2,000 of 4,000 images", "500 images/s", "4s left", "Loss_D", "1.250", "70%", "65%", "moon"):
        assert words in text
    assert "Discriminator right: real" in text
    assert "Finishing" not in text
    assert "▀" * 1 in text
    assert "38;2;255;255;255" in text  # white pixels


def test_screen_shows_that_it_is_finishing() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    display = Screen(console, 2000, GenerateTask, "mnist")  # pyright: ignore[reportArgumentType]
    for event in (Stepped(2000), Logged(2000, ROW), Noted(2000, "Training the detector")):
        display.show(event)
    with console.capture() as captured:
        console.print(display.render())
    assert "0s left" not in captured.get()
    (last,) = [line for line in captured.get().splitlines() if line.startswith("Finishing")]
    assert last.rstrip().endswith("Training the detector")


def test_screen_fits_narrow_terminals_and_does_without_colour() -> None:
    text = shown(True, 60, colour=False)
    assert "@@@@" in text
    assert max(len(line) for line in text.splitlines() if "@@@@" in line) <= 70


def test_lines_are_the_ones_that_people_know() -> None:
    text = shown(False, 80)
    for words in (
        "[2,000/4,000 images, epoch 0.50]",
        "Loss_D 1.2500",
        "Loss_G 0.7500",
        "D(x) 0.6100",
        "0.3900 / 0.4100",
    ):
        assert words in text
    assert "fakes.png" in text
    assert "100 real images: 80%" in text
    assert "\x1b" not in text


PROGRESS, SPEED = "[2,000/4,000 images, epoch 0.50]", "500 images/s  4s left"
RIGHT = "accuracy: real 70%  fake 60%  held-out 65%"
BOTH = "Loss_D 1.250  Loss_G 0.750  D(x) 0.610  D(G(z)) 0.390"
FAITHFUL = {key: ROW[key] for key in ("images", "epoch", "loss_g", "seconds", "images_per_second")}


@pytest.mark.parametrize(
    ("task", "row", "words"),
    [
        (
            GenerateTask,
            ROW,
            "Loss_D 1.2500  Loss_G 0.7500  D(x) 0.6100  D(G(z)) 0.3900 / 0.4100  "
            "accuracy real 70% fake 60% held-out 65%",
        ),
        (RestoreTask, {**FAITHFUL, "loss_pixel": 0.1, "psnr": 25.678}, "Loss_G 0.750  PSNR 25.68"),
        (RestoreTask, {**ROW, "loss_pixel": 0.1, "psnr": 25.678}, f"{BOTH}  {RIGHT}  PSNR 25.68"),
        (
            TranslateTask,
            {**ROW, "loss_cycle": 0.1234, "loss_identity": 0.5},
            f"{BOTH}  {RIGHT}  Cycle 0.123  Identity 0.500",
        ),
    ],
)
def test_each_task_shows_its_own_figures(task: type[Task], row: dict[str, Any], words: str) -> None:
    assert line(row, 4000, task) == f"{PROGRESS}  {words}  {SPEED}"


@pytest.mark.parametrize("checked", [False, True])
def test_the_screen_says_how_the_training_stands(checked: bool) -> None:
    figures = {"psnr": 25.0, "ssim": 0.9, "psnr_damaged": 20.0, "ssim_damaged": 0.7}
    events: list[Event] = [Logged(2000, {**FAITHFUL, "psnr": 25.678})]
    events += [Evaluated(2000, figures, RestoreTask.describe(figures))] * checked
    console = Console(file=io.StringIO(), force_terminal=True, width=150, height=60)
    display = Screen(console, 4000, RestoreTask, "denoise")  # pyright: ignore[reportArgumentType]
    with display:
        for event in events:
            display.show(event)
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "25.68" in text
    assert ("Held-out pieces: 25.00 dB" in text) == checked
    assert "Too early" not in text


def test_durations() -> None:
    assert [duration(s) for s in (5, 65, 3600, 36_061)] == ["5s", "1m05s", "1h00m", "10h01m"]
