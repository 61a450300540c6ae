"""`ganvas evaluate`, `compare` and `bench`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.console import Force, app, bench, is_first
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say

if TYPE_CHECKING:
    from ganvas.core.progress import Doing, Written
    from ganvas.tasks.restore.evaluate import Answer
    from ganvas.tasks.translate.evaluate import Way


@app.command
def evaluate(
    source: Path,
    *,
    metrics: str | None = None,
    extractor: str = "auto",
    count: int = 10_000,
    split: str = "held-out",
    seed: int = 0,
    repeats: int = 3,
    data: str | None = None,
    out: Path | None = None,
    time_limit: float | None = None,
    against: tuple[Path, ...] = (),
    to: str | None = None,
    force: Force = False,
) -> int:
    """Measure how good generated pictures are; each figure stands beside the one that real images get (the floor).

    A model that mends pictures is judged on held-out ones that are damaged anew, beside what costs nothing; one that
    turns pictures into another kind by how like that kind they are, and what of the input they keep.

    Parameters
    ----------
    source
        A run's folder, a model file, a folder of pictures (a sub-folder a class) or an .npz file.
    metrics
        Names with commas between them, or all. Without it all but the fresh expert, which takes minutes.
    extractor
        digits, efficientnet-lite0, pixels, or a TorchScript or ONNX file with Inception (only that gives FID).
    count
        Pictures to draw for each repeat.
    split
        The real images to compare with: held-out or train.
    seed
        Of the first picture.
    repeats
        How often, each time with new pictures; the spread is over these.
    data
        The real images, where they are not those that the model was trained on.
    out
        A folder for the sheets of pictures; without it evaluation/ in the run's folder.
    time_limit
        Seconds after which what is left is passed over.
    against
        Of a model that mends: others to set beside it, such as one that was trained with another lively=.
    to
        Of a model that translates: with --data, the pictures of the other kind.
    force
        Overwrite the sheets in the folder that --out names.
    """
    from ganvas.core import distributed
    from ganvas.core import model as models
    from ganvas.tasks.generate.evaluate import evaluate as ev
    from ganvas.tasks.generate.show import Measuring
    from ganvas.tasks.restore import evaluate as restore_evaluate
    from ganvas.tasks.translate import evaluate as translate_evaluate

    if out is not None and out.is_dir() and any(out.iterdir()) and not force:
        raise UserError(f"{out} is there already and holds files. Choose a new folder, or --force to overwrite them.")
    console = Console(quiet=not is_first())
    task = models.task_of(source)
    if against and task != "restore":
        raise UserError("--against is for models that mend pictures; of others: ganvas compare RUN RUN.")
    if to is not None and (task != "translate" or data is None):
        raise UserError("--to belongs to --data, and to a model that turns one kind of pictures into another.")
    if task in ("restore", "translate"):
        if metrics is not None or time_limit is not None:
            raise UserError(
                f"{source} is given pictures, and all its figures are measured: leave out --metrics, --time-limit."
            )
        if task == "translate":
            return _judge(console, translate_evaluate.weigh(source, data, to, extractor, seed, out))
        return _judge(console, restore_evaluate.judge(source, against, data, extractor, seed, out))
    with distributed.joined(), Measuring(console) as display:
        for event in ev.evaluate(
            source, metrics, extractor, count, split, seed, repeats, data=data, out=out, time_limit=time_limit
        ):
            display.show(event)
    if is_first():
        display.table(str(source))
    return 0


def _judge(console: Console, events: Iterator[Doing | Answer | Way | Written]) -> int:
    """Show what each answer, or each way, is worth."""
    from ganvas.core.progress import Doing, Written
    from ganvas.tasks.generate.show import Progressing, answers

    found: list[Answer | Way] = []
    sheets: list[Written] = []
    with Progressing(console) as progress:
        for event in events:
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Written):
                sheets.append(event)
            else:
                found.append(event)
    console.print(answers(found))
    for note in dict.fromkeys(a.note for a in found if a.note):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    for sheet in sheets:
        console.print(f"Sheet {sheet.path}; {sheet.text}", soft_wrap=True)
    return 0


@app.command
def compare(*sources: Path) -> int:
    """Set the newest figures of several runs beside each other; refuses figures of unlike protocols.

    Parameters
    ----------
    sources
        The folders of two runs or more, each measured with ganvas evaluate.
    """
    from ganvas.core import model as models
    from ganvas.core.run import Run
    from ganvas.metrics import figures as fg
    from ganvas.tasks.generate.show import comparison, not_measured

    if len(sources) < 2:
        raise UserError("Name two runs or more to compare.")
    for source in sources:
        if models.task_of(source) == "restore":
            raise UserError(f"{source} mends pictures. Set others beside it with: ganvas evaluate RUN --against RUN")
        if models.task_of(source) == "translate":
            raise UserError(f"{source} translates pictures. Measure each with: ganvas evaluate RUN")
    found = [{f.metric: f for f in fg.figures_of(source)} for source in sources]
    for sentence in (f"{source}/{told}" for source in sources for told in Run(source).remarks()):
        say(f"ganvas: {sentence}", error=True)
    shared = [name for name in found[0] if all(name in other for other in found)]
    if not shared:
        raise UserError("These runs have no metric in common. Measure them alike: ganvas evaluate RUN")
    for name in shared:
        for other in found[1:]:
            fg.compare(found[0][name], other[name])
    names = [source.name for source in sources]
    Console().print(comparison(names, [[of_run[name] for of_run in found] for name in shared]))
    for source, of_run in zip(sources, found, strict=True):
        for line in not_measured((of_run[name].title, of_run[name].note) for name in shared):
            say(f"{source.name}: {line}")
    return 0


@bench.command
def modes(model: Path | None = None, *, count: int = 26_000, seed: int = 0) -> int:
    """Count the kinds of pictures that a generator draws, and say how even their shares are.

    With a model of stacked-mnist: its score, that of real pictures by the same code, and the floors (some minutes).
    Without a model: trains two plane toys with every loss, three seeds each (about a minute).

    Parameters
    ----------
    model
        A run's folder or a model file of stacked-mnist.
    count
        Pictures to draw; published figures have 26,000.
    seed
        Of the first picture.
    """
    from ganvas.tasks.generate.evaluate import modes as md
    from ganvas.tasks.generate.model import load
    from ganvas.tasks.generate.show import show_toys, show_verdict

    if model is None:
        show_toys()
        return 0

    show_verdict(md.judge(load(model), count, seed), str(model), seed)
    return 0
