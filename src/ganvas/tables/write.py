"""Rows as a file or a table of a database, a portion at a time: CSV, Parquet, any database that SQLAlchemy knows.

What is written goes to a file next to its place that is then renamed, or is one transaction: stopping leaves nothing
half-written behind. The same rows give the same bytes.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, replacing
from ganvas.tables import databases, forms, write_database
from ganvas.tables.columns import Column
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

GROUP = 131_072  # rows of a group of a Parquet file
ODD = '[",\r\n]|^$|^[^!-~]|[^!-~]$'  # what may have to be quoted
ENDINGS = (".csv", ".csv.gz", ".parquet")
Add = Callable[["pd.DataFrame"], None]


def check(out: str, table: str = "", force: bool = False) -> None:
    """Can rows be written there? To be asked before any are drawn.

    Args:
        out: NAME.csv, NAME.csv.gz, NAME.parquet, or a database's address.
        table: of a database.
        force: what is there may be replaced.

    Raises:
        UserError: they cannot.
    """
    if databases.is_address(out):
        write_database.check(out, table, force)
        return
    if not out.lower().endswith(ENDINGS):
        raise UserError(f"{out}: rows are written as NAME.csv, NAME.csv.gz, NAME.parquet or to sqlite:///NAME.db.")
    check_free(Path(out), force=force)


def save(
    out: str, portions: Iterable[pd.DataFrame], spec: TableSpec, table: str = "rows", force: bool = False
) -> Iterator[int]:
    """Write rows as they come; yields how many are written.

    Args:
        out, table, force: see `check`.
        portions: as `rows.frame_of` gives them.

    Raises:
        UserError: the place is taken, or the system or the database refused; nothing is left.
    """
    check(out, table, force)
    if databases.is_address(out):
        yield from write_database.save(out, portions, spec, table)
        return
    path = Path(out)
    make_folder(path.parent)
    form, done = (_parquet if out.lower().endswith(".parquet") else _csv), 0
    with replacing(path) as part, form(part, spec, out.lower().endswith(".gz")) as add:
        for portion in portions:
            add(portion)
            done += len(portion)
            yield done


def csv_of(frame: pd.DataFrame, spec: TableSpec, head: bool = True) -> bytes:
    """Rows as CSV in UTF-8, each cell written as in the source; missing ones are empty.

    Args:
        frame: as `rows.frame_of` gives it.
        head: whether the columns' names come first.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = ",".join(_quoted(column.name) for column in spec.columns) + "\n"
    first = names.encode("utf-8", "backslashreplace") if head else b""
    if not len(frame):
        return first
    columns = [texts_of(cast("pd.Series", frame[column.name]), column) for column in spec.columns]
    alone = '""' if len(columns) == 1 else ""  # an empty line is not a row
    join = cast("Any", pc).binary_join_element_wise
    lines = join(*columns, ",", null_handling="replace", null_replacement=alone)
    lines = join(lines, "", "\n").cast(pa.large_string())
    buffers, start = lines.buffers(), np.frombuffer(lines.buffers()[1], np.int64)
    return first + buffers[2].to_pybytes()[start[lines.offset] : start[lines.offset + len(lines)]]


def texts_of(series: pd.Series, column: Column) -> Any:
    """A column's cells as they are written in CSV, quoted where they need it: a pyarrow array of text."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, values = series.cat.codes.to_numpy().astype(np.int32), series.cat.categories
        written = [_category(value, column) for value in values]
    elif column.kind == "id" and series.dtype == "str":
        return _cells(pa.array(series, pa.string()))
    elif pd.api.types.is_integer_dtype(series.dtype) and not column.form and column.digits < 0:
        return pa.array(series).cast(pa.string())
    else:
        codes, values = pd.factorize(series)
        written = _written(pd.Series(values, name=column.name), column)
    dictionary = _cells(pa.array(written, pa.string()))
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, dictionary).dictionary_decode()


def _cells(texts: Any) -> Any:
    """Texts, a pyarrow array, as CSV cells; see `_quoted`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    odd = cast("Any", pc).match_substring_regex(texts, ODD)
    return pa.array(map(_quoted, texts.to_pylist()), pa.string()) if cast("Any", pc).any(odd).as_py() else texts


