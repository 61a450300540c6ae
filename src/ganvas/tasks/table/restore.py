"""Fill the empty cells of rows with what is probable given the others, once, several times, or with the best guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.text import one_line
from ganvas.tables import read, write
from ganvas.tables import values as vl
from ganvas.tables.adapt import adapted
from ganvas.tables.columns import Column
from ganvas.tables.limits import Both
from ganvas.tables.rows import constant_of
from ganvas.tables.rules.completing import Partial
from ganvas.tables.rules.looked_up import Backwards
from ganvas.tables.rules.mending import Full, mend
from ganvas.tables.rules.solving import empty, joined
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.detect import unquoted

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.limits import Limits, Walk
    from ganvas.tasks.table.model import TableModel

GUESSES = 64  # drawings that the best guess is made of
PORTION = 8_000  # rows that are drawn at a time
TRIES = 6  # drawings of rows that break a rule
BLOCK = 1_000  # rows of the table whose noise is drawn together
FILLING = "filling"  # the column that says which filling a row belongs to
MOST = 1_000  # fillings


class Known:
    """Limits to what is drawn: a cell has a value. The table's rules hold as well, if it has some."""

    def __init__(self, spec: TableSpec, rules: Limits | None) -> None:
        self.rules = rules
        self.masks: dict[int, Tensor] = {}  # by the place of a part's first token, bool [1, size]
        for column in spec.learned:
            place = spec.places[column.name].start
            for part in column.parts:
                if "missing" in part.specials and part.counts:
                    mask = torch.ones(1, part.sizes[0], dtype=torch.bool)
                    mask[0, part.token_of("missing")] = False
                    self.masks[place] = mask
                place += len(part.sizes)

    def start(self, rows: Tensor, given: Tensor | None) -> KnownWalk:
        return KnownWalk(self.masks, None if self.rules is None else self.rules.start(rows, given))


