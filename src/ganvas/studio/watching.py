"""The runs' folder as the studio sees it: what there is, and how far each run is."""

from __future__ import annotations

import contextlib
import math
import os
import re
from pathlib import Path
from typing import Any

from ganvas import doctor
from ganvas.errors import UserError
from ganvas.files import json_line
from ganvas.run import Run

TAIL = 16_384  # bytes at the end of a log in which its last line lies
CARD = 1_000_000  # bytes: a larger experiment.json is none


class NotThere(Exception):
    """No such run, or it has been removed."""


class Runs:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, tuple[Any, dict[str, Any]]] = {}  # summaries, and of which state of the files

    def run(self, name: str) -> Run:
        """The run of a name.

        Raises:
            NotThere: there is none, or the name leads out of the folder.
        """
        run = Run(self.root / name)
        if not re.fullmatch(r"[\w.-]{1,120}", name) or name.startswith("."):
            raise NotThere(name)
        try:
            inside = run.folder.resolve().parent == self.root.resolve()
            files = (run.experiment, run.log, run.metrics, run.model, run.report, run.samples)
            if not inside or not run.experiment.is_file() or any(path.is_symlink() for path in files):
                raise NotThere(name)
        except (OSError, RuntimeError) as error:  # the second: links in a circle
            raise NotThere(name) from error
        return run

    def names(self) -> list[str]:
        """All runs, the newest first."""
        found: list[tuple[float, str]] = []
        with contextlib.suppress(OSError):
            for folder in os.scandir(self.root):
                with contextlib.suppress(OSError):  # none of a run's, or just removed
                    if not folder.name.startswith("."):
                        found.append((os.stat(os.path.join(folder.path, "experiment.json")).st_mtime, folder.name))
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
        row = last_line(run.log)
        pictures = run.pictures()
        total = section(card, "training").get("images")
        return {
            "name": run.folder.name,
            "recipe": str(card.get("recipe", "")),
            "task": str(section(card, "task").get("name", "generate")),
            "data": str(card.get("data_name", "")),
            "classes": [str(c) for c in card.get("classes", [])] if isinstance(card.get("classes"), list) else [],
            "size": section(card, "spec").get("size"),
            "images": row.get("images", 0),
            "total": total if isinstance(total, int) else 0,
            "seconds": row.get("seconds", 0),
            "images_per_second": row.get("images_per_second"),
            "picture": marked(pictures[-1][1]) if pictures else None,
            "figure": best_figure(run),
            "state": state(run, row, total),
            "model": run.model.is_file(),
        }


def settings(run: Run) -> dict[str, Any]:
    """experiment.json, or nothing where it cannot be read."""
    if size(run.experiment) > CARD:
        return {}
    try:
        return finite(run.settings())
    except UserError:
        return {}


def finite(value: Any) -> Any:
    """The same with None for numbers that are none: JSON has no word for them."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    try:
        if path.is_file():  # reading a pipe would wait for ever
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(most)
    except OSError:
        pass
    return b""


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line's object, without numbers that are none; None where it is none, or only half of one."""
    found = json_line(line)
    return finite(found) if found is not None and doctor.number(found, "images") is not None else None


def best_figure(run: Run) -> dict[str, Any] | None:
    """The figure that tells most of a run: its name, its value with its unit, and whether lower is better.

    Where nothing was measured but the contest, it is how often the expert was right at the end.
    """
    best: dict[str, Any] | None = None
    contest: dict[str, Any] | None = None
    for row in run.rows(run.metrics):
        real, fake = doctor.number(row, "real"), doctor.number(row, "fake")
        if real is not None and fake is not None:
            contest = {"title": "expert right", "value": 50 * (real + fake), "unit": "%", "lower": True}
        key = {"frechet": "value", "fidelity": "psnr", "round-trip": "cycle_a"}.get(str(row.get("metric")))
        value = doctor.number(row, key) if key else None
        if value is None:
            continue
        lower = key == "value"
        title = {"value": "Frechet distance", "psnr": "PSNR", "cycle_a": "there and back"}[str(key)]
        if best is None or (value < best["value"] if lower else value > best["value"]) or lower != best["lower"]:
            best = {"title": title, "value": value, "unit": "" if lower else " dB", "lower": lower}
    return best or contest


def state(run: Run, row: dict[str, Any], total: Any) -> str:
    """'running', 'finished' or 'stopped'."""
    if run.holder() is not None:
        return "running"
    done = isinstance(total, int) and row.get("images", 0) >= total > 0
    return "finished" if done and run.is_finished() else "stopped"


def is_command(pid: int) -> bool:
    """Is this process a `ganvas train` or `resume`, which saves when it is asked to stop? A notebook would just die."""
    try:
        words = [os.path.basename(w) for w in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return False
    return b"ganvas" in words and (b"train" in words or b"resume" in words)


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
            told = path.stat()
            found += [told.st_mtime_ns, told.st_size]
        except OSError:
            found.append(None)
    return *found, run.holder()
