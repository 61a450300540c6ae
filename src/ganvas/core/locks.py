"""Locks between processes; the system frees them when a process ends, even if it is killed."""

from __future__ import annotations

import contextlib
import importlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ganvas.core.errors import UserError, cannot

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
msvcrt = importlib.import_module("msvcrt") if os.name == "nt" else None
FAR = 2**30  # the byte that is locked on Windows, which lets nobody read a locked byte: far behind the content


@contextlib.contextmanager
def locked(path: Path, refusal: str = "") -> Iterator[None]:
    """Lock a file that is nothing but a lock, on any system; it is made if there is none, and removed in the end.

    Args:
        refusal: what the error says if another process has locked it; without one this waits for that process.

    Raises:
        UserError: the refusal; or the file cannot be written, or is a link, a pipe or a device.
    """
    import filelock  # only here: it is slow to import

    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UserError(f"Cannot write {path}: it is a link, a pipe or a device, not a file.")
    lock = filelock.FileLock(path, timeout=0 if refusal else -1, thread_local=False)  # generators change threads
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise UserError(refusal) from error
    except (OSError, NotImplementedError) as error:  # the second: a file system without locks
        raise cannot("write", path, error if isinstance(error, OSError) else OSError(str(error))) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows cannot remove an open file
            path.unlink()  # while it is locked: a process waiting for it notices, and makes it again
        lock.release()


@contextlib.contextmanager
def locked_file(path: Path, refusal: str) -> Iterator[IO[str]]:
    """Lock a file by flock and yield it, open for appending; it is made if there is none.

    Unlike `locked`, it shows in /proc/locks who holds the lock. Windows has no flock: one byte is locked there.

    Args:
        refusal: what the error says if another process has locked it.

    Raises:
        UserError: the refusal; or the file cannot be written, or is a link, a pipe or a device.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = open(os.open(path, flags, 0o666), "a", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise cannot("write", path, error) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UserError(f"Cannot write {path}: it is a pipe or a device, not a file.")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            elif msvcrt is not None:
                os.lseek(file.fileno(), FAR, os.SEEK_SET)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise UserError(refusal) from error
        yield file


@contextlib.contextmanager
def held(place: str | Path) -> Iterator[None]:
    """Lock an existing file or folder itself while it is in use; nothing on Windows, which renames nothing open.

    Raises:
        OSError: another process has locked it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
