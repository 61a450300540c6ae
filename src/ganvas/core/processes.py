"""Which process is which: a number alone is given again when its process has ended."""

from __future__ import annotations

import os
from pathlib import Path


def began(pid: int) -> str:
    """When a process began, in the system's own ticks; '' where it is not told (no such process, no /proc)."""
    return (_fields(pid) or [""] * 20)[19]


def is_alive(pid: int, when: str) -> bool:
    """Is this still the process that began then? One that has ended and was not waited for is not."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # another user's
    except (ProcessLookupError, OverflowError):
        return False
    fields = _fields(pid)
    return not when or (bool(fields) and fields[0] != "Z" and fields[19] == when)


def _fields(pid: int) -> list[str]:
    """What /proc tells of a process after its name: state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
