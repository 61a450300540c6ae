"""The benchmarks of sounds measure what they say: the bars, the notes that are made, the verdicts on drawn ones."""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganvas.metrics.figures import Figure, Protocol
from ganvas.tasks.sound.evaluate.evaluate import Measured
from ganvas.tasks.sound.evaluate.metrics import METRICS

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
notes, process, sounds = (importlib.import_module(name) for name in ("notes", "process", "sounds"))

PROTOCOL = Protocol("none", "-", 10, "held-out", 0, 1, "none", "tiny", "0" * 64)


def figures(**values: tuple[float, float]) -> dict[str, Figure]:
    """All figures: of these the value and the floor, of others none."""
    made = {}
    for name, m in METRICS.items():
        value, floor = values.get(name.replace("-", "_"), (math.nan, math.nan))
        made[name] = Figure(name, m.title, value, math.nan, floor, math.nan, m.better, m.share, PROTOCOL)
    return made


def test_bars_are_held_against_the_floor_where_they_say_so() -> None:
    found = figures(class_accuracy=(0.97, 1.0), frechet=(9.0, 2.0), coverage=(0.4, 0.8), near_copies=(0.02, 0.01))
    took = {"draw_cpu_seconds": 3.0, "drawn": 100, "seconds_a_sound": 0.5, "packed_per_cpu_second": 1_500.0}
    table = sounds.table(found, took)
    assert "| recognised as requested | at least .96 | 0.97 | yes |" in table
    assert "| Frechet, what is said, x floor | at most 4 | 4.5 | **no** |" in table
    assert "| coverage, x floor | at least .5 | 0.5 | yes |" in table
    assert "| near copies less those of held-out | at most 0 | 0.01 | **no** |" in table
    assert "| CPU s to draw 1,000 s of sound | under 20 | 60 | **no** |" in table
    assert "| files packed a CPU second | at least 1,000 | 1,500 | yes |" in table
    assert "| CPU minutes of training | at most 30 | - |  |" in table
    few = sounds.table(figures(class_accuracy=(0.9, 1.0), worst_class=(0.85, 1.0)), took, "sound-few")
    assert "| the same, worst class | at least .80 | 0.85 | yes |" in few
    assert "recognised as requested" not in few
    assert "| with a click | at most .01 | - |  |" in table


def test_a_row_is_json_without_nan() -> None:
    row = sounds.row(figures(silent=(0.0, 0.0)), Measured([], math.nan, 30, 100, True), {"seed": 3})
    again = json.loads(json.dumps(row, allow_nan=False))
    assert (again["seed"], again["n"], again["reads"], again["held_out"]) == (3, 1, None, 30)
    assert again["bars"]["silent"] == 0
    assert again["bars"]["clear pitch, x real"] is None
    assert again["figures"]["silent"] == [0, 0]


def test_a_program_that_fails_is_said() -> None:
    cost = process.run([sys.executable, "-c", "import os; print(os.environ['OMP_NUM_THREADS'])"])
    assert cost.said == "1\n"
    assert min(cost.cpu, cost.wall, cost.memory) > 0
    with pytest.raises(SystemExit, match="no such thing"):
        process.run([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_names_of_notes() -> None:
    assert (notes.name(60), notes.name(notes.LOWEST), notes.name(notes.HIGHEST)) == ("C4", "C3", "B4")
    assert all(notes.number(notes.name(n)) == n for n in range(12, 128))
    with pytest.raises(SystemExit, match="six is not a note"):
        notes.number("six")


def test_a_file_of_midi_has_its_notes_at_their_times() -> None:
    content = notes.midi(40, [(60, 80, 400), (61, 110, 800)])
    assert content[:14] == b"MThd\0\0\0\x06\0\0\0\x01\x03\xe8"
    assert int.from_bytes(content[18:22], "big") == len(content) - 22
    now, at, events = 0, 22, []
    while at < len(content):
        now += (content[at] & 127) << 14 | (content[at + 1] & 127) << 7 | content[at + 2]
        size = {0xFF: 3 + content[at + 5], 0xC0: 2}.get(content[at + 3], 3)
        events.append((now, content[at + 3 : at + 3 + size]))
        at += 3 + size
    assert events[1:] == [
        (0, b"\xc0\x28"),
        (0, b"\x90\x3c\x50"),
        (400, b"\x80\x3c\0"),
        (notes.SLOT, b"\x90\x3d\x6e"),
        (notes.SLOT + 800, b"\x80\x3d\0"),
        (2 * notes.SLOT, b"\xff\x2f\0"),
    ]


def tone(note: float, seconds: float = 0.5, rate: int = 16_000) -> Tensor:
    hertz = 440 * 2 ** ((note - 69) / 12)
    t = torch.arange(round(seconds * rate)) / rate
    return sum(0.5**k * torch.sin(2 * math.pi * k * hertz * t) for k in (1, 2, 3))  # pyright: ignore[reportReturnType]


def test_drawn_notes_are_right_an_octave_off_wrong_or_none() -> None:
    waves = torch.stack([tone(60), tone(71.4), tone(72), tone(48), tone(61), torch.zeros(8_000)])
    found = notes.verdicts(waves, 16_000, torch.tensor([60, 71, 60, 60, 60, 60]))
    assert found == ["right", "right", "octave", "octave", "wrong", "none"]
    assert notes.shares(found)["octave"] == pytest.approx(1 / 3)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="need a soundfont"):
        notes.make(tmp_path / "notes.zip", str(tmp_path / "none.sf2"))
    monkeypatch.setattr(notes.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="fluidsynth, which is not installed"):
        notes.rendered(b"", "any.sf2")
