"""Tables from files, databases and DataFrames, in portions: pandas DataFrames whose index has the rows' numbers."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ganvas.core.errors import UserError, cannot, first_line
from ganvas.core.files import place
from ganvas.core.text import one_line, quoted
from ganvas.tables import csv_files, forms, number_forms
from ganvas.tables.columns import Column
from ganvas.tables.databases import Database, is_address
from ganvas.tables.plain import plain

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.several.joined import Joined

MISSING = "?,NA,N/A,n/a,#N/A,<NA>,NULL,Null,null,None,NaN,nan,NaT,\\N"  # texts that mean a missing cell
PORTION = 65_536  # rows of a Parquet file at a time
FRAME = "dataframe://"
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")  # how files of pictures begin
_FRAMES: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class Source(Protocol):
    """A table that is read in portions, more than once if need be."""

    name: str
    rows: int | None  # None: not known before it is read
    notes: list[str]

    def portions(self) -> Iterator[pd.DataFrame]:
        """The rows as they are stored. Raises a UserError if they cannot be read."""
        ...

    def stamp(self) -> str:
        """A text that changes if the rows may have; '' where nothing can be said."""
        ...

    def close(self) -> None: ...


class _File:
    """A file, which must not change while it is read."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.rows: int | None = None
        self.notes: list[str] = []

    def stamp(self) -> str:
        try:
            state = self.path.stat()
        except OSError as error:
            raise cannot("read", self.path, error) from error
        return f"{self.path.resolve()} {state.st_size} {state.st_mtime_ns} {state.st_ino}"

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        before = self.stamp()
        yield
        if self.stamp() != before:
            raise UserError(f"{self.path} changes while it is read. Read it when nothing writes to it, or read a copy.")

    def close(self) -> None:
        return


class CsvFile(_File):
    """A CSV file, gzipped or not."""

    def __init__(self, path: Path, encoding: str = "", delimiter: str = "") -> None:
        super().__init__(path)
        self.layout = csv_files.layout(path, encoding, delimiter)
        self.notes += self.layout.notes

    def portions(self) -> Iterator[pd.DataFrame]:
        with self.unchanged():
            yield from csv_files.portions(self.path, self.layout)


class ParquetFile(_File):
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._heard() as parquet, parquet.ParquetFile(path) as file:
            self.rows = file.metadata.num_rows
            _no_twins(self.name, file.schema_arrow.names)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        try:
            yield parquet
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{self.path} cannot be read as Parquet: {first_line(error)[:200]}.") from error

    def portions(self) -> Iterator[pd.DataFrame]:
        with self.unchanged(), self._heard() as parquet, parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(PORTION, use_threads=False):
                yield batch.to_pandas(ignore_metadata=True)


class Frame:
    """A DataFrame of the caller's."""

    def __init__(self, frame: pd.DataFrame, name: str = "DataFrame") -> None:
        self.frame, self.name = frame, name
        self.rows: int | None = len(frame)
        self.notes: list[str] = []
        _no_twins(name, list(map(str, frame.columns)))

    def portions(self) -> Iterator[pd.DataFrame]:
        for start in range(0, len(self.frame), 10 * PORTION):
            yield self.frame.iloc[start : start + 10 * PORTION]

    def stamp(self) -> str:
        return ""

    def close(self) -> None:
        return


class DatabaseTable(Database):
    """A table of a database."""

    def stamp(self) -> str:
        return ""


def _no_twins(name: str, columns: Sequence[str]) -> None:
    if twice := next((c for c, count in Counter(columns).items() if count > 1), None):
        raise UserError(f"{name} has two columns that are called {one_line(twice)[:60]!r}: give each its own name.")


def named(frame: Any) -> str:
    """A name for a DataFrame, by which this process finds it as long as the caller keeps it.

    Raises:
        UserError: it is none.
    """
    if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "columns"):
        raise UserError(f"data={type(frame).__name__}: a table is a path, a database's address or a pandas DataFrame.")
    name = f"{FRAME}{id(frame):x}"
    _FRAMES[name] = frame
    return name


def opened(
    source: str, table: str = "", encoding: str = "", delimiter: str = "", joined: Joined | None = None, most: int = 0
) -> Source:
    """A table that can be read.

    Args:
        source: a path, a database's address, or what `named` gave.
        table: of a database.
        encoding, delimiter: of a CSV file; '': as it looks.
        joined, most: of a database's table; see `Database`.

    Raises:
        UserError: there is none, or a package is missing.
    """
    try:
        import pandas
        import pyarrow

        del pandas, pyarrow
    except ImportError as error:
        raise UserError("Tables need pandas and pyarrow: pip install 'ganvas[tables]'") from error
    if source.startswith(FRAME):
        frame = _FRAMES.get(source)
        if frame is None:
            raise UserError(
                "This run learns from a DataFrame that only the Python program had. Resume it there, with "
                "ganvas.train('table', data=frame, run=FOLDER), or name the same rows as a file with --data."
            )
        return Frame(frame)
    if is_address(source):
        return DatabaseTable(source, table, joined, most)
    path = place(source)
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a table in it.")
    with csv_files.opened(path) as file:
        start = file.read(16)
    if start == b"SQLite format 3\0":
        if "?" in str(path):
            raise UserError(f"{path} is a database of SQLite with a ? in its name: rename it, or a folder of it.")
        return DatabaseTable(f"sqlite:///{path.absolute()}", table)
    if table:
        raise UserError(f"--table {table} is for databases, but {path} is a file: leave it out.")
    if start[:4] == b"PAR1":
        return ParquetFile(path)
    known = {
        b"PK\3\4": "a ZIP archive or an Excel file: save it as CSV or Parquet",
        b"%PDF": "a PDF",
        **dict.fromkeys(PICTURES, "a picture; ganvas train images --data FOLDER learns from a folder of them"),
    }
    for magic, what in known.items():
        if start.startswith(magic):
            raise UserError(f"{path} is not a CSV file but {what}.")
    return CsvFile(path, encoding, delimiter)


