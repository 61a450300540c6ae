"""What is known of a database while its plan is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ganvas.tables.columns import Column
from ganvas.tables.several.plan import TablePlan
from ganvas.tables.several.schema import Key, Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

LEARNED = ("number", "category", "date")


@dataclass
class Known:
    """What is known so far.

    Attributes:
        copied, wished: what the user says of tables that are copied, and of keys by which rows are made.
        late: keys that are filled when all rows are there, with the names of their tables.
        done: the plans that are ready, by the table's name.
        kinds: of each table that is ready, its columns as they look.
        shares: of rows whose key leads to a row, by table and key.
    """

    schema: Schema
    copied: list[str]
    wished: Mapping[str, str]
    notes: list[str] = field(default_factory=list)
    late: set[tuple[str, Key]] = field(default_factory=set)
    done: dict[str, TablePlan] = field(default_factory=dict)
    kinds: dict[str, dict[str, Column]] = field(default_factory=dict)
    shares: dict[tuple[str, Key], float] = field(default_factory=dict)


def free(name: str, taken: set[str]) -> str:
    """This name, or with underscores behind it where it is taken; it is taken then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
