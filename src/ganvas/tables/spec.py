"""The shape of rows: the columns of a table and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.samples import SpecBase
from ganvas.tables.columns import Column
from ganvas.tables.private import Privacy
from ganvas.tables.rules.assemble import check_rules
from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.text import rules_of

if TYPE_CHECKING:
    import pandas as pd

MOST = 2_000  # columns of a table


@dataclass(frozen=True)
class TableSpec(SpecBase):
    """Rows as tokens uint8 [N, tokens], one to three tokens a number or a category.

    `columns` are in the order of the table; those that are learned have `parts`. `rules` hold in every row; they say
    which columns are learned in another form than the table's, or not at all, and are applied in their order.
    `privacy`: what is promised of the rows that these columns were learned from.
    """

    noun: ClassVar[str] = "rows"
    classes: ClassVar[int] = 0  # settings are made column by column

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    privacy: Privacy | None = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def learned(self) -> tuple[Column, ...]:
        """The columns that the networks see, as they see them."""
        forms = {name: form for rule in self.rules for name, form in rule.forms.items()}
        each = (forms.get(column.name, column) for column in self.columns)
        return tuple(column for column in each if column is not None and column.parts)

    @cached_property
    def read(self) -> tuple[Column, ...]:
        """The columns as they are in the table, but for those that are made up: what is read of it."""
        return tuple(column for column in self.columns if column.parts)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values each token may have."""
        return tuple(size for column in self.learned for size in column.sizes)

    @cached_property
    def places(self) -> dict[str, slice]:
        """The tokens of each learned column."""
        end, places = 0, {}
        for column in self.learned:
            start, end = end, end + len(column.sizes)
            places[column.name] = slice(start, end)
        return places

    def column(self, name: str) -> Column:
        """The column of this name.

        Raises:
            UserError: there is none.
        """
        from ganvas.core.errors import unknown

        for column in self.columns:
            if column.name == name:
                return column
        raise unknown("column", name, [column.name for column in self.columns])

    def encode(self, frame: pd.DataFrame) -> Tensor:
        """Rows -> tokens uint8 [N, tokens]."""
        series: dict[Any, Any] = dict(frame.items())
        changed: dict[str, pd.Series] = {}
        for rule in self.rules:
            changed |= rule.encode(frame, self.by_name)
        parts = [c.encode(changed[c.name] if c.name in changed else series[c.name]) for c in self.learned]
        return torch.from_numpy(np.concatenate(parts, 1) if parts else np.zeros((len(frame), 0), np.uint8))

    def decode(self, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
        """Tokens -> the values of the learned columns and of those that follow from them, by name.

        Args:
            tokens: [N, tokens].
            place: float [N, tokens] in 0 to 1: where in the cell of its token a number is.
        """
        found = self.decode_learned(tokens, place)
        for rule in self.rules:
            rule.decode(found, self.by_name)
        return self.in_order(found)

    def decode_learned(self, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
        """As `decode`: the columns as they are learned, before rules are applied."""
        numbers, where = tokens.to(torch.uint8).cpu().numpy(), place.cpu().numpy()
        return {c.name: c.decode(numbers[:, self.places[c.name]], where[:, self.places[c.name]]) for c in self.learned}

    def in_order(self, found: dict[str, pd.Series]) -> dict[str, pd.Series]:
        """Columns in the order of the table."""
        return {column.name: found[column.name] for column in self.columns if column.name in found}

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, len(self.sizes), dtype=torch.int64)

    def settings(self) -> dict[str, int]:
        return {}

    def words(self) -> str:
        return f"{len(self.columns)} columns"

    def to_dict(self) -> dict[str, Any]:
        rules = {"rules": [rule.to_dict() for rule in self.rules]} if self.rules else {}
        privacy = {"privacy": self.privacy.to_dict()} if self.privacy else {}
        return {"columns": [column.to_dict() for column in self.columns]} | rules | privacy

    @classmethod
    def from_dict(cls, values: Any) -> TableSpec:
        columns = values.get("columns") if isinstance(values, dict) else None
        if not isinstance(columns, list) or not 0 < len(columns) <= MOST:
            raise UserError("the shape of its samples names no columns.")
        known = check(tuple(map(Column.from_dict, columns)))
        rules = check_rules(rules_of(values.get("rules", [])), {column.name: column for column in known})
        privacy = values.get("privacy")
        return cls(known, rules, None if privacy is None else Privacy.from_dict(privacy))


def check(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, if a table can have them.

    Raises:
        UserError: two of one name, or none that can be learned.
    """
    names = [column.name for column in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"Two columns are called {twice[0][:60]!r}: give each its own name.")
    if not any(column.parts for column in columns):
        kinds = ", ".join(f"{c.name[:30]}: {c.kind}" for c in columns[:10])
        raise UserError(f"No column can be learned ({kinds}): ids, free texts and constants are only made up.")
    return tuple(columns)
