"""Files: written completely or not at all, read within limits; and the user's own folders."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ganvas.core.errors import UserError, cannot
from ganvas.core.locks import held
from ganvas.core.processes import is_alive

UNFOLDED, RATIO = 1_000_000_000, 100  # a file that unpacks to so many bytes must have a hundredth of it on the disk
DEPTH = 100  # levels of nested lists and objects at most: walking through them is recursive
PATIENCE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # seconds, one after the other, until a file can be replaced
DIGITS = 100  # of a whole number in JSON at most: beyond the largest float a conversion would raise OverflowError


def place(path: str | os.PathLike[str]) -> Path:
    """The path that the user wrote, with ~ replaced by the home folder.

    Raises:
        UserError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"Cannot read {path}: {error}.") from error


def open_regular(path: Path) -> IO[bytes]:
    """A regular file, opened for reading.

    Raises:
        UserError: it is not a regular file (reading a pipe would wait forever), or the system refused.
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
        UserError: it is larger, it is not a regular file, or the system refused.
    """
    with open_regular(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1) if size <= most else b""  # read() allocates all that it is asked for
            if len(content) > size:  # it has grown, or has no size (as in /proc)
                content += file.read(most + 1 - len(content))
        except OSError as error:
            raise cannot("read", path, error) from error
    if max(size, len(content)) > most:
        raise UserError(f"{path} has {max(size, len(content)):,} bytes; such a file has {most:,} at most.")
    return content


def check_unfolded(path: Path, needed: int, stored: int) -> None:
    """Refuse a file whose content would not fit into memory, before it is read.

    Args:
        needed: bytes in memory, according to the file.
        stored: bytes of it on the disk.

    Raises:
        UserError: it needs more memory than is left, or unpacks to so much that it cannot be a data set.
    """
    if needed > UNFOLDED and needed > RATIO * stored:
        raise UserError(
            f"{path} claims that {stored:,} bytes unpack to {needed:,}: such files are made to exhaust the memory. "
            "If you trust it, unpack it yourself."
        )
    left = memory_left()
    if needed > left:
        raise UserError(
            f"{path} needs {needed / 1e9:,.1f} GB of memory, and {left / 1e9:,.1f} GB are free. Save its pictures as "
            "files: of a folder or an archive only some are in memory at a time."
        )


def memory_left() -> int:
    """About how many bytes of memory are available; 2**62 on systems that do not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            match = re.search(r"MemAvailable:\s*(\d{1,15}) kB", file.read(10_000))
        return int(match[1]) * 1024 if match else 1 << 62
    except (OSError, ValueError):  # not Linux
        return 1 << 62


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or holds a number of too many digits.
    """
    text = text.decode(json.detect_encoding(text)) if isinstance(text, bytes) else text
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise ValueError("it is nested too deeply")
    return json.loads(text, parse_int=_whole_number)


def _depth(text: str) -> int:
    """How deeply brackets are nested, not counting those in strings."""
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
    """A new, empty file or folder next to `path` to write to: the caller renames it, or it is removed in the end.

    It is locked while it is in use. Parts that killed processes left in this folder are removed first.

    Raises:
        OSError: the system refused.
    """
    _remove_left_parts(path.parent)
    name = path.name.encode(errors="ignore")[:220].decode(errors="ignore")  # at most 255 bytes with the additions
    part = path.with_name(f".{name}.{os.getpid()}.part")
    if folder:
        part.mkdir()
    else:
        part.unlink(missing_ok=True)  # there may be a link of this name: it must not be followed
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # a file system without locks
                stack.enter_context(held(part))
            yield part
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                part.unlink()


