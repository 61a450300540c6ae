"""Text from outside, made safe to print."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import PurePath

# control characters except newline and tab; changes of the direction of writing; lone surrogates
UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """The text with control characters, and what cannot be encoded, written out: `\\x1b` for an escape character."""
    return UNFIT.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), str(text))


def one_line(text: object) -> str:
    """As `printable`, with newlines and tabs written out as well, for names."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def quoted(text: object) -> str:
    """A text as a string of Python, on one line."""
    return json.dumps(one_line(text), ensure_ascii=False)


def command(*args: object) -> str:
    """These arguments as a command that can be pasted into a shell of this system, quoted where needed."""
    # a path that begins with a dash would look like an option
    texts = [f".{os.sep}{arg}" if isinstance(arg, PurePath) and str(arg)[:1] == "-" else str(arg) for arg in args]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)


def counted(count: int, one: str, more: str) -> str:
    """A number with the words for one or for several: '1 picture is', '1,200 pictures are'."""
    return f"{count:,} {one if count == 1 else more}"
