"""Files: written whole or not at all, read within limits; and the folders that are the user's own."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ganvas.core.errors import UserError
from ganvas.core.processes import is_alive

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
UNFOLDED, RATIO = 1_000_000_000, 100  # bytes in memory from which a file must have a hundredth of them on the disk
DEPTH = 100  # of lists and groups in one another, at most: whoever walks through them calls himself
DIGITS = 100  # of a whole number in JSON, at most: more than any float reaches would end in an OverflowError


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


def open_regular(path: Path) -> IO[bytes]:
    """A regular file, open to be read.

    Raises:
        UserError: it is no regular file (a pipe would be waited for), or the system refused.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # the second: a path with a zero byte
        raise cannot("read", path, error if isinstance(error, OSError) else OSError(str(error))) from error
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(kind) else "a pipe or a device, not a file"
        raise UserError(f"Cannot read {path}: it is {what}.")
    return open(descriptor, "rb")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Args:
        most: bytes; a larger file is refused before it is read.

    Raises:
        UserError: it is larger, it is no regular file (a pipe would be waited for), or the system refused.
    """
    with open_regular(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1) if size <= most else b""  # room is made for all that is asked for
            if len(content) > size:  # it has grown, or tells no size
                content += file.read(most + 1 - len(content))
        except OSError as error:
            raise cannot("read", path, error) from error
    if max(size, len(content)) > most:
        raise UserError(f"{path} has {max(size, len(content)):,} bytes; such a file has {most:,} at most.")
    return content


def check_unfolded(path: Path, needed: int, stored: int) -> None:
    """Refuse a file before what it states is read into memory.

    Args:
        needed: bytes in memory, as the file states.
        stored: bytes on the disk that they come from.

    Raises:
        UserError: they are more than this machine has left, or so many more than are stored that it is no data set.
    """
    if needed > UNFOLDED and needed > RATIO * stored:
        raise UserError(
            f"{path} states that {stored:,} bytes unfold to {needed:,}: such files are made to fill memories. "
            "If you trust it, unpack it yourself."
        )
    left = memory_left()
    if needed > left:
        raise UserError(
            f"{path} needs {needed / 1e9:,.1f} GB of memory, and {left / 1e9:,.1f} GB are free. Save its pictures as "
            "files: of a folder or an archive only some are in memory at a time."
        )


def memory_left() -> int:
    """Bytes of memory that the system can give, about; without an answer as if there were plenty."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = re.search(r"MemAvailable:\s*(\d{1,15}) kB", file.read(10_000))
        return int(found[1]) * 1024 if found else 1 << 62
    except (OSError, ValueError):  # no Linux
        return 1 << 62


