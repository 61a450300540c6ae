"""`ganvas train`, `resume` and `recipes`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ganvas.core import own
from ganvas.core.console import app, as_settings, command, is_first
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say
from ganvas.core.text import counted, one_line

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment


HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
BREAK = getattr(signal, "SIGBREAK", None)  # Windows: what `processes.ask_to_end` sends


@app.command
def train(
    recipe: str,
    *settings: str,
    run: Path | None = None,
    data: str | None = None,
    table: str | None = None,
    to: str | None = None,
    log: str | None = None,
    smoke: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Train a recipe, in a new folder below runs/ or in the one that --run names.

    The same command on the same folder resumes where it stopped.

    Parameters
    ----------
    recipe
        A recipe's name (see `ganvas recipes`), or your own function: my_recipes.py:mine.
    settings
        key=value, such as images=2M seed=1 lr_g=5e-4, or --images 2M; --dry-run explains them all.
    run
        The run's folder.
    data
        A data set's name, or your own data: a folder of pictures or sounds (a sub-folder per class), .zip, .tar, .npz,
        IDX files, pack; for table: a CSV or Parquet file, or a database, such as sqlite:///shop.db.
    table
        For table: which of the database's tables.
    to
        For translate: the pictures of the other set, given like --data.
    log
        Show the training in other programs, too: tensorboard, wandb, trackio, mlflow, or several with commas.
    smoke
        Train for twenty steps only, to see in seconds that everything works. Settings that you give are kept.
    dry_run
        Explain the settings, show the size and forecast the time; write nothing.
    """
    from ganvas import api

    chosen = as_settings(settings)
    if table is not None:
        chosen["table"] = table
    experiment = api.experiment(recipe, data, chosen, to)
    if smoke:
        experiment = api.experiment(experiment.smoke(), data, chosen, to)
    if dry_run:
        return forecast(experiment)
    return watch(experiment, run, log)


@app.command
def resume(folder: Path, *settings: str, data: str | None = None, to: str | None = None, log: str | None = None) -> int:
    """Resume a run that was stopped, or extend a finished one with images=N.

    Parameters
    ----------
    folder
        The run's folder.
    settings
        images=N makes the run longer; nothing else may change.
    data
        Where the data is now, if it was moved.
    to
        For translate: where the pictures of the other set are now.
    log
        As for train: tensorboard, wandb, trackio, mlflow.
    """
    from ganvas import api
    from ganvas.training.experiment import Experiment

    experiment = api.experiment(Experiment.load(folder), data, as_settings(settings), to)
    for setting in experiment.data.places:
        place, way = getattr(experiment.data, setting), {"source": "--data", "to": "--to"}.get(setting, f"{setting}=")
        if os.path.isabs(place) and not os.path.exists(place):
            raise UserError(
                f"{folder} learns from {place}, which no longer exists. Say where these "
                f"{experiment.kind.Spec.noun} are: "
                f"{command('resume', folder)} {way}{'' if way.endswith('=') else ' '}PLACE"
            )
    return watch(experiment, folder, log)


@app.command
def recipes(name: str | None = None, *, settings: Annotated[bool, Parameter(negative=())] = False) -> int:
    """List the recipes, or show one recipe's card.

    Parameters
    ----------
    name
        A recipe's name.
    settings
        Also explain its settings.
    """
    import inspect

    from ganvas.api import RECIPES
    from ganvas.cli import explain
    from ganvas.core.errors import unknown

    if name is not None:
        if name not in RECIPES:
            raise unknown("recipe", name, RECIPES)
        say(inspect.getdoc(RECIPES[name]))
        if settings:
            explain.settings(RECIPES[name]())
        return 0
    if settings:
        raise UserError("Name a recipe: ganvas recipes mnist --settings.")
    width = max(map(len, RECIPES))
    for title, function in RECIPES.items():
        say(f"{title:<{width}}  {(inspect.getdoc(function) or '').splitlines()[0]}")
    return 0


def forecast(experiment: Experiment) -> int:
    """Print the settings and size of a training, and a forecast of its time; of one in parts, for each of them."""
    if not is_first():
        return 0
    from ganvas.core.progress import duration

    experiment.ready()
    parts = experiment.kind.parts(experiment, None) if experiment.kind.in_parts(experiment) else None
    if parts is None:
        _outlook(experiment, experiment)
        return 0
    for note in parts.notes:
        say(one_line(note))
    whole = 0.0
    for number, (name, part) in enumerate(parts.experiments.items()):
        whole += _outlook(part, None if number else experiment, name)
    say(f"\nTogether  {duration(whole)} for {len(parts.experiments)} trainings, one after the other")
    return 0


