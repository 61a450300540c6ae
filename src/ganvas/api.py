"""Training and loading in Python, for all tasks: the same as on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ganvas.core import own, registry
from ganvas.core.errors import UserError, unknown
from ganvas.core.head import task_of
from ganvas.core.locate import task_of_parts
from ganvas.core.model import load as load_model
from ganvas.core.text import command
from ganvas.images.data import DATASETS
from ganvas.images.data.uses import Use
from ganvas.sources.labels import is_table
from ganvas.tables import databases
from ganvas.training.events import Event
from ganvas.training.experiment import Experiment
from ganvas.training.task import recipes_of

if TYPE_CHECKING:
    from ganvas.core.progress import Doing
    from ganvas.images.data import Packing
    from ganvas.metrics.candidates import Expanded
    from ganvas.metrics.lessons import Lesson
    from ganvas.tasks.generate.data_check import Checked

__all__ = ["RECIPES", "check_data", "expand", "experiment", "find", "load", "train", "uses"]


class Recipes(Mapping[str, Callable[[], Experiment]]):
    """The recipes of all tasks by name, in the order of the tasks; without packages that cannot be imported."""

    def _tables(self) -> Iterator[dict[str, Callable[[], Experiment]]]:
        yield from map(recipes_of, registry.importable())

    def __getitem__(self, name: str) -> Callable[[], Experiment]:
        for table in self._tables():
            if name in table:
                return table[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for table in self._tables() for name in table))

    def __len__(self) -> int:
        return sum(1 for _ in self)


RECIPES = Recipes()
ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")  # of a database, say; not a path


def find(name: str) -> Experiment:
    """The experiment of a recipe, given by name or as a function in a file: `my_recipes.py:mine`.

    Raises:
        UserError: the recipe, file or function does not exist, or the function does not return an Experiment.
    """
    if name in RECIPES:
        return RECIPES[name]()
    if not own.is_spoken(name):
        raise unknown("recipe", name, RECIPES)
    make, _ = own.attribute(name)
    try:
        experiment = make()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name} fails with {type(error).__name__}: {error} (--debug shows where).") from error
    if not isinstance(experiment, Experiment):
        raise UserError(f"{name} returned {type(experiment).__name__}; a recipe returns a ganvas.Experiment.")
    return experiment


def experiment(
    recipe: str | Experiment,
    data: object = None,
    settings: dict[str, str] | None = None,
    to: str | os.PathLike[str] | None = None,
) -> Experiment:
    """The experiment of a recipe with the user's data and settings; see `train` for the arguments.

    Raises:
        UserError: an unknown recipe or setting, or a value of the wrong type or out of range.
    """
    chosen = find(recipe) if isinstance(recipe, str) else recipe
    overrides = dict(settings or {})
    for given in (data, to):
        if isinstance(given, str | os.PathLike):
            _check_kind(chosen, os.fspath(given))
    for key, value in (("source", data), ("to", to)):
        if value is not None and not isinstance(value, str | os.PathLike):
            overrides[key] = _named(chosen, value)
        elif value is not None and ADDRESS.match(str(value)):
            overrides[key] = str(value)
        elif value is not None:
            path = os.path.expanduser(value)  # unchanged if there is no such home
            is_name = str(value) in DATASETS or (os.sep not in str(value) and not os.path.exists(path))
            overrides[key] = str(value) if is_name else os.path.abspath(path)  # so that a resume finds it from anywhere
    for key in ("from", *(name for name in chosen.data.places if name not in ("source", "to"))):
        path = os.path.expanduser(overrides.get(key, ""))
        if os.path.exists(path):
            overrides[key] = os.path.abspath(path)
    return chosen.override(overrides)


def load(path: str | os.PathLike[str], device: str = "auto", code: Any = None) -> Any:
    """A model of any task, as `core.model.load`; of a training in several parts, what its task makes of them together.

    Args:
        code: of a model whose network is not part of Ganvas: the file, class or function that it was trained with (or
            a list of these), which is then run. A file must be the same version, a class or function need not.

    Raises:
        UserError: there is no such model, or it cannot be read, or it needs code that was not given.
    """
    if code is not None:
        own.trust(code)
    name = task_of_parts(path)
    if name in registry.names() and (of_parts := registry.find(name).load_parts) is not None:
        return of_parts(path, device)
    return load_model(path, device)


def train(
    recipe: str | Experiment,
    data: object = None,
    run: str | os.PathLike[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    log: str | Sequence[str] | None = None,
    **settings: object,
) -> Iterator[Event]:
    """Train a recipe, and yield the events of `ganvas.training.events`.

    Nothing is computed before the first event is requested; `ganvas.fit` simply trains. Leaving the loop ends the
    training with a snapshot, from which the same call continues. PyTorch's global random state is seeded anew at every
    step.

    Args:
        recipe: a recipe's name, `my_recipes.py:mine`, or an `Experiment`.
        data: a data set's name, a path, or a database's address; for pictures also a NumPy array or tensor [N, H, W, C]
            or [N, C, H, W] (uint8, or floats from 0 to 1 or -1 to 1), a pair of such an array and its labels, a list of
            Pillow images, or a torch Dataset of pictures or of (picture, label); for tables a pandas DataFrame; None:
            the recipe's own.
        run: the run's folder; None makes the next numbered one in `runs/`.
        to: for `translate`, the images of the other domain, as `data`.
        log: other programs that should show the training, by the names of `training.loggers.LOGGERS`: 'tensorboard',
            'wandb', 'trackio', 'mlflow', or several.
        settings: as `key=value` on the command line: `images=300_000`, `seed=1`; `network` and `loss` may also be a
            class or function of your own.

    Raises:
        UserError: on the first event; see `Experiment.run`.
    """
    chosen = experiment(recipe, data, {key: as_text(value) for key, value in settings.items()}, to)
    yield from events_of(chosen, run, log)


def events_of(
    experiment: Experiment, run: str | os.PathLike[str] | None, log: str | Sequence[str] | None
) -> Generator[Event]:
    """The events of a training in a folder, which the named loggers get, too.

    Raises:
        UserError: there is no such logger, or its package is missing; on the first event as `Experiment.run`.
    """
    events = cast("Generator[Event]", experiment.run(None if run is None else Path(run)))
    if not log:
        return events
    from ganvas.training import loggers

    return loggers.logged(events, loggers.chosen(log), experiment)


def expand(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    count: int = 1_000,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    repeats: int = 5,
    force: bool = False,
    **options: Any,
) -> Iterator[Doing | Expanded | Lesson]:
    """Write `count` new pictures or sounds of each class, then test whether they help a classifier.

    Nothing is computed before the first event is requested. A model of a table has `expand` itself.

    Args:
        source: a run's folder or a model file, trained on a labelled data set.
        out: a folder or NAME.zip; pictures also NAME.npz, and IDX files as the data set has them.
        count: samples per class.
        data: where the training data are, if they are not where the run says.
        seed: other samples, other trials.
        repeats: trials of each classifier, each with other real samples; 0: none.
        force: overwrite what an earlier call wrote there.
        options: of sounds `form`, of the files: 'wav', 'flac' or 'ogg'.

    Raises:
        UserError: a model without classes or of another task, samples that it was not trained on, or a place that
            cannot be written.
    """
    name = task_of(source)
    task = registry.find(name) if name else registry.first()  # any task says why a model cannot be read
    if task.expand is None:
        raise UserError(f"{source} {task.usage}.")
    yield from task.expand(source, out, count, data, seed, repeats, force=force, **options)


def check_data(source: str, out: Path | None = None, purpose: str | None = None) -> Generator[Packing, None, Checked]:
    """Check the user's pictures, and forecast how long a recipe that fits them would take; see `data_check.check`.

    Args:
        purpose: what they should be used for: a key of `uses()`; None: the first for which there are enough pictures.
    """
    from ganvas.tasks.generate import data_check

    return data_check.check(source, out, RECIPES, uses(), purpose)


def uses() -> dict[str, Use]:
    """What pictures can be used for, by the name of the task."""
    return {task.name: task.data_use for task in registry.importable() if isinstance(task.data_use, Use)}


def _check_kind(experiment: Experiment, source: str) -> None:
    """Raise a UserError, with the way out, where a source looks like another kind of data than the recipe learns from.

    What is not there, or looks like no kind, is for the recipe's own reader to refuse.
    """
    kind = experiment.kind.Data
    if kind.takes(source) or not (ADDRESS.match(source) or os.path.exists(os.path.expanduser(source))):
        return
    for task in registry.importable():
        if task.for_own and task.Data is not kind and task.Data.takes(source):
            shown = databases.told(source) if ADDRESS.match(source) else source  # without its password
            raise UserError(
                f"{shown} holds {task.Spec.noun}, and the recipe {experiment.recipe} learns from "
                f"{experiment.kind.Spec.noun}. Train on it with:  "
                f"{command('ganvas', 'train', task.for_own, '--data', shown)}{_as_labels(experiment, source)}"
            )


def _as_labels(experiment: Experiment, source: str) -> str:
    """What to do with a table that names the classes of the files next to it; '' where there are none."""
    folder = os.path.dirname(source) or "."
    if not is_table(source) or not experiment.kind.Data.takes(folder):
        return ""
    way = command("ganvas", "train", experiment.recipe, "--data", folder)
    return f"  If it names the classes of the {experiment.kind.Spec.noun} next to it, name their folder:  {way}"


def _named(experiment: Experiment, data: object) -> str:
    """What represents data in memory, where the experiment's kind of samples accepts such data."""
    name = getattr(experiment.data, "named", None)
    if name is None:
        raise UserError(f"data={type(data).__name__}: the recipe {experiment.recipe} needs a path or a name.")
    return name(data)


def as_text(value: object) -> str:
    """A setting's value in Python as the text that one would write on the command line: (1, 2) is '1,2'.

    A class or function becomes the reference to it.
    """
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return own.handed(value) if callable(value) else str(value)
