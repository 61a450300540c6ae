"""The live display and the plain lines show what they promise."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from rich.console import Console

from ganvas.cli.display import Lines, Screen
from ganvas.core.progress import duration
from ganvas.images.sheets import Sheet
from ganvas.tasks.generate.task import GenerateTask
from ganvas.training.events import Evaluated, Logged, Sampled, Stepped, Warned

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
    assert "▀" * 1 in text
    assert "38;2;255;255;255" in text  # white pixels


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


def test_durations() -> None:
    assert [duration(s) for s in (5, 65, 3600, 36_061)] == ["5s", "1m05s", "1h00m", "10h01m"]
