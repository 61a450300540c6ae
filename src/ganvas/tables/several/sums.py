"""Finds the columns of a table that are sums over the rows whose keys lead to it, in all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganvas.tables.several.plan import Sum, Tie
from ganvas.tables.several.schema import NUMBERS, SqlTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

LEAST = 30  # different sums that show that it is not by chance
MOST = 12  # columns of numbers of either table that are tried
NEAR = 1e-6  # of a sum: what adding up may lose
DIGITS = 4  # after the point that a sum is rounded to at most


def find(connection: Connection, table: Any, child: Any, own: SqlTable, other: SqlTable, tie: Tie) -> list[Sum]:
    """The columns of `table` that are the sum of a column of `child` in every row; 0 where no row leads to it.

    Args:
        table, child: as SQLAlchemy knows them; own, other: as the schema does.
        tie: the key by which the rows of `child` are made.
    """
    from sqlalchemy import and_, case, func, select

    keyed = {*own.primary, *(n for key in own.keys for n in key.columns)}
    whole = [c.name for c in own.columns if c.type in NUMBERS and c.name not in keyed][:MOST]
    used = {*other.primary, *(n for key in other.keys for n in key.columns)}
    parts = [c.name for c in other.columns if c.type in NUMBERS and c.name not in used][:MOST]
    if not whole or not parts:
        return []
    mine = [child.c[name] for name in tie.key.columns]
    sums = [func.sum(child.c[name]).label(f"sum_{i}") for i, name in enumerate(parts)]
    added = select(*(c.label(f"key_{i}") for i, c in enumerate(mine)), *sums).group_by(*mine).subquery()
    on = and_(*(table.c[name] == added.c[f"key_{i}"] for i, name in enumerate(tie.key.target)))
    pairs = [(a, b) for a in whole for b in range(len(parts))]
    wrong = []
    for a, b in pairs:
        wrong.append(func.sum(case((_differ(table.c[a], added.c[f"sum_{b}"]), 1), else_=0)))
    distinct = [func.count(func.distinct(table.c[a])) for a in whole]
    found = connection.execute(select(*wrong, *distinct).select_from(table.outerjoin(added, on))).one()
    many = {a: int(n or 0) >= LEAST for a, n in zip(whole, found[len(pairs) :], strict=True)}
    kept: dict[str, Sum] = {}
    for (a, b), count in zip(pairs, found, strict=False):
        if count is not None and int(count) == 0 and many[a] and a not in kept:
            column = own.column(a)
            digits = 0 if "Integer" in column.type else min(column.scale or DIGITS, DIGITS)
            kept[a] = Sum(a, other.name, tie.key.columns, parts[b], digits)
    return list(kept.values())


def broken(connection: Connection, table: Any, child: Any, one: Sum, target: tuple[str, ...]) -> int:
    """In how many rows of `table` a column is not the sum that it is said to be.

    Args:
        table, child: as SQLAlchemy knows them.
        target: the columns of `table` that the key `one.key` leads to.
    """
    from sqlalchemy import and_, func, select

    mine = [child.c[name] for name in one.key]
    labels = [c.label(f"key_{i}") for i, c in enumerate(mine)]
    added = select(*labels, func.sum(child.c[one.of]).label("sum")).group_by(*mine).subquery()
    on = and_(*(table.c[name] == added.c[f"key_{i}"] for i, name in enumerate(target)))
    query = select(func.count()).select_from(table.outerjoin(added, on))
    return int(connection.execute(query.where(_differ(table.c[one.column], added.c["sum"]))).scalar_one())


def _differ(column: Any, total: Any) -> Any:
    """Is the column no sum, or missing?"""
    from sqlalchemy import func, or_

    value, total = column * 1.0, func.coalesce(total, 0) * 1.0
    return or_(value.is_(None), func.abs(value - total) > NEAR * (func.abs(value) + 1))
