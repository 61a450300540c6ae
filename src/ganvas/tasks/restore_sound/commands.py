"""`ganvas restore` of sounds. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganvas.core.applied import at_least_one, watch
from ganvas.core.console import Force, verb


@verb("restore-sound", instead={"--sheet": "look at the sounds with any program that shows spectrograms"})
def restore(
    model: Path,
    *sounds: Path,
    out: Path,
    form: Literal["wav", "flac"] | None = None,
    force: Force = False,
) -> int:
    """Mend recordings of any length with a model that was trained to: denoise-sound.

    Each of two channels is mended for itself, more are mixed down. Length and rate stay the same; what lies above half
    the rate that the model knows is gone, which is said. Files that cannot be mended are named and passed over; the
    exit code is then 1, and 2 where none was mended.

    Parameters
    ----------
    model
        A run's folder or a model file.
    sounds
        Sound files, or folders of them, at most 10 minutes each.
    out
        A folder for the mended sounds, under their own names; what is there already is not overwritten.
    form
        What they are written as, with 16 bits. Without it FLAC files stay FLAC, and all others become WAV.
    force
        Overwrite what is there; never the recordings themselves.
    """
    from ganvas.tasks.restore_sound import files

    return watch(files.restore(model, at_least_one("restore", sounds, "recording"), out, form, force))
