"""A training in the programs that people watch trainings with: TensorBoard, Weights & Biases, Trackio, MLflow.

Each logger gets what the events of a training hold: log rows under `train/`, the figures of each check under `check/`,
those of background evaluations under `metrics/`, and the sheet of each preview as a picture; the step is always the
images seen. The packages are extras, imported when a logger starts.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import io
import math
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from ganvas.core.errors import UserError, first_line, unknown
from ganvas.training.events import Evaluated, Event, Logged, Measured, Sampled, Started, Warned

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

PROJECT = "ganvas"  # what the runs are filed under
SKIPPED = ("images", "metric", "n")  # of a row: not values of their own


class Logger:
    """The base of a logger; it is made before a training, and may then only raise a UserError."""

    name: ClassVar[str]
    package: ClassVar[str]

    def __init__(self) -> None:
        try:
            self.library: Any = importlib.import_module(self.package)
        except ImportError as error:
            raise UserError(
                f"log={self.name} needs {(error.name or self.package).partition('.')[0]}: "
                f"pip install 'ganvas[{self.name}]'."
            ) from error

    def begin(self, folder: Path, images: int, settings: dict[str, Any]) -> None:
        """A run begins in this folder, or is resumed after so many images."""
        raise NotImplementedError

    def values(self, images: int, values: dict[str, float]) -> None:
        """Numbers after so many images."""
        raise NotImplementedError

    def picture(self, images: int, picture: Image.Image) -> None:
        """The sheet of a preview after so many images."""
        raise NotImplementedError

    def end(self) -> None:
        """The run ends, or is stopped."""
        raise NotImplementedError


class TensorBoard(Logger):
    """Into the run's own folder: `tensorboard --logdir runs`."""

    name, package = "tensorboard", "torch.utils.tensorboard"

    def begin(self, folder: Path, images: int, settings: dict[str, Any]) -> None:
        self.writer = self.library.SummaryWriter(str(folder / "tensorboard"), purge_step=images + 1 if images else None)
        rows = [f"|{name}|{value}|" for name, value in settings.items()]
        self.writer.add_text("settings", "\n".join(["|setting|value|", "|---|---|", *rows]), images)

    def values(self, images: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, images)

    def picture(self, images: int, picture: Image.Image) -> None:
        self.writer.add_image("samples", np.asarray(picture), images, dataformats="HWC")

    def end(self) -> None:
        self.writer.close()


class WandB(Logger):
    """Into the project ganvas; WANDB_PROJECT, WANDB_MODE=offline and others change that."""

    name = package = "wandb"

    def begin(self, folder: Path, images: int, settings: dict[str, Any]) -> None:
        self.run = self.library.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=folder.name,
            id=_id(folder),
            resume="allow",
            dir=str(folder),
            config=settings,
            settings=self.library.Settings(console="off", quiet=True),  # the terminal shows the training
        )
        self.run.define_metric("*", step_metric="images")  # its own steps may not go back, as a resumed run does

    def values(self, images: int, values: dict[str, float]) -> None:
        self.run.log({"images": images, **values})

    def picture(self, images: int, picture: Image.Image) -> None:
        self.run.log({"images": images, "samples": self.library.Image(picture)})

    def end(self) -> None:
        self.run.finish()


class Trackio(Logger):
    """Into the local project ganvas: `trackio show`."""

    name = package = "trackio"

    def begin(self, folder: Path, images: int, settings: dict[str, Any]) -> None:
        name = f"{folder.name}-{_id(folder)[:4]}"
        self.run = self.library.init(project=PROJECT, name=name, resume="allow", config=settings)

    def values(self, images: int, values: dict[str, float]) -> None:
        self.run.log(values, step=images)

    def picture(self, images: int, picture: Image.Image) -> None:
        self.run.log({"samples": self.library.Image(picture)}, step=images)

    def end(self) -> None:
        self.run.finish()


