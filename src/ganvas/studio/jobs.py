"""Trainings, one at a time, each a command line in its own process.

The list is a file in the user's own state folder; a restarted server finds the running process and the waiting jobs in
it. Nothing from a folder of runs is ever started: such folders may come from other people.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ganvas.api import RECIPES
from ganvas.core import own
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, parse_json, read_bytes, state_folder, write_whole
from ganvas.core.processes import NEW_GROUP, ask_to_end, began, is_alive
from ganvas.images.data import DATASETS
from ganvas.studio import stopping
from ganvas.studio.contents import read, size
from ganvas.studio.index import NAME
from ganvas.studio.worker import Busy
from ganvas.training.experiment import SECTIONS, Experiment

LOG = logging.getLogger("ganvas.studio")
WAITING = 20  # jobs that may wait
STOPS = (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGBREAK", signal.SIGTERM))  # after which a training has saved
KEPT = 50  # finished jobs that stay in the list
SPARE = 1_000_000  # free bytes below which a disk counts as full
OUTPUT = 4_000  # characters at the end of a job's output that are shown
LIST = 5_000_000  # bytes of the list's file, at most
FIXED = ("source", "to", "twins", "from_", "device")  # settings that the page may not change

Kind = Literal["train", "resume"]


@dataclass(frozen=True)
class Job:
    """A command line, and the run that it works on."""

    number: Annotated[int, Field(ge=1, le=10**9)]
    kind: Kind
    run: Annotated[str, Field(pattern=NAME)]
    arguments: tuple[str, ...]
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    pid: Annotated[int, Field(ge=0, lt=2**31)] = 0
    # the process's start time as the system reports it: another process may get the same number later
    began: Annotated[str, Field(max_length=20)] = ""
    code: int | None = None


JOB = TypeAdapter(Job)


def home_of(root: Path) -> Path:
    """The folder where this user's studio keeps its own files on a folder of runs.

    Raises:
        UserError: this user has no state folder.
    """
    return state_folder() / "studio" / hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]


@functools.cache
def settable(recipe: str) -> frozenset[str]:
    """The names of a recipe's settings that the page may change."""
    experiment = RECIPES[recipe]()
    fields = [field.name for home in SECTIONS for field in dataclasses.fields(getattr(experiment, home))]
    return frozenset(name.rstrip("_") for name in fields if name not in fixed(experiment))


def fixed(experiment: Experiment) -> set[str]:
    """The fields of an experiment that the page may not set: those of FIXED, and paths."""
    return {*FIXED, *getattr(experiment.data, "places", ())}


def is_settable(recipe: str, setting: str) -> bool:
    """Is this a setting that the page may change, also one of a family such as column.NAME?"""
    family, _, name = setting.partition(".")
    return setting in settable(recipe) or bool(name and family in getattr(RECIPES[recipe]().data, "families", {}))


def is_allowed(root: Path, kind: str, run: str, arguments: Sequence[str]) -> bool:
    """Can the page request a job with these arguments: with one of Ganvas's own recipes, in that run's folder?"""
    rest = list(arguments)
    if kind == "resume":
        return rest[:2] == ["resume", str(root / run)] and (
            len(rest) == 2 or (len(rest) == 3 and re.fullmatch("images=[0-9]{1,13}", rest[2]) is not None)
        )
    if len(rest) < 4 or rest[0] != "train" or rest[1] not in RECIPES or rest[2:4] != ["--run", str(root / run)]:
        return False
    recipe, rest = rest[1], rest[4:]
    for flag in ("--data", "--to"):
        if rest[:1] == [flag]:
            if not (rest[1:] and (rest[1] in DATASETS or os.path.isabs(rest[1]))):
                return False
            rest = rest[2:]
    return all(_is_harmless(recipe, setting) for setting in rest)


