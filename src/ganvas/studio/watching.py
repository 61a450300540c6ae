"""The runs' folder as the studio sees it: what there is, how far each run is, and what happens as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas import doctor
from ganvas.errors import UserError
from ganvas.run import Run

PAUSE = 0.4  # seconds between two looks at a run's files, however many watch it
SILENCE = 15.0  # seconds after which a viewer is told that all is well
BEFORE = "fakes_init.png"  # the picture from before the training
TAIL = 16_384  # bytes at the end of a log in which its last line lies
LOCKS = Path("/proc/locks")


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
        folder = self.root / name
        if not re.fullmatch(r"[\w.-]{1,120}", name) or name.startswith("."):
            raise NotThere(name)
        try:
            inside = folder.resolve().parent == self.root.resolve()
            if not inside or not (folder / "experiment.json").is_file():
                raise NotThere(name)
        except OSError as error:
            raise NotThere(name) from error
        return Run(folder)

    def names(self) -> list[str]:
        """All runs, the newest first."""
        with contextlib.suppress(OSError):
            found = [p for p in self.root.iterdir() if not p.name.startswith(".") and (p / "experiment.json").is_file()]
            return [p.name for p in sorted(found, key=lambda p: (p / "experiment.json").stat().st_mtime, reverse=True)]
        return []

    def summary(self, name: str) -> dict[str, Any]:
        """A run in short: recipe, progress, newest picture, best figure.

        Raises:
            NotThere: there is no such run.
        """
        run = self.run(name)
        marks = _marks(run)
        if self.known.get(name, (None,))[0] != marks:
            self.known[name] = marks, self._summary(run)
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
    try:
        return run.settings()
    except UserError:
        return {}


def section(card: dict[str, Any], name: str) -> dict[str, Any]:
    return card[name] if isinstance(card.get(name), dict) else {}


def last_line(path: Path) -> dict[str, Any]:
    """The last whole line of a file of JSON lines; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return {}
    for line in reversed(lines):
        found = parsed(line)
        if found is not None:
            return found
    return {}


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line's object, without numbers that are none; None where it is none, or only half of one."""
    try:
        found = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("images"), int | float) else None


def best_figure(run: Run) -> dict[str, Any] | None:
    """The figure that tells most of a run: its name, its value, and whether lower is better.

    Where nothing was measured but the contest, it is how often the expert was right at the end.
    """
    best: dict[str, Any] | None = None
    contest: dict[str, Any] | None = None
    for row in run.rows(run.metrics):
        if not isinstance(row, dict):
            continue
        real, fake = doctor.number(row, "real"), doctor.number(row, "fake")
        if real is not None and fake is not None:
            contest = {"title": "the expert is right, %", "value": 50 * (real + fake), "lower": True}
        key = {"frechet": "value", "fidelity": "psnr", "round-trip": "cycle_a"}.get(str(row.get("metric")))
        value = doctor.number(row, key) if key else None
        if value is None:
            continue
        lower = key == "value"
        title = {"value": "Frechet distance", "psnr": "PSNR, dB", "cycle_a": "there and back, dB"}[str(key)]
        if best is None or (value < best["value"] if lower else value > best["value"]) or lower != best["lower"]:
            best = {"title": title, "value": value, "lower": lower}
    return best or contest


def state(run: Run, row: dict[str, Any], total: Any) -> str:
    """'running', 'finished' or 'stopped'."""
    if holder(run) is not None:
        return "running"
    done = isinstance(total, int) and row.get("images", 0) >= total > 0
    return "finished" if done and run.is_finished() else "stopped"


def holder(run: Run) -> int | None:
    """The process that trains a run, 0 where its number cannot be seen from here; None: nobody does.

    Nothing is touched: a look must not be in the way of a training that begins.
    """
    try:
        inode = (run.folder / ".lock").stat()
        lines = LOCKS.read_text().splitlines()
    except OSError:  # no such file; or a system that does not tell
        return None
    where = f"{os.major(inode.st_dev):02x}:{os.minor(inode.st_dev):02x}:{inode.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == where:
            return max(0, int(words[4]))
    return None


