"""`ganvas expand` for sounds. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganvas.core.console import Force, verb
from ganvas.core.terminal import Console

if TYPE_CHECKING:
    from ganvas.metrics.lessons import Lesson


@verb("sound", instead=dict.fromkeys(("--target", "--rare"), "all classes are enlarged alike, leave it out"))
def expand(
    model: Path,
    *,
    out: Path,
    count: int = 1_000,
    data: str | None = None,
    seed: int = 0,
    repeats: int = 5,
    form: Literal["wav", "flac", "ogg"] = "wav",
    force: Force = False,
) -> int:
    """Scale a labelled data set by drawn sounds, and find out whether that helps a classifier.

    Near copies of training sounds, silent ones, and sounds that the detector finds unlike these or of another class are
    dropped.

    Parameters
    ----------
    model
        A run's folder or a model file, trained on a labelled data set.
    out
        NAME.zip, or a new folder: a sub-folder a class, as a training reads them.
    count
        Sounds a class.
    data
        The sounds that the model was trained on, where they lie elsewhere now.
    seed
        Other sounds, other real sounds in the trials.
    repeats
        Trials of each kind, each with other real sounds; 5 are the least for a verdict, 0: none.
    form
        Of the files; WAV has 16 bits.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.core.bars import Progressing
    from ganvas.core.progress import Doing
    from ganvas.metrics.candidates import Expanded
    from ganvas.metrics.show import show_lessons
    from ganvas.tasks.sound import expand as ex

    lessons: list[Lesson] = []
    with Progressing(Console()) as progress:
        for event in ex.expand(model, out, count, data, seed, repeats, form, force):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Expanded):
                for sentence in event.words("sounds", "sounds", "that are silent or that the detector rejects"):
                    progress.print(sentence)
            else:
                lessons.append(event)
    if lessons:
        show_lessons(lessons, "sounds", "sounds")
    return 0
