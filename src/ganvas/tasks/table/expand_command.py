"""`ganvas expand` for tables. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.console import Force, verb
from ganvas.core.files import free
from ganvas.core.terminal import Console, say
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.tasks.table.expand import Expanded, Trial

NAMES = {"alone": "real rows alone", "drawn": "and drawn rows", "repeated": "and repeated rows"}


@verb("table", help="Enlarge data with drawn pictures, sounds or rows, and find out whether that helps a classifier.")
def expand(
    model: Path,
    *,
    target: str,
    rare: str,
    out: Path | None = None,
    count: int | None = None,
    data: str | None = None,
    seed: int = 0,
    repeats: int = 3,
    force: Force = False,
) -> int:
    """Add drawn rows of a rare class to the table, and find out whether that helps a classifier.

    Parameters
    ----------
    model
        A run's folder or a model file.
    target
        The column of the class.
    rare
        The rare class: one of the values of that column.
    out
        NAME.csv or NAME.csv.gz: the rows of the table, then the drawn ones. Default: expanded.csv, or
        expanded-2.csv and so on.
    count
        How many rows to draw. Default: enough to make the class as frequent as the most frequent one.
    data
        The table that the model was trained on, if it has moved since.
    seed
        Another seed gives other rows and other trials.
    repeats
        Trials of each type; a verdict needs at least 3. 0: none.
    force
        Overwrite existing files.
    """
    from ganvas.core.bars import Progressing
    from ganvas.core.progress import Doing
    from ganvas.tasks.table import expand as ex
    from ganvas.tasks.table.model import load

    trials: list[Trial] = []
    out = out or free(Path("expanded.csv"))
    loaded = load(model)
    ex.target_of(loaded.spec, target, rare)
    with Progressing(Console()) as progress:
        progress.doing(Doing("reading the table", 0.0))
        real = ex.Real.of_run(loaded, model, data)
        for event in ex.expand(loaded, real, target, rare, out, count, seed, repeats, force):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, ex.Trial):
                trials.append(event)
            else:
                progress.print(written(event, target, rare))
    for trial in trials:
        show(trial)
    return 0


def written(event: Expanded, target: str, rare: str) -> str:
    """What was written where, as a sentence."""
    where = f"{one_line(target)}={one_line(rare)}"
    return f"{event.real:,} rows of the table and {event.drawn:,} drawn ones with {where}: {event.path}"


def show(trial: Trial) -> None:
    """Print how well the trees learned each way, and the verdict."""
    import statistics

    from rich.table import Table

    from ganvas.metrics.show import spread
    from ganvas.tasks.table.expand import WAYS

    table = Table(box=None, pad_edge=False)
    for head in ("boosted trees learn from", "AUC", "average precision"):
        table.add_column(head, justify="left" if head.startswith("boosted") else "right", no_wrap=True)
    for way in WAYS:
        shown = []
        for values in (trial.auc[way], trial.precision[way]):
            by = statistics.stdev(values) if len(values) > 1 else float("nan")
            shown.append(spread(statistics.fmean(values), by, False))
        table.add_row(NAMES[way], *shown)
    say(
        f"\n{trial.train:,} rows to learn from, {trial.train_rare:,} with {one_line(trial.target)}="
        f"{one_line(trial.rare)}; {trial.drawn:,} more of these, drawn or repeated.\n"
        f"Tested on {trial.held_out:,} held-out rows, "
        f"{trial.held_out_rare:,} with it; {len(trial.auc['alone'])} repeats (± standard deviation).\n"
    )
    Console().print(table)
    say(f"\n{trial.conclusion()}")