def replace(part: Path, path: Path) -> None:
    """Rename a file to `path`, which may exist; on Windows, where a file that others read stays, after some waiting.

    Raises:
        OSError: the system refused.
    """
    for seconds in PATIENCE if os.name == "nt" else ():
        with contextlib.suppress(PermissionError):
            return os.replace(part, path)
        time.sleep(seconds)
    return os.replace(part, path)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new, empty file to write to, which replaces `path` once the block has ended without an error.

    Raises:
        UserError: the system refused (disk full, no permission ...); what was at `path` is untouched.
    """
    try:
        with part_of(path) as part:
            yield part
            replace(part, path)
    except OSError as error:
        raise cannot("write", path, error) from error


def _remove_left_parts(folder: Path) -> None:
    """Remove the parts here whose process is gone and that nobody has locked."""
    for entry in os.scandir(folder):
        named = re.fullmatch(r"\..+\.(\d{1,10})\.part", entry.name)
        if named is None or entry.is_symlink() or is_alive(int(named[1]), ""):
            continue
        with contextlib.suppress(OSError), held(entry.path):  # another machine may be using it
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file atomically: readers see the old content or the new one, even after a crash.

    Raises:
        UserError: the system refused (disk full, no permission ...); the old file is untouched.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content  # for lone surrogates
    with replacing(path) as part, open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def check_free(*paths: Path, force: bool = False, way: str = "Choose another name, or --force to overwrite it") -> None:
    """Make sure that nothing is overwritten unasked; to be called before any work is done.

    Args:
        force: files may be overwritten (folders never are).
        way: what the error advises where there is a file.

    Raises:
        UserError: there is something at one of these places.
    """
    for path in paths:
        if os.path.lexists(path):
            if path.is_dir():
                raise UserError(f"{path} is a folder. Choose another name.")
            if not force:
                raise UserError(f"{path} already exists. {way}.")


def check_folder(path: Path, ours: re.Pattern[str], force: bool = False) -> None:
    """Make sure that a folder can be written there; to be called before any work is done.

    Args:
        ours: the names of the files that an earlier call wrote, which `force` may replace.

    Raises:
        UserError: there is a file, or a folder that holds something else, or holds files and `force` is not said.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        check_free(path)
    foreign = sorted(p for p in path.rglob("*") if not (p.is_dir() or ours.fullmatch(p.name)))
    if foreign and force:
        raise UserError(f"{path} holds other files, such as {foreign[0].relative_to(path)}: choose a new folder.")
    if any(path.iterdir()) and not force:
        raise UserError(f"{path} already exists and is not empty. Choose a new folder, or --force to replace it.")


def free(path: Path) -> Path:
    """This path if nothing is there, else the first free one of `NAME-2.png`, `NAME-3.png` ..."""
    number, unused = 1, path
    while os.path.lexists(unused):
        number += 1
        unused = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return unused


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
    """Where Ganvas keeps what it can make again, such as packs of decoded images."""
    return _user_folder("cache", "XDG_CACHE_HOME")


def state_folder() -> Path:
    """Where Ganvas keeps what belongs to the user, not to a run, such as the studio's queue."""
    return _user_folder("state", "XDG_STATE_HOME")


def _user_folder(kind: str, variable: str) -> Path:
    """A folder of this user, which need not exist yet; in the temporary folder if the user has no home.

    Raises:
        UserError: there is no home, and the folder in the temporary folder belongs to somebody else.
    """
    import platformdirs

    named = os.environ.get(variable, "")
    if os.path.isabs(named):  # the XDG Base Directory specification: ignore relative paths
        return Path(named) / "ganvas"
    find = platformdirs.user_cache_dir if kind == "cache" else platformdirs.user_state_dir
    with contextlib.suppress(RuntimeError):  # raised by newer versions; older ones give a path that begins with ~
        place = Path(find("ganvas", appauthor=False))
        if place.is_absolute():
            return place
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"ganvas-{user}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
    except OSError as error:
        raise cannot("make the folder", place, error) from error
    shared = hasattr(os, "getuid") and (
        status.st_uid != user or status.st_mode & 0o077
    )  # Windows has a folder for each
    if not stat.S_ISDIR(status.st_mode) or shared:
        raise UserError(f"{place} is not this user's own folder. Set {variable} to a folder that is.")
    return place / kind


def json_line(line: bytes | str) -> dict[str, Any] | None:
    """The object in a line of JSON; None if it holds none, such as a line that a crash cut short."""
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
