"""`ganvas.fit`: one call trains, shows how it goes, and returns the run."""

from __future__ import annotations

import signal
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ganvas
from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.training import notebook
from ganvas.training.events import Noted, Stepped

SHORT: dict[str, Any] = {"images": 64, "batch": 16, "tick_every": 16, "sample_every": 32, "detect": 0}


@pytest.fixture(scope="module")
def run(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> ganvas.TrainedRun:
    return ganvas.fit("classic-mlp", data=blobs, run=tmp_path_factory.mktemp("fit") / "run", show=False, **SHORT)


def test_the_run_that_it_returns(run: ganvas.TrainedRun) -> None:
    assert [row["images"] for row in run.log] == [16, 32, 48, 64]
    assert list(pd.DataFrame(run.log)["images"]) == [16, 32, 48, 64]
    assert run.model.sample(2).shape == (2, 1, 12, 12)
    assert run.model is run.model
    assert run.report.is_file()
    assert run.finished
    assert len(run.data.train.samples) > 0
    assert "Run of classic-mlp: trained, 64 images seen" in repr(run)
    page = run._repr_html_()
    assert page.count("data:image/png;base64,") == 1
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "guessing" not in page  # it is inside the drawing
    again = ganvas.TrainedRun(run.folder)
    assert again.log == run.log
    with pytest.raises(UserError, match="is not a run's folder"):
        ganvas.TrainedRun(run.folder / "samples")


def test_a_program_prints_lines(blobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ganvas.fit("classic-mlp", data=blobs, run=tmp_path / "run", **SHORT)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Training in {tmp_path / 'run'}"
    assert sum("of 64 images" in line and "Loss_D" in line for line in lines) == 4
    assert any("64 of 64 images (100%)" in line for line in lines)
    assert lines[-1] == f"Finished: {tmp_path / 'run'}"


class Handle:
    """What IPython's DisplayHandle does, for a test."""

    shown: list[str] = []  # noqa: RUF012

    def display(self, what: Any) -> None:
        self.shown.append(what._repr_html_())

    update = display


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A notebook's kernel; returns what it shows."""
    fake: Any = types.ModuleType("IPython")
    fake.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display: Any = types.ModuleType("IPython.display")
    display.DisplayHandle = Handle
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(Handle, "shown", [])
    monkeypatch.setitem(notebook.EVERY, "notebook", 0.0)
    return Handle.shown


def test_a_notebook_shows_one_display_with_bar_sheet_and_curves(
    kernel: list[str], blobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ganvas.fit("classic-mlp", data=blobs, run=tmp_path / "run", **SHORT)
    shown = Handle.shown
    assert 'value="0.0000"' in shown[0]
    assert 'value="1.0000"' in shown[-1]
    assert "data:image/png;base64," in shown[-1]
    assert shown[-1].count("data:image/svg+xml;base64,") == 2
    assert "Accuracy, real" in shown[-1]
    assert f"Finished: {tmp_path / 'run'}" in shown[-1]
    assert capsys.readouterr().out == ""


def test_what_comes_from_outside_is_written_out(kernel: list[str]) -> None:
    view = notebook.Live(10, registry.first(), "<b>\x1b[0m")
    view.show(Noted(0, "<script>"))
    page = view._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "\x1b" not in page


class Interrupts(notebook.Quiet):
    """Presses Ctrl-C at the second step."""

    def __init__(self, *_: object) -> None:
        self.told = ""

    def show(self, event: Any) -> None:
        if isinstance(event, Stepped) and event.images == 32:
            signal.raise_signal(signal.SIGINT)

    def close(self, text: str = "") -> None:
        self.told = text


def test_ctrl_c_saves_and_the_same_call_resumes(
    blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: ganvas.TrainedRun
) -> None:
    view = Interrupts()
    monkeypatch.setattr(notebook, "viewer", lambda *_: view)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            ganvas.fit("classic-mlp", data=blobs, run=tmp_path / "run", **SHORT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Stopped and saved" in view.told
    stopped = ganvas.TrainedRun(tmp_path / "run")
    assert not stopped.finished
    assert "not finished" in repr(stopped)
    done = ganvas.fit("classic-mlp", data=blobs, run=tmp_path / "run", show=False, **SHORT)
    assert done.finished
    losses = [[row["loss_d"] for row in one.log] for one in (done, run)]
    assert losses[0] == losses[1]  # bit for bit


def test_a_notebook_that_is_stopped_gets_the_run(
    kernel: list[str], blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "viewer", Interrupts)
    stopped = ganvas.fit("classic-mlp", data=blobs, run=tmp_path / "run", **SHORT)
    assert not stopped.finished


def test_previews_without_a_picture_are_shown_as_lines() -> None:
    from rich.text import Text

    class Words:
        def files(self) -> dict[str, bytes]:
            return {".csv": b"a,b"}

        def lines(self, width: int, plain: bool, height: int = 14) -> list[Text]:
            return [Text("<a>"), Text("b")]

    assert notebook.preview_html(Words(), "rows") == "<pre>&lt;a&gt;\nb</pre>"
