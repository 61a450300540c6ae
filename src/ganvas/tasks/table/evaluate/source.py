"""The rows that drawn ones are compared with, as the source has them: they are read again, portion after portion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.tables import read
from ganvas.tables.data import DataConfig, TableData
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.evaluate.values import Coder, Values

if TYPE_CHECKING:
    import pandas as pd

KEPT = 50_000  # rows of each side that are looked at, at most: chosen by the seed


@dataclass
class Known:
    """What is in all rows of the source, of the training rows or held out.

    spans: the smallest and the largest value of each number and date; missing: the columns that miss values; ids:
    64-bit numbers of the values of each id column; training, held_out: of the rows of either side, see `Values.hashes`;
    broken: in how many held-out rows each rule does not hold, by its text: combinations too rare to be drawn.
    """

    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    ids: dict[str, np.ndarray] = field(default_factory=dict)
    categories: dict[str, frozenset[str]] = field(default_factory=dict)
    training: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    held_out: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    broken: dict[str, int] = field(default_factory=dict)

    def add(self, values: Values) -> None:
        """Take in the spans and missing cells of some rows."""
        for column, x in zip(values.columns, values.numbers.T, strict=True):
            known = x[~np.isnan(x)]
            if len(known) < len(x):
                self.missing.add(column.name)
            if len(known) and column.kind != "category":
                low, high = self.spans.get(column.name, (np.inf, -np.inf))
                self.spans[column.name] = (min(low, float(known.min())), max(high, float(known.max())))


@dataclass(frozen=True)
class Real:
    """Real rows: training ones and held-out ones in random order, at most KEPT of each, and what is in all of them."""

    coder: Coder
    train: Values
    held_out: Values
    known: Known
    train_count: int  # all of them


def of_frames(spec: TableSpec, train: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> Real:
    """Real rows that are in memory.

    Raises:
        UserError: a column of the table is not there.
    """
    import pandas as pd

    is_train = np.r_[np.ones(len(train), bool), np.zeros(len(held_out), bool)]
    return _collect(spec, iter([pd.concat([train, held_out], ignore_index=True)]), is_train, seed)


def again(config: DataConfig, data: TableData, spec: TableSpec, seed: int) -> Iterator[Doing | Real]:
    """Read the source of a data set once more; yields what is done, and at the end the rows.

    Args:
        config: where the source is.
        data: what was made of it: it says which rows are held out.
        spec: the columns to be compared, those of the model.

    Raises:
        UserError: the source is gone, or has other rows now.
    """
    yield Doing("reading the rows themselves", 0.02)
    is_train = np.ones(len(data.train.samples) + len(data.held_out.samples), bool)
    is_train[data.held_out_rows.numpy()] = False
    yield _collect(spec, _portions(config, spec, len(is_train)), is_train, seed)


def _portions(config: DataConfig, spec: TableSpec, count: int) -> Iterator[pd.DataFrame]:
    done = 0
    with config.opened() as rows:
        for frame in rows.portions():
            done += len(frame)
            if done <= count:
                yield read.typed(frame, [column for column in spec.columns if column.name in frame])
    if done != count:
        raise UserError(f"{config.source} has {done:,} rows now; a moment ago it had {count:,}. Measure again.")


def _collect(spec: TableSpec, portions: Iterator[pd.DataFrame], is_train: np.ndarray, seed: int) -> Real:
    coder, known = Coder.of(spec), Known()
    wanted = np.zeros(len(is_train), bool)
    for side in (True, False):
        rows = np.flatnonzero(is_train == side)
        chosen = np.random.default_rng(seeds.key(seed, "rows that are looked at", int(side))).permutation(len(rows))
        wanted[rows[chosen[:KEPT]]] = True
    ids = {column.name: [] for column in spec.columns if column.kind == "id"}
    kept: list[np.ndarray] = []
    hashes: list[np.ndarray] = []
    start = 0
    for frame in portions:
        values = coder(frame)
        known.add(values)
        hashes.append(values.hashes())
        kept.append(values.numbers[wanted[start : start + len(frame)]])
        for name, parts in ids.items():
            if name in frame:
                parts.append(id_hashes(frame[name]))
        rows_held_out = ~is_train[start : start + len(frame)]
        for rule in spec.rules:
            if {*rule.columns} <= {*frame}:
                wrong = int((rule.wrong(frame, spec.by_name) & rows_held_out).sum())
                known.broken[rule.text] = known.broken.get(rule.text, 0) + wrong
        start += len(frame)
    every = np.concatenate(hashes)
    known.training, known.held_out = np.unique(every[is_train]), every[~is_train]
    known.ids = {name: np.unique(np.concatenate(parts)) for name, parts in ids.items() if parts}
    known.categories = {name: frozenset(values) for name, values in coder.numbers.items()}
    rows = np.concatenate(kept)
    sides = []
    for side in (True, False):
        own = rows[is_train[wanted] == side]
        order = np.random.default_rng(seeds.key(seed, "their order", int(side))).permutation(len(own))
        sides.append(Values(coder.columns, own[order]))
    return Real(coder, sides[0], sides[1], known, int(is_train.sum()))


def id_hashes(series: Any) -> np.ndarray:
    """A 64-bit number for each id of a Series, as text, but for missing ones."""
    from pandas import util

    texts = series.dropna().map(lambda v: str(int(v)) if isinstance(v, float) and v.is_integer() else str(v))
    return util.hash_array(texts.to_numpy(dtype=object), categorize=False)  # pyright: ignore[reportCallIssue]
