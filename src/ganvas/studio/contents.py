"""What the files of a run hold, read as what comes from others: limited in size, and valid for JSON."""

from __future__ import annotations

import contextlib
import math
import os
import stat
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import json_line, parse_json, read_bytes
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.report import diagnosis

TAIL = 16_384  # bytes at the end of a log that are searched for its last line
CARD = 1_000_000  # bytes: a larger experiment.json is not read
DEPTH = 20  # levels of nesting in a file; deeper ones are left out
TEXT = 200  # characters of a name that are shown
CLASSES = 1_000  # classes whose names are shown
LISTED = 200  # files of a run that are listed


def settings(run: Run) -> dict[str, Any]:
    """The content of experiment.json; empty where it cannot be read."""
    try:
        card = parse_json(read_bytes(run.experiment, CARD))
    except (UserError, ValueError):
        return {}
    return as_json(card) if isinstance(card, dict) else {}


def as_json(value: Any, depth: int = DEPTH) -> Any:
    """The same value, made valid for JSON.

    None replaces infinite and undefined numbers and what is nested too deep, `\\ud800` half of a surrogate pair.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {as_json(str(k)): as_json(v, depth - 1) for k, v in value.items()} if depth else None
    if isinstance(value, list | tuple):
        return [as_json(v, depth - 1) for v in value] if depth else None
    return value


def text(value: Any) -> str:
    """A name in a card, shortened; '' where it is not a string."""
    return value[:TEXT] if isinstance(value, str) else ""


def classes(card: dict[str, Any]) -> list[str]:
    """The names of the classes in a card."""
    names = card.get("classes")
    return [str(name)[:TEXT] for name in names[:CLASSES]] if isinstance(names, list) else []


def pictures(run: Run, suffix: str = ".png") -> list[tuple[int, Path]]:
    """The previews of a run that can be requested, as (images seen, path)."""
    return [(seen, path) for seen, path in run.previews(suffix) if len(path.stem) <= len("fakes_") + 9]


def files(run: Run) -> list[dict[str, Any]]:
    """The files of a run and of its folders, each with its bytes; links are left out."""
    listed: list[dict[str, Any]] = []
    for folder in (run.folder, run.samples, run.checkpoints, run.models):
        with contextlib.suppress(OSError):
            entries = [] if folder.is_symlink() else sorted(os.scandir(folder), key=lambda entry: entry.name)
            for entry in entries:
                if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                    name = one_line(Path(entry.path).relative_to(run.folder))
                    listed.append({"name": name, "bytes": entry.stat(follow_symlinks=False).st_size})
    return listed[:LISTED]


def section(card: dict[str, Any], name: str) -> dict[str, Any]:
    return card[name] if isinstance(card.get(name), dict) else {}


def last_line(path: Path) -> dict[str, Any]:
    """The last complete line of a file of JSON lines; empty where there is none."""
    for line in reversed(read(path, max(0, size(path) - TAIL), TAIL).split(b"\n")[:-1]):
        row = parse_line(line)
        if row is not None:
            return row
    return {}


def progress(run: Run) -> dict[str, Any]:
    """How far a running training is; empty where none is running, or it has not made its first step."""
    return parse_line(read(run.progress, 0, TAIL)) or {}


def read(path: Path, start: int, most: int) -> bytes:
    """Up to `most` bytes of a file from `start` on; empty where there is no file."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):  # reading a pipe would wait forever
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(most)
    return b""


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The object on a line, made valid for JSON; None where the line is broken or has no number of images."""
    row = json_line(line)
    return as_json(row) if row is not None and diagnosis.number(row, "images") is not None else None


def versioned(path: Path) -> str:
    """A picture's name with a version that changes when the file does, so that a browser may cache it."""
    try:
        return f"{path.name}?{path.stat().st_mtime_ns // 1_000_000}"
    except OSError:
        return path.name


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def fingerprint(run: Run) -> tuple[Any, ...]:
    """A value that changes when something happens to a run; the progress from step to step does not count."""
    values: list[Any] = []
    for path in (run.experiment, run.log, run.metrics, run.samples, run.model):
        try:
            status = path.stat()
            values += [status.st_mtime_ns, status.st_size]
        except OSError:
            values.append(None)
    return *values, run.holder()
