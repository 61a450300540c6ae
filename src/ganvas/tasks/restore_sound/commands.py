"""`ganvas restore` of sounds. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganvas.core.applied import at_least_one, watch
from ganvas.core.console import Force, verb


@verb("restore-sound", instead={"--sheet": "use any program that shows spectrograms"})
def restore(
    model: Path,
    *sounds: Path,
    out: Path,
    form: Literal["wav", "flac"] | None = None,
    force: Force = False,
) -> int:
    """Restore recordings of any length with a model trained for that: denoise-sound.

    Two channels are restored separately, more are mixed down. Length and rate stay the same; frequencies above half
    the model's rate are lost, and you are told so. Files that cannot be restored are named and skipped; the exit code
    is then 1, or 2 if none was restored.

    Parameters
    ----------
    model
        A run's folder or a model file.
    sounds
        Sound files, or folders of them, at most 10 minutes each.
    out
        A folder for the restored sounds, under their own names; existing files are not overwritten.
    form
        The format of the results, with 16 bits. By default FLAC files stay FLAC, and all others become WAV.
    force
        Overwrite existing files, but never the recordings themselves.
    """
    from ganvas.tasks.restore_sound import files

    return watch(files.restore(model, at_least_one("restore", sounds, "recording"), out, form, force))
