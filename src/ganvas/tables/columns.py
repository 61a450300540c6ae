"""A table's columns: of which kind each is, and how its values become tokens and come back."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import cells as cl
from ganvas.tables.cells import Cells

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("number", "category", "date", "id", "text", "constant")
TYPES = ("int", "float", "text", "bool", "date", "time", "clock", "span")  # of values: how they are written
DAY = 86_400


@dataclass(frozen=True)
class Column:
    """A column: what its values are, and its cells once the rows have been looked at.

    Attributes:
        name: as in the table.
        kind: number; category (also yes or no, and categories that have an order); date (with or without a time); id
            (made anew, not learned); text (free text: left empty, or drawn from what was seen); constant.
        type: int, float, text, bool, date (a day), time (a day and a time of day), clock (a time of day alone) or span
            (a duration); the last two are numbers of seconds.
        decimals: of a number, digits after the point; -1: as many as there are.
        digits: digits after the point that the source's texts always have, as in 12.50 or the code 1.0; -1: as few as
            tell the number.
        form: how the source writes its values. Of dates and times of day as for `strftime` ('': ISO 8601), of numbers
            how 1234.5 would be written ('': so), of durations one of `forms.SPANS`; of an id, its pattern.
        zone: of times, their zone; '': none is stated.
        step: of times, seconds between one and the next that can be.
        earliest, latest: of times of a day, seconds since 1970 by the zone's clock that none passes; equal: any.
        order: of a category, its values in their order if they have one.
        value: of a constant; '' where every row misses it. Of an id, what is free: see `ids`.
        doubt: why the kind is a guess, for the user; '': it is not.
        parts: what is learned: one, or for times day and time of day; none for ids, texts and constants.
    """

    name: str
    kind: str
    type: str = "text"
    decimals: int = 0
    digits: int = -1
    form: str = ""
    zone: str = ""
    step: int = DAY
    earliest: int = 0
    latest: int = 0
    order: tuple[str, ...] = ()
    value: str = ""
    doubt: str = ""
    parts: tuple[Cells, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Check what may come from a file of others.

        Raises:
            UserError: an entry that there is not.
        """
        if self.kind not in KINDS or self.type not in TYPES:
            raise UserError(
                f"the column {self.name[:60]!r} is of the kind {self.kind[:60]!r} and type {self.type[:60]!r}."
            )
        if not (-1 <= self.decimals <= 18 and -1 <= self.digits <= 18) or not 1 <= self.step <= DAY:
            raise UserError(f"the column {self.name[:60]!r} has {self.decimals} decimals and a step of {self.step}.")
        if max(abs(self.earliest), abs(self.latest)) > 2**40:
            raise UserError(f"the column {self.name[:60]!r} has times that no clock shows.")
        learned = {"number": 1, "category": 1, "date": 2 if self.type == "time" else 1}.get(self.kind, 0)
        if len(self.parts) not in (0, learned):
            raise UserError(f"the column {self.name[:60]!r} has {len(self.parts)} parts.")
        if any(part.is_category != (self.kind == "category") for part in self.parts if part.counts):
            raise UserError(f"the cells of the column {self.name[:60]!r} do not match its kind.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each of its tokens may have."""
        return tuple(size for part in self.parts for size in part.sizes)

    def fitted(self, series: pd.Series, rare: int) -> Column:
        """The column with its cells, from the rows to train on.

        Args:
            series: its values, of the type that `read` gives them.
            rare: fewest rows that a value must have to be drawn.
        """
        if self.kind == "category":
            return dataclasses.replace(self, parts=(cl.of_category(self.as_text(series), rare, self.order),))
        if self.kind in ("number", "date"):
            numbers = self.as_numbers(series)
            found = dataclasses.replace(self, parts=tuple(cl.of_numbers(n, rare) for n in numbers))
            return found._between(numbers[0] * DAY + numbers[1] * self.step, rare) if len(numbers) > 1 else found
        return self

    def _between(self, seconds: np.ndarray, rare: int) -> Column:
        """The column within the span of these times: on its first and last day, not every time of day can be."""
        known = np.sort(seconds[~np.isnan(seconds)])
        if not len(known):
            return self
        edge = min(rare, (len(known) + 1) // 2) - 1  # as for numbers
        return dataclasses.replace(self, earliest=int(known[edge]), latest=int(known[-1 - edge]))

    def as_text(self, series: pd.Series) -> pd.Series:
        """The values of a category as text; missing ones as NaN."""
        if self.type == "text" and series.dtype == "str":
            return series
        return series.dropna().map(self._text).reindex(series.index)

    def _text(self, value: Any) -> str:
        if self.type == "bool":
            return "true" if value else "false"
        if self.type == "int":
            return str(int(value))
        return repr(float(value)) if self.type == "float" else str(value)

    def as_numbers(self, series: pd.Series) -> list[np.ndarray]:
        """The values of each part in its own unit, float64 [N] each; NaN where they are missing.

        A number with decimals counts in units of its last digit, a day in days since 1970 and a time of day in steps.
        """
        import pandas as pd

        if self.type in ("clock", "span"):
            spans = series.to_numpy(dtype="timedelta64[s]")
            missing = np.isnat(spans)
            return [np.where(missing, np.nan, np.where(missing, 0, spans.astype(np.int64)) // self.step)]
        if self.kind == "number":
            known: Any = pd.to_numeric(series, errors="coerce")
            numbers = known.to_numpy(dtype=np.float64, na_value=np.nan)
            numbers = np.where(np.isfinite(numbers), numbers, np.nan)
            return [np.round(numbers * 10.0**self.decimals) if self.decimals >= 0 else numbers]
        times = series
        if self.zone:
            times = times.dt.tz_convert(self.zone).dt.tz_localize(None)  # the clock there is what has a pattern
        seconds = times.to_numpy(dtype="datetime64[s]")
        missing = np.isnat(seconds)
        count = np.where(missing, 0, seconds.astype(np.int64))
        days = np.where(missing, np.nan, count // DAY)
        if self.type == "date":
            return [days]
        return [days, np.where(missing, np.nan, count % DAY // self.step)]

    def encode(self, series: pd.Series) -> np.ndarray:
        """Values -> tokens uint8 [N, tokens]; a value that was never seen counts as rare, or as the nearest number."""
        if self.kind == "category":
            (part,) = self.parts
            import pandas as pd

            texts = self.as_text(series)
            found = pd.Index(part.values).get_indexer(texts)
            found = np.where(found < 0, part.cell_of("rare"), found)
            return part.tokens(self._missing(part, found, texts.isna().to_numpy()))
        columns = []
        for part, numbers in zip(self.parts, self.as_numbers(series), strict=True):
            missing = np.isnan(numbers)
            found = part.find(np.where(missing, 0, numbers)) if part.counts else np.zeros(len(numbers), np.int64)
            columns.append(part.tokens(self._missing(part, found, missing)))
        return np.concatenate(columns, 1) if columns else np.zeros((len(series), 0), np.uint8)

    @staticmethod
    def _missing(part: Cells, cells: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Cells with those of missing values; where none was missing in training, such rows count as the first cell."""
        return np.where(missing, part.cell_of("missing") if part.missing else 0, cells)

    def decode(self, tokens: np.ndarray, place: np.ndarray) -> pd.Series:
        """Tokens -> values.

        Args:
            tokens: uint8 [N, tokens].
            place: float [N, tokens], 0 to 1: where in its cell a value is, in the column of the last token of a part.
        """
        import pandas as pd

        end, numbers, missing = 0, [], np.zeros(len(tokens), bool)
        for part in self.parts:
            start, end = end, end + len(part.sizes)
            chosen = part.cells(tokens[:, start:end])
            count = len(part.counts)
            missing |= chosen >= count if not part.is_category else chosen == count + len(part.specials) - 1
            if part.is_category:
                return self._categories(part, chosen)
            safe = np.minimum(chosen, max(0, count - 1))
            whole = self.kind == "date" or self.decimals >= 0
            numbers.append(part.numbers(safe, place[:, end - 1], whole) if count else np.zeros(len(tokens)))
        if self.kind == "number":
            return pd.Series(self._numbers(numbers[0], missing), name=self.name)
        seconds = numbers[0] * DAY + (numbers[1] * self.step if len(numbers) > 1 else 0)
        if self.earliest < self.latest:
            seconds = np.clip(seconds, self.earliest, self.latest)
        times = seconds.astype(np.int64).astype("datetime64[s]")
        times[missing] = np.datetime64("NaT")
        series = pd.Series(times, name=self.name)
        if self.zone:  # a time that the clock skips or has twice there: the next one, and the first of the two
            series = series.dt.tz_localize(self.zone, ambiguous=np.ones(len(series), bool), nonexistent="shift_forward")
        return series

    def _numbers(self, numbers: np.ndarray, missing: np.ndarray) -> Any:
        import pandas as pd

        if self.type in ("clock", "span"):
            spans = (numbers * self.step).astype(np.int64).astype("timedelta64[s]")
            spans[missing] = np.timedelta64("NaT")
            return spans
        if self.type == "int":
            whole = numbers.astype(np.int64)
            return pd.arrays.IntegerArray(whole, missing) if self.parts[0].missing else whole
        numbers = np.round(numbers / 10.0**self.decimals, self.decimals) if self.decimals >= 0 else numbers
        return np.where(missing, np.nan, numbers)

    def _categories(self, part: Cells, chosen: np.ndarray) -> pd.Series:
        import pandas as pd

        codes = np.where(chosen < len(part.values), chosen, -1)  # rare values are not drawn: see the generator
        values: Any = list(part.values)
        if self.type == "bool":
            values = [value == "true" for value in values]
        elif self.type in ("int", "float"):
            values = [int(v) if self.type == "int" else float(v) for v in values]
        ordered = bool(self.order)
        return pd.Series(pd.Categorical.from_codes(codes, categories=values, ordered=ordered), name=self.name)

    def features(self) -> list[np.ndarray]:
        """What networks know about the number in each cell, float32 [tokens' values, n] a part; 0 where there is none.

        The rows are numbered by the part's tokens as digits. Categories have no features.
        """
        if self.kind == "category":
            return [np.zeros((0, 0), np.float32) for _ in self.parts]
        return [part.features(days=self.kind == "date" and i == 0) for i, part in enumerate(self.parts)]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: only what is not as it is by itself."""
        entries = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "parts"}
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        entries = {k: list(v) if isinstance(v, tuple) else v for k, v in entries.items() if v != defaults[k]}
        return entries | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})

    @classmethod
    def from_dict(cls, entries: Any) -> Column:
        """The column of a JSON form.

        Raises:
            UserError: it is none.
        """
        if not isinstance(entries, dict) or not isinstance(entries.get("name"), str):
            raise UserError("a column has no name.")
        name = entries["name"][:60]
        types = {f.name: int if isinstance(f.default, int) else str for f in dataclasses.fields(cls)}
        values = dict(entries)
        parts, order = values.pop("parts", []), values.pop("order", [])
        if not isinstance(parts, list) or not isinstance(order, list) or not all(isinstance(v, str) for v in order):
            raise UserError(f"the column {name!r} has parts or an order that are not lists.")
        if strange := [k for k, v in values.items() if k not in types or type(v) is not types[k]]:
            raise UserError(f"the column {name!r} has an entry {strange[0][:60]!r} that is invalid.")
        return cls(**values, order=tuple(order), parts=tuple(map(Cells.from_dict, parts)))


def decimals_of(numbers: np.ndarray, most: int = 9) -> int:
    """The digits after the point that the values of float64 [N] have; -1 where they have more than `most`."""
    for digits in range(most + 1):
        scaled = numbers * 10.0**digits
        if np.abs(scaled).max(initial=0) > 2**52:
            return -1
        if np.allclose(scaled, np.round(scaled), rtol=0, atol=1e-6 * max(1.0, 10.0**digits * 1e-9)):
            return digits
    return -1


def step_of(seconds: Sequence[int] | np.ndarray) -> int:
    """The seconds between one time of day and the next that can be: a divisor of all, a minute or an hour as a rule."""
    return max(1, math.gcd(DAY, int(np.gcd.reduce(np.asarray(seconds, np.int64))) if len(seconds) else DAY))
