"""`ganvas.fit`: train with one call, see how it goes, and get the run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ganvas import api
from ganvas.core.errors import UserError
from ganvas.core.files import place
from ganvas.core.locate import parts_of
from ganvas.core.run import Run
from ganvas.core.shown import image
from ganvas.core.text import one_line
from ganvas.training import notebook
from ganvas.training.events import Started
from ganvas.training.experiment import Experiment


class TrainedRun:
    """A run in its folder: its log, its model and its report. `ganvas.fit` returns one; any run's folder makes one."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """
        Raises:
            UserError: the folder does not hold a run.
        """
        self.folder: Path = place(folder)
        self._experiment = Experiment.load(self.folder)
        self._model: Any = None

    @property
    def log(self) -> list[dict[str, Any]]:
        """The rows of the log, oldest first: `images` seen, losses, accuracies, seconds and more, for
        `pandas.DataFrame(run.log)`. Of a training in several parts each row has its `part`.
        """
        parts = parts_of(self.folder)
        if not parts:
            return Run(self.folder).rows()
        return [{"part": part, **row} for part in parts for row in Run(self.folder / part).rows()]

    @property
    def model(self) -> Any:
        """The trained model, as `ganvas.load` gives it; loaded when it is first asked for.

        Raises:
            UserError: there is none yet.
        """
        if self._model is None:
            self._model = api.load(self.folder)
        return self._model

    @property
    def data(self) -> Any:
        """The data that it learned from, read anew: `data.train` and `data.held_out`, with samples and labels.

        Raises:
            UserError: they are no longer there, or cannot be read.
        """
        return self._experiment.load_data()

    @property
    def report(self) -> Path:
        """The page report.html, written when the training ends."""
        return Run(self.folder).report

    @property
    def finished(self) -> bool:
        """Is the training complete? Else the same call with this folder as `run` resumes it."""
        parts = parts_of(self.folder)
        return all(Run(self.folder / part).is_finished() for part in parts) if parts else Run(self.folder).is_finished()

    def __repr__(self) -> str:
        return one_line(f"{self._title()} in {self.folder}")

    def _repr_html_(self) -> str:
        """The latest preview, curves and places, for a notebook."""
        lines = [f"<strong>{escape(one_line(self._title()))}</strong>", f"Folder: {escape(str(self.folder))}"]
        if self.report.is_file():
            lines.append(f"Report: {escape(str(self.report))}")
        sheet = ""
        for suffix, kind in notebook.IMAGES.items():
            for seen, path in Run(self.folder).previews(suffix)[-1:]:
                with contextlib.suppress(OSError):
                    sheet = f"<div>{image(path.read_bytes(), f'after {seen:,}', kind, width=420)}</div>"
        curves = "" if parts_of(self.folder) else notebook.curves(self.log)
        return f"<div>{'<br>'.join(lines)}</div>{sheet}{curves}"

    def _title(self) -> str:
        rows = self.log
        seen = max((row["images"] for row in rows), default=0)
        state = "trained" if self.finished else "not finished"
        return f"Run of {self._experiment.recipe}: {state}, {seen:,} {self._experiment.kind.Spec.noun} seen"


def fit(
    recipe: str | Experiment,
    data: object = None,
    run: str | os.PathLike[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    show: bool = True,
    log: str | Sequence[str] | None = None,
    **settings: object,
) -> TrainedRun:
    """Train a recipe to its end and return the run: `run = ganvas.fit("mnist", images=20_000)`.

    A notebook shows a bar, the latest sheet and curves meanwhile; a terminal a line of progress. Ctrl-C (the stop
    button of a notebook) ends the training after the step with a snapshot; the same call with `run` set to its folder
    resumes it. In a notebook the run is then returned as it is; elsewhere KeyboardInterrupt is raised.

    `ganvas.train` is the same as an iterator of events. With several processes (torchrun), name the folder as `run`.

    Args:
        recipe: a recipe's name, `my_recipes.py:mine`, or an `Experiment`.
        data: as for `ganvas.train`: a data set's name, a path, a database's address, pictures in memory, for tables a
            pandas DataFrame; None: the recipe's own.
        run: the run's folder; None makes the next numbered one in `runs/`.
        to: for `translate`, the pictures of the other kind, as `data`.
        show: whether to show the progress.
        log: other programs that should show the training: 'tensorboard', 'wandb', 'trackio', 'mlflow', or several.
        settings: as `key=value` on the command line: `images=300_000`, `seed=1`; `network` and `loss` may also be a
            class or function of your own.

    Raises:
        UserError: an unknown recipe or setting, or what `Experiment.run` raises.
    """
    chosen = api.experiment(recipe, data, {key: api.as_text(value) for key, value in settings.items()}, to)
    events = api.events_of(chosen, run, log)
    folder = None if run is None else place(run)
    view = notebook.viewer(chosen.training.images, chosen.kind, chosen.recipe) if show else notebook.Quiet()
    with _stoppable() as stop, contextlib.closing(events):
        for event in events:
            if isinstance(event, Started):
                stop.saves = True
                folder = folder or (event.folder.parent if chosen.kind.in_parts(chosen) else event.folder)
            view.show(event)
            if stop.asked:
                break
    if folder is None:
        raise UserError("This process did not learn the run's folder: name it with run=.")
    trained = TrainedRun(folder)
    trained._experiment = chosen  # it has the data that are only in memory
    if not stop.asked:
        view.close(f"Finished: {folder}")
        return trained
    view.close(f"Stopped and saved. Resume with the same call and run={str(folder)!r}.")
    if not notebook.in_notebook():
        raise KeyboardInterrupt
    return trained


class _Stop:
    """Whether Ctrl-C was pressed, and whether the training can save itself already."""

    asked = saves = False

    def __call__(self, *_: object) -> None:
        if self.asked or not self.saves:  # the second time, or while data are read: at once
            raise KeyboardInterrupt
        self.asked = True


@contextlib.contextmanager
def _stoppable() -> Iterator[_Stop]:
    """Turn Ctrl-C into a request to stop after the step; only the main thread can."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
