"""The runs' folder as the studio sees it: what there is, how far each run is, and what happens as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import threading
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from ganvas import doctor
from ganvas.errors import UserError
from ganvas.files import json_line
from ganvas.run import Run

PAUSE = 0.4  # seconds between two looks at a run's files, however many watch it
SILENCE = 15.0  # seconds after which a viewer is told that all is well
BEFORE = "fakes_init.png"  # the picture from before the training
TAIL = 16_384  # bytes at the end of a log in which its last line lies
PORTION = 262_144  # bytes of a log that are read at once
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


@dataclass(frozen=True)
class Cursor:
    """How much a viewer has seen: bytes of log.jsonl and metrics.jsonl, thousands of images of the newest picture.

    The picture from before the training counts as -1. `marks`: of the last lines that were seen, since a run that is
    taken up again from an earlier moment writes others in their places.
    """

    log: int = 0
    metrics: int = 0
    picture: int = -2
    marks: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, text: str | None) -> Cursor:
        """Of an event's id; a new viewer's where it is none."""
        found = re.fullmatch(r"(\d{1,15})-(\d{1,15})-(-?\d{1,9})-(\d{1,10})-(\d{1,10})", text or "")
        if not found:
            return cls()
        log, metrics, picture, *marks = map(int, found.groups())
        return cls(log, metrics, picture, (marks[0], marks[1]))

    def __str__(self) -> str:
        return f"{self.log}-{self.metrics}-{self.picture}-{self.marks[0]}-{self.marks[1]}"


Event = tuple[str, dict[str, Any], Cursor]  # kind, data, and what has been seen after it


def news(run: Run, cursor: Cursor) -> list[Event]:
    """What has come since: lines of the log ('row') and of the metrics ('check'), pictures; oldest first, a portion.

    A run that was taken up from an earlier moment has other lines: then 'again' comes first, and all anew.

    Raises:
        NotThere: the run's folder is gone.
    """
    if not run.experiment.is_file():
        raise NotThere(run.folder.name)
    found: list[Event] = []
    pictures = [(-1 if path.name == BEFORE else thousands, path) for thousands, path in run.pictures()]
    newest = pictures[-1][0] if pictures else -2
    seen = (mark_before(run.log, cursor.log), mark_before(run.metrics, cursor.metrics))
    if seen != cursor.marks or newest < cursor.picture:
        cursor = Cursor()
        found.append(("again", {}, cursor))
    for line, end in lines(run.log, cursor.log):
        cursor = replace(cursor, log=end, marks=(zlib.crc32(line), cursor.marks[1]))
        row = parsed(line)
        found += [("row", row, cursor)] if row is not None else []
    for line, end in lines(run.metrics, cursor.metrics):
        cursor = replace(cursor, metrics=end, marks=(cursor.marks[0], zlib.crc32(line)))
        row = parsed(line)
        found += [("check", row, cursor)] if row is not None else []
    for thousands, path in pictures:
        if thousands > cursor.picture:
            cursor = replace(cursor, picture=thousands)
            found.append(("picture", {"images": max(0, thousands) * 1000, "file": marked(path)}, cursor))
    return found


def mark_before(path: Path, end: int) -> int:
    """The mark of the line that ends at a place; 0 at the beginning, -1 where no line ends there."""
    if not end:
        return 0
    start = max(0, end - PORTION)
    content = read(path, start, end - start)
    if len(content) < end - start or not content.endswith(b"\n"):
        return -1
    return zlib.crc32(content[:-1].rpartition(b"\n")[2])


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
    """The whole lines from a place on, up to a portion of them, and where each ends; a half-written last one waits."""
    found, end = [], start
    for line in read(path, start, PORTION).split(b"\n")[:-1]:
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
    return *found, run.holder()


class Watch:
    """Many viewers of one run: its files are looked at once for all of them."""

    def __init__(self, run: Run, ending: threading.Event) -> None:
        self.run, self.ending = run, ending
        self.viewers = 0
        self.moved = asyncio.Event()  # something has happened; then there is a new one
        self.task: asyncio.Task[None] | None = None

    async def _look(self) -> None:
        before: Any = None
        while True:
            now = await run_in_threadpool(_marks, self.run)
            if now != before or self.ending.is_set():
                before = now
                self.moved.set()
                self.moved = asyncio.Event()
            await asyncio.sleep(PAUSE)

    def _news(self, cursor: Cursor) -> tuple[list[Event], str]:
        """What has come since, and how the run stands."""
        found = news(self.run, cursor)
        total = section(settings(self.run), "training").get("images")
        return found, state(self.run, last_line(self.run.log), total)

    async def follow(self, cursor: Cursor) -> AsyncIterator[Event | None]:
        """What happens from `cursor` on, until the run is gone or the server ends; None now and then in silence."""
        self.viewers += 1
        if self.task is None:
            self.task = asyncio.create_task(self._look())
        told: str | None = None
        try:
            while not self.ending.is_set():
                moved = self.moved  # what comes after this is told in the next round
                found, now = await run_in_threadpool(self._news, cursor)
                for event in found:
                    cursor = event[2]
                    yield event
                if found:
                    continue  # there may be more of it
                if now != told:
                    told = now
                    yield "state", {"state": now}, cursor
                try:
                    await asyncio.wait_for(moved.wait(), SILENCE)
                except TimeoutError:
                    yield None
        except NotThere:
            yield "gone", {}, cursor
        finally:
            self.viewers -= 1
            if not self.viewers and self.task is not None:
                self.task.cancel()
                self.task = None
