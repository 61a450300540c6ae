"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ganvas.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

READING = {
    errno.EACCES: "there is no permission to read it",
    errno.EPERM: "there is no permission to read it",
    errno.ENOENT: "it does not exist",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
}
WRITING = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your disk quota is used up; free some space",
    errno.EFBIG: "the file is larger than this place allows; choose another folder",
    errno.EACCES: "there is no permission to write there; choose another folder",
    errno.EPERM: "there is no permission to write there; choose another folder",
    errno.EROFS: "that disk is read-only; choose another folder",
    errno.ENOENT: "that folder does not exist (any more)",
    errno.EISDIR: "that is a folder; give a file's name",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
}


def cannot(what: str, path: Path, error: OSError) -> UserError:
    """The error for a file operation ('read', 'write', ...) that the system refused."""
    reading = what == "read"
    reason = (READING if reading else WRITING).get(error.errno or 0, error.strerror or str(error))
    return UserError(f"Cannot {what} {path}: {reason}." + ("" if reading else " What was saved before is intact."))


def place(path: str | os.PathLike[str]) -> Path:
    """A path as the user wrote it, with ~ for a home.

    Raises:
        UserError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"Cannot read {path}: {error}.") from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one and nothing between.

    Raises:
        UserError: the system refused (disk full, no permission ...); the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise cannot("write", path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents.

    Raises:
        UserError: the system refused.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UserError(f"Cannot make the folder {path}: there is a file of that name. Choose another name.") from error
    except OSError as error:
        raise cannot("make the folder", path, error) from error


def cache_folder() -> Path:
    """Where Ganvas keeps what it can work out again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganvas"


def json_line(line: bytes | str) -> dict[str, Any] | None:
    """The object in a line of JSON; None where there is none: half written in a crash, damaged, or something else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def locked(path: Path, refusal: str = "") -> Iterator[IO[str]]:
    """Hold this file, which is made where there is none; the system lets go when the process ends, however it ends.

    Args:
        refusal: what to say where someone else holds it; without one it is waited for.

    Raises:
        UserError: the refusal, or the file cannot be written.
    """
    try:
        file = open(path, "a")  # noqa: SIM115
    except OSError as error:
        raise cannot("write", path, error) from error
    with file:
        try:
            if fcntl is not None:  # Windows: that nobody else is at work is then the user's own care
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except OSError as error:
            raise UserError(refusal) from error
        yield file
