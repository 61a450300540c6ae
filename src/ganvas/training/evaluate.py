"""The evaluation of any task's models: the options of `ganvas evaluate`, and where results are saved."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core import checkpoint, distributed, registry, shipped
from ganvas.core import config as cf
from ganvas.core import model as models
from ganvas.core.errors import UserError
from ganvas.core.model import TrainedModel
from ganvas.core.progress import Doing, last
from ganvas.core.run import Run, run_of
from ganvas.core.samples import Dataset
from ganvas.metrics.figures import Figure, readable
from ganvas.report import page


@dataclass(frozen=True)
class Options:
    """The options of `ganvas evaluate` as the command line names them; a task refuses those that it does not know."""

    metrics: str | None = None
    extractor: str = "auto"
    count: int = 10_000
    split: str = "held-out"
    seed: int = 0
    repeats: int = 3
    data: str | None = None
    out: Path | None = None
    time_limit: float | None = None
    against: tuple[Path, ...] = ()
    to: str | None = None
    asked: frozenset[str] = frozenset()  # the names of those that were given as they are by default

    @classmethod
    def of(cls, **given: Any) -> Options:
        """The options of a command; None: not given."""
        known = {name: value for name, value in given.items() if value not in (None, ())}
        return cls(**known, asked=frozenset(known))

    def given(self) -> list[str]:
        """The names of the options that were given, or differ from their defaults."""
        names = [f for f in dataclasses.fields(self) if f.name != "asked"]
        return [f.name for f in names if f.name in self.asked or getattr(self, f.name) != f.default]

    def only(self, known: Sequence[str], why: str) -> None:
        """Raise a UserError if others than the known ones were given; `why` is what the sentence begins with."""
        if strange := [f"--{name.replace('_', '-')}" for name in self.given() if name not in known]:
            raise UserError(f"{why}: leave out {', '.join(strange)}.")


KNOWN = ("count", "seed", "data")  # the options that `Task.measure` knows


def evaluate(source: str | os.PathLike[str], options: Options) -> Iterator[Doing | Figure]:
    """Measure a model by its task's own `measure`; yields progress and each metric.

    The metrics are appended to the run's metrics.jsonl, and put into the model's card and the run's report.

    Raises:
        UserError: an option that the task does not know, the data does not exist or is not that of the training,
            or as `Task.measure`.
    """
    model = models.load(source)
    task = registry.find(models.task_name(model.card))
    options.only(KNOWN, f"The task {task.name} has metrics of its own")
    yield Doing("reading", 0.0)
    data = trained_on(model, source, options.data)
    run, images = run_of(model.path), model.card["images"]
    figures: list[Figure] = []
    yield Doing("measuring", 0.1)
    if not distributed.is_first():
        return
    for figure in task.measure(model, data, options.count, options.seed):
        figures.append(dataclasses.replace(figure, images=images))
        if run is not None:
            run.append(figures[-1].row(), run.metrics)
        yield figures[-1]
    into_card(model, run, figures)
    if run is not None:
        page.write(run)


def trained_on(model: TrainedModel, source: str | os.PathLike[str], named: str | None = None) -> Dataset:
    """The data that a model was trained on, or that the user names.

    Args:
        source: what the user calls the model.

    Raises:
        UserError: it does not exist, or holds other samples now.
    """
    config = data_of(model, named)
    data = last(config.loading())
    if named is None and data.fingerprint != model.card["fingerprint"]:
        raise UserError(
            f"{config.source} holds other samples now than {source} was trained on. Name the right ones with --data."
        )
    return data


def data_of(model: TrainedModel, named: str | None = None) -> Any:
    """The settings of the data that a model was trained on, a `core.samples.DataConfig`; `named` is where it is now.

    Raises:
        UserError: neither the run nor the model says what it was.
    """
    task, run = registry.find(models.task_name(model.card)), run_of(model.path)
    values = model.card["data"] if run is None else run.settings().get("data")
    if not isinstance(values, dict):
        raise UserError(f"{run.experiment if run else model.path} names no data. Name it with --data.")
    config = cf.from_dict(task.Data, values, "data")
    return config if named is None else dataclasses.replace(config, source=named)


def into_card(model: TrainedModel, run: Run | None, figures: Sequence[Figure]) -> None:
    """Write metrics into the card of the model that was measured; the newest of each metric replaces older ones.

    A metric without a value does not replace one with a value. Nothing is written where the file is not writable, came
    with Ganvas, or a running training writes newer models.
    """
    if model.path.resolve().parent == shipped.FOLDER.resolve():
        return
    rows = {figure.metric: figure.row() for figure in readable(model.card.get("metrics"))}
    rows |= {f.metric: f.row() for f in figures if not f.note or rows.get(f.metric, {}).get("value") is None}
    with contextlib.suppress(UserError), run.locked() if run is not None else contextlib.nullcontext():
        now = checkpoint.head(model.path)
        if (now.get("images"), now.get("finished")) == (model.card.get("images"), model.card.get("finished")):
            checkpoint.annotate(model.path, metrics=list(rows.values()))


def keep(model: TrainedModel, run: Run, entry: str, findings: dict[str, Any]) -> None:
    """Save the results of a task's own evaluation in the model's card, metrics.jsonl and the run's report.

    Args:
        entry: their name in the card, and as a metric.
    """
    if checkpoint.head(model.path).get("images") == model.card["images"]:  # the training may have continued
        checkpoint.annotate(model.path, **{entry: findings})
    run.append({"images": model.card["images"], "metric": entry, **findings}, run.metrics)
    page.write(run)


def folder_for(out: str | os.PathLike[str] | None, run: Run | None) -> Path | None:
    """The folder for sheets: `out`, or evaluation/ in the run's folder; None: nowhere."""
    if out is not None:
        return Path(out)
    return None if run is None else run.folder / "evaluation"
