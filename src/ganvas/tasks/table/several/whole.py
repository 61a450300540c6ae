"""A trained database: the models of its tables, and drawn databases of the same schema."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.files import place
from ganvas.tables.several import plan as plans
from ganvas.tables.several import write
from ganvas.tables.several.plan import Plan
from ganvas.tasks.table.model import TableModel
from ganvas.tasks.table.model import load as load_table
from ganvas.tasks.table.several.draw import Drawn
from ganvas.tasks.table.several.parts import folder_of

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.several.schema import SqlTable


class Database:
    """The models of a database's tables.

    tables: by the table's name; plan: its schema, and how it is drawn; left_out: sentences on what the database that
    was written last lacks of the schema.
    """

    def __init__(self, path: Path, plan: Plan, tables: dict[str, TableModel]) -> None:
        self.path, self.plan, self.tables = path, plan, tables
        self.left_out: list[str] = []

    @contextmanager
    def drawn(self, count: int | None = None, seed: int = 0) -> Iterator[dict[str, Drawn]]:
        """The rows of all tables, as long as the context lasts.

        Args:
            count: rows of the tables that no key leads from, together, in proportion; None: as many as the real ones.
            seed: another one, other rows.
        """
        tops = [t for t in self.plan.tables if t.way == "learned" and t.first is None]
        real = sum(self.plan.schema[t.name].rows for t in tops)
        if count is not None and count < len(tops):
            raise UserError(f"--count {count}: at least {len(tops)} rows, one of each table that no key leads from.")
        share = 1.0 if count is None or not real else count / real
        found: dict[str, Drawn] = {}
        with tempfile.TemporaryDirectory(prefix="ganvas-") as folder:
            for plan in self.plan.tables:
                table = self.plan.schema[plan.name]
                one = Drawn(table, plan, self.tables.get(plan.name), found, Path(folder), seed)
                one.draw(max(1, round(table.rows * share)) if plan.way == "learned" else table.rows)
                found[plan.name] = one
            for one in found.values():
                one.late()
            yield found
            for one in found.values():  # close the files before the folder goes
                one.tokens = one.place = None

    def write(self, drawn: dict[str, Drawn], out: str) -> Iterator[int]:
        """Write drawn rows into a database; yields how many are written.

        Args:
            drawn: what `drawn` gave.
            out: the address of the database, which has none of the tables yet.

        Raises:
            UserError: the database refused; nothing is left.
        """
        import pandas as pd

        def portions(table: SqlTable) -> Iterator[pd.DataFrame]:
            one, names = drawn[table.name], [column.name for column in table.columns]
            for rows in one.written():
                yield pd.DataFrame(one.values(rows, names))

        self.left_out = []
        return write.save(
            out, self.plan.schema, portions, lambda table: drawn[table.name].columns, left_out=self.left_out
        )

    def sample(self, count: int | None = None, seed: int = 0) -> dict[str, pd.DataFrame]:
        """Draw a database: a DataFrame for each table, in which every key resolves.

        Args:
            count, seed: see `drawn`.
        """
        import pandas as pd

        with self.drawn(count, seed) as found:
            return {
                name: pd.DataFrame(
                    one.values(
                        np.concatenate([np.zeros(0, np.int64), *one.written()]),
                        [column.name for column in one.table.columns],
                    )
                )
                for name, one in found.items()
            }


def load(path: str | os.PathLike[str], device: str = "auto") -> Database:
    """The models of a database from the folder of a training on all its tables.

    Raises:
        UserError: it is not such a folder, or a table is not trained yet.
    """
    folder = place(path)
    plan = plans.read(folder)
    tables = {table.name: load_table(folder / folder_of(plan, table), device) for table in plan.learned}
    return Database(folder, plan, tables)
