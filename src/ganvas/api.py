"""Training in Python: the same as on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ganvas import recipes
from ganvas.data import DATASETS
from ganvas.events import Event
from ganvas.experiment import Experiment


def experiment(
    recipe: str | Experiment,
    data: str | os.PathLike[str] | None = None,
    settings: dict[str, str] | None = None,
    to: str | os.PathLike[str] | None = None,
) -> Experiment:
    """A recipe with the user's data (and those of the other kind, for translate) and settings.

    Raises:
        UserError: an unknown recipe or setting, or a value of the wrong type or out of range.
    """
    chosen = recipes.find(recipe) if isinstance(recipe, str) else recipe
    wanted = dict(settings or {})
    for key, named in (("source", data), ("to", to)):
        if named is not None:
            place = os.path.expanduser(named)  # as it is where there is no such home
            is_name = str(named) in DATASETS or (os.sep not in str(named) and not os.path.exists(place))
            wanted[key] = str(named) if is_name else os.path.abspath(place)  # a resume finds it from anywhere
    for key in ("from", "twins"):
        place = os.path.expanduser(wanted.get(key, ""))
        if os.path.exists(place):
            wanted[key] = os.path.abspath(place)
    return chosen.override(wanted)


def train(
    recipe: str | Experiment,
    data: str | os.PathLike[str] | None = None,
    run: str | os.PathLike[str] | None = None,
    to: str | os.PathLike[str] | None = None,
    **settings: object,
) -> Iterator[Event]:
    """Train a recipe, and yield what happens: the events of `ganvas.events`.

    Nothing is computed before the first event is asked for. Leaving the loop ends the training with a snapshot; the
    same call goes on from there. PyTorch's global random numbers are seeded anew at every step.

    Args:
        recipe: a recipe's name, `my_recipes.py:mine`, or an `Experiment`.
        data: a data set's name or a folder; None takes the recipe's own.
        run: the run's folder; None takes the next numbered one below `runs/`.
        to: for `translate`, the pictures of the other kind, as `data`.
        settings: what `key=value` is on the command line: `images=300_000`, `seed=1`.

    Raises:
        UserError: on the first event; see `Experiment.run`.
    """
    chosen = experiment(recipe, data, {key: _text(value) for key, value in settings.items()}, to)
    yield from chosen.run(None if run is None else Path(run))


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
