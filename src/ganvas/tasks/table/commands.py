"""Models of tables on the command line: `ganvas sample`. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.console import Force, is_first, verb
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.locate import parts_of, task_of_parts
from ganvas.core.terminal import say
from ganvas.core.text import one_line
from ganvas.tasks.table import detect_command, expand_command, restore_command  # noqa: F401  # they add these commands


@verb(
    "table",
    help="Draw pictures, or rows of a table, with a trained generator.",
    instead={
        "--class": 'say --where "COLUMN=VALUE"',
        "--seeds": "say --seed NUMBER for other rows and --count NUMBER for how many",
    },
)
def sample(
    model: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    where: str = "",
    out: str | None = None,
    table: str | None = None,
    rare: Annotated[bool, Parameter(negative=())] = False,
    force: Force = False,
) -> int:
    """Draw rows with a generator trained on a table.

    Parameters
    ----------
    model
        A run's folder or a model file; or the folder of a training on all tables of a database.
    count
        How many rows; default: 1,000. For a database: the total over the tables that no key leads from; default: as
        many as the real ones.
    seed
        Another seed gives other rows; the same seed gives the same rows.
    where
        Conditions that all rows meet: "country=NL,plan=gold|silver,age>=65,city=" (city= is a missing cell). Names and
        values with commas must be in double quotes. It takes no longer than rows without conditions.
    out
        NAME.csv, NAME.csv.gz, NAME.parquet, or a database's address such as sqlite:///new.db. Default: rows.csv, or
        rows-2.csv and so on.
    table
        The table in the database; default: the name of the data.
    rare
        Leave cells empty where the table has values that are too rare to be drawn.
    force
        Replace an existing file or table.
    """
    if task_of_parts(model):
        strange = {"where": where, "table": table, "rare": rare, "force": force}
        if given := next((name for name, value in strange.items() if value), None):
            raise UserError(f"--{given} is for one table: name its folder, such as {model}/{parts_of(model)[0]}.")
        return _database(model, count, seed, out or "sqlite:///twin.db")
    return _table(model, 1_000 if count is None else count, seed, where, out, table, rare, force)


def _table(
    model: Path, count: int, seed: int, where: str, out: str | None, table: str | None, rare: bool, force: bool
) -> int:
    """Draw rows of one table."""
    from ganvas.core import distributed
    from ganvas.core.bars import counted
    from ganvas.tables import rows, write
    from ganvas.tables.databases import is_address, told
    from ganvas.tasks.table.model import load

    if count < 1:
        raise UserError(f"--count {count}: at least 1 row is needed.")
    out = out or str(free(Path("rows.csv")))
    if table is not None and not is_address(out):
        raise UserError(f"--table {table} is for a database (--out sqlite:///new.db); {out} is a file.")
    with distributed.joined():
        loaded = load(model)
        name = table or Path(str(loaded.card["data"].get("table") or loaded.card["data_name"])).name.split(".")[0]
        write.check(out, name, force)
        portions = loaded.portions(count, seed, where, rare)
        if not is_first():
            for _ in portions:
                pass
            return 0
        counted(write.save(out, portions, loaded.spec, name, force), count, "drawing")
    shown = f"table {name} of {told(out)}" if is_address(out) else out
    met = f" with {where}" if where else ""
    say(f"Drew {count:,} rows{one_line(met)} of {model}: {shown}")
    for rule, left in loaded.repeated.items():
        say(f"{one_line(rule)}: {left:,} rows still break this rule, although they were drawn again and again.")
    if empty := rows.left_empty(loaded.spec):
        say(f"Left empty, as free text is not learned: {', '.join(map(one_line, empty))}.")
    return 0


def _database(model: Path, count: int | None, seed: int, out: str) -> int:
    """Draw a database of the same schema."""
    from ganvas.core.bars import counted
    from ganvas.tables.databases import shown
    from ganvas.tables.several import write
    from ganvas.tasks.table.several.whole import load

    loaded = load(model)
    write.check(out, loaded.plan.schema)
    with loaded.drawn(count, seed) as drawn:
        total = sum(one.count for one in drawn.values())
        counted(loaded.write(drawn, out), total, "drawing")
        each = ", ".join(f"{one.count:,} {one_line(name)}" for name, one in drawn.items())
    say(f"Drew {each} of {model}: {shown(out)}")
    for sentence in loaded.left_out:
        say(sentence)
    return 0
