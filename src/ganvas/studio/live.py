"""Live events of a run: what is new for each viewer, with many viewers at once."""

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
from ganvas.studio.contents import (
    fingerprint,
    last_line,
    parse_line,
    pictures,
    progress,
    read,
    section,
    settings,
    versioned,
)
from ganvas.studio.index import RunNotFound, part_of, state, task_of

PAUSE = 0.4  # seconds between two checks of a run's files, however many watch it
SILENCE = 15.0  # seconds without an event after which a viewer gets a sign of life
INITIAL = "fakes_init"  # the preview from before the training
PORTION = 262_144  # bytes of a log that are read at once
LINE = 64_000_000  # bytes that are searched for the end of a line


@dataclass(frozen=True)
class Cursor:
    """How much a viewer has seen: bytes of log.jsonl and metrics.jsonl, images before the newest picture.

    The picture from before the training counts as -1. `checksums` are those of the last lines that were seen: a run
    that resumes from an earlier snapshot overwrites lines.
    """

    log: int = 0
    metrics: int = 0
    picture: int = -2
    checksums: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, text: str | None) -> Cursor:
        """Parse an event's id; an invalid one gives the cursor of a new viewer."""
        match = re.fullmatch(r"(\d{1,15})-(\d{1,15})-(-?\d{1,15})-(\d{1,10})-(\d{1,10})", text or "")
        if not match:
            return cls()
        log, metrics, picture, *checksums = map(int, match.groups())
        return cls(log, metrics, picture, (checksums[0], checksums[1]))

    def __str__(self) -> str:
        return f"{self.log}-{self.metrics}-{self.picture}-{self.checksums[0]}-{self.checksums[1]}"


Event = tuple[str, dict[str, Any], Cursor]  # kind, data, and the cursor after it


def new_events(run: Run, cursor: Cursor, suffix: str = ".png") -> list[Event]:
    """The events after a cursor, oldest first, a portion at most: log lines ('row'), metrics ('check'), pictures.

    A run that resumed from an earlier snapshot has other lines: then 'again' comes first, and everything follows anew.

    Args:
        suffix: of the previews' files that are its pictures.

    Raises:
        RunNotFound: the run's folder is gone.
    """
    if not run.experiment.is_file():
        raise RunNotFound(run.folder.name)
    events: list[Event] = []
    before = cursor
    sheets = [(-1 if path.stem == INITIAL else images, path) for images, path in pictures(run, suffix)]
    newest = sheets[-1][0] if sheets else -2
    checksums = (checksum_before(run.log, cursor.log), checksum_before(run.metrics, cursor.metrics))
    if checksums != cursor.checksums or newest < cursor.picture:
        cursor = Cursor()
        events.append(("again", {}, cursor))
    for line, end in lines(run.log, cursor.log):
        cursor = replace(cursor, log=end, checksums=(zlib.crc32(line), cursor.checksums[1]))
        row = parse_line(line)
        events += [("row", row, cursor)] if row is not None else []
    for line, end in lines(run.metrics, cursor.metrics):
        cursor = replace(cursor, metrics=end, checksums=(cursor.checksums[0], zlib.crc32(line)))
        row = parse_line(line)
        events += [("check", row, cursor)] if row is not None else []
    for images, path in sheets:
        if images > cursor.picture:
            cursor = replace(cursor, picture=images)
            events.append(("picture", {"images": max(0, images), "file": versioned(path)}, cursor))
    if not events and cursor != before:
        events.append(("passed", {}, cursor))  # only invalid lines were read
    return events


def checksum_before(path: Path, end: int) -> int:
    """The checksum of the line that ends at a position; 0 at the beginning, -1 where no line ends there."""
    if not end:
        return 0
    start = max(0, end - PORTION)
    content = read(path, start, end - start)
    if len(content) < end - start or not content.endswith(b"\n"):
        return -1
    return zlib.crc32(content[:-1].rpartition(b"\n")[2])


def lines(path: Path, start: int) -> list[tuple[bytes, int]]:
    """The complete lines from a position on, up to a portion, and where each ends; a half-written last one waits.

    A line longer than a portion (a training writes none) is represented by its end.
    """
    result, end = [], start
    content = read(path, start, PORTION)
    for line in content.split(b"\n")[:-1]:
        end += len(line) + 1
        result.append((line, end))
    if not result and len(content) == PORTION:
        end = _end_of_line(path, start + PORTION)
        result = [(read(path, end - PORTION, PORTION - 1), end)] if end else []
    return result


def _end_of_line(path: Path, start: int) -> int:
    """Where the line that contains a position ends; 0 where it has no end, or one that is too far away."""
    for at in range(start, start + LINE, PORTION):
        part = read(path, at, PORTION)
        if b"\n" in part:
            return at + part.index(b"\n") + 1
        if len(part) < PORTION:
            break
    return 0


class Watch:
    """Many viewers of one run: its files are checked once for all of them."""

    def __init__(self, run: Run, ending: threading.Event) -> None:
        self.run, self.ending = run, ending
        self.viewers = 0
        self.changed = asyncio.Event()  # set when something has happened, and then replaced by a new one
        self.task: asyncio.Task[None] | None = None

    async def _poll(self) -> None:
        before: Any = None
        while True:
            now = await run_in_threadpool(lambda: (fingerprint(self.run), progress(self.run)))
            if now != before or self.ending.is_set():
                before = now
                self.changed.set()
                self.changed = asyncio.Event()
            await asyncio.sleep(PAUSE)

    def _read(self, cursor: Cursor) -> tuple[list[Event], str, dict[str, Any]]:
        """The events after a cursor, the run's state, and how far a running training is."""
        card = settings(self.run)
        events = new_events(self.run, cursor, part_of(task_of(card)).suffix)
        total = section(card, "training").get("images")
        now = state(self.run, last_line(self.run.log), total)
        return events, now, progress(self.run) if now == "running" else {}

    async def follow(self, cursor: Cursor) -> AsyncIterator[Event | None]:
        """The events from `cursor` on, until the run is gone or the server ends; None after each silence."""
        self.viewers += 1
        if self.task is None:
            self.task = asyncio.create_task(self._poll())
        sent: str | None = None
        shown: dict[str, Any] = {}
        try:
            while not self.ending.is_set():
                changed = self.changed  # later changes are reported in the next round
                events, now, moment = await run_in_threadpool(self._read, cursor)
                for event in events:
                    cursor = event[2]
                    yield event
                if events:
                    continue  # there may be more
                if now != sent:
                    sent = now
                    yield "state", {"state": now}, cursor
                if moment != shown:
                    shown = moment
                    yield "progress", moment, cursor
                try:
                    await asyncio.wait_for(changed.wait(), SILENCE)
                except TimeoutError:
                    yield None
        except RunNotFound:
            yield "gone", {}, cursor
        finally:
            self.viewers -= 1
            if not self.viewers and self.task is not None:
                self.task.cancel()
                self.task = None
