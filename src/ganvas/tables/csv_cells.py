"""A CSV file written again with some cells changed; all others keep every byte, quotes and line ends included."""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from ganvas.core.errors import UserError
from ganvas.core.files import check_free
from ganvas.tables import csv_files
from ganvas.tables.csv_files import Layout

PLAIN = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # a mark at the start is then a character
LONGEST = 64_000_000  # characters of a row


class Source:
    """The rows of a CSV file as their cells are written."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        mark = re.escape(layout.delimiter)
        self.cell = re.compile(rf'( *"(?:[^"]|"")*"[^{mark}\r\n]*|(?! *")[^{mark}\r\n]*)({mark}|\r\n|\r|\n|$)')
        if not layout.spaced:
            self.cell = re.compile(rf'("(?:[^"]|"")*"[^{mark}\r\n]*|(?!")[^{mark}\r\n]*)({mark}|\r\n|\r|\n|$)')
        self.encoding = PLAIN.get(layout.encoding, layout.encoding)
        if layout.encoding == "utf-16":
            with csv_files.opened(path) as file:
                self.encoding = "utf-16-be" if file.read(2) == codecs.BOM_UTF16_BE else "utf-16-le"

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        with csv_files.opened(self.path) as file, io.TextIOWrapper(cast(Any, file), self.encoding, newline="") as text:
            yield Reader(self, text)

    def quoted(self, text: str) -> str:
        """A text as a cell of this file."""
        odd = self.layout.delimiter in text or any(c in text for c in '"\r\n') or text != text.strip()
        return '"' + text.replace('"', '""') + '"' if odd else text


class Reader:
    """Reads the rows of a file one after the other."""

    def __init__(self, source: Source, text: io.TextIOWrapper) -> None:
        self.source, self.text = source, text

    def head(self) -> tuple[str, str]:
        """All before the first row, without the end of its line; and that end."""
        lines = "".join(self.text.readline() for _ in range(self.source.layout.first))
        bare = lines.rstrip("\r\n")
        return bare, lines[len(bare) :]

    def rows(self, count: int) -> Iterator[tuple[str, list[str], str]]:
        """Up to `count` rows: empty lines before one, its cells, and the end of its line.

        Raises:
            UserError: a quote is never closed.
        """
        blank = ""
        for _ in range(count):
            while (line := self.text.readline()) and not line.strip("\r\n"):
                blank += line
            if not line:
                return
            yield blank, *self._cells(line)
            blank = ""

    def rest(self) -> str:
        """What follows the last row."""
        return self.text.read()

    def _cells(self, line: str) -> tuple[list[str], str]:
        cells, at = [], 0
        while True:
            found = self.source.cell.match(line, at)
            if found is None or (found.end() == len(line) and not found[2] and line.endswith(("\r", "\n"))):
                more = self.text.readline()  # a quoted cell continues
                if not more or len(line) > LONGEST:
                    raise UserError(
                        f"{self.source.path} cannot be read as a table: a quote is opened and never closed."
                    )
                line += more
                continue
            cells.append(found[1])
            at = found.end()
            if found[2] != self.source.layout.delimiter:
                return cells, found[2]


def check(out: Path, force: bool = False) -> None:
    """Raise a UserError unless rows can be written there as CSV."""
    if not out.name.lower().endswith((".csv", ".csv.gz")):
        raise UserError(f"--out {out}: the rows are written as NAME.csv or NAME.csv.gz.")
    check_free(out, force=force)


def changed(cells: Sequence[str], new: Iterable[tuple[int, str]], spaced: bool) -> list[str]:
    """Cells with some replaced; the spaces before them stay where the file has such after each delimiter."""
    out = list(cells)
    for i, text in new:
        before = len(out[i]) - len(out[i].lstrip(" ")) if spaced else 0
        out[i] = out[i][:before] + text
    return out


@contextmanager
def written(part: Path, encoding: str, packed: bool) -> Iterator[IO[str]]:
    """A text file to write to, gzipped if it is to be."""
    with open(part, "wb") as raw:
        file = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
        with io.TextIOWrapper(cast(Any, file), encoding, newline="") as text:
            yield text
