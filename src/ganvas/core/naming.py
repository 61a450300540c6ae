"""Names from outside as names of files and folders: valid on any system, in one folder, and never the same twice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ganvas.core.text import UNFIT

LONGEST = 200  # bytes of a name; file systems allow 255, and prefixes and suffixes are added
FORBIDDEN = re.compile(f'[/\\\\:*?"<>|\t\n]|{UNFIT.pattern}')  # separators of paths, and what Windows does not allow
RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]|__macosx)\s*(\..*)?", re.IGNORECASE
)  # by Windows, and in archives from a Mac


def safe(name: str) -> str:
    """The name, changed where it could not be the name of a file or folder; ordinary names stay the same."""
    text = FORBIDDEN.sub("_", name)
    text = re.sub(r"^[.\s]+|[.\s]+$", lambda match: "_" * len(match[0]), text)  # hidden on Unix; dropped by Windows
    if RESERVED.fullmatch(text):
        text = f"_{text}"
    return _cut(text, LONGEST) or "_"


def apart(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Different `safe` names for different names, even on file systems that ignore case.

    Names that are safe already stay the same; others that would collide get a number: `a_b-2`.

    Args:
        taken: names that are in use already.
    """
    used = {key(name) for name in taken}
    result: dict[int, str] = {}
    for i in sorted(range(len(names)), key=lambda i: safe(names[i]) != names[i]):  # sorted() keeps the order
        result[i] = unused(safe(names[i]), used)
        used.add(key(result[i]))
    return [result[i] for i in range(len(names))]


def renamed(names: Sequence[str]) -> str:
    """A sentence that lists the classes whose folders get other names; '' if there are none."""
    pairs = [f"{old!r} becomes {new}" for old, new in zip(names, apart(names), strict=True) if old != new]
    return f"Some names of classes cannot be names of folders: {', '.join(pairs)}." if pairs else ""


def unused(name: str, used: set[str]) -> str:
    """This name or, where it is among those used (each as `key` has it), the first `name-2`, `name-3` ... that is not.

    An ending such as `.png` stays the ending.
    """
    stem, dot, ending = name.rpartition(".") if "." in name.strip(".") else (name, "", "")
    number, candidate = 1, name
    while key(candidate) in used:
        number += 1
        end = f"-{number}{dot}{ending}"
        candidate = _cut(stem, LONGEST - len(end.encode())) + end
    return candidate


def key(name: str) -> str:
    """The same text for names that some file systems do not distinguish."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _cut(text: str, most: int) -> str:
    """The text, cut to so many bytes of UTF-8, without trailing dots or spaces."""
    data = text.encode()
    return text if len(data) <= most else data[: max(0, most)].decode(errors="ignore").rstrip(". ")
