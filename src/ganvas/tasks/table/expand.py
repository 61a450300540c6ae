"""`ganvas expand` for tables: more rows of a rare class, and whether a classifier learns that class better from them.

The same boosted trees learn from real training rows alone, from these and drawn rows of the rare class, and from these
and as many repeated rows of the rare class, which cost nothing. They are tested on held-out rows. The drawn rows are
said to help only if their mean gain over the better of the two others exceeds its own spread.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder, replacing
from ganvas.core.progress import Doing
from ganvas.core.text import one_line
from ganvas.tables import csv_cells, pack, read, write
from ganvas.tables.columns import Column
from ganvas.tables.data import DataConfig
from ganvas.tables.rows import plain
from ganvas.tables.spec import TableSpec
from ganvas.training.evaluate import data_of, trained_on

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.model import TableModel

KEPT = 100_000  # rows that the trees learn from, and are tested on, at most
MOST = 100_000_000  # drawn rows
PART = 0.9  # share of the training rows in each repeat: a different one in each, or the spread would say nothing
LEAST = 10  # rows of the rare class that must be held out, and that must be trained on
WAYS = ("alone", "drawn", "repeated")
ITERATIONS = 100  # trees of a classifier
CODES = 250  # values of a category that trees use as such
NO_DIFFERENCE = 0.002  # gains of average precision that are none


@dataclass(frozen=True)
class Expanded:
    """What was written: where, the real rows, and the drawn ones."""

    path: Path
    real: int
    drawn: int


@dataclass
class Trial:
    """AUC and average precision on held-out rows, one value a repeat, after learning in each of WAYS."""

    target: str
    rare: str
    train: int  # rows that are trained on, and of the rare class
    train_rare: int
    held_out: int
    held_out_rare: int
    drawn: int
    auc: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    precision: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})

    @property
    def free(self) -> str:
        """The better of the two ways that need no model."""
        return max(("alone", "repeated"), key=lambda way: statistics.fmean(self.precision[way]))

    @property
    def gains(self) -> list[float]:
        """Average precision with the drawn rows, less that of the better way without."""
        return [a - b for a, b in zip(self.precision["drawn"], self.precision[self.free], strict=True)]

    @property
    def verdict(self) -> str:
        """'helps' or 'harms' if the mean gain exceeds its spread (standard deviation) over three repeats or more."""
        if len(self.gains) < 3:
            return "too few repeats"
        limit = max(statistics.stdev(self.gains), NO_DIFFERENCE)
        mean = statistics.fmean(self.gains)
        return "helps" if mean > limit else "harms" if mean < -limit else "makes no difference"

    def conclusion(self) -> str:
        """The verdict as a sentence."""
        against = {"alone": "the real rows alone", "repeated": "repeating the rare rows, which needs no model"}[
            self.free
        ]
        by = statistics.fmean(self.gains)
        if self.verdict == "too few repeats":
            return "At least three repeats are needed for a verdict."
        if self.verdict == "makes no difference":
            return f"The drawn rows make no difference compared with {against} ({by:+.3f} average precision)."
        return f"The drawn rows {'help' if by > 0 else 'harm'}, compared with {against}: {by:+.3f} average precision."


@dataclass(frozen=True, eq=False)
class Real:
    """The rows of a table as they are stored, and which of them are trained on, bool [N]."""

    raw: pd.DataFrame
    is_train: np.ndarray

    @classmethod
    def of_frame(cls, model: TableModel, frame: pd.DataFrame) -> Real:
        """From the DataFrame that the model was trained on."""
        from ganvas.tasks.table.detect import missing_of

        parts = list(read.Rows(read.Frame(frame), missing_of(model)).portions())
        return cls._of(model, parts)

    @classmethod
    def of_run(cls, model: TableModel, source: str | os.PathLike[str], named: str | None) -> Real:
        """From where the run's data are, or where the user says.

        Raises:
            UserError: they are not there, or others.
        """
        data: Any = trained_on(model, source, named)
        config: DataConfig = data_of(model, named)
        with config.opened() as rows:
            parts = list(rows.portions())
        if sum(map(len, parts)) != len(data.train.samples) + len(data.held_out.samples):
            raise UserError(
                f"{rows.source.name} changes while it is read. Read it when nothing writes to it, or read a copy."
            )
        return cls._of(model, parts)

    @classmethod
    def _of(cls, model: TableModel, parts: list[pd.DataFrame]) -> Real:
        import pandas as pd

        if not parts:
            raise UserError("The table has no rows.")
        raw = pd.concat(parts, ignore_index=True)
        share = model.card["data"].get("held_out")
        _, held_out = pack.split(len(raw), share if isinstance(share, float) else 0.1)
        is_train = np.ones(len(raw), bool)
        is_train[held_out.numpy()] = False
        return cls(raw, is_train)


def target_of(spec: TableSpec, target: str, rare: str) -> tuple[Column, str]:
    """The column of the class, and the rare one as the model's cells have it.

    Raises:
        UserError: no such column or value, or no category.
    """
    column = spec.column(target)
    if not column.parts or column.kind != "category":
        names = [one_line(c.name) for c in spec.read if c.kind == "category"]
        raise UserError(
            f"{one_line(target)} is a {column.kind}, not a category. Possible targets: {', '.join(names) or 'none'}."
        )
    values = column.parts[0].values
    found = next((v for v in values if v == rare or v.lower() == rare.lower()), None)
    if found is None:
        some = ", ".join(one_line(v)[:40] for v in values[:12])
        raise UserError(
            f"{one_line(target)} has no value {one_line(rare)[:60]}, or too few rows have it. It has: {some}."
        )
    if len(values) < 2:
        raise UserError(f"{one_line(target)} has only one value: there is nothing to distinguish.")
    return column, found


def expand(
    model: TableModel,
    real: Real,
    target: str,
    rare: str,
    out: str | os.PathLike[str] | None,
    count: int | None = None,
    seed: int = 0,
    repeats: int = 3,
    force: bool = False,
) -> Iterator[Doing | Expanded | Trial]:
    """Write the table with drawn rows of a rare class after its own, and try whether they help a classifier.

    Args:
        target, rare: the column of the class, and the rare one.
        out: NAME.csv or NAME.csv.gz; None: nothing is written.
        count: how many rows; None: so many that the class is as frequent as the most frequent one.
        repeats: trials of each kind; 0: none.

    Raises:
        UserError: no such class, too few rows of it for a trial, or a file that cannot be written.
    """
    column, value = target_of(model.spec, target, rare)
    if repeats < 0 or not 1 <= (1 if count is None else count) <= MOST:
        raise UserError(f"--count {count}, --repeats {repeats}: 1 to {MOST:,} rows, and at least 0 repeats.")
    if out is not None:
        csv_cells.check(Path(out), force)
    typed: Any = read.typed(real.raw, model.spec.read)
    classes = column.as_text(typed[target])
    if repeats:
        _enough(classes, value, real.is_train, target)
    wanted = missing_for(classes, value) if count is None else count
    if out is not None:
        yield Doing(f"drawing {wanted:,} rows", 0.0)
        _write(model, real.raw, Path(out), {target: value}, wanted, seed)
        yield Expanded(Path(out), len(real.raw), wanted)
    if repeats:
        share = real.is_train.mean()
        yield from _tried(model, typed, classes, real.is_train, column, value, round(wanted * share), seed, repeats)


def of_frame(
    model: TableModel, frame: pd.DataFrame, target: str, rare: str, count: int | None, seed: int, repeats: int
) -> tuple[pd.DataFrame, Trial | None]:
    """Drawn rows, and the trial; see `TableModel.expand`."""
    column, value = target_of(model.spec, target, rare)
    real = Real.of_frame(model, frame)
    trials = [e for e in expand(model, real, target, rare, None, count, seed, repeats) if isinstance(e, Trial)]
    raw: Any = real.raw
    typed: Any = read.typed(raw[[target]], [model.spec.column(target)])
    wanted = missing_for(column.as_text(typed[target]), value) if count is None else count
    return model.sample(wanted, seed, {target: value}), trials[0] if trials else None


def missing_for(classes: pd.Series, value: str) -> int:
    """How many rows a class has less than the most frequent one."""
    counts = classes.value_counts()
    return int(counts.max() - counts.get(value, 0))


def _enough(classes: pd.Series, value: str, is_train: np.ndarray, target: str) -> None:
    has = (classes == value).to_numpy()
    for side, name in ((is_train, "trained on"), (~is_train, "held out")):
        for rows in (has & side, ~has & side):
            if rows.sum() < LEAST:
                raise UserError(
                    f"Of the rows that are {name}, {int((has & side).sum()):,} of {int(side.sum()):,} have "
                    f"{one_line(target)}={one_line(value)}: a trial needs {LEAST} with it and {LEAST} without. Use "
                    "--repeats 0 for rows without a trial."
                )


def _write(model: TableModel, raw: pd.DataFrame, out: Path, where: dict[str, str], count: int, seed: int) -> None:
    """The rows as they are stored, and drawn ones after them."""
    make_folder(out.parent)
    with replacing(out) as part, csv_cells.written(part, "utf-8", out.name.lower().endswith(".gz")) as file:
        file.write(raw.to_csv(index=False, lineterminator="\n"))
        portions: Any = model.portions(count, seed, where) if count else ()
        for drawn in portions:
            columns = {
                c.name: write.texts_of(drawn[c.name], c).to_pylist() for c in model.spec.columns if c.name in raw
            }
            empty = [""] * len(drawn)
            cells = [columns.get(str(name), empty) for name in raw]
            file.writelines(",".join("" if c is None else c for c in row) + "\n" for row in zip(*cells, strict=True))


def _tried(
    model: TableModel,
    typed: pd.DataFrame,
    classes: pd.Series,
    is_train: np.ndarray,
    column: Column,
    value: str,
    count: int,
    seed: int,
    repeats: int,
) -> Iterator[Doing | Trial]:
    """Trees learn in each of WAYS, `repeats` times."""
    columns = [c for c in model.spec.read if c.name != column.name]
    random = np.random.default_rng(seeds.key(seed, "expand"))
    known = classes.notna().to_numpy()
    train, held_out = (_some(np.flatnonzero(side & known), random) for side in (is_train, ~is_train))
    x, which = matrix(typed, columns)
    y = (classes == value).to_numpy()
    count = min(count, 4 * KEPT)
    trial = Trial(
        column.name, value, len(train), int(y[train].sum()), len(held_out), int(y[held_out].sum()), round(count * PART)
    )
    for repeat in range(repeats):
        own = np.random.default_rng(seeds.key(seed, "expand", repeat))
        some = np.sort(own.choice(train, round(len(train) * PART), replace=False))
        more = round(count * PART)
        yield Doing(f"drawing {more:,} rows to learn from", (repeat + 0.1) / repeats)
        drawn, _ = matrix(_drawn(model, {column.name: value}, more, seeds.key(seed, "expand", repeat)), columns)
        again = own.choice(some[y[some]], more) if y[some].any() else some[:0]
        sides = {"alone": x[:0], "drawn": drawn, "repeated": x[again]}
        for number, (way, added) in enumerate(sides.items(), 1):
            yield Doing(f"trees learn: {way}", (repeat + number / 4) / repeats)
            both = np.concatenate([x[some], added]), np.r_[y[some], np.ones(len(added), bool)]
            auc, precision = _figures(*both, x[held_out], y[held_out], which, repeat)
            trial.auc[way].append(auc)
            trial.precision[way].append(precision)
    yield trial


def _some(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= KEPT else np.sort(random.choice(rows, KEPT, replace=False))


def _drawn(model: TableModel, where: dict[str, str], count: int, seed: int) -> pd.DataFrame:
    import pandas as pd

    parts = [plain(part, model.spec) for part in model.portions(count, seed, where)] if count else []
    return pd.concat(parts, ignore_index=True) if parts else model.sample(0)


def matrix(frame: pd.DataFrame, columns: list[Column]) -> tuple[np.ndarray, list[bool]]:
    """Values as trees take them, float32 [N, n], and which of the n are categories. Missing and rare ones are NaN."""
    import pandas as pd

    parts, which = [], []
    for column in columns:
        series: Any = frame[column.name]
        if column.kind == "category":
            plain_series: Any = series.astype(object) if isinstance(series.dtype, pd.CategoricalDtype) else series
            values = column.parts[0].values
            codes = pd.Index(values).get_indexer(column.as_text(plain_series)).astype(np.float32)
            parts.append(np.where(codes < 0, np.nan, codes))
            which.append(len(values) <= CODES)
        else:
            for numbers in column.as_numbers(series):
                parts.append(numbers)
                which.append(False)
    return np.stack(parts, 1).astype(np.float32) if parts else np.zeros((len(frame), 0), np.float32), which


def _figures(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, which: list[bool], seed: int
) -> tuple[float, float]:
    """AUC and average precision of boosted trees."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import average_precision_score, roc_auc_score
    except ImportError as error:
        raise UserError("Trials need scikit-learn: pip install 'ganvas[tables]', or use --repeats 0.") from error
    settings: dict[str, Any] = {"early_stopping": False, "categorical_features": np.array(which)}
    trees = HistGradientBoostingClassifier(max_iter=ITERATIONS, random_state=seed, **settings)
    odds = trees.fit(x, y).predict_proba(x_test)[:, 1]
    return float(roc_auc_score(y_test, odds)), float(average_precision_score(y_test, odds))
