"""CSV files of any delimiter and encoding, in portions; a line with too few or too many cells is refused by number."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.files import open_regular
from ganvas.core.text import one_line, quoted

if TYPE_CHECKING:
    import pandas as pd

PEEKED = 400_000  # bytes that delimiter and header are looked for in
BLOCK = 8_000_000  # bytes that are parsed at a time
TAIL = 100_000  # bytes that the last line is looked for in
TOTALS = re.compile(
    r"\W*(?:(?:grand|sub|over)?[\s-]*totals?|sum|(?:gesamt|zwischen|end)?summen?|gesamt|insgesamt|totaux|totale|suma|somme|"
    r"totaal|sum\s+total|total\s+general)\b\W*",
    re.I,
)
LONGEST = 64_000_000  # bytes of a line
DELIMITERS = ",;\t|^~"
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Layout:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    first: int  # lines before the first row
    spaced: bool  # a space after each delimiter
    notes: tuple[str, ...] = ()
    totals: bool = False  # the last line is not a row but holds totals


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file opened for reading, unpacked if it is gzipped.

    Raises:
        UserError: it cannot be read, or is damaged.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            file = stack.enter_context(gzip.GzipFile(fileobj=file))
        try:
            yield stack.enter_context(io.BufferedReader(file))  # pyright: ignore[reportArgumentType]
        except (OSError, EOFError, zlib.error) as error:
            raise broken(path, error) from error


def layout(path: Path, encoding: str = "", delimiter: str = "") -> Layout:
    """Look at a file: its encoding, what separates cells, and the names of its columns.

    Args:
        encoding, delimiter: as the user states them; '': to be found.

    Raises:
        UserError: it is empty, has no such encoding, or its columns do not have different names.
    """
    with opened(path) as file:
        start = file.read(PEEKED)
    if not start.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise UserError(f"{path} is empty: a table needs a line with the names of its columns, and rows below.")
    notes: list[str] = []
    found = encoding or _encoding(path, start)
    if not encoding and found not in ("utf-8", "utf-8-sig"):
        notes.append(f"{path.name} is not UTF-8: read as {'Windows-1252' if found == 'cp1252' else found.upper()}.")
    text = _decoded(path, start, found)
    first = 0
    if text.lower().startswith("sep=") and len(text) > 5:  # as Excel writes it
        delimiter, first = delimiter or text[4], 1
        text = text.partition("\n")[2]
    mark = delimiter or _delimiter(text)
    mark = {"tab": "\t", "\\t": "\t"}.get(mark, mark)
    if len(mark) != 1 or mark in '"\r\n' or not mark.isascii():
        raise UserError(
            f"delimiter={quoted(mark[:20])}: cells must be separated by one ASCII character, such as , or ; or tab."
        )
    names, lines = _header(path, text, mark)
    spaced = sum(line.count(mark + " ") for line in text.splitlines()[1:200])
    every = sum(line.count(mark) for line in text.splitlines()[1:200])
    known = _names(path, names, notes)
    last = _totals(path, found, mark, len(known))
    if last:
        shown = ", ".join(quoted(cell[:30]) for cell in last if cell.strip())
        notes.append(f"The last line of {path.name} holds totals ({shown[:120]}), not a row: skipped.")
    return Layout(found, mark, known, first + lines, spaced > 0.9 * every > 0, tuple(notes), bool(last))


def _totals(path: Path, encoding: str, mark: str, columns: int) -> list[str]:
    """The cells of the last line where it holds totals, as in reports and spreadsheets; else nothing.

    Such a line begins with a word for it, and most cells that the lines before it fill are empty.
    """
    with opened(path) as file:
        try:
            file.seek(max(0, path.stat().st_size - TAIL))
            tail = file.read()
        except (OSError, ValueError):
            return []
        while len(tail) < TAIL and (more := file.read(BLOCK)):  # packed: its size says nothing
            tail = (tail + more)[-TAIL:]
    if encoding.startswith(("utf-16", "utf-32")):
        return []
    try:
        rows = list(csv.reader(tail.decode(encoding, "replace").splitlines()[-6:], delimiter=mark))
    except csv.Error:
        return []
    rows = [row for row in rows if row and any(cell.strip() for cell in row)]
    if len(rows) < 3 or {len(row) for row in rows[-3:]} != {columns}:
        return []
    last, before = rows[-1], rows[-3:-1]
    first = next(cell for cell in last if cell.strip())
    filled = [i for i in range(columns) if all(row[i].strip() for row in before)]
    empty = sum(not last[i].strip() for i in filled)
    return last if TOTALS.fullmatch(first.strip()) and 2 * empty >= len(filled) > 2 else []


def _encoding(path: Path, start: bytes) -> str:
    """UTF-8 where the whole file is such, what its first bytes say, or Windows-1252.

    Raises:
        UserError: it is not text.
    """
    for mark, name in BOMS:
        if start.startswith(mark):
            return name
    zeros = start[:2_000].count(0)
    if zeros > len(start[:2_000]) // 4:  # a zero next to each Latin letter
        return "utf-16-le" if start[1:2] == b"\x00" else "utf-16-be"
    if zeros:
        raise UserError(f"{path} is not a text file. A table is a CSV or Parquet file, or a database.")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with opened(path) as file:
            while block := file.read(BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _decoded(path: Path, start: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(start)
    except LookupError as error:
        raise UserError(
            f"encoding={quoted(encoding[:40])} is not one that Python knows, such as utf-8 or cp1252."
        ) from error
    except UnicodeError as error:
        raise UserError(
            f"{path} is not written in {encoding} ({first_line(error)}). Set encoding=, such as latin-1."
        ) from error


def _delimiter(text: str) -> str:
    """What most lines have equally many of."""
    best, most = ",", (0.0, 0)
    lines = text.splitlines(keepends=True)
    lines = (lines[:-1] if len(lines) > 2 else lines)[:200]
    for mark in DELIMITERS:
        try:
            rows = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:
            continue
        if not rows:
            continue
        cells, count = Counter(rows).most_common(1)[0]
        if rows[0] < 2 or cells < 2:
            continue
        score = (round(count / len(rows), 1), cells)
        if score > most:
            best, most = mark, score
    return best


def _header(path: Path, text: str, mark: str) -> tuple[list[str], int]:
    """The names in the first line that is not empty, and the lines up to there."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                return row, reader.line_num
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a table: {first_line(error)} in line {reader.line_num}.") from error
    raise UserError(f"{path} is empty: a table needs a line with the names of its columns, and rows below.")


