"""`ganvas restore` for tables. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.console import Force, verb
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.terminal import say
from ganvas.core.text import one_line


@verb("table", help="Restore damaged pictures, or fill the empty cells of a table.")
def restore(
    model: Path,
    rows: Path,
    *,
    out: Path | None = None,
    columns: str = "",
    times: int = 1,
    best: Annotated[bool, Parameter(negative=())] = False,
    seed: int = 0,
    force: Force = False,
) -> int:
    """Fill the empty cells of a table with values that are probable given the row's other values.

    All other cells stay as they are, byte for byte in a CSV file. Cells that the training treated as missing
    count as empty.

    Parameters
    ----------
    model
        A run's folder or a model file.
    rows
        A CSV or Parquet file.
    out
        NAME.csv, NAME.csv.gz or NAME.parquet. Default: restored.csv (or .parquet), or restored-2.csv and so on.
    columns
        The columns to fill, comma-separated. Default: all that were learned.
    times
        How many plausible fillings: each row is written that many times, and a column `filling` says which one it is.
    best
        Use the best guess instead of a drawn value: the most frequent category, the mean of numbers and dates.
    seed
        Another seed gives other fillings.
    force
        Overwrite existing files.
    """
    from ganvas.core.bars import counted
    from ganvas.tables import read
    from ganvas.tasks.table import restore_files as files
    from ganvas.tasks.table.model import load
    from ganvas.tasks.table.restore import Restorer

    source = read.opened(str(rows))
    ending, total = (".parquet" if isinstance(source, read.ParquetFile) else ".csv"), source.rows
    source.close()
    out = out or free(Path(f"restored{ending}"))
    files.check(out, str(rows), force)
    restorer = Restorer(load(model), tuple(filter(None, map(str.strip, columns.split(",")))), times, best, seed)
    counted(files.restore_file(restorer, str(rows), out), total or 0, "filling")
    done = restorer.result
    if not done.rows:
        raise UserError(f"{rows} has no rows.")
    filled = ", ".join(f"{one_line(name)} {count:,}" for name, count in done.filled.items())
    say(
        f"{done.rows:,} rows, {sum(done.filled.values()):,} empty cells filled{f' ({filled})' if filled else ''}: {out}"
    )
    if done.left:
        left = ", ".join(f"{one_line(name)} {count:,}" for name, count in done.left.items())
        say(f"Left empty, as you asked, as not learned, or as the rules require: {left}.")
    return 0