def _quoted(text: str) -> str:
    """A CSV cell: in quotes where it holds a comma, a quote or a new line, or could be lost: RFC 4180."""
    if re.search('[",\r\n]', text) or text == "" or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _category(value: Any, column: Column) -> str:
    """A value of a category as the source writes it."""
    if column.digits >= 0 and column.type in ("int", "float"):
        return f"{value:.{column.digits}f}"  # codes with gaps, as pandas writes them: 1.0
    if column.type == "float":
        return _number(float(value), column.decimals or -1)
    return str(value)


def _written(values: pd.Series, column: Column) -> list[str]:
    """Different values of a column, none missing, as the source writes them."""
    from pandas.api import types

    found: Any = forms.written(values.to_frame(), [column])[column.name] if column.form else values
    if types.is_datetime64_any_dtype(found):
        return _dates(found, column)
    if types.is_timedelta64_dtype(found):
        return [forms.write_span(int(s), "H:M:S") for s in found.dt.total_seconds()]
    if types.is_numeric_dtype(found) and column.digits >= 0:
        return [f"{number:.{column.digits}f}" for number in found.tolist()]
    if types.is_float_dtype(found):
        return [_number(number, column.decimals) for number in found.tolist()]
    return found.astype("str").tolist()


def _dates(values: pd.Series, column: Column) -> list[str]:
    """ISO 8601: '2024-12-31', '2024-12-31 23:59:59', with a zone '2024-12-31 23:59:59+01:00'."""
    if column.type == "date" and values.dt.tz is None:
        return np.datetime_as_string(values.to_numpy("datetime64[D]")).tolist()
    return values.astype("str").tolist()


def _number(number: float, decimals: int) -> str:
    """As few digits as tell it, at least one after the point, and no exponent: '0.3', '57.0'."""
    if decimals < 0:
        return repr(number)
    text = f"{number:.{decimals}f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text


@contextmanager
def _csv(part: Path, spec: TableSpec, packed: bool) -> Iterator[Add]:
    head = True
    with open(part, "wb") as raw:
        file = cast("IO[bytes]", gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw)

        def add(frame: pd.DataFrame) -> None:
            nonlocal head
            file.write(csv_of(frame, spec, head))
            head = False

        yield add
        if head:
            file.write(csv_of(_none(spec), spec))
        if packed:
            file.close()


def _none(spec: TableSpec) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=[column.name for column in spec.columns])


@contextmanager
def _parquet(part: Path, spec: TableSpec, _: bool) -> Iterator[Add]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column.name, arrow_type(column)) for column in spec.columns])
    waiting: list[Any] = []
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:

        def flush() -> None:
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=GROUP)
                waiting.clear()

        def add(frame: pd.DataFrame) -> None:
            arrays = [_array(cast("pd.Series", frame[column.name]), arrow_type(column)) for column in spec.columns]
            waiting.append(pa.table(arrays, schema=schema))
            if sum(map(len, waiting)) >= GROUP:
                flush()

        yield add
        flush()


def arrow_type(column: Column) -> Any:
    """The type of a column in Parquet."""
    import pyarrow as pa

    if column.kind == "date":
        return pa.timestamp("ms", tz=column.zone or None)
    if column.type in ("clock", "span"):
        return pa.duration("ms")
    if column.kind == "text" or (column.kind == "constant" and not column.value):
        return pa.string()
    kinds = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    return kinds.get(column.type, pa.string())


def _array(series: pd.Series, kind: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy().astype(np.int32)
        dictionary = pa.array(list(series.cat.categories), kind)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), dictionary).dictionary_decode()
    return pa.array(series, kind, from_pandas=True)
