"""Finds the order of a table's rows by their primary key: in time, by their parents, or in none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganvas.core.text import one_line
from ganvas.tables.several.plan import TablePlan
from ganvas.tables.several.schema import SqlTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

LEAST = 30  # rows whose date is later than that of the one before, which show that it is not by chance
MIXED = 1.5  # times as often as there are parents, the next row has another one: their rows are not together
MOST = 12  # columns of dates that are tried


@dataclass(frozen=True)
class Found:
    """`column`: whose dates never fall from a row to the next of the same parent ('': none); `throughout`: nor from any
    row to the next; `mixed`: the rows of one parent are not together."""

    column: str = ""
    throughout: bool = False
    mixed: bool = False

    def words(self, plan: TablePlan) -> str:
        """A sentence for the user."""
        first = plan.first
        of = "" if self.throughout or first is None else f" of one {one_line(first.key.table)}"
        return (f"{one_line(plan.name)}: {one_line(self.column)} never decreases from one row{of} to the next, by "
                "its key, and stays so in drawn rows.")  # fmt: skip


def find(connection: Connection, table: Any, own: SqlTable, plan: TablePlan, dates: list[str]) -> Found:
    """The order of a table's rows by their primary key.

    Args:
        table: as SQLAlchemy knows it.
        dates: its columns of dates.
    """
    from sqlalchemy import case, func, or_, select

    primary = [table.c[name] for name in own.primary]
    key = [table.c[name] for name in plan.first.key.columns] if plan.first is not None else []
    if not primary or own.rows < 2:
        return Found()
    dates = dates[:MOST]
    columns = [table.c[name].label(f"d{i}") for i, name in enumerate(dates)]
    for i, name in enumerate(dates):
        columns.append(func.lag(table.c[name]).over(order_by=primary).label(f"a{i}"))
        if key:
            columns.append(func.lag(table.c[name]).over(partition_by=key, order_by=primary).label(f"b{i}"))
    changed = [c != func.lag(c).over(order_by=primary) for c in key]
    columns.append(case((or_(*changed), 1), else_=0).label("other") if key else func.count().over().label("other"))
    rows = select(*columns).subquery()
    figures: list[Any] = [func.sum(rows.c.other)]
    for i in range(len(dates)):
        figures.append(func.count(rows.c[f"d{i}"]))
        for before in ("a", "b") if key else ("a", "a"):
            earlier, later = rows.c[f"d{i}"] < rows.c[f"{before}{i}"], rows.c[f"d{i}"] > rows.c[f"{before}{i}"]
            figures += [func.sum(case((earlier, 1), else_=0)), func.sum(case((later, 1), else_=0))]
    others, *each = (int(x or 0) for x in connection.execute(select(*figures)).one())
    parents = 0
    if key:
        distinct = select(*key).where(key[0].is_not(None)).distinct().subquery()
        parents = int(connection.execute(select(func.count()).select_from(distinct)).scalar_one())
    mixed = bool(key) and others > MIXED * parents
    best, rank = Found(mixed=mixed), (False, LEAST - 1)
    for i, name in enumerate(dates):
        known, falls, rises, within, rises_within = each[5 * i : 5 * i + 5]
        throughout = not falls and rises >= LEAST
        mine = (throughout, rises if throughout else rises_within)
        if known == own.rows and (throughout or not within) and mine > rank:
            best, rank = Found(name, throughout, mixed), mine
    return best
