"""Which process is which: the system reuses the id of a process that has ended.

Linux shows it in /proc; elsewhere psutil does, which is installed on Windows and with the extra `studio`. Without
either it is unknown.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

PROC = Path("/proc")
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Popen's creationflags: Windows, for `ask_to_end`


def psutil() -> ModuleType | None:
    """The library, where it is installed and needed."""
    try:
        import psutil as library
    except ImportError:
        return None
    return library


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_proc() -> bool:
    """Does this system say in /proc what its processes are?"""
    return (PROC / "self").exists()


def began(pid: int) -> str:
    """When a process began, in the system's own ticks or in milliseconds; '' where that is unknown, or it has ended."""
    if has_proc():
        return (_fields(pid) or [""] * 20)[19]
    library = psutil()
    if library is None:
        return ""
    try:
        return str(round(1000 * library.Process(pid).create_time()))
    except (library.Error, ValueError):
        return ""


def is_alive(pid: int, when: str) -> bool:
    """Is this still the process that began then? A zombie, which has ended but was not waited for, is not."""
    if pid <= 0:
        return False
    if not has_proc() and (library := psutil()) is not None:
        try:
            process = library.Process(pid)
            return process.status() != library.STATUS_ZOMBIE and (not when or began(pid) == when)
        except library.AccessDenied:
            return not when or began(pid) == when  # another user's
        except (library.Error, ValueError, OverflowError):
            return False
    if os.name == "nt":  # there os.kill would end the process
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # another user's
    except (ProcessLookupError, OverflowError):
        return False
    fields = _fields(pid)
    return not when or (bool(fields) and fields[0] != "Z" and fields[19] == when)


def ask_to_end(pid: int) -> None:
    """Ask a process to save and to end: by SIGTERM; on Windows, where that kills, by Ctrl-Break.

    Raises:
        OSError: there is no such process; it is another user's; on Windows, it was not started with NEW_GROUP, or in
            another console.
    """
    os.kill(pid, getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))


@dataclass(frozen=True)
class Described:
    """What a process is: the arguments of its command; functions for its folder and for its open files."""

    command: list[str]
    folder: Callable[[], str]
    open_files: Callable[[], list[str]]


def describe(pid: int) -> Described | None:
    """What a process is; None where the system cannot say.

    Raises (its functions too):
        ProcessLookupError: there is none, or not any longer.
        PermissionError: it is another user's.
    """
    if has_proc():
        return _from_proc(PROC / str(pid))
    library = psutil()
    if library is None:
        return None

    def call(function: Callable[[], T]) -> T:
        try:
            return function()
        except library.AccessDenied as error:
            raise PermissionError(str(error)) from error
        except (library.Error, ValueError, OverflowError) as error:
            raise ProcessLookupError(str(error)) from error

    process = call(lambda: library.Process(pid))
    return Described(
        call(process.cmdline),
        lambda: call(process.cwd),
        lambda: call(lambda: [file.path for file in process.open_files()]),
    )


def _from_proc(home: Path) -> Described:
    try:
        command = [os.fsdecode(word) for word in (home / "cmdline").read_bytes().split(b"\0")]
    except FileNotFoundError as error:
        raise ProcessLookupError(str(error)) from error
    return Described(
        command,
        lambda: os.readlink(home / "cwd"),
        lambda: [os.path.realpath(path) for path in (home / "fd").iterdir()],
    )


def _fields(pid: int) -> list[str]:
    """The fields in /proc after the name of a process: its state first."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
