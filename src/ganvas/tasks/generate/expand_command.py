"""`ganvas expand`. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.console import Force, verb
from ganvas.core.terminal import Console

if TYPE_CHECKING:
    from ganvas.metrics.lessons import Lesson


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
    from ganvas.metrics.candidates import Expanded
    from ganvas.metrics.show import show_lessons
    from ganvas.tasks.generate import expand as ex

    lessons: list[Lesson] = []
    with Progressing(Console()) as progress:
        for event in ex.expand(model, out, count, data, seed, repeats, force):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Expanded):
                for sentence in event.words("pictures", "images"):
                    progress.print(sentence)
            else:
                lessons.append(event)
    if lessons:
        show_lessons(lessons, "pictures", "images")
    return 0
