"""Rules that hold in every row of a table, and that drawn rows keep exactly because they are made so.

A rule is a short text (`total = net + tax`), which a user may write, confirm or refuse. Fitted to rows, it knows how the
columns that it determines are learned (`forms`; a column without a form is not learned at all) and computes them from
the others once a row is drawn (`decode`). `together.py` has the rules that are tables of what occurs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd

Frame: TypeAlias = "Mapping[str, pd.Series]"
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
        """How columns are learned instead of as they stand in the table; None: not at all."""
        return {}

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        raise NotImplementedError

    def words(self) -> str:
        """A sentence for people."""
        raise NotImplementedError

    def broken(self, frame: Frame, columns: Columns) -> int:
        """How many rows do not keep it."""
        raise NotImplementedError

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
    """A column's name as it stands in a rule's text."""
    plain = name and not any(c.isspace() or c in ",`\"'" for c in name) and not name[0].isdigit()
    return name if plain and name not in WORDS and name not in SIGNS else f"`{name}`"


WORDS = {
    "from",
    "in",
    "of",
    "and",
    "where",
    "is",
    "has",
    "a",
    "value",
    "missing",
    "together",
    "occur",
    "unique",
    "between",
}
SIGNS = {"=", "+", "-", "*", ">=", ">", "<", "<="}


def span(column: Column, values: np.ndarray, rare: int) -> tuple[float, float]:
    """The smallest and the largest value that may be drawn: the `rare`-th, as in `cells.of_numbers`."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return 0.0, 0.0
    edge = min(rare, (len(known) + 1) // 2) - 1
    return float(known[edge]), float(known[-1 - edge])


def is_missing(series: pd.Series) -> np.ndarray:
    return series.isna().to_numpy(dtype=bool)


@dataclass(frozen=True)
class Formula(Rule):
    """`total = net + tax`, `tax = 0.19 * net`, `total = price * quantity`: a column that is computed from others.

    `terms`: factors and columns; their sum, or their product. `constant` is added; dates count in days.
    `tolerance`: in last digits of the target, what the table's own rounding is off by; drawn rows are not.
    `form`: how the target's missing values are learned; None: it is missing where a term is.
    `spans`: the smallest and largest value of the target and of each term.
    """

    kind: ClassVar[str] = "formula"
    target: str
    terms: tuple[tuple[float, str], ...]
    constant: float = 0.0
    product: bool = False
    tolerance: float = EXACT
    form: Column | None = None
    spans: tuple[tuple[float, float], ...] = ()
    free: tuple[str, ...] = ()  # terms that no other rule speaks of: they give way where the target left its span

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.target, *self.needs)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, name in self.terms))

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: self.form}

    @property
    def text(self) -> str:
        def factor(value: float) -> str:
            return "" if abs(value) == 1 else f"{abs(value):.15g} * "

        if self.product:
            return f"{quoted(self.target)} = {factor(self.terms[0][0])}" + " * ".join(quoted(n) for _, n in self.terms)
        parts = [("-" if c < 0 else "+", factor(c) + quoted(n)) for c, n in self.terms]
        if self.constant:
            parts.append(("-" if self.constant < 0 else "+", f"{abs(self.constant):.15g}"))
        first = "- " if parts[0][0] == "-" else ""
        return f"{quoted(self.target)} = {first}{parts[0][1]}" + "".join(f" {s} {p}" for s, p in parts[1:])

    def words(self) -> str:
        if len(self.terms) == 1 and self.terms[0][0] == 1 and not self.constant:
            return f"{self.target} is always the same as {self.terms[0][1]}."
        off = " (but for its last digit)" if self.tolerance > EXACT else ""
        return f"{self.target} is always {self.text.split(' = ', 1)[1]}{off}."

    def value(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The target's values, float64 [N], not rounded."""
        each = [(c, vl.numbers(columns[n], frame[n])) for c, n in self.terms]
        if self.product:
            return each[0][0] * np.prod([v for _, v in each], axis=0)
        return sum((c * v for c, v in each), np.zeros(1)) + self.constant

    def distance(self, frame: Frame, columns: Columns) -> np.ndarray:
        """How far the target is from the formula, in its last digits, float64 [N]; NaN: a value is missing.

        What floats of this size cannot tell does not count.
        """
        have, step = vl.numbers(columns[self.target], frame[self.target]), vl.unit(columns[self.target]) or 1e-9
        return np.maximum(np.abs(have - self.value(frame, columns)) - 1e-12 * np.abs(have), 0) / step

    def broken(self, frame: Frame, columns: Columns) -> int:
        alone = np.isnan(self.value(frame, columns)) & ~is_missing(frame[self.target])
        return int((self.distance(frame, columns) > self.tolerance).sum() + alone.sum())

    def encode(self, frame: Frame, columns: Columns) -> dict[str, pd.Series]:
        import pandas as pd

        missing = is_missing(frame[self.target])
        return {self.target: pd.Series(np.where(missing, np.nan, 0.0), frame[self.target].index)} if self.form else {}

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        value = self.value(frame, columns)
        if self.spans and self.free and not self.product:
            value = self._inside(value, frame, columns)
        if self.form:
            value = np.where(is_missing(frame[self.target]), np.nan, value)
        frame[self.target] = vl.series_of(columns[self.target], value)

    def _inside(self, value: np.ndarray, frame: dict[str, pd.Series], columns: Columns) -> np.ndarray:
        """The target within its span: where it is not, a free term gives way, within its own span."""
        low, high = self.spans[0]
        for (factor, name), (least, most) in zip(self.terms, self.spans[1:], strict=True):
            over = np.nan_to_num(np.maximum(value - high, 0) + np.minimum(value - low, 0))
            if name in self.free and over.any():
                moved = np.clip(vl.numbers(columns[name], frame[name]) - over / factor, least, most)
                changed = vl.series_of(columns[name], moved)
                frame[name] = changed.where(pd_series(over != 0), frame[name].reset_index(drop=True))
                value = self.value(frame, columns)
        return value

    def fitted(self, frame: Frame, columns: Columns, rare: int) -> Formula:
        """With what the rows say: how exact it is, spans, and how the target's missing values are learned.

        Raises:
            UserError: it does not hold in them.
        """
        distance = self.distance(frame, columns)
        steps = np.nanmax(distance, initial=0.0)
        tolerance = next((t for t in (EXACT, 0.5 + EXACT, 1 + EXACT) if steps <= t), None)
        value_missing = np.isnan(self.value(frame, columns))
        missing = is_missing(frame[self.target])
        if tolerance is None or (value_missing & ~missing).any():
            wrong = int(((distance > 1 + EXACT) | (value_missing & ~missing)).sum())
            raise UserError(f"The rule '{self.text}' does not hold in {wrong:,} rows: change or refuse it.")
        form = None
        if (missing != value_missing).any():
            cells = Cells((int((~missing).sum()),), (0.0,), (0.0,), missing=int(missing.sum()))
            form = Column(self.target, "number", "float", parts=(cells,))
        spans = tuple(
            span(columns[n], vl.numbers(columns[n], frame[n]), rare) for n in (self.target, *(n for _, n in self.terms))
        )
        return dataclasses.replace(self, tolerance=float(tolerance), form=form, spans=spans)


def pd_series(values: np.ndarray) -> pd.Series:
    import pandas as pd

    return pd.Series(values)


@dataclass(frozen=True)
class Order(Rule):
    """`low <= high` (`strict`: `low < high`), wherever both have values.

    `target`: which of the two is limited by the other once both are drawn; '': other rules already see to it.
    `form`: the target is learned as its distance from the other, in steps of `step`; None: as it is.
    `least`, `most`: the target's span.
    """

    kind: ClassVar[str] = "order"
    low: str
    high: str
    strict: bool = False
    target: str = ""
    step: float = 0.0
    least: float = 0.0
    most: float = 0.0
    form: Column | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.low, self.high)

    @property
    def other(self) -> str:
        return self.low if self.target == self.high else self.high

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,) if self.target else ()

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.other,) if self.target else ()

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: self.form} if self.form else {}

    @property
    def text(self) -> str:
        return f"{quoted(self.high)} {'>' if self.strict else '>='} {quoted(self.low)}"

    def words(self) -> str:
        return (
            f"{self.high} is {'always' if self.strict else 'never'} {'above' if self.strict else 'below'} {self.low}."
        )

    def numbers(self, frame: Frame, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        low, high = (vl.numbers(columns[n], frame[n]) for n in (self.low, self.high))
        fine = min((u for u in (vl.unit(columns[self.low]), vl.unit(columns[self.high])) if u), default=0.0)
        return (np.round(low / fine) * fine, np.round(high / fine) * fine) if fine else (low, high)

    def broken(self, frame: Frame, columns: Columns) -> int:
        low, high = self.numbers(frame, columns)
        slack = (min(vl.unit(columns[self.low]), vl.unit(columns[self.high])) or 0.0) * EXACT
        with np.errstate(invalid="ignore"):
            return int((high <= low + slack).sum() if self.strict else (high < low - slack).sum())

    def distance(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The target's distance from the other, in steps; from its own span's end where the other is missing."""
        low, high = self.numbers(frame, columns)
        low = np.where(np.isnan(low), self.least, low) if self.target == self.high else low
        high = np.where(np.isnan(high), self.most, high) if self.target == self.low else high
        return np.round((high - low) / self.step)

    def encode(self, frame: Frame, columns: Columns) -> dict[str, pd.Series]:
        import pandas as pd

        return {self.target: pd.Series(self.distance(frame, columns), frame[self.target].index)} if self.form else {}

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        if not self.target:
            return
        column, up = columns[self.target], self.target == self.high
        other = vl.numbers(columns[self.other], frame[self.other])
        if self.form:
            away = vl.numbers(self.form, frame[self.target]) * self.step
            start = np.where(np.isnan(other), self.least if up else self.most, other)
            value = np.clip(start + away if up else start - away, self.least, self.most)
        else:
            value = vl.numbers(column, frame[self.target])
        grid = vl.unit(column)
        fine = min((u for u in (grid, vl.unit(columns[self.other])) if u), default=0.0)
        bound = other
        if self.strict and fine:
            bound = other + fine if up else other - fine
        elif self.strict:
            bound = np.nextafter(other, np.inf if up else -np.inf)
        if grid:  # to what the target's values can be, without crossing the other
            value = np.round(value / grid) * grid
            edge = bound / grid
            bound = (np.ceil(edge - EXACT) if up else np.floor(edge + EXACT)) * grid
        limited = np.fmax(value, bound) if up else np.fmin(value, bound)
        value = np.where(np.isnan(value), np.nan, limited)
        if self.form or (value != vl.numbers(column, frame[self.target])).any():
            frame[self.target] = vl.series_of(column, value)


PARTS = ("date", "year", "quarter", "month", "week", "day", "day of year", "weekday", "hour", "minute", "second")


@dataclass(frozen=True)
class DatePart(Rule):
    """`month = month of ordered`: a part of a date, in a zone of its own where one is named; weekdays count from Monday, 0.

    `plus` is added to the part (a weekday that counts from 1).
    """

    kind: ClassVar[str] = "part"
    target: str
    part: str
    source: str
    zone: str = ""
    plus: int = 0

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise UserError(f"a rule takes the part {self.part[:40]!r} of a date: there is {', '.join(PARTS)}.")
        if self.zone:
            import zoneinfo

            if self.zone not in zoneinfo.available_timezones():
                raise UserError(f"a rule names the time zone {self.zone[:40]!r}: there is none of this name.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.target, self.source)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def forms(self) -> dict[str, Column | None]:
        return {self.target: None}

    @property
    def text(self) -> str:
        plus = f" + {self.plus}" if self.plus > 0 else f" - {-self.plus}" if self.plus else ""
        return f"{quoted(self.target)} = {self.part} of {quoted(self.source)}{f' in {self.zone}' if self.zone else ''}{plus}"

    def words(self) -> str:
        plus = f" plus {self.plus}" if self.plus else ""
        return (
            f"{self.target} is always the {self.part} of {self.source}{plus}{f', in {self.zone}' if self.zone else ''}."
        )

    def value(self, frame: Frame, columns: Columns) -> np.ndarray:
        """The part, float64 [N]; NaN: the date is missing."""
        return part_of(frame[self.source], self.part, self.zone) + self.plus

    def broken(self, frame: Frame, columns: Columns) -> int:
        have, due = vl.numbers(columns[self.target], frame[self.target]), self.value(frame, columns)
        return int((~((have == due) | (np.isnan(have) & np.isnan(due)))).sum())

    def decode(self, frame: dict[str, pd.Series], columns: Columns) -> None:
        column, value = columns[self.target], self.value(frame, columns)
        if column.kind == "category":
            known = ~np.isnan(value)
            names = np.unique(value[known])
            places = np.where(known, np.searchsorted(names, np.where(known, value, 0)), -1)
            frame[self.target] = vl.from_codes(column, [str(int(v)) for v in names], places)
        else:
            frame[self.target] = vl.series_of(column, value)


def part_of(series: pd.Series, part: str, zone: str = "") -> np.ndarray:
    """A part of dates, float64 [N]; NaN: missing. Dates without a zone count as UTC where one is asked for."""
    times = series
    if zone:
        times = times.dt.tz_localize("UTC") if times.dt.tz is None else times
        times = times.dt.tz_convert(zone)
    clock = times.dt
    if part == "date":
        days = times.dt.tz_localize(None) if times.dt.tz is not None else times
        seconds = days.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64) // vl.DAY).astype(np.float64)
    if part == "week":
        values = clock.isocalendar().week
    else:
        values = getattr(clock, {"day of year": "dayofyear"}.get(part, part))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


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

    def broken(self, frame: Frame, columns: Columns) -> int:
        value = vl.numbers(columns[self.column], frame[self.column])
        slack = 1e-9 * max(abs(self.least), abs(self.most), 1.0)
        with np.errstate(invalid="ignore"):
            return int(((value < self.least - slack) | (value > self.most + slack)).sum())


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

    def broken(self, frame: Frame, columns: Columns) -> int:
        import pandas as pd

        return int(pd.DataFrame({n: frame[n] for n in self.names}).dropna().duplicated().sum())
