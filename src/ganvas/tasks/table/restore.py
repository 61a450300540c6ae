"""Fill the empty cells of rows with what is probable beside the others, once, several times, or with the best guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError, unknown
from ganvas.core.text import one_line
from ganvas.tables import read, write
from ganvas.tables.adapt import adapted
from ganvas.tables.columns import Column
from ganvas.tables.rows import constant_of
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.detect import unquoted

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.limits import Limits, Walk
    from ganvas.tasks.table.model import TableModel

GUESSES = 64  # drawings that the best guess is made of
PORTION = 8_000  # rows that are drawn at a time
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
                    mask[0, len(part.starts) - 1 + part.specials.index("missing")] = False
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
            raise UserError(f"--times {times}: there is one best guess only; leave out --best, or --times.")
        self.model, self.spec, self.times, self.best, self.seed = model, model.spec, times, best, seed
        learned = {c.name: c for c in self.spec.learned if all(part.counts for part in c.parts)}
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
        self.limits = Known(self.spec, getattr(model.generator, "limits", None))
        self.result = Restored()
        self.original: list[Column] = []  # the learned columns in the forms of the first rows

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
            self.original = adapted([c for c in spec.columns if c.name in spec.places], raw)
        original, written = self.original, {c.name: c for c in self.original}
        typed = read.typed(raw, original)
        empty = {c.name: raw[c.name].isna().to_numpy() for c in spec.columns if c.name in raw}
        here = {c.name: np.flatnonzero(empty[c.name]) for c in self.columns if c.name in empty}
        self._count(empty, here, len(raw))
        rows = np.unique(np.concatenate([here[c.name] for c in original if c.name in here] or [np.zeros(0, np.int64)]))
        drawn = self._drawn(typed.iloc[rows], {n: e[rows] for n, e in empty.items()}, start + rows) if len(rows) else {}
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
        return out

    def _count(self, empty: dict[str, np.ndarray], here: dict[str, np.ndarray], rows: int) -> None:
        self.result.rows += rows
        for name, cells in empty.items():
            into = self.result.filled if name in here else self.result.left
            if count := int(cells.sum()):
                into[name] = into.get(name, 0) + count

    def _drawn(
        self, typed: pd.DataFrame, empty: dict[str, np.ndarray], numbers: np.ndarray
    ) -> dict[str, list[pd.Series]]:
        """The values of all learned columns in these rows, a Series for each filling.

        Args:
            typed: the rows; empty: which cells are, bool [rows] by column; numbers: of the rows in the table.
        """
        spec = self.spec
        tokens, given = spec.encode(typed).long(), torch.ones(len(typed), len(spec.sizes), dtype=torch.bool)
        filled = {c.name for c in self.columns}
        for column in spec.learned:
            unknown_cells = typed[column.name].isna().to_numpy()
            if column.name not in filled and column.parts[0].missing:
                unknown_cells = unknown_cells & ~empty[column.name]  # empty, and to stay so: that is known
            given[torch.tensor(unknown_cells), spec.places[column.name]] = False
        device = next(self.model.generator.parameters()).device
        fillings = []
        for filling in range(GUESSES if self.best else self.times):
            noise = noise_of(self.seed, filling, numbers, len(spec.sizes))
            with torch.inference_mode():
                parts = [
                    self.model.generator.draw(*(x.to(device) for x in some), limits=self.limits)
                    for some in zip(*(x.split(PORTION) for x in (noise, tokens, given)), strict=True)
                ]
            fillings.append(spec.decode(*(torch.cat(x).cpu() for x in zip(*parts, strict=True))))
        by_column = {c.name: [found[c.name] for found in fillings] for c in spec.learned}
        if not self.best:
            return by_column
        return {c.name: [_guess(c, by_column[c.name])] for c in spec.learned}


def noise_of(seed: int, filling: int, rows: np.ndarray, width: int) -> Tensor:
    """Uniform noise [rows, width] of these rows of a table: it follows from their numbers."""
    out = torch.zeros(len(rows), width)
    blocks = rows // BLOCK
    for block in np.unique(blocks):
        noise = torch.rand(BLOCK, width, generator=seeds.generator(seed, f"filling {filling}", int(block)))
        here = torch.from_numpy(np.flatnonzero(blocks == block))
        out[here] = noise[torch.from_numpy(rows[blocks == block] % BLOCK)]
    return out


def _same(column: Column, count: int) -> pd.Series:
    import pandas as pd

    return pd.Series([constant_of(column)] * count, name=column.name)


def _guess(column: Column, values: list[pd.Series]) -> pd.Series:
    """Of several drawings of each row, the most frequent category, or the mean of the numbers, dates or times."""
    import pandas as pd

    first = values[0]
    if isinstance(first.dtype, pd.CategoricalDtype):
        codes = np.stack([v.cat.codes.to_numpy() for v in values])
        counts = (
            np.zeros((len(first.cat.categories), codes.shape[1]), np.int32)
            if len(first)
            else np.zeros((1, 0), np.int32)
        )
        for drawing in codes:
            np.add.at(counts, (drawing, np.arange(len(drawing))), 1)
        best = pd.Categorical.from_codes(counts.argmax(0), dtype=first.dtype)
        return pd.Series(best, index=first.index, name=first.name)
    if first.dtype.kind in "mM":
        unit = getattr(first.dtype, "tz", None)
        plain = [v.dt.tz_convert("UTC").dt.tz_localize(None) if unit is not None else v for v in values]
        counts = np.stack([v.to_numpy().astype(f"{first.dtype.kind}8[s]").astype(np.int64) for v in plain])
        series = pd.Series(np.round(counts.mean(0)).astype(np.int64).astype(f"{first.dtype.kind}8[s]"), name=first.name)
        if column.type == "date" and column.kind == "date":
            series = series.dt.floor("D")
        return series.dt.tz_localize("UTC").dt.tz_convert(unit) if unit is not None else series
    mean = np.stack([v.to_numpy(dtype=np.float64, na_value=np.nan) for v in values]).mean(0)
    whole = first.dtype.kind in "iu"
    mean = np.round(mean, column.decimals) if column.decimals > 0 else mean
    return pd.Series(np.round(mean).astype(np.int64) if whole else mean, index=first.index, name=first.name)