def is_command(pid: int) -> bool:
    """Is this process a `ganvas train` or `resume`, which saves when it is asked to stop? A notebook would just die."""
    try:
        words = [os.path.basename(w) for w in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return False
    return b"ganvas" in words and (b"train" in words or b"resume" in words)


@dataclass(frozen=True)
class Cursor:
    """How much a viewer has seen: bytes of log.jsonl and metrics.jsonl, thousands of images of the newest picture.

    The picture from before the training counts as -1.
    """

    log: int = 0
    metrics: int = 0
    picture: int = -2

    @classmethod
    def of(cls, text: str | None) -> Cursor:
        """Of an event's id; a new viewer's where it is none."""
        found = re.fullmatch(r"(\d{1,15})-(\d{1,15})-(-?\d{1,9})", text or "")
        return cls(*map(int, found.groups())) if found else cls()

    def __str__(self) -> str:
        return f"{self.log}-{self.metrics}-{self.picture}"


Event = tuple[str, dict[str, Any], Cursor]  # kind, data, and what has been seen after it


def news(run: Run, cursor: Cursor) -> list[Event]:
    """What has come since: lines of the log ('row') and of the metrics ('check'), pictures; oldest first.

    A run that was taken up from an earlier moment has shorter files: then 'again' comes first, and all anew.

    Raises:
        NotThere: the run's folder is gone.
    """
    if not run.experiment.is_file():
        raise NotThere(run.folder.name)
    found: list[Event] = []
    pictures = [(-1 if path.name == BEFORE else thousands, path) for thousands, path in run.pictures()]
    newest = pictures[-1][0] if pictures else -2
    if size(run.log) < cursor.log or size(run.metrics) < cursor.metrics or newest < cursor.picture:
        cursor = Cursor()
        found.append(("again", {}, cursor))
    for kind, path in (("row", run.log), ("check", run.metrics)):
        field = "log" if kind == "row" else "metrics"
        for line, end in lines(path, getattr(cursor, field)):
            seen = {"log": cursor.log, "metrics": cursor.metrics, "picture": cursor.picture, field: end}
            cursor = Cursor(**seen)
            row = parsed(line)
            if row is not None:
                found.append((kind, row, cursor))
    for thousands, path in pictures:
        if thousands > cursor.picture:
            cursor = Cursor(cursor.log, cursor.metrics, thousands)
            found.append(("picture", {"images": max(0, thousands) * 1000, "file": marked(path)}, cursor))
    return found


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


def lines(path: Path, start: int) -> list[tuple[bytes, int]]:
    """The whole lines from a place on, and where each ends; a half-written last one waits."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            content = file.read()
    except OSError:
        return []
    found, end = [], start
    for line in content.split(b"\n")[:-1]:
        end += len(line) + 1
        found.append((line, end))
    return found


def _marks(run: Run) -> tuple[Any, ...]:
    """What changes when something happens to a run."""
    found: list[Any] = []
    for path in (run.experiment, run.log, run.metrics, run.samples, run.model):
        try:
            told = path.stat()
            found += [told.st_mtime_ns, told.st_size]
        except OSError:
            found.append(None)
    return *found, holder(run)


class Watch:
    """Many viewers of one run: its files are looked at once for all of them."""

    def __init__(self, run: Run, ending: threading.Event) -> None:
        self.run, self.ending = run, ending
        self.viewers = 0
        self.version = 0  # of what there is to see
        self.moved = asyncio.Condition()
        self.task: asyncio.Task[None] | None = None

    async def _look(self) -> None:
        before: Any = None
        while True:
            now = _marks(self.run)
            if now != before or self.ending.is_set():
                before = now
                async with self.moved:
                    self.version += 1
                    self.moved.notify_all()
            await asyncio.sleep(PAUSE)

    async def follow(self, cursor: Cursor) -> AsyncIterator[Event | None]:
        """What happens from `cursor` on, until the run is gone or the server ends; None now and then in silence."""
        self.viewers += 1
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._look())
        told: str | None = None
        try:
            while not self.ending.is_set():
                version = self.version  # what comes after this is told in the next round
                for event in await asyncio.to_thread(news, self.run, cursor):
                    cursor = event[2]
                    yield event
                row = last_line(self.run.log)
                now = state(self.run, row, section(settings(self.run), "training").get("images"))
                if now != told:
                    told = now
                    yield "state", {"state": now}, cursor
                async with self.moved:
                    try:
                        moved = self.moved.wait_for(lambda seen=version: self.version != seen)
                        await asyncio.wait_for(moved, SILENCE)
                    except TimeoutError:
                        yield None
        except NotThere:
            yield "gone", {}, cursor
        finally:
            self.viewers -= 1
            if not self.viewers and self.task is not None:
                self.task.cancel()
