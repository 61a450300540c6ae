"""Rules that hold in every row of a table, and that drawn rows keep exactly because they are made so.

A rule is a short text (`total = net + tax`), which a user may write, confirm or refuse. Fitted to rows, it knows how
the columns that it determines are learned (`forms`; a column without a form is not learned at all) and computes them
from the others once a row is drawn (`decode`). The other files next to this one have the types of rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd

Frame: TypeAlias = Any  # columns by name, as a DataFrame or a dict of Series
Columns: TypeAlias = Mapping[str, Column]

EXACT = 1e-3  # of a value's last digit: what the arithmetic of floats may be off by


@dataclass(frozen=True)
class Rule:
    """What always holds. See the kinds below."""

    kind: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it speaks of."""
        raise NotImplementedError

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that it computes, or limits after they are drawn."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that must be there before."""
        return ()

    @property
    def forms(self) -> dict[str, Column | None]:
        """How columns are learned instead of as they are in the table; None: not at all."""
        return {}

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        raise NotImplementedError

    def words(self) -> str:
        """A sentence for people."""
        raise NotImplementedError

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Which rows do not keep it, bool [N]."""
        raise NotImplementedError

    def broken(self, frame: Frame, columns: Columns) -> int:
        """How many rows do not keep it."""
        return int(self.wrong(frame, columns).sum())

    def encode(self, frame: Frame, columns: Columns) -> dict[str, pd.Series]:
        """The columns that have forms, as they are learned."""
        return {}

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        """Set the targets in the columns of drawn rows."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        entries: dict[str, Any] = {"kind": self.kind}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value != f.default:
                entries[f.name] = _lists(value)
        return entries

    @classmethod
    def read(cls, entries: dict[str, Any]) -> Self:
        """The rule of a JSON form without its kind; the entries are checked by their annotated types.

        Raises:
            UserError: it is none.
        """
        kinds = {f.name: str(f.type) for f in dataclasses.fields(cls)}
        needed = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
        if not needed <= entries.keys() <= kinds.keys():
            raise UserError(f"a rule of the kind {cls.kind} has other entries than such rules have.")
        return cls(**{name: _checked(value, kinds[name], cls.kind) for name, value in entries.items()})


def _lists(value: Any) -> Any:
    if isinstance(value, Column):
        return value.to_dict()
    return [_lists(v) for v in value] if isinstance(value, tuple) else value


def _checked(value: Any, kind: str, rule: str) -> Any:
    """A value of JSON as the annotated type says."""
    wrong = UserError(f"a rule of the kind {rule} has an entry that is not {kind}.")
    if kind.startswith("Column"):
        return None if value is None and kind != "Column" else Column.from_dict(value)
    if kind.startswith("tuple["):
        if not isinstance(value, list):
            raise wrong
        if kind == "tuple[int, ...]" and set(map(type, value)) <= {int}:
            return tuple(value)  # the long ones
        inner = kind[6:-1].removesuffix(", ...")
        if kind.endswith(", ...]"):
            return tuple(_checked(v, inner, rule) for v in value)
        each = inner.split(", ")
        if len(each) != len(value):
            raise wrong
        return tuple(_checked(v, k, rule) for v, k in zip(value, each, strict=True))
    allowed = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind != "bool"):
        raise wrong
    if kind == "float" and not np.isfinite(value):
        raise wrong
    return float(value) if kind == "float" else value


def quoted(name: str) -> str:
    """A column's name as it is written in a rule's text."""
    plain = name and not any(c.isspace() or c in ",`\"'" for c in name) and not name[0].isdigit()
    return name if plain and name not in WORDS and name not in SIGNS else f"`{name}`"


WORDS = {"from", "of", "where", "missing", "together", "occur", "unique", "between"}
SIGNS = {"=", "+", "-", "*", ">=", ">", "<", "<="}


def span(column: Column, values: np.ndarray, rare: int) -> tuple[float, float]:
    """The smallest and the largest value that may be drawn: the `rare`-th, as in `cells.of_numbers`."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return 0.0, 0.0
    edge = min(rare, (len(known) + 1) // 2) - 1
    return float(known[edge]), float(known[-1 - edge])


def rows_of(count: int) -> str:
    """So many rows, in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def is_missing(series: pd.Series) -> np.ndarray:
    return series.isna().to_numpy(dtype=bool)


@dataclass(frozen=True)
class Given(Rule):
    """Columns that are known before a row is drawn: to other rules as if they were computed. No rule of a table."""

    kind: ClassVar[str] = "given"
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def targets(self) -> tuple[str, ...]:
        return self.names

    @property
    def text(self) -> str:
        return ", ".join(map(quoted, self.names)) + " given"


@dataclass(frozen=True)
class Range(Rule):
    """`age between 17 and 90`. What is learned stays within the table's span in any case; this says a narrower one."""

    kind: ClassVar[str] = "range"
    column: str
    least: float
    most: float

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def text(self) -> str:
        return f"{quoted(self.column)} between {self.least:.15g} and {self.most:.15g}"

    def words(self) -> str:
        return f"{self.column} is always between {self.least:.15g} and {self.most:.15g}."

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        value = vl.numbers(columns[self.column], frame[self.column])
        slack = 1e-9 * max(abs(self.least), abs(self.most), 1.0)
        with np.errstate(invalid="ignore"):
            return (value < self.least - slack) | (value > self.most + slack)


@dataclass(frozen=True)
class Unique(Rule):
    """`order, line unique`: no two rows have the same values there."""

    kind: ClassVar[str] = "unique"
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    @property
    def text(self) -> str:
        return ", ".join(map(quoted, self.names)) + " unique"

    def words(self) -> str:
        return f"No two rows have the same {' and '.join(self.names)}."

    def wrong(self, frame: Frame, columns: Columns) -> np.ndarray:
        """Which rows repeat an earlier one of these."""
        import pandas as pd

        rows = pd.DataFrame({n: frame[n] for n in self.names})
        return (rows.duplicated() & rows.notna().all(axis=1)).to_numpy(dtype=bool)
