"""Folders that are made in steps: a crash loses little, and processes that want the same one wait for each other."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ganvas.core import cache, files
from ganvas.core.locks import locked


@contextlib.contextmanager
def unfinished(place: Path, card: str) -> Iterator[Path | None]:
    """The folder `place.part`, locked, in which to make `place`; None if `place` is finished.

    The caller fills it, or continues with what is in it after a crash, and renames it to `place` in the end.

    Args:
        card: the file by which a finished folder is known.

    Raises:
        UserError: the folder cannot be made or locked.
    """
    work, lock = place.with_name(f"{place.name}.part"), place.with_name(f".{place.name}.lock")
    files.make_folder(work)
    with locked(lock):  # next to the folder: Windows cannot rename a folder with an open file in it
        if (place / card).exists():  # another process made it meanwhile
            shutil.rmtree(work, ignore_errors=True)
            yield None
        else:
            files.make_folder(work)
            with cache.held(work):
                yield work
