"""Archives of files, read without unpacking and within limits: nothing that they state is trusted."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from ganvas.core import files
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import cannot
from ganvas.sources.kind import Kind

MEMBERS = 2_000_000  # of an archive, at most
LISTED = 200_000_000  # bytes of a zip's list of its members, at most
HEADER = 1_000_000  # bytes of a tar's header of a member, at most
UNFOLDED = 100_000_000  # a member of a zip of more bytes must take up a hundredth of them in the archive
END = 66_000  # bytes, at most, that hold the end of a zip, with its comment
PORTION = 1_000_000  # bytes that are read or unpacked at a time
UNPACK: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
Reading = Callable[[list[str]], Iterator[bytes | Exception]]


def _safe(path: Path, name: str) -> str:
    clean = name.replace("\\", "/").removeprefix("./")
    if clean.startswith("/") or ".." in clean.split("/") or clean[1:2] == ":":
        raise UserError(f"{path} has a member named '{name}', which points out of the archive: do not trust this file.")
    return clean


class Bounded:
    """A file of which at most `most` bytes are read at a time, whatever it states.

    `expected` is what should be there besides lists of names: 'a picture'.
    """

    def __init__(self, file: Any, most: int, expected: str) -> None:
        self.file, self.most, self.expected, self.last = file, most, expected, b""
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int = -1) -> bytes:
        wanted, parts = self.most + 1 if count < 0 else min(count, self.most + 1), []
        while wanted and (part := self.file.read(min(wanted, PORTION))):  # read() allocates all that it is asked for
            parts.append(part)
            wanted -= len(part)
        data = b"".join(parts)
        if len(data) > self.most:
            raise ValueError(f"it has more than {self.most:,} bytes where {self.expected} or a list of names should be")
        self.last = data
        return data


def _too_large(size: int, kind: Kind) -> UserError:
    return UserError(f"it has {size:,} bytes; a {kind.singular} has {kind.most_bytes:,} at most")


def _too_many(path: Path) -> UserError:
    return UserError(f"{path} has more than {MEMBERS:,} members. Unpack it, and name the folder.")


def of_zip(path: Path, kind: Kind) -> tuple[dict[str, str], Reading]:
    """The members of a zip file, each with a text that changes if it does, and a function that reads members.

    Raises:
        UserError: it is damaged, not a zip file, encrypted, has too many members, or cannot be trusted.
    """
    with contextlib.ExitStack() as stack:
        raw = Bounded(
            stack.enter_context(files.open_regular(path)), LISTED, f"a {kind.singular}"
        )  # the list of members is read at once
        try:
            file = stack.enter_context(zipfile.ZipFile(cast(IO[bytes], raw)))
            listed = file.infolist()
            check_list(file, [i for i in listed if not i.filename.lower().endswith(tuple(kind.suffixes))])
            infos = {_safe(path, i.filename): i for i in listed if not i.is_dir()}
        except OSError as error:
            raise cannot("read", path, error) from error
        except UserError:
            raise
        except Exception as error:  # zipfile raises many kinds: BadZipFile, NotImplementedError, struct.error
            raise UserError(
                f"{path} is damaged, or no zip file ({first_line(error)[:200]}). Fetch it again."
            ) from error
        if len(infos) > MEMBERS:
            raise _too_many(path)
        if any(i.flag_bits & 1 for i in infos.values()):
            raise UserError(f"{path} is locked with a password. Unpack it, and name the folder.")
        raw.most = kind.most_bytes
        opened = stack.pop_all()  # stays open as long as `read` exists

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:
            try:
                yield _member(file, infos[name], kind)
            except Exception as error:  # see above
                yield error

    weakref.finalize(read, opened.close)
    return {name: f"{i.file_size} {i.CRC}" for name, i in infos.items()}, read


def check_list(file: zipfile.ZipFile, passed_over: Iterable[zipfile.ZipInfo]) -> None:
    """Check that a zip's list of members is complete: what a damaged list leaves out would be missing silently.

    Args:
        passed_over: members that will not be read; zipfile itself compares list and header of the others.

    Raises:
        ValueError, zipfile.BadZipFile: it names fewer members than its end says, or other ones than their headers.
    """
    raw, count = cast(Bounded, file.fp), len(file.infolist())
    raw.seek(max(0, raw.seek(0, os.SEEK_END) - END))
    tail = raw.read(END)
    at = tail.rfind(b"PK\5\6") + 10
    stated = int.from_bytes(tail[at : at + 2], "little")
    if stated not in (0xFFFF, count % 2**16):  # 0xFFFF: the number is larger, and stored elsewhere
        raise ValueError(f"its list names {count:,} members, and its end says {stated:,}")
    for info in passed_over:
        with contextlib.suppress(NotImplementedError, RuntimeError):  # an unknown compression, or encrypted
            file.open(info).close()


def _member(file: zipfile.ZipFile, info: zipfile.ZipInfo, kind: Kind) -> bytes:
    """The bytes of a member, at most as many as it states."""
    if info.file_size > kind.most_bytes:
        raise _too_large(info.file_size, kind)
    if info.file_size > max(UNFOLDED, files.RATIO * info.compress_size):
        raise UserError(
            f"its {info.compress_size:,} bytes unfold to {info.file_size:,}: no {kind.singular} is packed so small"
        )
    # for BZ2 and LZMA, Python unpacks all that it has read at once
    step = PORTION if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else 4_096
    with file.open(info) as member:
        return b"".join(iter(lambda: member.read(step), b""))


def _check_end(file: Bounded) -> None:
    """Raise a ValueError if a tar does not end properly: Python takes a damaged header for the end."""
    if file.last.strip(b"\0"):
        raise ValueError("the header of a member is invalid")
    if not file.last:
        raise ValueError("it ends without its end marker: it may be cut short")
    while part := file.read(min(PORTION, file.most)):
        if part.strip(b"\0"):
            raise ValueError("there is more after its end marker; if several were joined, unpack it: tar -i -xf")


def of_tar(path: Path, kind: Kind) -> tuple[dict[str, str], Reading]:
    """As `of_zip`, for a tar file, compressed or not."""
    infos: dict[str, tarfile.TarInfo] = {}
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(files.open_regular(path))
        try:
            head = raw.read(6)
            raw.seek(0)
            unpack = next((f for sign, f in UNPACK.items() if head.startswith(sign)), None)
            bounded = Bounded(stack.enter_context(unpack(raw)) if unpack else raw, HEADER, f"a {kind.singular}")
            file = stack.enter_context(tarfile.TarFile(fileobj=cast(IO[bytes], bounded)))
            for _ in range(MEMBERS + 1):
                info = file.next()
                if info is None:
                    _check_end(bounded)
                    break
                file.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  # otherwise they add up
                if info.isfile():
                    info.pax_headers = {}
                    infos[_safe(path, info.name)] = info
            else:
                raise _too_many(path)
        except (tarfile.TarError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            reason = first_line(error)[:200]
            raise UserError(
                f"{path} is damaged, or no tar file ({reason}). Fetch it again, or unpack it and name the folder."
            ) from error
        except OSError as error:
            if error.errno is None:  # a broken stream, according to gzip
                raise UserError(f"{path} is damaged ({error}). Fetch it again.") from error
            raise cannot("read", path, error) from error
        bounded.most = kind.most_bytes
        opened = stack.pop_all()

    def read(names: list[str]) -> Iterator[bytes | Exception]:
        for name in names:  # in the order of the archive: a compressed one is read once, from its beginning
            try:
                if infos[name].size > kind.most_bytes:
                    raise _too_large(infos[name].size, kind)
                member = file.extractfile(infos[name])
                yield member.read() if member is not None else b""
            except Exception as error:  # see above
                yield error

    weakref.finalize(read, opened.close)
    return {name: f"{i.size} {i.mtime}" for name, i in infos.items()}, read
