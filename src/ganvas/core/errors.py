"""The one kind of error that is meant for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: one clear sentence with the value, the place and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """


def unknown(kind: str, name: str, valid: Iterable[str]) -> UserError:
    """The error for a name that is not in a table: says what was meant, perhaps, and what there is."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"There is no {kind} '{name}'.{hint} Valid: {', '.join(names)}.")


def first_line(error: Exception) -> str:
    """The first line of what a library says of its error, or the error's name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
