"""`ganvas evaluate` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core.console import Force, app, is_first
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say

if TYPE_CHECKING:
    from ganvas.training.evaluate import Options


@app.command
def evaluate(
    source: Path,
    *,
    metrics: str | None = None,
    extractor: str | None = None,
    count: int | None = None,
    split: str | None = None,
    seed: int | None = None,
    repeats: int | None = None,
    data: str | None = None,
    out: Path | None = None,
    time_limit: float | None = None,
    against: tuple[Path, ...] = (),
    to: str | None = None,
    force: Force = False,
) -> int:
    """Measure how good drawn pictures, rows or sounds are, and show each metric next to that of real ones (the floor).

    A model that restores pictures is tested on newly damaged held-out ones and compared with baselines that need
    no training. One that translates is judged by how much its pictures resemble the other set, and keep of the input.

    Parameters
    ----------
    source
        A run's folder, also of a training in several parts, a model file, a folder of pictures or of sounds (a
        sub-folder per class; for sounds also a table of labels, or an archive) or an .npz file.
    metrics
        Comma-separated names, or all. Default: all; for pictures all except the fresh expert, which takes minutes.
    extractor
        digits, efficientnet-lite0, pixels, or a TorchScript or ONNX file with Inception (only that gives FID).
    count
        Pictures, rows or sounds to draw for each repeat. Default: 10,000; for sounds 1,000.
    split
        The real images to compare with: held-out (default) or train. Rows and sounds are compared with held-out ones.
    seed
        Seed of the first picture or row. Default: 0.
    repeats
        How often to measure, each time with new pictures or rows; the spread is over these. Default: 3; for sounds 1.
    data
        The real images, rows or sounds, if they are not the ones that the model was trained on.
    out
        A folder for the sheets of pictures. Default: evaluation/ in the run's folder.
    time_limit
        Seconds after which the remaining metrics are skipped.
    against
        For a model that restores: others to compare with, such as one that was trained with another lively=.
    to
        For a model that translates: with --data, the pictures of the other set.
    force
        Overwrite the sheets in the folder that --out names.
    """
    from ganvas.training.evaluate import Options

    if out is not None and out.is_dir() and any(out.iterdir()) and not force:
        raise UserError(f"{out} already exists and is not empty. Choose a new folder, or --force to overwrite them.")
    options = Options.of(
        metrics=metrics,
        extractor=extractor,
        count=count,
        split=split,
        seed=seed,
        repeats=repeats,
        data=data,
        out=out,
        time_limit=time_limit,
        against=against,
        to=to,
    )
    return _measured(source, options)


def _measured(source: Path, options: Options) -> int:
    """Measure by the task of the model, or the one that accepts the files; returns the exit code."""
    from ganvas.core import model as models
    from ganvas.core import registry, threads

    name = models.task_of(source)
    task = registry.find(name) if name in registry.names() else _of_files(source, options.data)
    threads.choose()
    if task.evaluate is not None:
        return task.evaluate(source, options)
    return _by_task_metrics(source, options)


def _of_files(source: Path, data: str | None) -> Any:
    """The task that measures the samples in a folder or archive: the one that accepts them, or the real ones.

    The first one accepts pictures, or says what is wrong.

    Raises:
        UserError: an archive that no task accepts.
    """
    from ganvas.core import registry
    from ganvas.sources import listing

    for place in (str(source), data or ""):
        kinds = (task for task in registry.importable() if task.measures_files)
        if found := next((task for task in kinds if task.Data.takes(place)), None):
            return found
    if source.is_file() and listing.is_archive(source):
        raise UserError(f"{source} is an archive without sounds. Unpack it, and name the folder.")
    return registry.first()


def _by_task_metrics(source: Path, options: Options) -> int:
    """Measure a model by `Task.measure`, for a task that has no `evaluate`."""
    from ganvas.metrics.show import Measuring
    from ganvas.training.evaluate import evaluate as evaluate_by_task

    with Measuring(Console(quiet=not is_first())) as display:
        for event in evaluate_by_task(source, options):
            display.show(event)
    display.table(str(source))
    return 0


@app.command
def compare(*sources: Path) -> int:
    """Compare the latest metrics of several runs (only if they were measured the same way).

    Parameters
    ----------
    sources
        The folders of at least two runs, each measured with ganvas evaluate.
    """
    if len(sources) < 2:
        raise UserError("Name at least two runs to compare.")
    from ganvas.core import model as models
    from ganvas.core import registry
    from ganvas.core.run import Run
    from ganvas.metrics import figures as fg
    from ganvas.metrics.show import comparison, not_measured

    noun = "samples"
    for source in sources:
        name = models.task_of(source)
        if name in registry.names():
            noun = registry.find(name).Spec.noun
            if reason := registry.find(name).not_compared:
                raise UserError(f"{source} {reason}")
    newest = [{f.metric: f for f in fg.figures_of(source)} for source in sources]
    for sentence in (f"{source}/{remark}" for source in sources for remark in Run(source).remarks()):
        say(f"ganvas: {sentence}", error=True)
    shared = [name for name in newest[0] if all(name in other for other in newest)]
    if not shared:
        raise UserError("These runs have no metric in common. Measure them in the same way: ganvas evaluate RUN")
    for name in shared:
        for other in newest[1:]:
            fg.compare(newest[0][name], other[name])
    names = [source.name for source in sources]
    Console().print(comparison(names, f"real {noun}", [[of_run[name] for of_run in newest] for name in shared]))
    for source, of_run in zip(sources, newest, strict=True):
        for line in not_measured((of_run[name].title, of_run[name].note) for name in shared):
            say(f"{source.name}: {line}")
    return 0
