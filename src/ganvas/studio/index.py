"""The runs' folder as the studio sees it: what there is, and how far each run is."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.core.files import json_line, parse_json, read_bytes
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.report import diagnosis
from ganvas.training.studio import Part

LOG = logging.getLogger("ganvas.studio")
NAME = r"^[\w-][\w.-]{0,119}$"  # of a run that can be asked for
TAIL = 16_384  # bytes at the end of a log in which its last line lies
CARD = 1_000_000  # bytes: a larger experiment.json is none
DEPTH = 20  # of what a file says, groups in groups; what is deeper is left out
TEXT = 200  # characters of a name that are shown
CLASSES = 1_000  # whose names are shown
LISTED = 200  # files of a run


class NotThere(Exception):
    """No such run, or it has been removed."""


class Unfit(NotThere):
    """There is a run, but it cannot be shown; the text says why."""


class Runs:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, tuple[Any, dict[str, Any]]] = {}  # summaries, and of which state of the files
        self.reported: set[str] = set()  # runs of which the log says already that they cannot be shown

    def run(self, name: str) -> Run:
        """The run of a name.

        Raises:
            NotThere: there is none, or it is none that can be shown: a part of it is a link, a pipe, a device.
        """
        run = Run(self.root / name)
        if not re.fullmatch(NAME, name):
            raise NotThere(name)
        try:
            if run.folder.resolve().parent != self.root.resolve():
                raise Unfit(f"{name} is a link that leads to another place.")
            for path in (run.experiment, run.log, run.metrics, run.model, run.report):
                _check(path, stat.S_ISREG, "file")
            _check(run.samples, stat.S_ISDIR, "folder")
            if not run.experiment.exists():
                raise NotThere(name)
        except PermissionError as error:
            raise Unfit("There is no permission to read it.") from error
        except (OSError, RuntimeError) as error:  # the second: links in a circle
            raise NotThere(name) from error
        return run

    def all(self) -> list[dict[str, Any]]:
        """The summaries of all runs, the newest first; of one that cannot be shown its name, and why (`error`)."""
        found = []
        for name in self.names():
            try:
                found.append(self.summary(name))
            except Unfit as error:
                found.append(_unshown(name, str(error)))
            except NotThere:
                if not re.fullmatch(NAME, name):
                    found.append(
                        _unshown(name, "Rename it: at most 120 letters, digits, points, hyphens and underscores.")
                    )
            except Exception as error:  # one run never takes the list of all away
                if name not in self.reported:
                    LOG.warning("The run %s cannot be shown", one_line(name), exc_info=True)
                self.reported.add(name)
                found.append(_unshown(name, f"It cannot be read ({type(error).__name__}: {error})."))
        return found

    def names(self) -> list[str]:
        """All runs, the newest first, also those that cannot be shown."""
        found: list[tuple[float, str]] = []
        with contextlib.suppress(OSError):
            for folder in os.scandir(self.root):
                with contextlib.suppress(OSError):  # none of a run's, or just removed
                    if not folder.name.startswith("."):
                        found.append((os.lstat(os.path.join(folder.path, "experiment.json")).st_mtime, folder.name))
        names = [name for _, name in sorted(found, reverse=True)]
        self.known = {name: self.known[name] for name in names if name in self.known}
        return names

    def summary(self, name: str) -> dict[str, Any]:
        """A run in short: recipe, progress, newest picture, best figure.

        Raises:
            NotThere: there is no such run.
        """
        run = self.run(name)
        now = marks(run)
        if self.known.get(name, (None,))[0] != now:
            self.known[name] = now, self._summary(run)
        return self.known[name][1]

    def _summary(self, run: Run) -> dict[str, Any]:
        card = settings(run)
        task = task_of(card)
        row = last_line(run.log)
        sheets = pictures(run)
        total = section(card, "training").get("images")
        return {
            "name": run.folder.name,
            "recipe": text(card.get("recipe")),
            "task": task,
            "abilities": abilities(task),
            "data": text(card.get("data_name")),
            "classes": classes(card),
            "size": diagnosis.number(section(card, "spec"), "size"),
            "images": diagnosis.number(row, "images") or 0,
            "total": total if isinstance(total, int) else 0,
            "seconds": diagnosis.number(row, "seconds") or 0,
            "images_per_second": diagnosis.number(row, "images_per_second"),
            "picture": marked(sheets[-1][1]) if sheets else None,
            "figure": best_figure(run, part_of(task)),
            "state": state(run, row, total),
            "model": run.model.is_file(),
            "error": None,
        }


def _check(path: Path, kind: Any, called: str) -> None:
    """Raises Unfit where this is neither of the kind that it should be nor missing."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise Unfit(f"{path.name} is a link; the studio follows none. Put a true {called} there, or remove it.")
    if not kind(mode):
        raise Unfit(f"{path.name} is no {called}. Remove it, or put a true one there.")


