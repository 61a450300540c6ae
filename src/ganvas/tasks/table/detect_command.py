"""`ganvas detect` for tables. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ganvas.core.asked import unused
from ganvas.core.console import Force, verb
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say, say_json
from ganvas.core.text import one_line

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.several.joined import Joined
    from ganvas.tasks.table.model import TableModel

Flag = Annotated[bool, Parameter(negative=())]


@verb(
    "table",
    help="Ask a trained model which pictures, or which rows of a table, are unlike its training data.",
    instead={"--data": "name the rows, as in ganvas detect MODEL rows.csv --report"},
)
def detect(
    model: Path,
    rows: str | None = None,
    *,
    table: str = "",
    alarm: float = 0.05,
    show: int = 20,
    json: Flag = False,
    report: Flag = False,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Find rows that are unlike the training data, and the column that makes each of them odd.

    Parameters
    ----------
    model
        A run's folder or a model file.
    rows
        A CSV or Parquet file, or a database's address.
    table
        The table in the database; default: the one that the model was trained on.
    alarm
        The share of rows like the training data that may be called odd.
    show
        How many of the oddest rows to print.
    json
        Print one line of JSON for each row that is odd or may be.
    report
        Print instead how good the detector is: rows with one cell from another row, against unchanged rows. Without
        ROWS: as measured on held-out rows when the training ended.
    out
        NAME.csv or NAME.csv.gz: all rows, with what was found in columns `odd`, `column` and `expected`.
    force
        Overwrite existing files.
    """
    from ganvas.tables import csv_cells
    from ganvas.tasks.table import detect as dt
    from ganvas.tasks.table.model import load

    if report:
        unused("with --report", json=json, out=out)
    if show < 0:
        raise UserError(f"--show {show}: at least 0 rows can be shown.")
    if out is not None:
        csv_cells.check(out, force)
    loaded = load(model)
    if rows is None:
        if not report:
            raise UserError("Name a table: ganvas detect MODEL rows.csv (or use --report).")
        _show_report(dt.report_on(loaded, None))
        return 0
    return _detect(loaded, rows, table, alarm, show, json, report, out)


def _detect(
    loaded: TableModel, rows: str, table: str, alarm: float, show: int, json: bool, report: bool, out: Path | None
) -> int:
    """Judge rows, and show what was found."""
    from ganvas.tables import read
    from ganvas.tasks.table import detect as dt

    source = _source(loaded, rows, table)
    try:
        portions = read.Rows(source, dt.missing_of(loaded)).portions()
        if report:
            _show_report(dt.report_on(loaded, portions))
            return 0
        verdicts = _judged(dt.Detector(loaded, alarm), portions, out)
        if json:
            for part in verdicts:
                _show_json(part)
            return 0
        found, counts = dt.oddest(verdicts, show)
    finally:
        source.close()
    if not sum(counts.values()):
        raise UserError(f"{source.name} has no rows.")
    _show(loaded, found, counts, alarm)
    if out is not None:
        say(f"All rows, with what was found: {out}", error=True)
    return 0


def _source(model: TableModel, rows: str, table: str) -> Any:
    """The rows that are judged, opened."""
    from ganvas.tables import read
    from ganvas.tables.databases import is_address

    return read.opened(rows, *_of_database(model, table)) if is_address(rows) else read.opened(rows, table)


def _of_database(model: TableModel, table: str) -> tuple[str, str, str, Joined | None]:
    """How a database is read: the table, and what else is read with it where the model learned one of several."""
    from ganvas.tables.several.joined import Joined

    data = model.card["data"]
    trained = str(data.get("table") or "")
    related = str(data.get("related") or "") if table in ("", trained) else ""
    return table or trained, "", "", Joined.of(related)


