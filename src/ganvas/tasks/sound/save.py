"""Save many sounds, a portion at a time: one strip, or a folder or zip with a file a sound (one sub-folder per class).

Everything is written under a temporary name and then renamed, so that nothing half-written is left after a stop.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.files import cannot, check_folder, check_free, make_folder, part_of
from ganvas.core.naming import apart
from ganvas.sounds import files
from ganvas.tasks.sound.model import SoundModel

OUR_NAMES = re.compile(r"seed-?\d+(-\d+)?\.(wav|flac|ogg)")  # names of the sounds that are written to a folder here


@dataclass(frozen=True)
class Portion:
    """Waves float [n, samples], their class numbers [n] (None: no classes), and their seeds."""

    waves: Tensor
    labels: Tensor | None
    seeds: Sequence[int]


def portions(
    model: SoundModel,
    numbers: Sequence[int],
    classes: int | str | Sequence[int | str] | None = None,
    truncation: float | None = None,
) -> Iterator[Portion]:
    """A model's sounds of these seeds, a portion at a time; see `SoundModel.draw`."""
    labels, start = model.labels(classes, len(numbers)), 0
    for waves in model.draw(numbers, classes, truncation):
        end = start + len(waves)
        yield Portion(waves, None if labels is None else labels[start:end], numbers[start:end])
        start = end


def is_strip(path: Path) -> bool:
    """Are all sounds written to one file?"""
    return path.suffix.lower() in files.WRITTEN


def check(path: Path, force: bool = False) -> None:
    """Check that sounds can be saved there; called before any are drawn.

    Raises:
        UserError: no such form, or something is there already.
    """
    if path.suffix.lower() in (".mp3", ".aif", ".aiff", ".m4a", ".opus", ".npz", ".npy", ".tar", ".gz"):
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
        path: NAME.wav, NAME.flac or NAME.ogg, NAME.zip; other names: a new folder.
        rate: samples a second.
        form: of the files in a folder or zip: 'wav', 'flac' or 'ogg'.
        force: overwrite an existing file, and replace a folder that holds only sounds saved by an earlier call.

    Raises:
        UserError: the path is taken, or writing failed; nothing is left behind.
    """
    check(path, force)
    make_folder(path.parent)
    if is_strip(path):
        yield from _strip(path, portions, rate)
        return
    folder = path.suffix.lower() != ".zip"
    try:
        with part_of(path, folder=folder) as part:
            named = _named(portions, rate, apart(class_names), f".{form}")
            yield from _to_folder(part, named) if folder else _to_zip(part, named)
            if folder and path.is_dir():
                shutil.rmtree(path)
            os.replace(part, path)
    except OSError as error:
        raise cannot("write", path, error) from error


def _strip(path: Path, portions: Iterable[Portion], rate: int) -> Iterator[int]:
    waves: list[np.ndarray] = []
    for portion in portions:
        waves += [*portion.waves.numpy()]
        yield len(waves)
    files.save(path, files.strip(waves, rate), rate)


def _named(portions: Iterable[Portion], rate: int, folders: Sequence[str], suffix: str) -> Iterator[tuple[str, bytes]]:
    """The path of each sound, within its class's folder, and its file."""
    used = Counter[str]()
    for portion in portions:
        for i, number in enumerate(portion.seeds):
            name = f"seed{number:06d}"
            if portion.labels is not None:
                name = f"{folders[int(portion.labels[i])]}/{name}"
            used[name] += 1
            again = f"-{used[name]}" if used[name] > 1 else ""  # a seed that was asked for twice
            yield f"{name}{again}{suffix}", files.encoded(portion.waves[i].numpy(), rate, suffix)


def _to_folder(part: Path, named: Iterable[tuple[str, bytes]]) -> Iterator[int]:
    for done, (name, content) in enumerate(named, 1):
        path = part / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        yield done


def _to_zip(part: Path, named: Iterable[tuple[str, bytes]]) -> Iterator[int]:
    with zipfile.ZipFile(part, "w") as archive:
        for done, (name, content) in enumerate(named, 1):
            archive.writestr(name, content)
            yield done
