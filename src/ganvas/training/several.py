"""A training that consists of several, one after the other, each in its own folder within the training's folder.

`Task.parts` says that an experiment is one. The folder's experiment.json names the parts; each part is a run like any
other, which can be resumed, viewed and used separately.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core import config as cf
from ganvas.core import distributed
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, place, write_whole
from ganvas.core.run import Run
from ganvas.report import page
from ganvas.training.events import Event, Noted, Warned

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

PLACES_OF_DATA = ("source",)  # where a process finds the data, which may be elsewhere for another
PLACES = {"data.source", "training.images"}  # what may differ when a training is resumed


@dataclass(frozen=True)
class Parts:
    """What a training consists of.

    experiments: by the names of their folders, in their order; files: what the folder itself keeps, by name; notes:
    sentences for the user.
    """

    experiments: dict[str, Experiment]
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def train(experiment: Experiment, folder: str | Path | None) -> Iterator[Event]:
    """Train the parts of an experiment, those that are not finished.

    Processes that run together train each part together.

    Raises:
        UserError: as `Experiment.run`; or the folder holds another training.
    """
    experiment.ready()
    with distributed.joined(), contextlib.ExitStack() as held:
        path, parts = Path(), Parts({}, {})
        with distributed.together():
            if distributed.is_first():
                path = Path(distributed.once("folder of parts", lambda: str(_folder(experiment, folder))))
                make_folder(path)
                held.enter_context(Run(path).locked())
                parts = _begun(experiment, path)
        path, parts = distributed.broadcast((path, parts))
        if distributed.is_first():
            yield from (Warned(0, note) for note in parts.notes)
        for number, (name, part) in enumerate(parts.experiments.items(), 1):
            title = f"{name} ({number} of {len(parts.experiments)})"
            if distributed.broadcast(distributed.is_first() and _is_done(part, Run(path / name))):
                yield Noted(part.training.images, f"{title} is finished.")
                continue
            yield Noted(0, f"{title} is next.")
            mine = {place: getattr(experiment.data, place) for place in PLACES_OF_DATA if hasattr(part.data, place)}
            yield from dataclasses.replace(part, data=dataclasses.replace(part.data, **mine)).run(path / name)
        if distributed.is_first():
            page.write(Run(path))


def _folder(experiment: Experiment, folder: str | Path | None) -> Path:
    return place(folder) if folder is not None else experiment.new_folder()


def _begun(experiment: Experiment, path: Path) -> Parts:
    """The parts of a training in its folder, which keeps what they are."""
    _check(experiment, path)
    parts = experiment.kind.parts(experiment, path)
    assert parts is not None
    for name, content in parts.files.items():
        write_whole(path / name, content)
    card = {**experiment.to_dict(), "parts": list(parts.experiments)}
    write_whole(path / "experiment.json", json.dumps(card, indent=1) + "\n")
    return parts


def _is_done(part: Experiment, run: Run) -> bool:
    """Was this part trained to its end, as long as it is to be now?"""
    if not run.is_finished():
        return False
    trained = run.settings().get("training")
    return isinstance(trained, dict) and int(trained.get("images", 0)) >= part.training.images


def _check(experiment: Experiment, folder: Path) -> None:
    """Raise a UserError if the folder holds something else, or a training of other settings."""
    run = Run(folder)
    if not run.experiment.is_file():
        files = [p for p in folder.iterdir() if not p.name.startswith(".")]
        if files:
            raise UserError(f"{folder} holds other files ({files[0].name}) and no run. Choose an empty or new folder.")
        return
    old = run.settings()
    if not isinstance(old.get("parts"), list):
        raise UserError(f"{folder} holds a single run. Choose another --run folder.")
    changes = cf.differences(experiment.from_dict(old, str(run.experiment)).to_dict(), experiment.to_dict())
    for name, values in changes.items():
        if name not in PLACES and name != "recipe":
            was, now = values
            raise UserError(
                f"{folder} holds a training of other settings: {name} was {was} and is {now} now. Resume it as it "
                "was, or choose another --run folder."
            )