def _judged(detector: Any, portions: Iterator[pd.DataFrame], out: Path | None) -> Iterator[pd.DataFrame]:
    """The verdicts, portion by portion, and each row with its verdict in a file if one is named."""
    import contextlib

    from ganvas.core.files import make_folder, replacing
    from ganvas.tables import csv_cells

    with contextlib.ExitStack() as stack:
        file = None
        if out is not None:
            make_folder(out.parent)
            part = stack.enter_context(replacing(out))
            file = stack.enter_context(csv_cells.written(part, "utf-8", out.name.lower().endswith(".gz")))
        for number, raw in enumerate(portions):
            verdicts = detector.verdicts(raw)
            if file is not None:
                _write(file, raw, verdicts, head=not number)
            yield verdicts


def _write(file: Any, raw: pd.DataFrame, verdicts: pd.DataFrame, head: bool) -> None:
    more = verdicts[["odd", "column", "expected"]]
    names = {}
    for name in more:  # the table may have such a column itself
        new = str(name)
        while new in raw:
            new += "_"
        names[name] = new
    both = raw.assign(**{new: more[name] for name, new in names.items()})
    file.write(both.to_csv(index=False, header=head, lineterminator="\n"))


def chance(p: float) -> str:
    """A p-value in words: '1 of 900'."""
    return f"1 of {round(1 / p):,}" if p <= 0.5 else "usual"


def _show_json(part: pd.DataFrame) -> None:
    odd = part[part["odd"] != "no"]
    rows: Any = odd.itertuples()
    for number, row in zip(odd.index, rows, strict=True):
        entries = {"row": int(number) + 1, "odd": row.odd, "p": round(float(row.p), 6), "column": row.column}
        say_json(entries | {"found": row.found, "expected": row.expected, "why": row.why})


def _show(model: TableModel, found: pd.DataFrame, counts: dict[str, int], alarm: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from ganvas.tasks.table.detect import usual_of

    total = sum(counts.values())
    say(
        f"{total:,} rows: {counts['yes']:,} are odd ({counts['yes'] / total:.1%}; at most {alarm:.1%} of rows like "
        f"the training data are called so), {counts['not sure']:,} may be."
    )
    if len(found):
        table = Table(box=None, pad_edge=False)
        for head in ("row", "odd", "as odd as this", "column", "found", "expected", "why"):
            table.add_column(head, justify="right" if head == "row" else "left", overflow="fold")
        rows: Any = found.itertuples()
        for number, row in zip(found.index, rows, strict=True):
            cells = (Text(one_line(str(cell)[:60])) for cell in (row.column, row.found, row.expected, row.why))
            table.add_row(f"{int(number) + 1:,}", str(row.odd), chance(float(row.p)), *cells)
        say()
        Console().print(table)
    count = usual_of(model).largest.count
    say(
        f"\nA row is compared with {count:,} held-out rows of the training table: none can be called odder than "
        f"{chance(2 / (count + 1))}.\nRows are numbered from 1, not counting the header."
    )


def _show_report(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    say(
        f"{found['rows']:,} rows that the networks did not train on, and each with one cell from another of them.\n"
        f"Asked for {found['alarm']:.1%} false alarms, it calls {found['false_alarm']:.1%} of the unchanged rows odd.\n"
    )
    table = Table(box=None, pad_edge=False)
    for head in ("a cell of another row in", "AUROC", "called odd", "in this column", "rows"):
        table.add_column(head, justify="left" if head.startswith("a cell") else "right")
    known = {name: row for name, row in found["columns"].items() if row is not None}
    for name, row in found["columns"].items():
        if row is None:
            table.add_row(Text(one_line(name)[:60]), "-", "-", "-", "0")
            continue
        figures = f"{row['auroc']:.3f}", f"{row['called']:.1%}", f"{row['named']:.1%}", f"{int(row['rows']):,}"
        table.add_row(Text(one_line(name)[:60]), *figures)
    Console().print(table)
    if known:
        say(f"\nAUROC on average {sum(row['auroc'] for row in known.values()) / len(known):.3f}.")
    say(
        "AUROC: how often a row with such a cell is odder than an unchanged one (0.5: cannot tell).\n"
        "'in this column': of the rows called odd, those in which the column is named. No value that goes with the\n"
        "row as well can be found."
    )