class KnownWalk:
    """One drawing within these limits."""

    def __init__(self, masks: dict[int, Tensor], rules: Walk | None) -> None:
        self.masks, self.rules = masks, rules

    def allowed(self, place: int, size: int) -> Tensor | None:
        mask = self.masks.get(place)
        rules = None if self.rules is None else self.rules.allowed(place, size)
        if mask is None or rules is None:
            return rules if mask is None else mask
        both = mask.to(rules.device) & rules
        return torch.where(both.any(1, keepdim=True), both, rules)

    def drawn(self, place: int, tokens: Tensor) -> None:
        if self.rules is not None:
            self.rules.drawn(place, tokens)


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a column that are filled: which rows of a portion, and their values, a Series for each filling."""

    column: Column
    rows: np.ndarray
    values: list[pd.Series]

    def texts(self, filling: int) -> list[str]:
        """Their values as a CSV file has them, without quotes."""
        return unquoted(write.texts_of(self.values[filling], self.column).to_pylist())

    @property
    def filled(self) -> int:
        """How many got a value, in the first filling."""
        return int(self.values[0].notna().sum())


@dataclass
class Restored:
    """How many cells were filled in each column, and how many were left empty, and why not more."""

    rows: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


class Restorer:
    """Fills the empty cells of a table, a portion at a time."""

    def __init__(
        self, model: TableModel, columns: Sequence[str] = (), times: int = 1, best: bool = False, seed: int = 0
    ) -> None:
        """
        Args:
            columns: whose cells are filled; (): all that can be.
            times: how many fillings.
            best: the best guess instead: the most frequent of GUESSES drawn categories, the mean of numbers and dates.

        Raises:
            UserError: a column that there is not or that cannot be filled, or a number out of range.
        """
        if not 1 <= times <= MOST:
            raise UserError(f"--times {times}: 1 to {MOST:,} fillings.")
        if best and times > 1:
            raise UserError(f"--times {times}: there is only one best guess; leave out --best, or --times.")
        self.model, self.spec, self.times, self.best, self.seed = model, model.spec, times, best, seed
        learned = {c.name: c for c in self.spec.read if all(part.counts for part in c.parts)}
        constants = [c.name for c in self.spec.columns if c.kind == "constant" and constant_of(c) is not None]
        for name in columns:
            if name not in {c.name for c in self.spec.columns}:
                raise unknown("column", name, [c.name for c in self.spec.columns])
            if name not in learned and name not in constants:
                raise UserError(
                    f"The cells of {one_line(name)} cannot be filled: ids, free texts and columns without a value are "
                    f"not learned. These can be: {', '.join(map(one_line, learned))}."
                )
        wanted = set(columns) or {*learned, *constants}
        self.columns = [c for c in self.spec.columns if c.name in wanted]
        self.backwards = Backwards(self.spec)
        self.result = Restored()
        self.original: list[Column] = []  # the columns that are read, in the forms of the first rows

    def fill(self, raw: pd.DataFrame, start: int) -> list[Cells]:
        """The cells of a portion that get values.

        Args:
            raw: as `read.Rows` gives it.
            start: the number of its first row in the table: what is drawn for a row follows from its number.

        Raises:
            UserError: a column that the model learned is not there.
        """
        spec = self.spec
        if not len(raw):  # a source may begin with a portion of no rows
            return []
        if not self.original:
            self.original = adapted([c for c in spec.read if c.name in raw or c.name in spec.places], raw)
        original, written = self.original, {c.name: c for c in self.original}
        typed = read.typed(raw, original)
        gone = {c.name: raw[c.name].isna().to_numpy() for c in spec.columns if c.name in raw}
        here = {c.name: np.flatnonzero(gone[c.name]) for c in self.columns if c.name in gone}
        rows = np.unique(np.concatenate([here[c.name] for c in original if c.name in here] or [np.zeros(0, np.int64)]))
        drawn = self._drawn(typed.iloc[rows], {n: e[rows] for n, e in gone.items()}, start + rows) if len(rows) else {}
        out = []
        for column in self.columns:
            if column.name not in here or not len(here[column.name]):
                continue
            if column.kind == "constant":
                out.append(Cells(column, here[column.name], [_same(column, len(here[column.name]))] * self.times))
            else:
                mine = np.searchsorted(rows, here[column.name])
                values = [series.iloc[mine] for series in drawn[column.name]]
                out.append(Cells(written[column.name], here[column.name], values))
        self._count(gone, out, len(raw))
        return out

    def _count(self, gone: dict[str, np.ndarray], cells: list[Cells], rows: int) -> None:
        self.result.rows += rows
        done = {each.column.name: each.filled for each in cells}
        for name, mask in gone.items():
            for into, count in ((self.result.filled, done.get(name, 0)), (self.result.left, mask.sum())):
                count = int(count) - (done.get(name, 0) if into is self.result.left else 0)
                if count:
                    into[name] = into.get(name, 0) + count

    def _drawn(
        self, typed: pd.DataFrame, gone: dict[str, np.ndarray], numbers: np.ndarray
    ) -> dict[str, list[pd.Series]]:
        """The values of all columns that are read in these rows, a Series for each filling.

        Args:
            typed: the rows; gone: which cells are empty, bool [rows] by column; numbers: of the rows in the table.
        """
        spec, count = self.spec, len(typed)
        wanted, frame, known = {c.name for c in self.columns}, {}, {}
        for column in spec.read:
            name = column.name
            frame[name] = cast("pd.Series", typed[name]) if name in typed else empty(column, count)
            known[name] = frame[name].notna().to_numpy(dtype=bool)
            if name in spec.places and name not in wanted and column.parts[0].missing:
                known[name] = known[name] | gone[name]  # empty, and to stay so: that is known
        partial = Partial(spec, frame, known)
        if self.best:
            fillings = [self._guessed(partial, self._guesses(partial, numbers))]
        else:
            fillings = [self._filled(partial, numbers, filling) for filling in range(self.times)]
        for full in fillings:
            self._clear(partial, full)
        return {c.name: [full.frame[c.name] for full in fillings] for c in spec.read}

    def _filled(self, partial: Partial, numbers: np.ndarray, filling: int) -> Full:
        """One filling; rows that break a rule are drawn again."""
        full, rows = None, np.arange(len(numbers))
        for attempt in range(TRIES):
            some = partial.take(rows)
            noise = noise_of(self.seed, filling, numbers[rows], len(self.spec.sizes), attempt)
            new = self._once(some, noise)
            if full is None:
                full = new
            else:
                full.put(rows, new, self.spec.by_name)
            rows = np.flatnonzero(full.bad)
            if not len(rows):
                break
        assert full is not None
        return full

    def _guesses(self, partial: Partial, numbers: np.ndarray) -> list[Full]:
        """GUESSES fillings, several at a time."""
        count, found = len(numbers), []
        step = max(1, PORTION // count)
        for start in range(0, GUESSES, step):
            some = range(start, min(GUESSES, start + step))
            noise = torch.cat([noise_of(self.seed, filling, numbers, len(self.spec.sizes)) for filling in some])
            full = self._once(partial.take(np.tile(np.arange(count), len(some))), noise)
            found += [full.take(np.arange(i * count, (i + 1) * count)) for i in range(len(some))]
        return found

    def _once(self, partial: Partial, noise: Tensor) -> Full:
        """Rows drawn once; where a rule says what a cell must be about, again with that given."""
        full = partial.complete(*self._draw(partial, noise, *partial.given()))
        rows = np.flatnonzero(np.logical_or.reduce([np.zeros(len(partial), bool), *full.hints.values()]))
        if len(rows):
            some = partial.take(rows)
            again = some.complete(*self._draw(some, noise[torch.from_numpy(rows)], *some.given(full.take(rows))))
            full.put(rows, again, self.spec.by_name)
        return full

    @torch.inference_mode()
    def _draw(self, partial: Partial, noise: Tensor, tokens: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        generator = self.model.generator
        device, parts = next(generator.parameters()).device, []
        for start in range(0, len(noise), PORTION):
            some = slice(start, start + PORTION)
            seen = self.backwards.of(partial.take(np.arange(len(noise))[some])) if self.backwards.each else None
            each = [x for x in (generator.limits, seen) if x is not None]
            limits = Known(self.spec, Both(each) if each else None)
            random, rows, there = (x[some].to(device) for x in (noise, tokens, given))
            parts.append(generator.draw(random, rows, there, limits=limits))
        tokens, place = (torch.cat(x).cpu() for x in zip(*parts, strict=True))
        return tokens, place

    def _guessed(self, partial: Partial, fillings: list[Full]) -> Full:
        """The best guess of each cell; where guesses of several cells do not go together, the filling next to them."""
        columns, frame = self.spec.by_name, {}
        for name, known in partial.known.items():
            guess = _guess(columns[name], [full.frame[name] for full in fillings])
            frame[name] = joined(columns[name], known, partial.frame[name], guess)
        full = Full(frame, {}, np.zeros(len(partial), bool), {})
        mend(partial, full)
        if len(rows := np.flatnonzero(full.bad)):
            some = [filling.take(rows) for filling in fillings]
            away = np.stack([_away(columns, frame, rows, filling.frame) for filling in some])
            away += 1e6 * np.stack([filling.bad for filling in some])
            for number in np.unique(best := away.argmin(0)):
                mine = np.flatnonzero(best == number)
                full.put(rows[mine], some[number].take(mine), columns)
        return full

    def _clear(self, partial: Partial, full: Full) -> None:
        """Leave cells empty where no value was found that keeps the rules."""
        for number, rows in full.broken.items():
            for name in self.spec.rules[number].columns:
                gone = rows & ~partial.was[name]
                if gone.any():
                    column = self.spec.by_name[name]
                    full.frame[name] = joined(column, ~gone, full.frame[name], empty(column, len(gone)))


def noise_of(seed: int, filling: int, rows: np.ndarray, width: int, attempt: int = 0) -> Tensor:
    """Uniform noise [rows, width] of these rows of a table: it follows from their numbers."""
    out = torch.zeros(len(rows), width)
    blocks, what = rows // BLOCK, f"filling {filling}" + (f", again {attempt}" if attempt else "")
    for block in np.unique(blocks):
        noise = torch.rand(BLOCK, width, generator=seeds.generator(seed, what, int(block)))
        here = torch.from_numpy(np.flatnonzero(blocks == block))
        out[here] = noise[torch.from_numpy(rows[blocks == block] % BLOCK)]
    return out


def _same(column: Column, count: int) -> pd.Series:
    import pandas as pd

    return pd.Series([constant_of(column)] * count, name=column.name)


def _guess(column: Column, values: list[pd.Series]) -> pd.Series:
    """Of several drawings of each row, the most frequent category, or the mean of the numbers, dates or times."""
    import pandas as pd

    if column.kind != "category":
        return vl.series_of(column, np.stack([vl.numbers(column, v) for v in values]).mean(0))
    every = np.stack([v.astype(object).to_numpy() for v in values])
    codes, found = pd.factorize(every.reshape(-1))
    counts = np.zeros((len(found) + 1, every.shape[1]), np.int32)
    for drawing in codes.reshape(every.shape):  # -1, missing, is the last one
        np.add.at(counts, (drawing, np.arange(len(drawing))), 1)
    every_value = np.array([*found, None], dtype=object)
    return pd.Series(every_value[counts.argmax(0)], dtype=object, name=column.name)


def _away(
    columns: Mapping[str, Column], guess: Mapping[str, pd.Series], rows: np.ndarray, drawn: Mapping[str, pd.Series]
) -> np.ndarray:
    """How far drawn rows are from what is guessed of them, summed over columns, float64 [rows]."""
    away = np.zeros(len(rows))
    for name, series in drawn.items():
        mine = guess[name].iloc[rows]
        if columns[name].kind == "category":
            same = mine.astype(object).to_numpy() == series.astype(object).to_numpy()
            away += ~(same | (mine.isna().to_numpy() & series.isna().to_numpy()))
        else:
            far = np.abs(vl.numbers(columns[name], mine) - vl.numbers(columns[name], series))
            away += np.nan_to_num(far / (np.nanstd(vl.numbers(columns[name], guess[name])) or 1.0), nan=0.0).clip(0, 5)
    return away