def _is_harmless(recipe: str, setting: str) -> bool:
    """Is this a setting that the page may change, and no code to be run?"""
    name, equals, value = setting.partition("=")
    return bool(equals) and is_settable(recipe, name) and not own.is_spoken(value)


class Jobs:
    """The list of jobs, and the running process."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, home_of(root)
        self.file = self.home / "jobs.json"
        self.lock = threading.RLock()
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping: set[int] = set()  # numbers of the jobs that are stopping
        self.jobs = self._read()

    def add(self, kind: Kind, run: str, arguments: list[str]) -> Job:
        """Put a job at the end of the queue.

        Raises:
            Busy: too many jobs wait.
            UserError: the same run waits or is being trained already, or the list cannot be written.
        """
        with self.lock:
            active = [j for j in self.jobs if j.state in ("waiting", "running")]
            if len(active) > WAITING:
                raise Busy(f"{len(active)} jobs are already waiting. Wait until some are done, or remove some.")
            for job in active:
                ending = job.state == "running" and (job.number in self.stopping or not is_alive(job.pid, job.began))
                if job.run == run and not ending:
                    raise UserError(f"{run} is already {'waiting' if job.state == 'waiting' else 'being trained'}.")
            number = max((j.number for j in self.jobs), default=0) + 1
            job = Job(number, kind, run, tuple(arguments))
            before = self.jobs
            try:
                self._save([*before, job])
            except UserError:
                self.jobs = before
                raise
        with contextlib.suppress(UserError):  # the next call of `tend` tries again
            self.tend()
        return next(j for j in self.jobs if j.number == number)

    def stop(self, run: str) -> bool:
        """Stop a run's job (it saves), or remove it from the queue; False: the run has no job.

        Raises:
            UserError: the process may not be stopped from here.
        """
        stopped = False
        with self.lock:
            for job in self.jobs:
                if job.run == run and job.state == "waiting":
                    self._change(job, state="stopped")
                    self._remove_empty(job)
                    stopped = True
                if job.run == run and job.state == "running" and is_alive(job.pid, job.began):
                    if self.process is not None and self.process.pid == job.pid:
                        with contextlib.suppress(ProcessLookupError):
                            ask_to_end(job.pid)  # this server's own child
                    else:
                        stopping.stop(job.pid, self.root / run)
                    self.stopping.add(job.number)
                    stopped = True
        return stopped

    def has(self, run: str) -> bool:
        """Is a job of this run waiting, running or ending?"""
        with self.lock:
            return any(
                j.run == run and (j.state == "waiting" or (j.state == "running" and is_alive(j.pid, j.began)))
                for j in self.jobs
            )

    def reads(self, place: str) -> bool:
        """Does a waiting or running job name this place?"""
        with self.lock:
            named = [job for job in self.jobs if place in job.arguments]
            return any(j.state == "waiting" or (j.state == "running" and is_alive(j.pid, j.began)) for j in named)

    def waits_for_itself(self, job: Job) -> bool:
        """Does a job wait only until the process before it has ended, which worked on the same run and is saving?"""
        with self.lock:
            before = [j for j in self.jobs if j.number < job.number and j.state in ("waiting", "running")]
        return job.state == "waiting" and bool(before) and all(j.run == job.run for j in before)

    def tend(self) -> None:
        """Check whether the running job has ended, and start the next one."""
        with self.lock:
            for job in [j for j in self.jobs if j.state == "running"]:
                is_own = self.process is not None and self.process.pid == job.pid
                code = self.process.poll() if self.process is not None and is_own else None
                if code is None and (is_own or is_alive(job.pid, job.began)):  # an own one may end between the two
                    return
                self._end(job, code)
            waiting = next((j for j in self.jobs if j.state == "waiting"), None)
            if waiting is not None:
                self._start(waiting)

    def output(self, job: Job) -> str:
        """The end of what a job printed."""
        path = self.log_of(job)
        return read(path, max(0, size(path) - 4 * OUTPUT), 4 * OUTPUT).decode(errors="replace")[-OUTPUT:]

    def log_of(self, job: Job) -> Path:
        return self.home / f"job-{job.number:05d}.txt"

    def rows(self) -> list[dict[str, Any]]:
        """The newest job of each run for the page, the newest first; failed ones with the end of their output."""
        with self.lock:
            jobs = {job.run: job for job in self.jobs}
        rows = []
        for job in sorted(jobs.values(), key=lambda job: -job.number):
            state = "ending" if job.state == "running" and job.number in self.stopping else job.state
            recipe = job.arguments[1] if job.kind == "train" else ""
            row = {"number": job.number, "kind": job.kind, "run": job.run, "recipe": recipe, "state": state}
            if job.state == "failed":
                row["words"] = self.output(job)[-600:] or self._silent_failure()
            rows.append(row)
        return rows

    def _silent_failure(self) -> str:
        """Why a job may have failed without printing anything."""
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.root).free < SPARE:
                return f"The disk of {self.root} is full: free some space, then resume."
        return "It ended without an error message: it may have been killed or have run out of memory."

    def _start(self, job: Job) -> None:
        make_folder(self.home)
        # -P and a working folder of the user's own: no module is imported from the runs' folder
        command = [sys.executable, "-P", "-m", "ganvas", *job.arguments]
        before = self.jobs
        try:
            self._change(job, state="running")  # first, so that no later server starts it again
        except UserError:
            self.jobs = before  # the job waits until the list can be written
            raise
        try:
            with open(self.log_of(job), "wb") as log:
                self.process = subprocess.Popen(
                    command,
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    creationflags=NEW_GROUP,
                )
        except OSError as error:
            self._change(job, state="failed", code=-1)
            with contextlib.suppress(OSError):
                self.log_of(job).write_text(f"It could not be started: {error}.", encoding="utf-8")
            return
        pid = self.process.pid
        self._change(job, state="running", pid=pid, began=began(pid))

    def _end(self, job: Job, code: int | None) -> None:
        stopped = code in (*(128 + number for number in STOPS), -signal.SIGTERM)
        if code is None:  # another server's child: only its output is known
            output = self.output(job)
            stopped, code = "Stopped and saved." in output, 0 if "Report   " in output or "This run is" in output else 1
        self._change(job, state="stopped" if stopped else "done" if code == 0 else "failed", code=code)
        self._remove_empty(job)
        self.process = None

    def _remove_empty(self, job: Job) -> None:
        """Remove the folder of a run that ended before its training began."""
        with contextlib.suppress(OSError):
            (self.root / job.run).rmdir()  # only where it is empty

    def _change(self, job: Job, **fields: Any) -> None:
        self._save([replace(j, **fields) if j.number == job.number else j for j in self.jobs])

    def _save(self, jobs: list[Job]) -> None:
        old = [j for j in jobs if j.state not in ("waiting", "running")][:-KEPT]
        for job in old:
            with contextlib.suppress(OSError):
                self.log_of(job).unlink()
        self.jobs = [j for j in jobs if j not in old]
        make_folder(self.home)
        write_whole(self.file, json.dumps([asdict(j) for j in self.jobs], indent=1))

    def _read(self) -> list[Job]:
        """The jobs in the list's file; those that the page could not have requested are skipped."""
        if not os.path.lexists(self.file):
            return []
        try:
            rows = parse_json(read_bytes(self.file, LIST))
        except (UserError, ValueError) as error:
            LOG.warning("The list of jobs is skipped: %s", error)
            return []
        jobs: dict[int, Job] = {}
        for row in rows if isinstance(rows, list) else []:
            try:
                job = JOB.validate_python(row)
            except ValueError:
                job = None
            if job is None or not is_allowed(self.root, job.kind, job.run, job.arguments):
                LOG.warning("A job in %s is skipped: the studio did not write it.", self.file)
            else:
                jobs[job.number] = job
        return list(jobs.values())
