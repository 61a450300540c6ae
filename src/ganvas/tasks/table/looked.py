"""Rows of a table as tokens, and the cells that are wrong by themselves, whatever else is in the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables import read
from ganvas.tables.columns import Column
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.broken import broken_in
from ganvas.tasks.table.usual import CANNOT

if TYPE_CHECKING:
    import pandas as pd

NONE, UNREAD, EMPTY, UNSEEN, OUTSIDE = range(5)  # what is wrong with a cell by itself
UNKNOWN = (UNREAD, EMPTY)  # where there is no value to judge the others by


@dataclass(frozen=True, eq=False)
class Looked:
    """Rows as a file has them (`raw`) and as values of the columns' types, their tokens, and what is wrong with cells.

    wrong: int8 [N, columns that are read], NONE to OUTSIDE. least: how odd such a cell is at least, float, as large.
    broken: by the number of a rule, the rows that break it.
    """

    raw: pd.DataFrame
    typed: pd.DataFrame
    tokens: Tensor
    wrong: np.ndarray
    least: np.ndarray
    broken: dict[int, np.ndarray]


def look(spec: TableSpec, raw: pd.DataFrame, columns: Sequence[Column] = ()) -> Looked:
    """Rows as tokens, and the cells that are wrong by themselves.

    Args:
        raw: with the columns `spec.read`, as `read.Rows` gives them.
        columns: those that are read, with the forms in which these rows write their values; (): as in the training.

    Raises:
        UserError: a column is not there.
    """
    original = columns or spec.read
    if missing := [column.name for column in original if column.name not in raw]:
        names = ", ".join(one_line(name)[:40] for name in missing[:5])
        raise UserError(
            f"These rows lack columns that the model learned: {names}. Tables must be like the one it was trained on."
        )
    typed = read.typed(raw, original).reset_index(drop=True)
    wrong, least = np.zeros((len(raw), len(spec.read)), np.int8), np.zeros((len(raw), len(spec.read)))
    for i, column in enumerate(spec.read):
        was, now = raw[column.name].notna().to_numpy(), typed[column.name].notna().to_numpy()
        wrong[:, i], least[:, i] = _wrong(column, typed[column.name], was, now)
    names, broken = [column.name for column in spec.read], {}
    for number, rows in broken_in(spec, typed).items():
        places = [names.index(name) for name in spec.rules[number].columns]
        broken[number] = rows & ~np.isin(wrong[:, places], UNKNOWN).any(1)
    return Looked(raw, typed, spec.encode(typed), wrong, least, broken)


def _wrong(column: Column, typed: Any, was: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is wrong with a column's cells, and how odd that is at least."""
    part = column.parts[0]
    rows = sum(part.counts) + part.rare + part.missing
    wrong, least = np.zeros(len(was), np.int8), np.zeros(len(was))
    wrong[was & ~now], least[was & ~now] = UNREAD, CANNOT
    if not part.missing:
        wrong[~was], least[~was] = EMPTY, CANNOT
    if part.is_category:
        import pandas as pd

        unseen = now & (pd.Index(part.values).get_indexer(column.as_text(typed)) < 0)
        wrong[unseen], least[unseen] = UNSEEN, np.log((rows + 1) / (part.rare + 1))
    elif part.counts:
        numbers = column.as_numbers(typed)[0]
        low, high = part.low[0], part.high[-1]
        with np.errstate(invalid="ignore"):
            beyond = np.maximum(numbers - high, low - numbers)
            outside = now & (beyond > 0)
        far = np.where(outside, beyond, 0.0) / max(high - low, 1.0)
        wrong[outside] = OUTSIDE  # the fewest rows of a cell are beyond each end, and larger ones are ever rarer
        least[outside] = np.log((rows + 1) / (2 * min(part.counts) + 1)) + np.log1p(far[outside])
    return wrong, least
