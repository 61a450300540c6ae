"""Live events of a run: what has come since a viewer looked last, and many viewers at once."""

from __future__ import annotations

import asyncio
import re
import threading
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from ganvas.core.run import Run
from ganvas.studio.index import NotThere, last_line, marked, marks, parsed, pictures, read, section, settings, state

PAUSE = 0.4  # seconds between two looks at a run's files, however many watch it
SILENCE = 15.0  # seconds after which a viewer hears that all is well
BEFORE = "fakes_init.png"  # the picture from before the training
PORTION = 262_144  # bytes of a log that are read at once
LINE = 64_000_000  # bytes among which the end of a line is looked for


@dataclass(frozen=True)
class Cursor:
    """How much a viewer has seen: bytes of log.jsonl and metrics.jsonl, images before the newest picture.

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
        found = re.fullmatch(r"(\d{1,15})-(\d{1,15})-(-?\d{1,15})-(\d{1,10})-(\d{1,10})", text or "")
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
    before = cursor
    sheets = [(-1 if path.name == BEFORE else images, path) for images, path in pictures(run)]
    newest = sheets[-1][0] if sheets else -2
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
    for images, path in sheets:
        if images > cursor.picture:
            cursor = replace(cursor, picture=images)
            found.append(("picture", {"images": max(0, images), "file": marked(path)}, cursor))
    if not found and cursor != before:
        found.append(("passed", {}, cursor))  # lines that are none
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


def lines(path: Path, start: int) -> list[tuple[bytes, int]]:
    """The whole lines from a place on, up to a portion of them, and where each ends; a half-written last one waits.

    Of a line that is longer than a portion (no line of a training is) its end stands there.
    """
    found, end = [], start
    content = read(path, start, PORTION)
    for line in content.split(b"\n")[:-1]:
        end += len(line) + 1
        found.append((line, end))
    if not found and len(content) == PORTION:
        end = _end_of_line(path, start + PORTION)
        found = [(read(path, end - PORTION, PORTION - 1), end)] if end else []
    return found


def _end_of_line(path: Path, start: int) -> int:
    """Where the line ends that goes on at a place; 0 where it has no end, or one that is too far away."""
    for at in range(start, start + LINE, PORTION):
        part = read(path, at, PORTION)
        if b"\n" in part:
            return at + part.index(b"\n") + 1
        if len(part) < PORTION:
            break
    return 0


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
            now = await run_in_threadpool(marks, self.run)
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
        sent: str | None = None
        try:
            while not self.ending.is_set():
                moved = self.moved  # what comes after this is told in the next round
                found, now = await run_in_threadpool(self._news, cursor)
                for event in found:
                    cursor = event[2]
                    yield event
                if found:
                    continue  # there may be more of it
                if now != sent:
                    sent = now
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