def _unshown(name: str, why: str) -> dict[str, Any]:
    """What stands for a run that cannot be shown: as a summary."""
    empty = {
        "recipe": "",
        "task": "",
        "abilities": [],
        "data": "",
        "classes": [],
        "size": None,
        "images": 0,
        "total": 0,
        "seconds": 0,
    }
    rest = {"images_per_second": None, "picture": None, "figure": None, "state": "stopped", "model": False}
    return {"name": one_line(name), **empty, **rest, "error": one_line(why)[:500]}


def settings(run: Run) -> dict[str, Any]:
    """experiment.json, or nothing where it cannot be read."""
    try:
        card = parse_json(read_bytes(run.experiment, CARD))
    except (UserError, ValueError):
        return {}
    return as_json(card) if isinstance(card, dict) else {}


def as_json(value: Any, depth: int = DEPTH) -> Any:
    """The same as JSON can hold it.

    None stands for numbers that are none and for what lies too deep, `\\ud800` for half of a surrogate pair.
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
    """A name in a card; '' where it is none."""
    return value[:TEXT] if isinstance(value, str) else ""


def classes(card: dict[str, Any]) -> list[str]:
    """The names of the classes in a card."""
    found = card.get("classes")
    return [str(name)[:TEXT] for name in found[:CLASSES]] if isinstance(found, list) else []


def pictures(run: Run) -> list[tuple[int, Path]]:
    """The sheets of a run that can be asked for, as `Run.pictures`."""
    return [(seen, path) for seen, path in run.previews() if len(path.stem) <= len("fakes_") + 9]


def files(run: Run) -> list[dict[str, Any]]:
    """The files of a run and of its folders, each with its bytes; links are left out."""
    found: list[dict[str, Any]] = []
    for folder in (run.folder, run.samples, run.checkpoints, run.models):
        with contextlib.suppress(OSError):
            entries = [] if folder.is_symlink() else sorted(os.scandir(folder), key=lambda entry: entry.name)
            for entry in entries:
                if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                    name = one_line(Path(entry.path).relative_to(run.folder))
                    found.append({"name": name, "bytes": entry.stat(follow_symlinks=False).st_size})
    return found[:LISTED]


def section(card: dict[str, Any], name: str) -> dict[str, Any]:
    return card[name] if isinstance(card.get(name), dict) else {}


def last_line(path: Path) -> dict[str, Any]:
    """The last whole line of a file of JSON lines; nothing where there is none."""
    for line in reversed(read(path, max(0, size(path) - TAIL), TAIL).split(b"\n")[:-1]):
        found = parsed(line)
        if found is not None:
            return found
    return {}


def read(path: Path, start: int, most: int) -> bytes:
    """Up to so many bytes of a file; nothing where there is no file."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):  # reading a pipe would wait for ever
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(most)
    return b""


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line's object, without numbers that are none; None where it is none, or only half of one."""
    found = json_line(line)
    return as_json(found) if found is not None and diagnosis.number(found, "images") is not None else None


def part_of(task: str) -> Part:
    """What the studio shows of a task's runs; what all have in common where it is not installed here."""
    try:
        part = registry.find(task).studio
    except UserError:
        return Part()
    return part if isinstance(part, Part) else Part()


def abilities(task: str) -> list[str]:
    """What the models of a task can be asked for; nothing where it is not installed here."""
    try:
        return list(registry.find(task).Model.abilities)
    except UserError:
        return []


def task_of(card: dict[str, Any]) -> str:
    """The task that a run's settings name."""
    return text(section(card, "task").get("name", registry.first().name))


def best_figure(run: Run, part: Part) -> dict[str, Any] | None:
    """The figure that tells most of a run: its name, its value with its unit, and whether lower is better.

    Where nothing was measured but the contest, it is how often the expert was right at the end.
    """
    rows = run.rows(run.metrics)
    best = None if part.best is None else part.best.of(rows)
    if best is not None:
        return best
    for row in reversed(rows):
        real, fake = diagnosis.number(row, "real"), diagnosis.number(row, "fake")
        if real is not None and fake is not None:
            return {"title": "expert right", "value": 50 * (real + fake), "unit": "%", "lower": True}
    return None


def state(run: Run, row: dict[str, Any], total: Any) -> str:
    """'running', 'finished' or 'stopped'."""
    if run.holder() is not None:
        return "running"
    done = isinstance(total, int) and row.get("images", 0) >= total > 0
    return "finished" if done and run.is_finished() else "stopped"


def marked(path: Path) -> str:
    """A picture's name with a mark that changes when the file does, so that a browser may keep what it has."""
    try:
        return f"{path.name}?{path.stat().st_mtime_ns // 1_000_000}"
    except OSError:
        return path.name


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def marks(run: Run) -> tuple[Any, ...]:
    """What changes when something happens to a run."""
    found: list[Any] = []
    for path in (run.experiment, run.log, run.metrics, run.samples, run.model):
        try:
            status = path.stat()
            found += [status.st_mtime_ns, status.st_size]
        except OSError:
            found.append(None)
    return *found, run.holder()
