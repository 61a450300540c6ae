"""Names from outside as names of files and folders: never elsewhere, never two as one, on any system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ganvas.core.text import UNFIT

LONGEST = 200  # bytes of a name; file systems hold 255, and something is put before or behind it
FORBIDDEN = re.compile(f'[/\\\\:*?"<>|\t\n]|{UNFIT.pattern}')  # a path's separators, and what Windows refuses
RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]|__macosx)\s*(\..*)?", re.IGNORECASE
)  # of Windows, and of Mac archives


def safe(name: str) -> str:
    """A name that can be that of a file or a folder, in one folder: an ordinary one stays as it is."""
    text = FORBIDDEN.sub("_", name)
    text = re.sub(r"^[.\s]+|[.\s]+$", lambda found: "_" * len(found[0]), text)  # hidden; lost on Windows
    if RESERVED.fullmatch(text):
        text = f"_{text}"
    return _cut(text, LONGEST) or "_"


def apart(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """`safe` names of unlike names, one for each, and no two alike, also where large and small letters are the same.

    Names that can stay as they are come first; of the others that would meet one, each gets a number: `a_b-2`.

    Args:
        taken: names that are used already.
    """
    used = {key(name) for name in taken}
    found: dict[int, str] = {}
    for i in sorted(range(len(names)), key=lambda i: safe(names[i]) != names[i]):  # sorted() keeps the order
        found[i] = unused(safe(names[i]), used)
        used.add(key(found[i]))
    return [found[i] for i in range(len(names))]


def unused(name: str, used: set[str]) -> str:
    """This name or, where it is among those used (each as `key` has it), the first `name-2`, `name-3` ... that is not.

    An ending such as `.png` stays the ending.
    """
    stem, dot, ending = name.rpartition(".") if "." in name.strip(".") else (name, "", "")
    number, found = 1, name
    while key(found) in used:
        number += 1
        end = f"-{number}{dot}{ending}"
        found = _cut(stem, LONGEST - len(end.encode())) + end
    return found


def key(name: str) -> str:
    """The same for names that some file systems take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _cut(text: str, most: int) -> str:
    """The text, or what of it fits into so many bytes; no trailing dots or spaces."""
    data = text.encode()
    return text if len(data) <= most else data[: max(0, most)].decode(errors="ignore").rstrip(". ")
