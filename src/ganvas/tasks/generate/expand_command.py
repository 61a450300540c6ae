"""`ganvas expand`. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.console import Force, verb
from ganvas.core.terminal import Console
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.tasks.generate.expand import Expanded


@verb("generate", instead=dict.fromkeys(("--target", "--rare"), "all classes are enlarged alike, leave it out"))
def expand(
    model: Path,
    *,
    out: Path,
    count: int = 1_000,
    data: str | None = None,
    seed: int = 0,
    repeats: int = 5,
    force: Force = False,
) -> int:
    """Scale a labelled data set by generated pictures, and find out whether that helps a classifier.

    Near copies of training images and pictures that the detector rejects are dropped.

    Parameters
    ----------
    model
        A run's folder or a model file, trained on a labelled data set.
    out
        NAME.npz, NAME.zip, or a folder, which gets IDX files as the data set has them.
    count
        Pictures a class.
    data
        The images that the model was trained on, where they lie elsewhere now.
    seed
        Other pictures, other real images in the trials.
    repeats
        Trials of each kind, each with other real images; 5 are the least for a verdict, 0: none.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.core.bars import Progressing
    from ganvas.core.progress import Doing
    from ganvas.tasks.generate import expand as ex
    from ganvas.tasks.generate.show import show_lessons

    lessons: list[ex.Lesson] = []
    with Progressing(Console()) as progress:
        for event in ex.expand(model, out, count, data, seed, repeats, force):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, ex.Lesson):
                lessons.append(event)
            else:
                for sentence in _told(event):
                    progress.print(sentence)
    if lessons:
        show_lessons(lessons)
    return 0


def _told(made: Expanded) -> Iterator[str]:
    """What was written, in sentences."""
    yield (
        f"{made.kept:,} pictures: {made.path}\nDropped: {made.copies:,} near copies of training images, "
        f"{made.rejected:,} that the detector rejects."
    )
    if made.short:
        yield f"Fewer than were asked for: {', '.join(map(one_line, made.short))}."
    if made.renamed:
        yield made.renamed
