"""Files and DataFrames with their empty cells filled, and how good such fillings are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, replacing
from ganvas.tables import csv_cells, read
from ganvas.tables.columns import Column
from ganvas.tasks.table.detect import missing_of
from ganvas.tasks.table.restore import FILLING, Cells, Restorer

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel


def check(out: Path, source: str, force: bool) -> None:
    """Raise a UserError unless the file can be written, in the form of its source."""
    check_free(out, force=force)
    packed = out.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".txt", ".parquet"))
    if not packed:
        raise UserError(f"--out {out}: rows are written as NAME.csv, NAME.csv.gz or NAME.parquet.")
    if out.exists() and os.path.samefile(out, source):
        raise UserError(f"--out {out} is the input file itself: choose another name.")


def restore_file(restorer: Restorer, source: str, out: Path) -> Iterator[int]:
    """Write a file anew with its empty cells filled; yields the rows done.

    A CSV file keeps all its other cells byte for byte, and its delimiter, encoding and line ends. With several fillings
    each row is written once for each, and a column says which it is.

    Args:
        source: a CSV or Parquet file.

    Raises:
        UserError: it cannot be read, lacks columns that were learned, or nothing can be written.
    """
    found = read.opened(source)
    rows = read.Rows(found, missing_of(restorer.model))
    make_folder(out.parent)
    try:
        with replacing(out) as part:
            if isinstance(found, read.CsvFile):
                if out.suffix == ".parquet":
                    raise UserError(f"--out {out}: {source} is a CSV file, and is written as one: name it NAME.csv.")
                yield from _csv(restorer, rows, found, part, out.name.lower().endswith(".gz"))
            elif isinstance(found, read.ParquetFile):
                if out.suffix != ".parquet":
                    raise UserError(
                        f"--out {out}: {source} is a Parquet file, and is written as one: name it NAME.parquet."
                    )
                yield from _parquet(restorer, rows, part)
            else:
                raise UserError(f"{source} is a database: save the table as CSV or Parquet to fill its cells.")
    finally:
        found.close()


def _csv(restorer: Restorer, rows: read.Rows, found: read.CsvFile, part: Path, packed: bool) -> Iterator[int]:
    source = csv_cells.Source(found.path, found.layout)
    names = list(found.layout.columns)
    several, mark, done = restorer.times > 1, found.layout.delimiter, 0
    if several and FILLING in names:
        raise UserError(f"{found.path} already has a column '{FILLING}': rename it.")
    with source.opened() as reader, csv_cells.written(part, source.encoding, packed) as file:
        bare, end = reader.head()
        file.write(bare + (mark + FILLING if several else "") + end)
        for raw in rows.portions():
            new = _by_row(restorer.fill(raw, done), names, source, restorer.times)
            count = 0
            for i, (blank, cells, end) in enumerate(reader.rows(len(raw))):
                count += 1
                for filling in range(restorer.times):
                    line = csv_cells.changed(cells, new[filling].get(i, ()), found.layout.spaced)
                    number = mark + str(filling + 1) if several else ""
                    ended = end or ("\n" if filling + 1 < restorer.times else "")
                    file.write(f"{'' if filling else blank}{mark.join(line)}{number}{ended}")
            if count != len(raw):
                raise UserError(
                    f"{found.path} changes while it is read. Read it when nothing writes to it, or read a copy."
                )
            done += len(raw)
            yield done
        file.write(reader.rest())


def _by_row(
    filled: Sequence[Cells], names: list[str], source: csv_cells.Source, times: int
) -> list[dict[int, list[tuple[int, str]]]]:
    """For each filling, the new cells of each row: the column's number and the text."""
    out: list[dict[int, list[tuple[int, str]]]] = [{} for _ in range(times)]
    for cells in filled:
        number, rows = names.index(cells.column.name), cells.rows.tolist()
        for filling in range(times):
            for row, text in zip(rows, cells.texts(filling), strict=True):
                if text:
                    out[filling].setdefault(row, []).append((number, source.quoted(text)))
    return out