def _outlook(experiment: Experiment, shown: Experiment | None, name: str = "") -> float:
    """Print the size of a training and a forecast of its time, in seconds.

    Args:
        shown: whose settings come first; None: none.
        name: of the part that it is of another training.
    """
    from ganvas.cli import explain
    from ganvas.core.progress import duration
    from ganvas.training.forecast import Trial

    images = experiment.load_data()
    trial = Trial(experiment, images)
    total, trainer, (generator, discriminator) = experiment.training.images, trial.trainer, trial.weights
    if shown is not None:
        say(f"Settings of {shown.recipe}; change them with key=value, such as images=300k")
        explain.settings(shown)
    rate, noun = trial.speed(), experiment.kind.Spec.noun
    what = "pieces" if getattr(experiment.data, "fit", "") == "pieces" else noun
    say(f"\n{one_line(name)}" if name else "")
    for title, domain in (("Data", images), ("And", images.other)):
        if domain is not None:
            count, held_out = len(domain.train.samples), len(domain.held_out.samples)
            say(f"{title:<9} {count:,} {what} of {one_line(domain.name)}, {held_out:,} held out")
    say(f"Networks  generator {generator:,} weights, discriminator {discriminator:,}")
    threads = f", {counted(trial.threads, 'thread', 'threads')}" if trainer.device.type == "cpu" else ""
    say(f"Machine   {trainer.device.type}, {trainer.precision}{threads}")
    say(f"Forecast  {duration(total / rate)} for {total:,} {noun} at {rate:.0f} {noun} per second")
    return total / rate


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list of the signals to stop that have come: Ctrl-C, SIGTERM, or SIGHUP when a terminal is closed.

    On Windows Ctrl-Break is one as well. A second Ctrl-C stops at once. The request also reaches the other processes
    of the training, if there are any.
    """
    from ganvas.core import distributed

    received: list[int] = []

    def handle(number: int, _: object) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)
        distributed.wish("stop")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if BREAK is not None:
        numbers.append(BREAK)
    if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN:  # ignored under nohup: keep it so
        numbers.append(HANGUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _without_terminal(received: list[int]) -> Iterator[None]:
    """After the terminal was closed, drop all output and ignore the errors of writing to it."""
    try:
        yield
    except OSError:
        if HANGUP not in received:
            raise
        with contextlib.suppress(OSError):  # stdout has no file descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def watch(experiment: Experiment, folder: Path | None, log: str | None = None) -> int:
    """Train, show the progress, and print at the end where the results are and what to type next."""
    from ganvas import api
    from ganvas.cli.display import Lines, Screen
    from ganvas.core import distributed
    from ganvas.training.events import Sampled, Started

    console, total = Console(quiet=not is_first()), experiment.training.images
    task, title = experiment.kind, experiment.recipe
    display = Screen(console, total, task, title) if console.is_terminal else Lines(console, total, task)
    events = api.events_of(experiment, folder, log)
    place, last, newest, stopped = Path(), None, Path(), False
    whole = folder if folder is not None and experiment.kind.in_parts(experiment) else None
    with stop_on_signal() as received, _without_terminal(received):
        with contextlib.closing(events), display:  # closing the generator saves a snapshot, whatever happens here
            for event in events:
                last = event
                if isinstance(event, Started):
                    place = event.folder
                elif isinstance(event, Sampled):
                    newest = event.path
                display.show(event)
                if distributed.granted("stop"):
                    stopped = True
                    break
            events.close()
        if stopped and is_first():
            say(f"\nStopped and saved. Resume with:\n  {command('resume', whole or place, *_code(experiment, place))}")
    if stopped or HANGUP in received:
        distributed.granted("stop")
        return 128 + (received or [signal.SIGTERM])[0]
    if not is_first():
        return 0
    if experiment.kind.in_parts(experiment):
        whole = whole or place.parent
        say(f"\nAll parts are trained: {whole}\n\nNext:")
        for _, use in experiment.kind.next_for_parts:
            say(f"  {command(*(whole if word == '{place}' else word for word in use))}")
        return 0
    longer = ""
    with contextlib.suppress(UserError):
        experiment.kind.check_extended(experiment)
        longer = command("resume", place, f"images={2 * total}", *_code(experiment, place))
    if isinstance(last, Started):
        say("This run is finished." + (f" Make it longer with:\n  {longer}" if longer else ""))
        return 0
    say(f"\n{task.Spec.shown_as:<8} {newest}\nReport   {place / 'report.html'}")
    say(f"Model    {place / 'model.safetensors'}\n")
    say("Next:")
    code = _code(experiment, place)
    for _, use in experiment.kind.next_steps[:1]:
        say(f"  {command(*(place if word == '{place}' else word for word in use), *code)}")
    say(f"  {command('info', place, *code)}")
    if longer:
        say(f"  {longer}    # train twice as long")
    return 0


def _code(experiment: Experiment, place: Path) -> list[object]:
    """The options that let the model of a run be used whose code is the user's own."""
    copies = dict.fromkeys(place / own.FOLDER / own.bare(x).partition(":")[0] for x in experiment.own_code())
    return [word for copy in copies if copy.is_file() for word in ("--code", copy)]
