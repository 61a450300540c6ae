"""Starting a training: read the data, agree with the other processes, claim the run's folder, pass on the events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core import config as cf
from ganvas.core import distributed, own
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, place, write_whole
from ganvas.core.locate import exists
from ganvas.core.run import Run
from ganvas.core.samples import Dataset
from ganvas.core.text import command, one_line
from ganvas.core.threads import restored
from ganvas.report import page
from ganvas.training import finetune, loop
from ganvas.training.events import Event, Noted, Saved, Warned

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

EXTENDS = {"training.images"}  # settings that a resume may increase
NOTE_EVERY = 10.0  # seconds between two notes on the progress of reading


def train(experiment: Experiment, folder: str | Path | None) -> Iterator[Event]:
    """Train an experiment: see `Experiment.run`."""
    with distributed.joined(), restored(), contextlib.ExitStack() as held:
        for reference in experiment.own_code():
            own.find(reference, None if folder is None else place(folder))
        with distributed.together():
            if folder is not None and distributed.is_first() and exists(Run(place(folder)).experiment):
                _check_settings(experiment, Run(place(folder)))  # before the data is read, which may take long
            with distributed.in_turn():
                data = yield from _load(experiment)
            task = experiment.build(data.spec)
            batches = experiment.batches(data)
        card, first = experiment.card(data), distributed.is_first()
        _agree(experiment, card)
        path, notes = Path(), []
        with distributed.together():
            if first:
                path = Path(distributed.once("folder", lambda: str(_folder(experiment, folder))))
                make_folder(path)
                held.enter_context(Run(path).locked())
                _claim(experiment, Run(path), data, card)
                own.keep_copies(experiment.own_code(), path)
                if not Run(path).snapshots():
                    notes = experiment.kind.remarks(experiment)
                    networks = {"generator": task.generator, "discriminator": task.discriminator}
                    if experiment.training.from_:
                        notes.append(finetune.take(networks, experiment.training.from_))
        path = distributed.broadcast(path)
        # a model's card keeps no paths of the data
        run = Run(path, {**card, "data": {**card["data"], **experiment.data.bare(data)}}, first)
        if first:
            yield from (Warned(0, text) for text in data.notes)
            yield from (Noted(0, text) for text in notes)
        with experiment.enough_memory(data.spec):
            yield from _report(loop.fit(task, batches, experiment.training, run), run)


def _load(experiment: Experiment) -> Generator[Event, None, Any]:
    """The data of the experiment, with an occasional note on the progress."""
    steps = experiment.loading()
    noted = -NOTE_EVERY
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if time.monotonic() - noted >= NOTE_EVERY and distributed.is_first():
            noted = time.monotonic()
            yield Noted(0, f"{step.text}: {step.done:,} of {step.total:,} done.")


def _agree(experiment: Experiment, card: dict[str, Any]) -> None:
    """Raise a UserError if the processes have different settings or data."""
    distributed.agree({"the fingerprint": card["fingerprint"], "kind": card["spec"]}, "data")
    sections = {name: values for name, values in experiment.to_dict().items() if isinstance(values, dict)}
    settings = {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}
    for name in _path_settings(experiment):  # the fingerprint identifies the data wherever it is
        settings.pop(name)
    distributed.agree(settings, "settings")


def _path_settings(experiment: Experiment) -> list[str]:
    """The settings that are paths of data."""
    return [f"data.{name}" for name in experiment.data.places]


def _folder(experiment: Experiment, folder: str | Path | None) -> Path:
    return place(folder) if folder is not None else experiment.new_folder()


def _claim(experiment: Experiment, run: Run, data: Dataset, card: dict[str, Any]) -> None:
    """Write the experiment into a new folder, or check that the run in an existing one is the same."""
    if run.experiment.is_file():
        _check_same(experiment, run, data)
    else:
        files = [p for p in run.folder.iterdir() if not p.name.startswith(".")]  # not the lock or an unfinished file
        if files:
            raise UserError(
                f"{run.folder} holds other files ({files[0].name}) and no run. Choose an empty or new folder."
            )
    write_whole(run.experiment, json.dumps(card, indent=1) + "\n")


def _check_settings(experiment: Experiment, run: Run) -> None:
    """Raise a UserError if the folder's run is of another recipe or has other settings; more `images` are fine."""
    old = experiment.from_dict(run.settings(), str(run.experiment))
    changes = cf.differences(old.to_dict(), experiment.to_dict())
    for name in ("recipe", *_path_settings(experiment)):
        changes.pop(name, None)
    if "training.images" in changes:
        experiment.kind.check_extended(experiment)
    refused = {key: (was, now) for key, (was, now) in changes.items() if key not in EXTENDS or now <= was}
    if not refused:
        return
    if old.recipe != experiment.recipe or old.kind is not experiment.kind:
        was, now = (one_line(name) for name in (old.recipe, experiment.recipe))
        kinds = f" (the task {old.kind.name}, not {experiment.kind.name})" if was == now else ""
        raise UserError(
            f"{run.folder} holds a run of {was}, not of {now}{kinds}. Choose another --run folder, or resume that run: "
            f"{command('ganvas', 'resume', run.folder)}"
        )
    for was, now in refused.values():
        if own.is_reference(was) and own.is_reference(now) and own.bare(was) == own.bare(now):
            file, _, name = own.bare(was).partition(":")
            copy = f" {run.folder / own.FOLDER / file} is a copy of that." if file.endswith(".py") else ""
            raise UserError(
                f"{run.folder} was begun with another version of {file}:{name}.{copy} Give that version, or choose "
                "another --run folder (from=RUN begins with the weights of a run)."
            )
    rows = "".join(f"\n  {cf.plain(key)}: {was} in the folder, {now} now" for key, (was, now) in refused.items())
    raise UserError(
        f"{run.folder} holds a run with other settings:{rows}\n"
        f"Resume it as it was ({command('ganvas', 'resume', run.folder)}), or choose another --run folder."
    )


def _check_same(experiment: Experiment, run: Run, data: Dataset) -> None:
    """Raise a UserError if the folder's run has other settings or other data."""
    _check_settings(experiment, run)
    old = run.settings()
    if old.get("fingerprint") != data.fingerprint:
        raise UserError(
            f"{run.folder} was trained on other {experiment.kind.Spec.noun} than {experiment.data.source} holds now "
            f"(fingerprints "
            f"{str(old.get('fingerprint'))[:12]} and {data.fingerprint[:12]}). Name the right ones with "
            "--data, or choose another --run folder."
        )


def _report(events: Iterator[Event], run: Run) -> Iterator[Event]:
    """Pass on the events of a training, and write the run's report after each snapshot and at the end."""
    try:
        for event in events:
            if isinstance(event, Saved):
                page.write(run)
            yield event
        if run.writes:  # with what came after the last snapshot
            page.write(run)
    except GeneratorExit:
        events.close()  # pyright: ignore[reportAttributeAccessIssue]  # fit is a generator: it saves as it closes
        if run.writes:
            page.write(run)
        raise
