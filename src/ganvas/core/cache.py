"""The user's cache: what can be made again, kept within a limit; what was unused for longest is removed first."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder, cannot
from ganvas.core.text import one_line

try:
    import fcntl
except ImportError:  # Windows, where open files cannot be removed
    fcntl = None

MOST = 20_000_000_000  # bytes, or a quarter of the disk where that is less
KINDS = {  # by the name, in the order in which they are tried
    "unfinished": r"packs/.+\.part",
    "photographs": r"packs/(?P<name>.+)-photos-[0-9a-f]{20}",
    "pack": r"packs/(?P<name>.+)-[0-9a-f]{20}",
    "reference": r"(?P<name>reference-[0-9a-f]{20})\.safetensors",
}


@dataclass(frozen=True)
class Entry:
    """An entry of the cache, a folder or a file; `used` is when it was last used, in seconds since 1970."""

    kind: str
    name: str
    bytes: int
    used: float
    place: Path

    def __str__(self) -> str:
        day = time.strftime("%Y-%m-%d", time.localtime(self.used))
        return f"{self.name} ({self.kind}, {self.bytes / 1e6:,.0f} MB, last used {day})"


def entries() -> list[Entry]:
    """The entries of the cache, the longest unused first."""
    root, listed = cache_folder(), []
    for place in [*_children(root), *_children(root / "packs")]:
        path = place.relative_to(root).as_posix()
        for kind, pattern in KINDS.items():
            if match := re.fullmatch(pattern, path, re.DOTALL):
                name = match.groupdict().get("name") or place.name
                with contextlib.suppress(OSError):  # removed just now
                    listed.append(Entry(kind, name, _bytes(place), place.stat().st_mtime, place))
                break
    return sorted(listed, key=lambda entry: entry.used)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _bytes(place: Path) -> int:
    if not place.is_dir():
        return place.stat().st_size
    return sum(path.stat().st_size for path in _children(place) if path.is_file())


def limit() -> int:
    """The bytes that the cache may take up."""
    with contextlib.suppress(OSError):
        return min(MOST, _disk().total // 4)
    return MOST


def used(place: Path) -> None:
    """Mark an entry of the cache as used now."""
    with contextlib.suppress(OSError):
        os.utime(place)


def _lock(place: Path, kind: int) -> int | None:
    """A descriptor that locks a folder or file; None if another process has locked it. Raises an OSError."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a file system without locks
        pass
    return descriptor


def _shared(place: Path) -> int | None:
    """A descriptor with a shared lock, which prevents removal; None if it cannot be had."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            return _lock(place, fcntl.LOCK_SH)
    return None


def hold(owner: object, place: Path) -> None:
    """Keep an entry from being removed as long as the object `owner` exists."""
    descriptor = _shared(place)
    if descriptor is not None:
        weakref.finalize(owner, os.close, descriptor)


@contextlib.contextmanager
def held(place: Path) -> Iterator[None]:
    """A context in which an entry is not removed."""
    descriptor = _shared(place)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove(place: Path, in_use: bool = False) -> bool:
    """Remove an entry from the cache, unless it is in use; returns whether it is gone.

    Args:
        in_use: remove it even then. Processes that have it open can continue to read (not on Windows).

    Raises:
        UserError: the system refused.
    """
    away = place.with_name(f".{place.name}.{os.getpid()}.part")
    descriptor = None
    try:
        if fcntl is not None and not place.is_symlink():
            descriptor = _lock(place, fcntl.LOCK_EX)
            if descriptor is None and not in_use:
                return False
        if place.is_symlink() or not place.is_dir():
            place.unlink()
        else:
            os.replace(place, away)  # in one step: nobody sees half of it
            shutil.rmtree(away)
    except FileNotFoundError:
        return True
    except PermissionError as error:
        if os.name == "nt" and not in_use:
            return False
        raise cannot("remove", place, error) from error
    except OSError as error:
        raise cannot("remove", place, error) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return True


def trim(keep: Path, coming: int = 0) -> list[str]:
    """Remove the entries that were unused for longest, until the cache is within its limit; returns sentences on them.

    Entries that are in use, or that the system does not remove, stay.

    Args:
        keep: an entry that stays in any case, finished or not.
        coming: bytes that will be added, which must fit on the disk as well.
    """
    all_, most, removed = entries(), limit(), []
    total = sum(entry.bytes for entry in all_)
    for entry in all_:
        if total + coming <= most and (not coming or _disk().free >= 1.02 * coming):
            break
        if entry.place in (keep, keep.with_name(f"{keep.name}.part")):
            continue
        with contextlib.suppress(UserError):
            if remove(entry.place):
                total -= entry.bytes
                removed.append(f"Removed from the cache, which may take up {most / 1e9:,.1f} GB: {one_line(entry)}.")
    return removed


def _disk() -> Any:
    """Total and free bytes of the disk of the cache, which need not exist yet. Raises an OSError."""
    folder = cache_folder()
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists()))
