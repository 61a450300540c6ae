"""Trainings and other long work, one at a time, each a command line in a process of its own.

The list lies in a file; a server that starts again finds the process that is at work, and those that wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganvas.errors import UserError
from ganvas.files import make_folder, write_whole
from ganvas.processes import began, is_alive
from ganvas.studio.working import Busy

WAITING = 20  # jobs that may wait
KEPT = 50  # jobs that are remembered when they are done
SPARE = 1_000_000  # bytes: with fewer, a disk is full
WORDS = 4_000  # characters of what a job said that are shown


@dataclass(frozen=True)
class Job:
    """A command line: 'waiting', 'running', 'done', 'failed' or 'stopped'. `run`: the run that it works on."""

    number: int
    kind: str
    run: str
    arguments: tuple[str, ...]
    state: str = "waiting"
    pid: int = 0
    began: str = ""  # of the process, as the system tells: another process may get the same number later
    code: int | None = None


class Jobs:
    """The list, and the process that is at work."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / ".studio"
        self.file = self.home / "jobs.json"
        self.lock = threading.RLock()
        self.process: subprocess.Popen[bytes] | None = None
        self.asked: set[int] = set()  # numbers of jobs that were asked to stop
        self.jobs = self._read()

    def add(self, kind: str, run: str, arguments: list[str]) -> Job:
        """Put a job at the end of the queue.

        Raises:
            Busy: too many wait.
            UserError: the same run waits or is at work already, or the list cannot be written.
        """
        with self.lock:
            active = [j for j in self.jobs if j.state in ("waiting", "running")]
            if len(active) > WAITING:
                raise Busy(f"{len(active)} jobs wait already. Wait until some are done, or take some out.")
            for job in active:
                ending = job.state == "running" and (job.number in self.asked or not is_alive(job.pid, job.began))
                if job.run == run and not ending:
                    raise UserError(f"{run} {'waits' if job.state == 'waiting' else 'is being trained'} already.")
            number = max((j.number for j in self.jobs), default=0) + 1
            job = Job(number, kind, run, tuple(arguments))
            before = self.jobs
            try:
                self._keep([*before, job])
            except UserError:
                self.jobs = before
                raise
        with contextlib.suppress(UserError):  # the next look tries again
            self.tend()
        return next(j for j in self.jobs if j.number == number)

    def stop(self, run: str) -> bool:
        """Stop a run's job (it saves), or take it out of the queue; False: it has none."""
        found = False
        with self.lock:
            for job in self.jobs:
                if job.run == run and job.state == "waiting":
                    self._change(job, state="stopped")
                    self._tidy(job)
                    found = True
                if job.run == run and job.state == "running" and is_alive(job.pid, job.began):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(job.pid, signal.SIGTERM)
                    self.asked.add(job.number)
                    found = True
        return found

    def tend(self) -> None:
        """See whether the running job is done, and start the next one."""
        with self.lock:
            for job in [j for j in self.jobs if j.state == "running"]:
                code = self.process.poll() if self.process is not None and self.process.pid == job.pid else None
                if code is None and is_alive(job.pid, job.began):
                    return
                self._end(job, code)
            waiting = next((j for j in self.jobs if j.state == "waiting"), None)
            if waiting is not None:
                self._start(waiting)

    def words(self, job: Job) -> str:
        """The last that a job said."""
        with contextlib.suppress(OSError):
            return self.log_of(job).read_text(errors="replace")[-WORDS:]
        return ""

    def log_of(self, job: Job) -> Path:
        return self.home / f"job-{job.number:05d}.txt"

    def told(self) -> list[dict[str, Any]]:
        """The newest job of each run for the page, the newest first; those that failed with their last words."""
        with self.lock:
            jobs = {job.run: job for job in self.jobs}
        found = []
        for job in sorted(jobs.values(), key=lambda job: -job.number):
            state = "ending" if job.state == "running" and job.number in self.asked else job.state
            row = {"number": job.number, "kind": job.kind, "run": job.run, "state": state}
            if job.state == "failed":
                row["words"] = self.words(job)[-600:] or self._why_silent()
            found.append(row)
        return found

    def _why_silent(self) -> str:
        """Why a job may have failed without a word."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.root).free < SPARE:
                return f"The disk of {self.root} is full: free some space, then go on."
        return "It ended without a word: it may have been killed, or ran out of memory."

    def _start(self, job: Job) -> None:
        make_folder(self.home)
        command = [sys.executable, "-P", "-m", "ganvas", *job.arguments]  # -P: no module comes from the runs' folder
        before = self.jobs
        try:
            self._change(job, state="running")  # first, so that no server after this one starts it too
        except UserError:
            self.jobs = before  # it waits until the list can be written
            raise
        try:
            with open(self.log_of(job), "wb") as log:
                self.process = subprocess.Popen(
                    command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            self._change(job, state="failed", code=-1)
            with contextlib.suppress(OSError):
                self.log_of(job).write_text(f"It could not be started: {error}.")
            return
        pid = self.process.pid
        self._change(job, state="running", pid=pid, began=began(pid))

    def _end(self, job: Job, code: int | None) -> None:
        stopped = code in (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM)
        if code is None:  # another server's child: what it said last must do
            said = self.words(job)
            stopped, code = "Stopped and saved." in said, 0 if "Report   " in said or "This run is" in said else 1
        self._change(job, state="stopped" if stopped else "done" if code == 0 else "failed", code=code)
        self._tidy(job)
        self.process = None

    def _tidy(self, job: Job) -> None:
        """Remove the folder of a run that ended before it began."""
        with contextlib.suppress(OSError):
            (self.root / job.run).rmdir()  # only where it is empty

    def _change(self, job: Job, **fields: Any) -> None:
        self._keep([replace(j, **fields) if j.number == job.number else j for j in self.jobs])

    def _keep(self, jobs: list[Job]) -> None:
        old = [j for j in jobs if j.state not in ("waiting", "running")][:-KEPT]
        for job in old:
            with contextlib.suppress(OSError):
                self.log_of(job).unlink()
        self.jobs = [j for j in jobs if j not in old]
        make_folder(self.home)
        write_whole(self.file, json.dumps([asdict(j) for j in self.jobs], indent=1))

    def _read(self) -> list[Job]:
        try:
            rows = json.loads(self.file.read_text())
            return [Job(**{**row, "arguments": tuple(row["arguments"])}) for row in rows]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return []