def _parquet(restorer: Restorer, rows: read.Rows, part: Path) -> Iterator[int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, done = None, 0
    try:
        for raw in rows.portions():
            table = pa.Table.from_pandas(filled_frame(restorer, raw, done), preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(part, table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            done += len(raw)
            yield done
    except pa.ArrowException as error:
        raise UserError(f"{part.name} cannot be written: {str(error)[:200]}.") from error
    finally:
        if writer is not None:
            writer.close()


def filled_frame(restorer: Restorer, raw: pd.DataFrame, start: int = 0) -> pd.DataFrame:
    """Rows with their empty cells filled; with several fillings the rows of each, with their index and a column
    `filling`.

    Args:
        raw: as `read.Rows` gives it. start: see `Restorer.fill`.
    """
    import pandas as pd

    cells, out = restorer.fill(raw, start), []
    for filling in range(restorer.times):
        frame = raw.copy()
        for each in cells:
            frame[each.column.name] = _with(frame[each.column.name], each, filling)
        out.append(frame.assign(**{FILLING: filling + 1}) if restorer.times > 1 else frame)
    return pd.concat(out) if len(out) > 1 else out[0]


def _with(series: Any, cells: Cells, filling: int) -> pd.Series:
    """A column with some cells filled, of its own type where that can be."""
    import pandas as pd
    from pandas.api import types

    values = cells.values[filling]
    is_category = isinstance(series.dtype, pd.CategoricalDtype)
    if types.is_string_dtype(series.dtype) and not is_category:
        new: Any = cells.texts(filling)
    elif isinstance(values.dtype, pd.CategoricalDtype):
        new = values.astype(object).tolist()
    else:
        new = values.tolist()
    if is_category:
        more = [v for v in dict.fromkeys(new) if v not in series.cat.categories]
        series = series.cat.add_categories(more)
    out, gone = series.copy(), values.isna().to_numpy(dtype=bool)
    new = [v for v, left in zip(new, gone, strict=True) if not left]
    if types.is_float_dtype(out.dtype) or types.is_integer_dtype(out.dtype):
        new = [float(v) for v in new]
    out.iloc[cells.rows[~gone]] = new
    return out


def restore(
    model: TableModel,
    frame: pd.DataFrame,
    columns: Sequence[str] = (),
    times: int = 1,
    best: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """A DataFrame with its empty cells filled; see `TableModel.restore`."""
    import pandas as pd

    restorer = Restorer(model, columns, times, best, seed)
    parts, done = [], 0
    for raw in read.Rows(read.Frame(frame), missing_of(model)).portions():
        index = frame.index[done : done + len(raw)]
        parts.append(filled_frame(restorer, raw.set_axis(index, axis=0), done))
        done += len(raw)
    if not parts:
        return frame.copy()
    out = pd.concat(parts) if len(parts) > 1 else parts[0]
    return out.sort_values(FILLING, kind="stable") if times > 1 else out


@dataclass(frozen=True)
class Worth:
    """How good the best guess of a column's cells is where they are known: the share that is right, or the mean
    absolute error of numbers; `simple`: of the column's most frequent value or its median instead.
    """

    column: str
    is_share: bool
    guess: float
    simple: float
    rows: int


def worth(model: TableModel, frame: pd.DataFrame, seed: int = 0, share: float = 0.2) -> list[Worth]:
    """Empty known cells at random, fill them with the best guess, and compare, column by column.

    Args:
        frame: rows that the model has not learned from.
        share: of each row's cells that are emptied at once.

    Raises:
        UserError: a column that the model learned is not there.
    """
    import pandas as pd

    (raw,) = read.Rows(read.Frame(frame.head(20_000)), missing_of(model)).portions()
    restorer = Restorer(model, best=True, seed=seed)
    learned = [c for c in restorer.columns if c.kind != "constant"]
    typed: Any = read.typed(raw, learned)
    random = np.random.default_rng(seeds.key(seed, "cells left out"))
    out_cells = {c.name: typed[c.name].notna().to_numpy() & (random.random(len(raw)) < share) for c in learned}
    holes = raw.assign(**{name: raw[name].mask(cells) for name, cells in out_cells.items()})
    guesses = {c.column.name: pd.Series(c.values[0].to_numpy(), index=c.rows) for c in restorer.fill(holes, 0)}
    found = []
    for column in learned:
        rows = np.flatnonzero(out_cells[column.name])
        if len(rows):
            rest = typed[column.name][~out_cells[column.name]]
            found.append(_worth(column, typed[column.name].iloc[rows], rest, guesses[column.name].loc[rows]))
    return found


def _worth(column: Column, truth: pd.Series, rest: pd.Series, guess: pd.Series) -> Worth:
    import pandas as pd

    if column.kind == "category":
        real, seen = column.as_text(truth).to_numpy(), column.as_text(pd.Series(guess.to_numpy())).to_numpy()
        mode = column.as_text(rest).mode()
        simple = float((real == mode.iloc[0]).mean()) if len(mode) else 0.0
        return Worth(column.name, True, float((real == seen).mean()), simple, len(real))
    real, seen, usual = (_numbers(column, x) for x in (truth, guess, rest))
    middle = float(np.nanmedian(usual)) if len(usual) else 0.0
    return Worth(column.name, False, float(np.abs(real - seen).mean()), float(np.abs(real - middle).mean()), len(real))


def _numbers(column: Column, series: pd.Series) -> np.ndarray:
    """Numbers as they are, dates in days, times of day and durations in seconds; float64 [N]."""
    import pandas as pd

    values = pd.Series(series.to_numpy())
    if values.dtype.kind in "mM":
        seconds = values.to_numpy().astype(f"{values.dtype.kind}8[s]").astype(np.int64)
        return seconds / (86_400.0 if values.dtype.kind == "M" else 1.0)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
