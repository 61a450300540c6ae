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

if TYPE_CHECKING:
    import pandas as pd

MOST = 2_000  # columns of a table


@dataclass(frozen=True)
class TableSpec(SpecBase):
    """Rows as tokens uint8 [N, tokens], one to three tokens a number or a category.

    `columns` are in the order of the table; those that are learned have `parts`.
    """

    noun: ClassVar[str] = "rows"
    classes: ClassVar[int] = 0  # what is to be set is said column by column

    columns: tuple[Column, ...]

    @cached_property
    def learned(self) -> tuple[Column, ...]:
        """The columns that the networks see."""
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
        parts = [column.encode(series[column.name]) for column in self.learned]
        return torch.from_numpy(np.concatenate(parts, 1) if parts else np.zeros((len(frame), 0), np.uint8))

    def decode(self, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
        """Tokens -> the values of the learned columns, by name.

        Args:
            tokens: [N, tokens].
            place: float [N, tokens] in 0 to 1: where in the cell of its token a number lies.
        """
        numbers, where = tokens.to(torch.uint8).cpu().numpy(), place.cpu().numpy()
        return {c.name: c.decode(numbers[:, self.places[c.name]], where[:, self.places[c.name]]) for c in self.learned}

    def zeros(self, count: int) -> Tensor:
        return torch.zeros(count, len(self.sizes), dtype=torch.int64)

    def settings(self) -> dict[str, int]:
        return {}

    def words(self) -> str:
        return f"{len(self.columns)} columns"

    def to_dict(self) -> dict[str, Any]:
        return {"columns": [column.to_dict() for column in self.columns]}

    @classmethod
    def from_dict(cls, values: Any) -> TableSpec:
        columns = values.get("columns") if isinstance(values, dict) else None
        if not isinstance(columns, list) or not 0 < len(columns) <= MOST:
            raise UserError("the shape of its samples names no columns.")
        return cls(check(tuple(map(Column.from_dict, columns))))


def check(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, if a table can have them.

    Raises:
        UserError: two of one name, or none that can be learned.
    """
    names = [column.name for column in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"Two columns are called {twice[0][:60]!r}: give each a name of its own.")
    if not any(column.parts for column in columns):
        kinds = ", ".join(f"{c.name[:30]}: {c.kind}" for c in columns[:10])
        raise UserError(f"No column can be learned ({kinds}): ids, free texts and constants are only made up.")
    return tuple(columns)
