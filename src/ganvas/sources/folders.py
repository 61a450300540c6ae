"""Folders of files: everything below one, each folder once, and what is skipped."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ganvas.core import files
from ganvas.core.errors import UserError, cannot
from ganvas.sources import layout
from ganvas.sources.archives import Reading
from ganvas.sources.kind import Kind

PEEKED = 200  # files of a litter folder that are examined


@dataclass
class Walk:
    """What was found in a folder: folders, litter with such files in it, links that are broken or lead back."""

    folders: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        notes = []
        if self.nowhere:
            notes.append(f"Links that lead nowhere are skipped: {layout.some(sorted(self.nowhere))}.")
        if self.again:
            notes.append(
                "Links to folders that are read already, or that contain these, are skipped: "
                f"{layout.some(sorted(self.again))}."
            )
        return notes


def stamp(state: os.stat_result) -> str:
    """A text that changes if a file changes or is replaced, even by one of the same size and time."""
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


def of_folder(path: Path, kind: Kind) -> tuple[dict[str, str], Reading, Walk]:
    """All files below a folder, following links to folders; each folder once."""
    members: dict[str, str] = {}
    walk = Walk()
    try:
        root = path.resolve()
        seen = {(s.st_dev, s.st_ino) for s in (os.stat(place) for place in (root, *root.parents))}
        waiting, linked = [""], deque[str]()
        while waiting or linked:
            below = waiting.pop() if waiting else linked.popleft()  # links last: a folder goes by its own name
            state = os.stat(path / below)
            if below and (state.st_dev, state.st_ino) in seen:
                walk.again.append(below)
                continue
            seen.add((state.st_dev, state.st_ino))
            walk.folders.append(below)
            with os.scandir(path / below) as entries:
                for entry in entries:
                    name = f"{below}/{entry.name}" if below else entry.name
                    if layout.is_litter(entry.name):
                        walk.litter += [entry.name] if _has_some(entry, kind) else []
                        continue
                    try:
                        state = entry.stat()
                    except OSError as error:  # a loop of links has no place either
                        if not entry.is_symlink() or error.errno not in (errno.ENOENT, errno.ELOOP):
                            raise
                        walk.nowhere.append(name)
                        continue
                    if not stat.S_ISDIR(state.st_mode):
                        members[name] = stamp(os.stat(entry.path) if os.name == "nt" else state)
                    elif entry.is_symlink():
                        linked.append(name)
                    else:
                        waiting.append(name)
    except OSError as error:
        raise cannot("read", Path(error.filename or path), error) from error

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:
            try:
                yield files.read_bytes(path / name, kind.most_bytes)
            except UserError as error:
                yield error

    return dict(sorted(members.items())), read, walk


def _has_some(entry: os.DirEntry[str], kind: Kind) -> bool:
    """Is there a file of the kind among the first files of this litter? Not if it cannot be read."""
    with contextlib.suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            return kind.has(entry.name)
        places = ((place, name) for place, _, names in os.walk(entry.path) for name in names)
        return any(kind.has(name) for _, name in itertools.islice(places, PEEKED))
    return False
