"""Files that visitors send from their browser, to train on: one archive or table each, in portions, within limits.

They are kept in the studio's own folder. Nothing of them is unpacked: archives are read as they are, by
`sources.archives`, which trusts nothing that they state.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.core import naming
from ganvas.core.errors import UserError, cannot
from ganvas.core.files import make_folder

PREFIX = "upload:"  # of the name of an upload where a path is asked for
SUFFIXES = (".zip", ".csv", ".parquet")
LARGEST = 4_000_000_000  # bytes of an upload, at most
TOGETHER = 20_000_000_000  # bytes of all of them
MANY = 200  # uploads that are kept
OPEN = 8  # that are under way at once
STALE = 900.0  # seconds without a portion after which one makes room for another
SPARE = 1_000_000_000  # bytes of the disk that stay free
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}(?:" + "|".join(map(re.escape, SUFFIXES)) + ")")
PART = ".part-"


@dataclass
class Coming:
    """An upload that is under way."""

    name: str
    size: int
    place: Path
    received: int = 0
    seen: float = field(default_factory=time.monotonic)


class Uploads:
    """The uploads in a folder. Its methods may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.Lock()
        self.coming: dict[str, Coming] = {}
        for left in folder.glob(f"{PART}*"):  # of a studio that ended
            with contextlib.suppress(OSError):
                left.unlink()

    def rows(self) -> list[dict[str, Any]]:
        """Name and bytes of each, the newest first."""
        found = []
        for path in self._kept():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, {"name": path.name, "bytes": status.st_size}))
        return [row for _, row in sorted(found, key=lambda pair: -pair[0])]

    def find(self, name: str) -> Path:
        """The file of an upload.

        Raises:
            UserError: there is none of this name.
        """
        path = self.folder / name
        if not NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
            raise UserError(f"There is no upload {name[:80]!r}. It may have been removed: send the files again.")
        return path

    def begin(self, name: str, size: int) -> str:
        """Make room for an upload, and return the key for its portions.

        Args:
            name: of the file or folder that it was; it is not trusted.

        Raises:
            UserError: such files are not accepted, it is too large, or there is no room.
        """
        suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), None)
        if suffix is None:
            raise UserError("Pictures and sounds, a .zip of them, a .csv or a .parquet file can be sent.")
        if not 0 < size <= LARGEST:
            raise UserError(f"It has {size:,} bytes; at most {LARGEST / 1e9:.0f} GB can be sent. Use a folder instead.")
        with self.lock:
            for key, one in list(self.coming.items()):
                if time.monotonic() - one.seen > STALE:
                    self._drop(key)
            if len(self.coming) >= OPEN:
                raise UserError(f"{OPEN} uploads are under way. Try again when one of them is done.")
            make_folder(self.folder)
            kept = self._kept()
            used = sum(path.stat().st_size for path in kept) + sum(one.size for one in self.coming.values())
            if len(kept) >= MANY or used + size > TOGETHER:
                raise UserError(f"The uploads already take up {used / 1e9:.1f} GB. Remove some, then send these again.")
            waiting = sum(one.size - one.received for one in self.coming.values())
            if shutil.disk_usage(self.folder).free < size + waiting + SPARE:
                raise UserError("There is not enough room on the studio's disk for these files.")
            key = secrets.token_hex(16)
            place = self.folder / f"{PART}{key}"
            try:
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600))
            except OSError as error:
                raise cannot("write", place, error) from error
            self.coming[key] = Coming(_own_name(name[: -len(suffix)]) + suffix, size, place)
            return key

    def add(self, key: str, offset: int, content: bytes) -> int:
        """Append a portion, and return how many bytes there are now.

        Raises:
            UserError: there is no such upload, the portion does not go there, or the disk is full.
        """
        with self.lock:
            one = self._of(key)
            if offset != one.received or not content or one.received + len(content) > one.size:
                raise UserError("A part of the upload got lost. Send it again.")
            try:
                with open(one.place, "r+b") as file:
                    file.seek(offset)
                    file.write(content)
            except OSError as error:
                self._drop(key)
                raise cannot("write", one.place, error) from error
            one.received, one.seen = one.received + len(content), time.monotonic()
            return one.received

    def finish(self, key: str) -> Path:
        """Give a complete upload its name, which no other one has, and return its file.

        Raises:
            UserError: there is no such upload, or it is not complete.
        """
        with self.lock:
            one = self._of(key)
            if one.received != one.size:
                raise UserError("The upload is not complete. Send it again.")
            place = self.folder / naming.unused(one.name, {naming.key(path.name) for path in self._kept()})
            try:
                os.rename(one.place, place)
            except OSError as error:
                self._drop(key)
                raise cannot("write", place, error) from error
            del self.coming[key]
            return place

    def remove(self, name: str) -> None:
        """Delete an upload, or one that is under way by its key. Raises UserError where there is none."""
        with self.lock:
            if name in self.coming:
                self._drop(name)
                return
            place = self.find(name)
            try:
                place.unlink()
            except OSError as error:
                raise cannot("delete", place, error) from error

    def _kept(self) -> list[Path]:
        return [path for path in self.folder.glob("*") if NAME.fullmatch(path.name) and not path.is_symlink()]

    def _of(self, key: str) -> Coming:
        if key not in self.coming:
            raise UserError("This upload was cancelled. Send it again.")
        return self.coming[key]

    def _drop(self, key: str) -> None:
        with contextlib.suppress(OSError):
            self.coming[key].place.unlink()
        del self.coming[key]


def _own_name(text: str) -> str:
    """A name of letters, digits, - and _ for what was called so."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text.rpartition("/")[2].rpartition("\\")[2]).strip("-")[:40] or "pictures"