def parse_json(text: bytes | str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: it is no JSON, is nested too deep, or holds a number of more digits than any that Ganvas writes.
    """
    text = text.decode(json.detect_encoding(text)) if isinstance(text, bytes) else text
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise ValueError("it is nested too deep")
    return json.loads(text, parse_int=_whole_number)


def _depth(text: str) -> int:
    """How deep brackets stand in one another, those within strings left out."""
    depth = most = 0
    for bracket in re.findall(r"[\[{}\]]", re.sub(r'"(?:[^"\\]|\\.)*"?', "", text)):
        depth += 1 if bracket in "[{" else -1
        most = max(most, depth)
    return most


def _whole_number(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


@contextlib.contextmanager
def part_of(path: Path, folder: bool = False) -> Iterator[Path]:
    """A file (made empty) or a folder beside `path` to write to; the caller renames it, and what is left is removed.

    It is held while it is in use. Those that a process left behind when it was killed are removed first.

    Raises:
        OSError: the system refused.
    """
    _remove_left_parts(path.parent)
    name = path.name.encode(errors="ignore")[:220].decode(errors="ignore")  # with what is added 255 at most
    part = path.with_name(f".{name}.{os.getpid()}.part")
    if folder:
        part.mkdir()
    else:
        part.unlink(missing_ok=True)  # of this name there may be a link that leads elsewhere: it is not followed
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # a file system without locks
                stack.enter_context(_held(part))
            yield part
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def _held(place: str | Path) -> Iterator[None]:
    """Hold a file or folder while it is in use; on Windows, which renames nothing that is open, nothing is held.

    Raises:
        OSError: another process holds it.
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


def _remove_left_parts(folder: Path) -> None:
    """Remove what `part_of` made here in processes that were killed: nobody holds it, and its process is gone."""
    for entry in os.scandir(folder):
        named = re.fullmatch(r"\..+\.(\d{1,10})\.part", entry.name)
        if named is None or entry.is_symlink() or is_alive(int(named[1]), ""):
            continue
        with contextlib.suppress(OSError), _held(entry.path):  # another machine's process may hold it
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one and nothing between.

    Raises:
        UserError: the system refused (disk full, no permission ...); the old file is untouched.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content  # of halves of pairs
    try:
        with part_of(path) as part:
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
    except OSError as error:
        raise cannot("write", path, error) from error


def check_free(*paths: Path, force: bool = False, way: str = "Choose another name, or --force to overwrite it") -> None:
    """Nothing is overwritten unasked: to be called before any work is done.

    Args:
        force: overwrite files; a folder is never overwritten by a file.
        way: what to do about a file that is there.

    Raises:
        UserError: there is something at one of these places.
    """
    for path in paths:
        if os.path.lexists(path):
            if path.is_dir():
                raise UserError(f"{path} is a folder. Choose another name.")
            if not force:
                raise UserError(f"{path} is there already. {way}.")


def free(path: Path) -> Path:
    """This path or, where there is something already, the first of `NAME-2.png`, `NAME-3.png` ... that is free."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


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
    return _user_folder("cache", "XDG_CACHE_HOME")


def state_folder() -> Path:
    """Where Ganvas keeps what is this user's own and no part of a run, such as the studio's queue."""
    return _user_folder("state", "XDG_STATE_HOME")


def _user_folder(kind: str, variable: str) -> Path:
    """A folder of this user's, perhaps not made yet; of the temporary folder where the user has no home.

    Raises:
        UserError: there is no home, and the folder in the temporary folder is another user's.
    """
    import platformdirs

    named = os.environ.get(variable, "")
    if os.path.isabs(named):  # others are to be passed over, says the XDG Base Directory specification
        return Path(named) / "ganvas"
    find = platformdirs.user_cache_dir if kind == "cache" else platformdirs.user_state_dir
    with contextlib.suppress(RuntimeError):  # newer versions say so; older ones give a path that begins with ~
        place = Path(find("ganvas", appauthor=False))
        if place.is_absolute():
            return place
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"ganvas-{user}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        told = place.lstat()
    except OSError as error:
        raise cannot("make the folder", place, error) from error
    if not stat.S_ISDIR(told.st_mode) or told.st_uid != user or told.st_mode & 0o077:
        raise UserError(f"{place} is not this user's own folder. Set {variable} to a folder that is.")
    return place / kind


def json_line(line: bytes | str) -> dict[str, Any] | None:
    """The object in a line of JSON; None where there is none: half written in a crash, damaged, or something else."""
    try:
        found = parse_json(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def locked(path: Path, refusal: str = "") -> Iterator[IO[str]]:
    """Hold this file, which is made where there is none; the system lets go when the process ends, however it ends.

    Args:
        refusal: what to say where someone else holds it; without one it is waited for.

    Raises:
        UserError: the refusal, or the file cannot be written; it is a link, a pipe or a device.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = open(os.open(path, flags, 0o666), "a")  # noqa: SIM115
    except OSError as error:
        raise cannot("write", path, error) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UserError(f"Cannot write {path}: it is a pipe or a device, not a file.")
        try:
            if fcntl is not None:  # Windows: that nobody else is at work is then the user's own care
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except OSError as error:
            raise UserError(refusal) from error
        yield file
