"""Paths that may be read as data: those below one folder, from which no link leads out."""

from __future__ import annotations

import os
from pathlib import Path

from ganvas.core import files
from ganvas.core.errors import UserError
from ganvas.images.data import DATASETS


def is_utf8(name: str) -> bool:
    """Can a file's name be sent to a browser? Some disks hold names that are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def inside(root: Path, path: str) -> Path:
    """A path below `root`.

    Raises:
        UserError: the path leads out of it, also by links, or does not exist.
    """
    try:
        place = (root / path).resolve()
        exists = place.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path[:80]!r} is not a valid path.") from error
    if not place.is_relative_to(root) or not exists or not is_utf8(str(place)):
        raise UserError(f"There is no {path or 'folder'} in {root.name}/, the folder that the studio may use.")
    return place


def leads_out(root: Path, path: str) -> bool:
    """Is this a link to a place that is not below `root`?"""
    return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root)


def source(root: Path, text: str) -> str:
    """A data set's name, or a path below `root` from which no link leads out.

    Raises:
        UserError: as for `inside`, or a link below it leads out.
    """
    if text in DATASETS:
        return text
    place = inside(root, text)
    starts = [str(place)]
    for start in starts:  # it grows: folders that links lead to are read as well, so they are checked in turn
        for folder, folders, names in os.walk(start):
            for name in (*folders, *names):
                path = os.path.join(folder, name)
                if leads_out(root, path):
                    raise UserError(f"{text}: {name} is a link that leads out of {root.name}/.")
                if name in folders and os.path.islink(path) and os.path.realpath(path) not in starts:
                    starts.append(os.path.realpath(path))
    return str(place)


def joined(*folders: Path) -> str:
    """Several folders as one text, for `check_card`."""
    return "\0".join(map(str, folders))


def check_card(roots: str | Path, text: object) -> None:
    """Check that the data named in a run's card may be read: the card may come from anyone.

    Args:
        roots: the folder whose content may be read, or several as `joined`, the main one first.

    Raises:
        UserError: the data are elsewhere.
    """
    if not isinstance(text, str):
        raise UserError(f"The run's settings are damaged: {str(text)[:80]!r} is not a place of data.")
    if not text or text in DATASETS:
        return
    folders = [Path(folder) for folder in str(roots).split("\0")]
    failed: Exception | None = None
    for root in folders:
        try:
            source(root, os.path.abspath(files.place(text)))
            return
        except (UserError, ValueError) as error:
            failed = failed or error
    raise UserError(
        f"This run was trained on {text}, which the studio may not read: it is not in {folders[0].name}/, or has "
        "links that lead out. Open the studio with another --data."
    ) from failed