class Rows:
    """The rows of a source, made plain: columns are numbers, booleans, dates, durations or text.

    Attributes:
        blank: cells that were taken for missing because of what they hold, by column and text.
    """

    def __init__(self, source: Source, missing: str = MISSING) -> None:
        self.source = source
        self.words = [word for word in missing.split(",") if word]
        self.blank: Counter[tuple[str, str]] = Counter()

    def portions(self) -> Iterator[pd.DataFrame]:
        """The rows in portions; the index is the rows' numbers from 0."""
        import pandas as pd

        start = 0
        self.blank.clear()
        for frame in self.source.portions():
            frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield self._blanked(plain(frame))

    def _blanked(self, frame: pd.DataFrame) -> pd.DataFrame:
        changed = {}
        for name in frame:
            series = frame[name]
            if series.dtype == "str":
                empty = series.isin([*self.words, ""])
                if empty.any():
                    for word, count in series[empty].value_counts().items():
                        self.blank[str(name), str(word)] += int(count)
                    changed[name] = series.mask(empty)
        return frame.assign(**changed) if changed else frame

    def sentences(self) -> list[str]:
        """On the cells that were taken for missing because of what they hold."""
        found: dict[str, list[str]] = {}
        for (name, word), count in self.blank.items():
            if word:
                found.setdefault(name, []).append(f"{count:,} cells hold {quoted(word)}")
        return [
            f"{one_line(name)}: {', '.join(words)}: treated as missing (missing= sets which texts are)."
            for name, words in found.items()
        ]


def table(source: str, name: str = "", columns: Sequence[Column] = ()) -> pd.DataFrame:
    """The rows of a file or a table of a database, all at once.

    Args:
        source, name: see `opened`.
        columns: whose types the values get; (): as they look.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    import pandas as pd

    found = opened(source, name)
    try:
        parts = list(Rows(found).portions())
    finally:
        found.close()
    if not parts:
        raise UserError(f"{found.name} has no rows.")
    frame = pd.concat(parts) if len(parts) > 1 else parts[0]
    if not columns:
        from ganvas.tables.recognise import recognise

        columns = [recognise(frame[name]) for name in frame]
    return typed(frame, columns)


def typed(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame with texts as the numbers, dates and durations that its columns hold; what is none of these is missing.

    Raises:
        UserError: a column is missing.
    """
    changed = {}
    for column in columns:
        if column.name not in frame:
            raise UserError(
                f"The table has no column {column.name[:60]!r}, which was learned: add it, empty if it is not known."
            )
        found = values(frame[column.name], column)
        if found is not None:
            changed[column.name] = found
    return frame.assign(**changed) if changed else frame


def values(series: pd.Series, column: Column) -> pd.Series | None:
    """A column's values by its kind and type; None where they are as they should be."""
    import pandas as pd
    from pandas.api import types

    is_text = types.is_string_dtype(series.dtype) and not isinstance(series.dtype, pd.CategoricalDtype)
    if column.kind == "date" and not types.is_datetime64_any_dtype(series):
        texts = series if is_text else whole_texts(series)
        times = forms.read_dates(texts.astype("str"), column.form or "ISO8601")
        if not column.zone:
            return times if times.dt.tz is None else times.dt.tz_localize(None)
        return times.dt.tz_localize(column.zone) if times.dt.tz is None else times.dt.tz_convert(column.zone)
    if not is_text:
        return None
    if column.type == "clock":
        return forms.read_clocks(series, column.form)
    if column.type == "span":
        return forms.read_spans(series, column.form)
    if column.kind == "id" and column.type == "int":
        return pd.to_numeric(series, errors="coerce")
    if column.kind == "number" or (column.type in ("int", "float") and column.kind in ("category", "constant")):
        numbers = number_forms.Notation.of(column.form).read(series)
        return numbers.astype("int64") if column.type == "int" and not numbers.isna().any() else numbers
    return None


def whole_texts(series: pd.Series) -> pd.Series:
    """Whole numbers as text, also where they are floats because some are missing."""
    known = series.dropna().map(lambda value: str(int(value)) if isinstance(value, int | float) else str(value))
    return known.astype("str").reindex(series.index)