class MLflow(Logger):
    """Into the experiment ganvas, where MLFLOW_TRACKING_URI says."""

    name = package = "mlflow"

    def begin(self, folder: Path, images: int, settings: dict[str, Any]) -> None:
        file = folder / ".mlflow"  # the run's id, for a resume
        known = file.read_text(encoding="utf-8").strip() if file.is_file() else None
        if known is None:
            self.library.set_experiment(PROJECT)
        self.run = self.library.start_run(run_id=known, run_name=None if known else folder.name)
        file.write_text(self.run.info.run_id, encoding="utf-8")
        if known is None:
            self.library.log_params({name: str(value)[:500] for name, value in settings.items()})

    def values(self, images: int, values: dict[str, float]) -> None:
        self.library.log_metrics(values, step=images)

    def picture(self, images: int, picture: Image.Image) -> None:
        self.library.log_image(picture, artifact_file=f"samples/{images:09d}.png")

    def end(self) -> None:
        self.library.end_run()


LOGGERS: dict[str, type[Logger]] = {logger.name: logger for logger in (TensorBoard, WandB, Trackio, MLflow)}


def chosen(names: str | Sequence[str] | None) -> list[Logger]:
    """The loggers of these names: 'tensorboard', 'tensorboard,mlflow', or a list.

    Raises:
        UserError: there is no logger of that name, or its package is missing.
    """
    parts = names.split(",") if isinstance(names, str) else names or ()
    wanted = list(dict.fromkeys(part.strip() for part in parts))
    for name in wanted:
        if name not in LOGGERS:
            raise unknown("logger", name[:60], LOGGERS)
    return [LOGGERS[name]() for name in wanted]


def logged(events: Generator[Event], loggers: Sequence[Logger], experiment: Experiment) -> Generator[Event]:
    """The events of a training, each also given to the loggers.

    A logger that fails is left out from then on, with a warning: the training continues. Closing this closes `events`.
    """
    settings, working, running = _settings(experiment), [*loggers], False

    def each(images: int, act: Callable[[Logger], None]) -> Iterator[Warned]:
        for logger in [*working]:
            try:
                act(logger)
            except Exception as error:  # of any kind: a network that is down, a disk that is full
                working.remove(logger)
                text = f"{type(error).__name__}: {first_line(error)[:200]}"
                yield Warned(images, f"{logger.name} fails ({text}). The training continues without it.")

    with contextlib.closing(events):
        try:
            for event in events:
                if isinstance(event, Started):
                    if running:  # a training in parts has several runs
                        yield from each(event.images, lambda logger: logger.end())
                    yield from each(event.images, functools.partial(_begin, event=event, settings=settings))
                    running = True
                elif isinstance(event, Logged | Evaluated | Measured | Sampled):
                    yield from each(event.images, functools.partial(_tell, event=event))
                yield event
        finally:
            for logger in working if running else ():
                with contextlib.suppress(Exception):  # the training itself is saved
                    logger.end()


def _begin(logger: Logger, event: Started, settings: dict[str, Any]) -> None:
    logger.begin(event.folder, event.images, settings)


def _tell(logger: Logger, event: Logged | Evaluated | Measured | Sampled) -> None:
    if isinstance(event, Sampled):
        content = event.preview.files().get(".png")
        if content is not None:
            logger.picture(event.images, Image.open(io.BytesIO(content)).convert("RGB"))
    elif values := _values(event):
        logger.values(event.images, values)


def _values(event: Logged | Evaluated | Measured) -> dict[str, float]:
    """The numbers of an event, by name with the group that they belong to."""
    if isinstance(event, Measured):
        found = {f"metrics/{row.get('metric')}": row.get("value") for row in event.rows}
    elif isinstance(event, Logged):
        found = {f"train/{name}": value for name, value in event.row.items() if name not in SKIPPED}
    else:
        found = {f"check/{name}": value for name, value in event.figures.items() if name not in SKIPPED}
    return {k: float(v) for k, v in found.items() if isinstance(v, int | float) and math.isfinite(v)}


def _settings(experiment: Experiment) -> dict[str, Any]:
    """The settings by name, `training.seed`; without the paths of data, which are nobody else's business."""
    sections = {name: values for name, values in experiment.to_dict().items() if isinstance(values, dict)}
    flat = {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}
    hidden = {f"data.{name}" for name in experiment.data.places}
    return {"recipe": experiment.recipe, **{k: v for k, v in flat.items() if k not in hidden}}


def _id(folder: Path) -> str:
    """The same text for the same folder, so that a resumed run stays one run."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