def _names(path: Path, names: list[str], notes: list[str]) -> tuple[str, ...]:
    clean = [one_line(name.strip()) for name in names]
    for i, name in enumerate(clean):
        if not name:
            clean[i] = f"column {i + 1}"
            notes.append(f"Column {i + 1} of {path.name} has no name: it is called {clean[i]!r}.")
    if twice := next((name for name in clean if clean.count(name) > 1), None):
        raise UserError(f"{path.name} has two columns that are called {twice[:60]!r}: give each its own name.")
    numbers = [name for name in clean if name.replace(".", "").replace("-", "").isdecimal()]
    if len(numbers) > len(clean) / 2:
        notes.append(
            f"The columns of {path.name} are called {', '.join(clean[:3])}: is its first line a row and not a header?"
        )
    return tuple(clean)


def portions(path: Path, found: Layout) -> Iterator[pd.DataFrame]:
    """The rows of a file, all cells as text as they are written; an empty cell is missing.

    Raises:
        UserError: a line has other cells than there are columns, or the file is damaged.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as pc

    wrong: list[tuple[int, int, int]] = []

    def refuse(row: pc.InvalidRow) -> str:
        wrong.append((row.number or 0, row.expected_columns, row.actual_columns))
        return "error"

    read = pc.ReadOptions(
        use_threads=False, block_size=BLOCK, skip_rows=found.first, column_names=list(found.columns), encoding="utf8"
    )
    parse = pc.ParseOptions(delimiter=found.delimiter, newlines_in_values=True, invalid_row_handler=refuse)
    convert = pc.ConvertOptions(
        column_types={name: pa.string() for name in found.columns},
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    nothing = pd.DataFrame(columns=list(found.columns), dtype="str")
    waiting: pd.DataFrame | None = None  # the last rows read, of which the last of all may be none
    with opened(path) as file:
        try:
            source = _Utf8(file, found.encoding)
            with pc.open_csv(source, read, parse, convert) as reader:  # pyright: ignore[reportArgumentType]
                yield nothing  # then a table without rows has columns
                for batch in reader:
                    frame = batch.to_pandas()
                    if found.spaced:
                        frame = frame.apply(lambda column: column.str.lstrip(" "))
                    if not found.totals:
                        yield frame
                    elif len(frame):
                        if waiting is not None:
                            yield waiting
                        waiting = frame
            if waiting is not None:
                yield waiting.iloc[:-1]
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                yield nothing
                return
            raise _refused(path, found, wrong, error) from error
        except UnicodeError as error:
            raise UserError(
                f"{path} is not written in {found.encoding} ({first_line(error)}). Set it with encoding=."
            ) from error


class _Utf8(io.RawIOBase):
    """A file's text as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.file, self.left = file, b""
        self.plain = encoding == "utf-8"
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.plain:
            return self.file.read(size)
        while not self.ended and (size < 0 or len(self.left) < size):
            block = self.file.read(1_000_000 if size < 0 else size)
            self.ended = not block
            self.left += self.decoder.decode(block, final=self.ended).encode("utf-8", "surrogatepass")
        size = len(self.left) if size < 0 else size
        out, self.left = self.left[:size], self.left[size:]
        return out


def _refused(path: Path, found: Layout, wrong: list[tuple[int, int, int]], error: Exception) -> UserError:
    """The error for a file that has a line of other length, with the line's number."""
    line, expected, cells = _wrong_line(path, found)
    if line:
        what = NAMES.get(found.delimiter, quoted(found.delimiter))
        return UserError(
            f"Line {line:,} of {path} has {cells:,} cells, but there are {expected:,} columns, with {what} between them"
            ". Correct the line: a cell that holds the delimiter must be in quotes."
        )
    if "straddling" in str(error):
        return UserError(f"{path} cannot be read as a table: a quote is opened and never closed, or a line is endless.")
    return UserError(f"{path} cannot be read as a table: {first_line(error)}.")


def _wrong_line(path: Path, found: Layout) -> tuple[int, int, int]:
    """Number, expected and real cells of the first line that has others; zeros where there is none."""
    with opened(path) as file, io.TextIOWrapper(file, found.encoding, "replace", newline="") as text:
        reader = csv.reader(text, delimiter=found.delimiter)
        for _ in range(found.first):
            next(text, "")
        line = 1
        try:
            for row in reader:
                if row and len(row) != len(found.columns):
                    return found.first + line, len(found.columns), len(row)
                line = reader.line_num + 1
        except csv.Error:
            pass
    return 0, 0, 0


def broken(path: Path, error: Exception) -> UserError:
    """The error for a file that ends too early, is damaged or cannot be read."""
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return UserError(f"{path} is damaged: it cannot be unpacked ({first_line(error)}).")
    return cannot("read", path, error if isinstance(error, OSError) else OSError(str(error)))
