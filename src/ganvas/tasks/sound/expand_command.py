"""`ganvas expand` for sounds. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganvas.core.console import Force, verb


@verb("sound", instead=dict.fromkeys(("--target", "--rare"), "all classes are enlarged alike: leave it out"))
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
    """Enlarge a labelled data set with drawn sounds, and find out whether that helps a classifier.

    Near copies of training sounds, silent ones, and sounds that the detector finds unlike them or of another class are
    dropped.

    Parameters
    ----------
    model
        A run's folder or a model file, trained on a labelled data set.
    out
        NAME.zip, or a new folder: one sub-folder per class, as training expects.
    count
        Sounds per class.
    data
        The sounds that the model was trained on, if they have moved since.
    seed
        Another seed gives other sounds, and other real sounds in the trials.
    repeats
        Trials of each type, each with other real sounds; a verdict needs at least 5. 0: none.
    form
        The format of the files; WAV has 16 bits.
    force
        Overwrite the files of an earlier call.
    """
    from ganvas.metrics.show import show_expanded
    from ganvas.tasks.sound import expand as ex

    show_expanded(
        ex.expand(model, out, count, data, seed, repeats, form, force),
        "sounds",
        "sounds",
        "that are silent or that the detector rejects",
    )
    return 0
