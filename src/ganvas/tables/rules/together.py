"""Rules that are tables: combinations that occur, columns that follow from others, and cells missing together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import cells as cl
from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Columns, Frame, Rule, is_missing, quoted, rows_of

if TYPE_CHECKING:
    import pandas as pd

MOST = 1_000_000  # combinations of a rule


@dataclass(frozen=True)
class Together(Rule):
    """`city, country occur together`: drawn rows have only combinations of values that the table has.

    Where only the first `by` columns are free it is `country from city`: the others are looked up.

    `values`: the texts of each column's values. `rows`: for each column, which of its values the combinations have (the
    number of values: missing). Combinations that fewer rows have than may be drawn are left out.
    `learned`: how columns of numbers are learned: as categories, a value each. `rare`: rows with combinations left out.
    """

    kind: ClassVar[str] = "together"
    names: tuple[str, ...]
    by: int
    values: tuple[tuple[str, ...], ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()
    learned: tuple[Column, ...] = ()
    rare: int = 0

    def __post_init__(self) -> None:
        """Check what may come from a file of others.

        Raises:
            UserError: its parts do not go together.
        """
        if not 1 <= self.by <= len(self.names) or len({*self.names}) != len(self.names):
            raise UserError("a rule of combinations names its columns wrongly.")
        if not self.rows:
            return
        lengths = {len(column) for column in self.rows}
        if (
            len(self.rows) != len(self.names)
            or len(self.values) != len(self.names)
            or len(lengths) != 1
            or max(lengths) > MOST
        ):
            raise UserError("a rule of combinations has columns of different lengths.")
        for texts, places in zip(self.values, self.rows, strict=True):
            if places and not (min(places) >= 0 and max(places) <= len(texts)):
                raise UserError("a rule of combinations names values that it does not have.")
        if {c.name for c in self.learned} - {*self.names[: self.by]}:
            raise UserError("a rule of combinations learns columns that it does not mention.")

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    @property
    def free(self) -> tuple[str, ...]:
        """The columns that are learned."""
        return self.names[: self.by]

    @property
    def targets(self) -> tuple[str, ...]:
        return self.names[self.by :]

    @property
    def needs(self) -> tuple[str, ...]:
        return self.free if self.targets else ()

    @property
    def forms(self) -> dict[str, Column | None]:
        return {**dict.fromkeys(self.targets), **{c.name: c for c in self.learned}}

    @property
    def text(self) -> str:
        free = ", ".join(map(quoted, self.free))
        return f"{', '.join(map(quoted, self.targets))} from {free}" if self.targets else f"{free} occur together"

    def words(self) -> str:
        if self.targets:
            follow = "follows" if len(self.targets) == 1 else "follow"
            return f"{', '.join(self.targets)} always {follow} from {' and '.join(self.free)}."
        count = f"{len(self.rows[0]):,} combinations" if self.rows else "only some combinations"
        names = " and ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))
        return f"Of {names}, {count} occur, and no others."

    @cached_property
    def table(self) -> np.ndarray:
        """The combinations, int64 [combinations, columns]."""
        return np.array(self.rows, np.int64).T.reshape(-1, len(self.names))

    def keys(self, places: np.ndarray) -> np.ndarray:
        """One number for the values of the free columns, int64 [N]; -1: a value that the rule does not have."""
        key = np.zeros(len(places), np.int64)
        for i in range(self.by):
            key = key * (len(self.values[i]) + 1) + places[:, i]
        return np.where((places[:, : self.by] < 0).any(1), -1, key)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        keys = self.keys(self.table)
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def find(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Which combination the free columns of each row are, int64 [N]; -1: none."""
        places = [vl.codes(columns[n], frame[n], v) for n, v in zip(self.free, self.values, strict=False)]
        return self.find_places(np.stack(places, 1))

    def find_places(self, places: np.ndarray) -> np.ndarray:
        """As `find`, from the places of the values int64 [N, free columns]."""
        keys, (known, order) = self.keys(places), self._sorted
        if not len(known):
            return np.full(len(places), -1)
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[at] == keys, order[at], -1)

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Rows with a combination that is not in the rule; those with rare values, which no rule holds, are not."""
        places = np.stack([vl.codes(columns[n], frame[n], v) for n, v in zip(self.names, self.values, strict=True)], 1)
        row = self.find_places(places)
        wrong = (row < 0) & (places >= 0).all(1)
        if self.targets and len(self.table):
            wrong = (row >= 0) & (self.table[row, self.by :] != places[:, self.by :]).any(1)
        return wrong

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        if self.targets:
            row = self.find(frame, columns)
            for i, name in enumerate(self.targets, self.by):
                places = np.where(row >= 0, self.table[row, i] if len(self.table) else -1, -1)
                frame[name] = vl.from_codes(columns[name], self.values[i], places)
        for form in self.learned:
            series = frame[form.name]
            if columns[form.name].kind == "number" and str(series.dtype) == "category":
                frame[form.name] = vl.series_of(columns[form.name], vl.numbers(columns[form.name], series))

    def fitted(self, frame: Frame, columns: Columns, rare: int) -> Together:
        """With the combinations that at least `rare` rows have.

        Raises:
            UserError: columns do not follow from the others, or there are too many combinations.
        """
        texts, places = zip(*(vl.distinct(columns[name], frame[name]) for name in self.names), strict=True)
        if np.prod([float(len(t) + 1) for t in texts[: self.by]]) > 2**62:
            raise UserError(f"The rule '{self.text}' has too many values: refuse it.")
        rule = dataclasses.replace(self, values=texts, rows=(), learned=())
        rows = np.stack(places, 1)
        keys = rule.keys(rows)
        _, first, back, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        wrong = int((rows[:, self.by :] != rows[first[back], self.by :]).any(1).sum())
        if wrong:
            raise UserError(f"The rule '{self.text}' does not hold in {rows_of(wrong)}: change or refuse it.")
        kept = rows[first[counts >= rare]]
        if not 0 < len(kept) <= MOST:
            raise UserError(
                f"The rule '{self.text}' would have {len(kept):,} combinations: 1 to {MOST:,} can be kept. Refuse it."
            )
        values, codes = [], []
        for i, known in enumerate(texts):  # only values that a kept combination has stand in the model's file
            used = np.unique(kept[:, i][kept[:, i] < len(known)])
            values.append(tuple(known[j] for j in used))
            place = np.searchsorted(used, kept[:, i])
            codes.append(tuple(np.where(kept[:, i] == len(known), len(used), place).tolist()))
        numeric = [columns[n] for n in self.free if columns[n].kind == "number"]
        learned = tuple(category_of(c, frame[c.name], rare) for c in numeric)
        left = int(counts[counts < rare].sum())
        return dataclasses.replace(rule, values=tuple(values), rows=tuple(codes), learned=learned, rare=left)


def category_of(column: Column, series: pd.Series, rare: int) -> Column:
    """A column of numbers as a category that is learned: a cell for each value."""
    texts, _ = vl.distinct(column, series)
    form = Column(column.name, "category", column.type, order=texts)
    return dataclasses.replace(form, order=(), parts=(cl.of_category(form.as_text(series), rare, texts),))


@dataclass(frozen=True)
class Missing(Rule):
    """`a, b missing together`; `a missing where b has a value`; `a missing where b is x, y`: exactly there. `a missing
    if b is x, y`: there always, and elsewhere at times.

    `leader` says where: `when` is 'missing', 'value', or 'is' or 'if' with `values`.
    """

    kind: ClassVar[str] = "missing"
    names: tuple[str, ...]
    leader: str
    when: str = "missing"
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        by_value = self.when in ("is", "if")
        if self.when not in ("missing", "value", "is", "if") or by_value != bool(self.values) or not self.names:
            raise UserError(f"a rule says that cells are missing where another is {self.when[:40]!r}.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.leader, *self.names)

    @property
    def text(self) -> str:
        names = ", ".join(map(quoted, self.names))
        if self.when == "missing":
            return f"{quoted(self.leader)}, {names} missing together"
        if self.when == "value":
            return f"{names} missing where {quoted(self.leader)} has a value"
        where = "where" if self.when == "is" else "if"
        return f"{names} missing {where} {quoted(self.leader)} is {', '.join(map(quoted, self.values))}"

    def words(self) -> str:
        names, are = " and ".join(self.names), "is" if len(self.names) == 1 else "are"
        if self.when == "missing":
            return f"{self.leader} and {names} are missing in the same rows."
        if self.when == "value":
            return f"{names} {are} missing exactly where {self.leader} has a value."
        how = "missing exactly" if self.when == "is" else "always missing"
        return f"{names} {are} {how} where {self.leader} is {' or '.join(self.values)}."

    def state(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Where the columns are to be missing, bool [N]."""
        series = frame[self.leader]
        if self.values:
            places = vl.codes(columns[self.leader], series, self.values)
            return (places >= 0) & (places < len(self.values))
        return is_missing(series) == (self.when == "missing")

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Rows that do not keep it; where a leader's value decides, those with rare values are not among them."""
        state = self.state(frame, columns)
        wrong = np.logical_or.reduce([is_missing(frame[n]) != state for n in self.names])
        if self.when == "if":
            return wrong & state
        if self.when == "is" and (parts := columns[self.leader].parts) and parts[0].is_category:
            wrong &= vl.codes(columns[self.leader], frame[self.leader], parts[0].values) >= 0
        return wrong

    def fitted(self, frame: Frame, columns: Columns, rare: int) -> Missing:
        """The rule, without values that fewer than `rare` rows have.

        Raises:
            UserError: it does not hold in the rows, or only by such values.
        """
        if wrong := self.broken(frame, columns):
            raise UserError(f"The rule '{self.text}' does not hold in {rows_of(wrong)}: change or refuse it.")
        if not self.values:
            return self
        places = vl.codes(columns[self.leader], frame[self.leader], self.values)
        kept = tuple(v for i, v in enumerate(self.values) if (places == i).sum() >= rare)
        if not kept:
            raise UserError(f"The rule '{self.text}' mentions values that fewer than {rare} rows have: refuse it.")
        return dataclasses.replace(self, values=kept)
