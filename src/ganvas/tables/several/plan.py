"""How the tables of a database are learned and drawn: which of its keys a table's rows are made by, and in which order.

A table has one of three ways: it is learned; it is made (nothing of it can be learned: as many rows with new keys); or
it is copied, where the user says so. A key has one of four roles:

- first: rows are made by it, so many for each row that it leads to, and are drawn given that row's columns;
- other: the columns of the row that it leads to are drawn too, and the key is that of a drawn row which has them;
- row: it leads to a copied table or a small one that is made: which row of it is learned as a category;
- late: it closes a circle, or leads to its own table: it is filled when all rows are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError
from ganvas.core.files import parse_json, read_bytes
from ganvas.tables.several.joined import Joined
from ganvas.tables.several.schema import Key, Schema, SqlTable, from_json, to_json

FILE = "database.json"
FORMAT = 1
LARGEST = 100_000_000  # bytes of it
WAYS = ("learned", "made", "copied")
ROLES = ("first", "other", "row", "late")


@dataclass(frozen=True)
class Tie:
    """A key with its role.

    name: of what it leads to among the columns that are learned; there: the share of rows whose key leads to a row;
    count: the column of the row it leads to that says how many rows do ('': none); within: of a key to the own table,
    whether both rows have the same parent, where there is one.
    """

    key: Key
    role: str
    name: str = ""
    there: float = 1.0
    count: str = ""
    within: bool = False

    def __post_init__(self) -> None:
        if self.role not in ROLES or not 0 <= self.there <= 1:
            raise UserError(f"a key is {self.role[:40]!r} and there in {self.there} of the rows.")


@dataclass(frozen=True)
class Sum:
    """A column that is the sum of a column of the rows whose keys lead here: an order's total of its items' amounts.

    table, key: whose rows, and the columns of their key; of: what is summed; digits: after the point of the sum.
    """

    column: str
    table: str
    key: tuple[str, ...]
    of: str
    digits: int = 0


@dataclass(frozen=True)
class TablePlan:
    """How a table is learned and drawn.

    ids: its own columns that are made anew; starts: its columns that count siblings, and from where; made: of a table
    that is made, its columns; copied: of one that is copied, its rows; sums: its columns that follow from others' rows;
    ordered: its column of dates that never fall from a row to the next of the same parent, by the primary key;
    throughout: nor from any row to the next; mixed: the rows of one parent are not together.
    """

    name: str
    way: str
    ties: tuple[Tie, ...] = ()
    joined: Joined = Joined()
    ids: tuple[str, ...] = ()
    starts: dict[str, int] = field(default_factory=dict)
    made: tuple[Any, ...] = ()
    copied: tuple[Any, ...] = ()
    sums: tuple[Sum, ...] = ()
    ordered: str = ""
    throughout: bool = False
    mixed: bool = False

    def __post_init__(self) -> None:
        if self.way not in WAYS or sum(tie.role == "first" for tie in self.ties) > 1:
            raise UserError(f"the table {self.name[:60]!r} is {self.way[:40]!r}.")

    @property
    def first(self) -> Tie | None:
        return next((tie for tie in self.ties if tie.role == "first"), None)

    def groups(self, table: SqlTable) -> list[tuple[str, ...]]:
        """Columns that are to be unique together, and are not by themselves: by new ids, or numbered siblings."""
        first = {*self.first.key.columns} if self.first is not None else None
        sums = {one.column for one in self.sums}
        found = []
        for names in dict.fromkeys((table.primary, *table.unique)):
            numbered = first is not None and first < {*names} and bool({*self.starts} & {*names})
            if names and not numbered and not {*self.ids, *sums} & {*names}:
                found.append(names)
        return found

    def of(self, role: str) -> list[Tie]:
        return [tie for tie in self.ties if tie.role == role]


@dataclass(frozen=True)
class Plan:
    """How the tables of a database are learned and drawn; `tables` in the order in which they are."""

    schema: Schema
    tables: tuple[TablePlan, ...]
    format: int = FORMAT
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise UserError(f"it has the format {self.format}, and this Ganvas reads {FORMAT}.")
        if sorted(t.name for t in self.tables) != sorted(t.name for t in self.schema.tables):
            raise UserError("its tables do not match the plan.")
        seen: set[str] = set()
        for plan in self.tables:
            table = self.schema[plan.name]
            if sorted(tie.key.columns for tie in plan.ties) != sorted(key.columns for key in table.keys):
                raise UserError(f"the table {plan.name[:60]!r} does not have the keys that are planned.")
            for tie in plan.ties:
                if tie.key not in table.keys or (tie.role != "late" and tie.key.table not in seen):
                    raise UserError(f"the table {plan.name[:60]!r} comes before one that it needs.")
            if not {*plan.starts, *plan.ids, plan.ordered} - {""} <= {column.name for column in table.columns}:
                raise UserError(f"the table {plan.name[:60]!r} does not have all the columns that are planned.")
            for one in plan.sums:
                child = next((t for t in self.tables if t.name == one.table), None)
                first = None if child is None or child.way != "learned" else child.first
                known = first is not None and first.key.columns == one.key and first.key.table == plan.name
                own = {column.name for column in table.columns}
                if not known or one.column not in own or one.of not in {c.name for c in self.schema[one.table].columns}:
                    raise UserError(f"the table {plan.name[:60]!r} has sums of rows that do not lead to it.")
            seen.add(plan.name)

    def __getitem__(self, name: str) -> TablePlan:
        return next(plan for plan in self.tables if plan.name == name)

    @property
    def learned(self) -> list[TablePlan]:
        return [plan for plan in self.tables if plan.way == "learned"]

    def text(self) -> str:
        return json.dumps(to_json(self), indent=1) + "\n"


def read(folder: Path) -> Plan:
    """The plan in the folder of a training on several tables.

    Raises:
        UserError: there is none, or it is damaged.
    """
    place = folder / FILE
    try:
        entries = parse_json(read_bytes(place, LARGEST))
        return from_json(Plan, entries, "it")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{place} is damaged: it is not JSON of a database ({str(error)[:80]}).") from error
    except UserError as error:
        raise UserError(f"{place} cannot be read: {error}") from error


def single(text: str) -> Mapping[str, str]:
    """What parent.TABLE=COLUMN said: JSON with columns by table.

    Raises:
        UserError: it is none.
    """
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise UserError(f"parents={text[:60]} is set by parent.TABLE=COLUMN.")
    return found
