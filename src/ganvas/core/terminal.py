"""Printing: everything that Ganvas prints goes through here. No text from outside can do harm.

Names of files and classes and the texts of model cards come from others: their control and escape characters are
written out, square brackets are not markup, and a letter that the terminal does not have becomes `\\xe9`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich import console as rich
from rich.segment import Segment
from rich.text import Text

from ganvas.core.text import printable


class Console(rich.Console):
    """rich's console for texts from outside: square brackets are not markup, and control characters are written out."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False, markup: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=markup, emoji=False, highlight=False)

    def render_str(self, text: str, **how: Any) -> Text:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().render_str(printable(text), **how)  # rich itself would drop some of these characters

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def say(*texts: object, error: bool = False, end: str = "\n", flush: bool = False) -> None:
    """Print texts with spaces between them; `error`: to stderr."""
    print(*map(printable, texts), end=end, flush=flush, file=sys.stderr if error else sys.stdout)


def say_json(value: object) -> None:
    """Print a value as one line of JSON, in ASCII."""
    print(json.dumps(value).replace("\x7f", "\\u007f"))


def prepare() -> None:
    """Make sure that printing never fails, whatever the encoding, and even if stdout or stderr is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: the next file that is opened must not get its number
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
