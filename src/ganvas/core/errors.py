"""Errors that are meant for the user: one class, and the sentences that are needed everywhere."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

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
    errno.ENOENT: "that folder does not exist",
    errno.EISDIR: "that is a folder; give a file's name",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
}
MANY = 20  # valid names: up to so many are all listed in an error
SIMILAR = 6  # of more so many that are like the wrong one


class UserError(Exception):
    """An error that the user can fix: one clear sentence with the value, the place and the way out.

    The command line prints it without a traceback and exits with code 2.
    """


def unknown(kind: str, name: str, valid: Iterable[str], more: str = "", start: str = "There is no") -> UserError:
    """The error for a name that is not in a table: suggests the closest one, and lists the `valid` names.

    Of more than MANY only similar ones are listed.

    Args:
        more: where to see them all, a sentence; it is added where not all are listed.
        start: of the sentence, up to the kind of name.
    """
    names = sorted({*valid})
    near = difflib.get_close_matches(name, names, n=SIMILAR)
    sure = near[:1]
    text = f"{start} {kind} '{name}'." + (f" Did you mean '{sure[0]}'?" if sure else "")
    if len(names) > MANY and more:
        others = [other for other in near if other not in sure]
        return UserError(text + (f" Similar: {', '.join(others)}." if others else "") + f" {more}")
    rest = f", ... ({len(names)} in all)" if len(names) > MANY else ""
    return UserError(f"{text} Valid: {', '.join((near or names)[:MANY] if rest else names)}{rest}.")


def first_line(error: Exception) -> str:
    """The first line of an error's message, or the name of its class if it has no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def cannot(what: str, path: Path, error: OSError) -> UserError:
    """The error for a file operation ('read', 'write', ...) that the system refused."""
    reading = what == "read"
    reason = (READING if reading else WRITING).get(error.errno or 0, error.strerror or str(error))
    return UserError(f"Cannot {what} {path}: {reason}." + ("" if reading else " What was saved before is intact."))
