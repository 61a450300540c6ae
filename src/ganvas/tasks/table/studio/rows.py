"""What the web studio does with the model of a table: draw rows, judge rows, fill their empty cells."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables import read, write
from ganvas.tables.columns import Column
from ganvas.tables.summary import told
from ganvas.tasks.table import card
from ganvas.tasks.table.detect import Detector, missing_of, unquoted, usual_of
from ganvas.tasks.table.restore import Restorer

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel

GRID = 10_000  # rows that a page shows at most
CELLS = 500_000  # cells of them
FILE = 200_000  # rows of a file that a browser gets
GIVEN = 2_000  # of a person's own rows that are checked
SUGGESTED, LONG = 200, 100  # values of a category that are suggested, and their characters
FILLINGS = 9


def facts(model: TableModel) -> dict[str, Any]:
    """What pages need to know of the model: its columns, how much a page may ask for, whether it can judge rows."""
    try:
        least, reason = 2 / (usual_of(model).largest.count + 1), ""
    except UserError as error:
        least, reason = None, str(error)
    return {
        "columns": [_column(column) for column in model.spec.columns],
        "grid": _most(model),
        "file": FILE,
        "given": GIVEN,
        "fillings": FILLINGS,
        "least_alarm": least,
        "no_detector": reason,
        "example": card.condition(model),
        "rules": [rule.words() for rule in model.spec.rules][:200],
    }


def _most(model: TableModel) -> int:
    return max(1, min(GRID, CELLS // len(model.spec.columns)))


def _column(column: Column) -> dict[str, Any]:
    """A column for a form: what it is, and what it may be asked for."""
    entry: dict[str, Any] = {"name": column.name, "kind": column.kind, "words": card.describe(column)}
    entry["learned"] = bool(column.parts)
    if not column.parts:
        return entry
    part = column.parts[0]
    entry["missing"] = bool(part.missing)
    entry["ordered"] = column.kind != "category" or bool(column.order) or column.type in ("int", "float")
    if column.kind == "category":
        order = np.argsort(-np.array(part.counts, np.int64), kind="stable")[:SUGGESTED]
        entry["values"] = [v for v in (part.values[i] for i in order) if 0 < len(v) <= LONG]
    elif part.counts:
        day = len(column.parts) > 1
        ends = [told(Column("", "date", "date") if day else column, e) for e in (part.low[0], part.high[-1])]
        entry["ends"] = [end.replace(",", "") for end in ends]
    return entry


def rows(model: TableModel, count: int, seed: int, where: str) -> dict[str, Any]:
    """Drawn rows as texts: `columns`, their names, and `rows`, lists of cells (None: missing).

    Raises:
        UserError: more than a page shows, or a condition that cannot be met.
    """
    if count > _most(model):
        raise UserError(
            f"{count:,} rows are more than this page can show ({_most(model):,} of this table). Download a file."
        )
    found: list[list[Any]] = []
    for frame in model.portions(count, seed, where):
        cells = [_texts(frame[column.name], column) for column in model.spec.columns]
        found += [list(row) for row in zip(*cells, strict=True)]
    return {"columns": [column.name for column in model.spec.columns], "rows": found}


def _texts(series: Any, column: Column) -> list[str | None]:
    """Cells as a CSV file has them, without quotes; None: missing."""
    cells = write.texts_of(series, column).to_pylist()
    return [None if cell is None else text for cell, text in zip(cells, unquoted(cells), strict=True)]


def file(model: TableModel, count: int, seed: int, where: str, form: Literal["csv", "parquet"]) -> bytes:
    """Drawn rows as a CSV or Parquet file: the bytes that `ganvas sample` writes.

    Raises:
        UserError: too many for a browser, or a condition that cannot be met.
    """
    if count > FILE:
        raise UserError(
            f"{count:,} rows are too many for a download: at most {FILE:,}. The command below writes any number."
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"rows.{form}"
        for _ in write.save(str(out), model.portions(count, seed, where), model.spec):
            pass
        return out.read_bytes()


def odd(model: TableModel, content: bytes, alarm: float) -> dict[str, Any]:
    """Which of a person's rows are unlike the training data, and where it shows.

    Returns:
        `columns`: names; `rows`: texts (None: empty); `verdicts` on each: `odd` (yes, not sure, no), `p`, `column`
        (its place; None), `expected`, `why`, `rank`; `more`: whether there are rows that were not checked;
        `compared`: with how many held-out rows.

    Raises:
        UserError: it is not a CSV file, lacks a column, or the model does not know what is usual.
    """
    detector = Detector(model, alarm)
    with _given(model, content) as (raw, more):
        found = detector.verdicts(raw)
    names = [str(name) for name in raw]
    verdicts = [
        {
            "odd": row.odd,
            "p": float(row.p),
            "column": names.index(row.column) if row.column in names else None,
            "expected": row.expected,
            "why": row.why,
            "rank": float(row.rank),
        }
        for row in _tuples(found)
    ]
    compared = usual_of(model).largest.count
    return {"columns": names, "rows": _cells(raw), "verdicts": verdicts, "more": more, "compared": compared}


def _tuples(frame: Any) -> Iterator[Any]:
    return frame.itertuples()


def fill(model: TableModel, content: bytes, times: int, seed: int) -> dict[str, Any]:
    """A person's rows with their empty cells filled, several times.

    Returns:
        `columns`, `rows`, `more` as `odd`; `filled`: `row`, `column` (places) and `values` of each cell; `left`: the
        names of columns with empty cells that are not learned.

    Raises:
        UserError: it is not a CSV file, or lacks a column.
    """
    restorer = Restorer(model, times=times, seed=seed)
    with _given(model, content) as (raw, more):
        names = [str(name) for name in raw]
        filled = []
        for cells in restorer.fill(raw, 0):
            texts = [cells.texts(filling) for filling in range(times)]
            place = names.index(cells.column.name)
            for i, row in enumerate(cells.rows.tolist()):
                filled.append({"row": row, "column": place, "values": [each[i] for each in texts]})
    left = [one_line(name) for name in restorer.result.left]
    return {"columns": names, "rows": _cells(raw), "filled": filled, "left": left, "more": more}


@contextlib.contextmanager
def _given(model: TableModel, content: bytes) -> Iterator[tuple[pd.DataFrame, bool]]:
    """The first rows of a CSV file's content, and whether there are more.

    Raises:
        UserError: it is not a CSV file, or has no rows.
    """
    if not content.strip():
        raise UserError(
            "There are no rows: the first line must hold the column names, and each line below it is a row."
        )
    if content[:2] == b"\x1f\x8b" or content[:4] in (b"PAR1", b"PK\3\4"):
        raise UserError(
            "That file is compressed or Parquet: paste rows as CSV here, or use the command line, which reads both."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(content)
        try:
            source = read.opened(str(path))
            try:
                raw, more = _first(read.Rows(source, missing_of(model)).portions())
            finally:
                source.close()
            if not len(raw):
                raise UserError("There are no rows below the line of names.")
            yield raw, more
        except UserError as error:
            text = str(error).replace(str(path), "What you gave").replace(path.name, "What you gave")
            raise UserError(text) from error


def _first(portions: Iterator[pd.DataFrame]) -> tuple[pd.DataFrame, bool]:
    import pandas as pd

    parts, count = [], 0
    for part in portions:
        parts.append(part)
        count += len(part)
        if count > GIVEN:
            break
    raw = pd.concat(parts) if len(parts) > 1 else parts[0] if parts else pd.DataFrame()
    return raw.head(GIVEN), len(raw) > GIVEN


def _cells(raw: pd.DataFrame) -> list[list[str | None]]:
    """The cells of a person's rows, for the page."""
    columns = [[_text(value) for value in raw[name].astype(object)] for name in raw]
    return [list(row) for row in zip(*columns, strict=True)]


def _text(value: Any) -> str | None:
    if value is None or value != value or str(value) in ("NaT", "<NA>"):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)[:500]
