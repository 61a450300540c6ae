"""Save many sounds, a portion at a time: one strip, or a folder or zip with a file a sound (one sub-folder per class).

Everything is written under a temporary name and then renamed: no half-written file is left after a stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ganvas.core import saving
from ganvas.core.errors import UserError
from ganvas.core.files import check_folder, check_free, make_folder
from ganvas.core.saving import Portion
from ganvas.sounds import files

OUR_NAMES = saving.ours(*files.WRITTEN)  # names of the sounds that are written to a folder here

OTHERS = (".mp3", ".aif", ".aiff", ".m4a", ".opus", ".npz", ".npy", ".tar", ".gz")  # what is not written


def is_strip(path: Path) -> bool:
    """Are all sounds written to one file?"""
    return path.suffix.lower() in files.WRITTEN


def check(path: Path, force: bool = False) -> None:
    """Check that sounds can be saved there; called before any are drawn.

    Raises:
        UserError: no such form, or something is there already.
    """
    if path.suffix.lower() in OTHERS:
        ways = ", ".join(f"NAME{suffix}" for suffix in files.WRITTEN)
        raise UserError(f"{path.name}: Ganvas writes {ways} (one sound after the other), NAME.zip or a folder.")
    if is_strip(path) or path.suffix.lower() == ".zip":
        check_free(path, force=force)
    else:
        check_folder(path, OUR_NAMES, force)


def save(
    path: Path,
    portions: Iterable[Portion],
    rate: int,
    class_names: Sequence[str],
    form: str = "wav",
    force: bool = False,
) -> Iterator[int]:
    """Write sounds as they come; yields how many are written so far.

    Args:
        portions: waves float [n, samples].
        path: NAME.wav, NAME.flac or NAME.ogg, NAME.zip; other names: a new folder.
        rate: samples a second.
        form: of the files in a folder or zip: 'wav', 'flac' or 'ogg'.
        force: overwrite an existing file, and replace a folder that holds only sounds saved by an earlier call.

    Raises:
        UserError: the path is taken, or writing failed; nothing is left behind.
    """
    check(path, force)
    if is_strip(path):
        make_folder(path.parent)
        yield from _strip(path, portions, rate)
        return
    one = saving.a_file_each(class_names, f".{form}", lambda wave: files.encoded(wave.numpy(), rate, f".{form}"))
    yield from saving.save([path], one, portions, folder=path.suffix.lower() != ".zip")


def _strip(path: Path, portions: Iterable[Portion], rate: int) -> Iterator[int]:
    waves: list[np.ndarray] = []
    for portion in portions:
        waves += [*portion.samples.numpy()]
        yield len(waves)
    files.save(path, files.strip(waves, rate), rate)
