"""What is learned of a table before the training, with differential privacy: the cells of its columns.

The unit is a row: whatever one row holds, what is released is nearly as probable without it. Each column is asked a few
histograms, in which a row counts once, and every count gets normal noise of the same standard deviation. Values that
nobody knows beforehand (categories, numbers that many rows have) are released only above a threshold that the value of
a single row passes with a probability that is part of delta (stability-based histograms: Korolova et al. 2009; Bun
et al. 2019). Ranges of numbers come from a tree of intervals that do not depend on the data.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError, cannot
from ganvas.core.files import make_folder, read_bytes, state_folder
from ganvas.core.text import one_line
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column
from ganvas.tables.ids import RANDOM, places_of

if TYPE_CHECKING:
    import pandas as pd

SHARE = 0.15  # of the budget that the cells may use: of mu squared, in which releases with normal noise add up
SINGLES = 0.25  # share of delta for values of single rows that pass the threshold
LEVELS = 3  # of the tree below its first
PARTS = 16  # of an interval
SPLIT, ENOUGH = 12.0, 3.0  # standard deviations of the noise: to split an interval from, and to keep one from
KEY = "privacy.key"  # in the user's folder
BYTES = 32  # of the key
NORMAL = NormalDist()


@dataclass(frozen=True)
class Privacy:
    """The promise of a model, and what its cells used of it.

    Attributes:
        epsilon, delta: of the whole model; neighbours are two tables of which one has an empty row in place of a row.
        rows: that are trained on; taken as public.
        noise: standard deviation of each count.
        counts: histograms in which a row counts once.
        singles: delta of the thresholds, a part of delta.
    """

    epsilon: float
    delta: float
    rows: int
    noise: float
    counts: int
    singles: float

    def __post_init__(self) -> None:
        """Raises a UserError if this is no promise."""
        values = (self.epsilon, self.delta, self.noise, self.singles)
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
            raise UserError("its entry on privacy holds what is no number.")
        fine = self.epsilon > 0 and 0 < self.singles < self.delta < 1 and self.noise > 0
        if not fine or type(self.rows) is not int or type(self.counts) is not int or min(self.rows, self.counts) < 1:
            raise UserError("its entry on privacy promises what cannot be.")

    @property
    def mu(self) -> float:
        """The cells' part of the budget: they are like one release with noise of 1 / mu (Dong et al. 2022)."""
        return self.counts**0.5 / self.noise

    @property
    def alone(self) -> float:
        """The epsilon of the cells alone."""
        return epsilon_of(self.mu, self.delta - self.singles)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Privacy:
        """The promise of a JSON form. Raises a UserError if it is none."""
        if not isinstance(values, dict) or values.keys() != {f.name for f in dataclasses.fields(cls)}:
            raise UserError("its entry on privacy is none.")
        return cls(**values)


def delta_of(epsilon: float, mu: float) -> float:
    """The delta of one release with normal noise: Balle and Wang 2018, theorem 5."""
    if epsilon > 700:
        return 0.0
    above, below = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    return max(0.0, _below(above) - math.exp(epsilon) * _below(below))


def _below(z: float) -> float:
    """The share of a normal distribution below z; exact far out, too."""
    return math.erfc(-z / 2**0.5) / 2


def epsilon_of(mu: float, delta: float) -> float:
    """The smallest epsilon of one release with normal noise of 1 / mu."""
    return _bisected(lambda e: delta_of(e, mu) <= delta, 1e-6, 1e3)


def mu_of(epsilon: float, delta: float) -> float:
    """The largest mu of one release with normal noise that keeps a promise."""
    return 1 / _bisected(lambda sigma: delta_of(epsilon, 1 / sigma) <= delta, 1e-3, 1e7)


def _bisected(fine: Any, low: float, high: float) -> float:
    """The smallest number between two for which `fine` holds, as for all larger ones."""
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if fine(middle) else (middle, high)
    return high


def planned(columns: Sequence[Column], rows: int, epsilon: float, delta: float) -> Privacy:
    """The promise, with the noise of the cells.

    Args:
        rows: that are trained on.
        delta: 0: 1 / (10 rows).
    """
    delta = delta or 1 / (10 * rows)
    counts = max(1, sum(_counts(column) for column in columns))
    singles = SINGLES * delta
    noise = counts**0.5 / (SHARE**0.5 * mu_of(epsilon, delta - singles))
    return Privacy(epsilon, delta, rows, noise, counts, singles)


def _counts(column: Column) -> int:
    """Histograms that a column is asked."""
    if column.kind in ("number", "date"):
        return (2 if column.type == "time" else 1) * (2 + LEVELS)
    return int(column.kind == "category")


class Counter:
    """Histograms of a table's columns with noise."""

    def __init__(self, privacy: Privacy, fewest: int, random: np.random.Generator) -> None:
        """
        Args:
            fewest: rows that a value must have in any case.
        """
        self.noise, self.random = privacy.noise, random
        quantile = NORMAL.inv_cdf(privacy.singles / privacy.counts)  # negative
        self.threshold = max(float(fewest), 1 - privacy.noise * quantile)

    def known(self, counts: np.ndarray) -> np.ndarray:
        """The counts [N] of cells that do not depend on the data."""
        return counts + self.random.normal(0, self.noise, len(counts))

    def found(self, values: Any) -> tuple[Any, np.ndarray]:
        """The distinct ones of these values [N], one a row, that many rows have, and their counts."""
        distinct, counts = np.unique(values, return_counts=True)
        noisy = self.known(counts.astype(np.float64))
        kept = noisy > self.threshold
        return distinct[kept], noisy[kept]


def of_category(values: pd.Series, order: tuple[str, ...], counter: Counter) -> Cells:
    """The cells of a category; NaN is missing."""
    known = values.dropna()
    codes, names = known.factorize(sort=True)
    missing = len(names)  # the code of a missing value
    found, counts = counter.found(np.append(codes, np.full(len(values) - len(known), missing)))
    kept = {str(names[c]): max(1, round(n)) for c, n in zip(found, counts, strict=True) if c != missing}
    gone = [max(1, round(n)) for c, n in zip(found, counts, strict=True) if c == missing]
    texts = [v for v in order if v in kept]
    texts += [v for v in sorted(kept) if v not in set(texts)]
    rest = max(0, len(values) - sum(kept.values()) - sum(gone))
    return Cells(tuple(kept[v] for v in texts), values=tuple(texts), missing=sum(gone), rare=rest)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, and about how many rows have such."""

    low: float
    high: float
    rows: float


def of_numbers(numbers: np.ndarray, whole: bool, counter: Counter, span: tuple[float, float] | None = None) -> Cells:
    """The cells of a column of numbers.

    Args:
        numbers: float64 [N]; NaN is missing.
        whole: are they whole?
        span: what the user says of the smallest and the largest one.
    """
    known = numbers[~np.isnan(numbers)]
    if span is not None:
        known = np.clip(known, *span)
    keys = np.append(known, np.full(len(numbers) - len(known), np.inf))  # missing values are the last
    found, counts = counter.found(keys)
    gone = float(counts[-1]) if len(found) and np.isinf(found[-1]) else 0.0
    spikes = [Range(float(v), float(v), float(n)) for v, n in zip(found, counts, strict=True) if np.isfinite(v)]
    rest = np.sort(known[~np.isin(known, found)])
    ranges = _tree(rest, whole, counter, span)
    for spike in spikes:
        ranges = [part for each in ranges for part in _without(each, spike.low, whole)]
    cells = sorted((*ranges, *spikes), key=lambda r: (r.low, r.high))
    rows = tuple(max(1, round(r.rows)) for r in cells)
    missing = max(1, round(gone)) if gone else 0
    return Cells(rows, tuple(r.low for r in cells), tuple(r.high for r in cells), missing=missing)


def _tree(known: np.ndarray, whole: bool, counter: Counter, span: tuple[float, float] | None) -> list[Range]:
    """Intervals that have enough rows, ascending.

    Args:
        known: the numbers, sorted.
    """
    if span is not None:
        groups = [_merged(_counted(_split(*span, whole), known, whole, counter), counter)]
    else:
        signs, exponents = np.sign(known), np.frexp(known)[1]
        found, counts = counter.found(signs * (exponents + 2_000.0))
        octaves = [_octave(float(key), whole) for key in found]
        groups = [[Range(*edges, float(n))] for edges, n in zip(octaves, counts, strict=True)]
    for _ in range(LEVELS):
        groups = [part for group in groups for part in _level(group, known, whole, counter)]
    return [each for group in groups for each in group]


def _octave(key: float, whole: bool) -> tuple[float, float]:
    """The interval of a key: numbers of one sign from a power of 2 to the next."""
    if key == 0:
        return 0.0, 0.0
    exponent = int(abs(key) - 2_000)
    low, high = math.ldexp(0.5, exponent), math.ldexp(1.0, exponent) if exponent < 1024 else np.finfo(np.float64).max
    if whole:
        high -= 1
    return (low, high) if key > 0 else (-high, -low)


def _level(group: list[Range], known: np.ndarray, whole: bool, counter: Counter) -> list[list[Range]]:
    """The intervals of a group, those split that have many rows."""
    out: list[list[Range]] = []
    for each in group:
        if each.rows < SPLIT * counter.noise or each.low == each.high:
            out.append([each])
            continue
        parts = _counted(_split(each.low, each.high, whole), known, whole, counter)
        out.append(_merged(parts, counter) or [each])
    return out


def _split(low: float, high: float, whole: bool) -> list[tuple[float, float]]:
    """PARTS equal parts of an interval, or fewer where there are not so many whole numbers."""
    if not whole:
        edges = np.linspace(low, high, PARTS + 1)
        return [(float(a), float(b)) for a, b in itertools.pairwise(edges) if a < b]
    edges = np.unique(np.floor(np.linspace(low, high + 1, PARTS + 1)))
    return [(float(a), float(b) - 1) for a, b in itertools.pairwise(edges)]


def _counted(parts: Sequence[tuple[float, float]], known: np.ndarray, whole: bool, counter: Counter) -> list[Range]:
    """Intervals side by side with their rows; what lies on the edge of two counts for the upper one."""
    lows = np.array([low for low, _ in parts])
    last = np.searchsorted(known, parts[-1][1], side="right")
    edges = np.append(np.searchsorted(known, lows, side="left"), last)
    counts = counter.known(np.diff(edges).astype(np.float64))
    return [Range(*part, float(n)) for part, n in zip(parts, counts, strict=True)]


def _merged(parts: list[Range], counter: Counter) -> list[Range]:
    """Neighbours put together until they have more rows than noise; those of a last few count for the one before."""
    out: list[Range] = []
    held: list[Range] = []
    for each in parts:
        held.append(each)
        rows = sum(r.rows for r in held)
        if rows >= ENOUGH * counter.noise * len(held) ** 0.5:
            first = next(i for i in range(len(held)) if sum(r.rows for r in held[: i + 1]) >= counter.noise)
            out.append(Range(held[first].low, each.high, rows))  # without an empty beginning
            held = []
    if held and out:
        rows = sum(r.rows for r in held)
        out[-1] = dataclasses.replace(out[-1], rows=max(1.0, out[-1].rows + rows))
    return out


def _without(each: Range, value: float, whole: bool) -> list[Range]:
    """An interval without a value in it."""
    if not each.low <= value <= each.high:
        return [each]
    below = value - 1 if whole else float(np.nextafter(value, -np.inf))
    above = value + 1 if whole else float(np.nextafter(value, np.inf))
    width = (each.high - each.low) or 1.0
    out = []
    for low, high in ((each.low, below), (above, each.high)):
        if low <= high:
            share = (high - low + whole) / (width + whole)
            out.append(Range(low, high, each.rows * share))
    return out


def fitted(
    columns: Sequence[Column],
    frame: pd.DataFrame,
    privacy: Privacy,
    fewest: int,
    spans: Mapping[str, tuple[float, float]],
) -> tuple[tuple[Column, ...], list[str]]:
    """The columns with their cells, and sentences for the user.

    Args:
        frame: the rows to train on, as `read.typed` gives them.
        fewest: rows that a value must have in any case.
        spans: what the user says of the smallest and the largest value of numbers, in the numbers' own unit.
    """
    done, notes = [], []
    for column in columns:
        column = dataclasses.replace(column, doubt="")  # it may quote cells
        if column.kind not in ("number", "category", "date"):
            done.append(_made_up(column))
            continue
        series = frame[column.name]
        counter = Counter(privacy, fewest, random_of(series, column.name, privacy))
        if column.kind == "category":
            parts = (of_category(column.as_text(series), column.order, counter),)
            column = dataclasses.replace(column, order=tuple(v for v in column.order if v in parts[0].values))
        else:
            whole = column.kind == "date" or column.decimals >= 0
            each, span = column.as_numbers(series), spans.get(column.name)
            parts = tuple(of_numbers(n, whole, counter, span if i == 0 else None) for i, n in enumerate(each))
        if not all(part.counts for part in parts):
            done.append(dataclasses.replace(column, kind="constant", value="", form="", order=()))
            notes.append(f"{one_line(column.name)}: no value is frequent enough for this privacy: left empty.")
            continue
        share = parts[0].rare / len(frame)  # 0 of numbers
        if share >= 0.05:
            notes.append(f"{one_line(column.name)}: about {share:.0%} of its rows have values too rare to be drawn.")
        done.append(dataclasses.replace(column, parts=parts))
    return tuple(done), notes


def span_of(column: Column, span: Sequence[float]) -> tuple[float, float]:
    """What the user says of the smallest and the largest value, in the unit of `Column.as_numbers`.

    Raises:
        UserError: the column is no number.
    """
    if column.kind != "number" or column.type in ("clock", "span"):
        raise UserError(f"The column {one_line(column.name)} has a span and is no number: take span out.")
    unit = 10.0 ** max(0, column.decimals)
    return round(span[0] * unit, 6), round(span[1] * unit, 6)


def _made_up(column: Column) -> Column:
    """A column that is not learned; of ids, nothing depends on those of the table but their form."""
    if column.kind != "id":
        return column
    form = column.form
    if form in ("uuid", "UUID"):
        return dataclasses.replace(column, value=RANDOM)
    if column.type == "int" or not form or (form.endswith("#") and not form.endswith("\\#")):
        return dataclasses.replace(column, value="")
    size = math.prod(map(len, places_of(form)))
    return dataclasses.replace(column, value=f"0-{size - 1}" if size < 2**62 else RANDOM)


def random_of(series: pd.Series, name: str, privacy: Privacy) -> np.random.Generator:
    """Random numbers that nobody can know who lacks the key: the same for the same rows, so that a table that is read
    again costs nothing more."""
    import pandas as pd

    content = pd.util.hash_pandas_object(series, index=True, categorize=True).to_numpy().tobytes()
    digest = hashlib.blake2b(key=key(), digest_size=16)
    digest.update(f"cells/{name}/{privacy}/".encode())
    digest.update(hashlib.sha256(content).digest())
    return generator(digest.digest())


def generator(key: bytes) -> np.random.Generator:
    """Random numbers that follow from 16 bytes: Salmon et al. 2011."""
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, np.uint64)))


def sealed(fingerprint: str) -> str:
    """A fingerprint that says nothing of the rows to who lacks the key."""
    return hashlib.blake2b(fingerprint.encode(), key=key(), digest_size=32).hexdigest()


def key() -> bytes:
    """This user's secret, made once from the system's randomness.

    Raises:
        UserError: it can be neither read nor written.
    """
    place = state_folder() / KEY
    make_folder(place.parent)
    try:
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(BYTES))
    except FileExistsError:
        pass
    except OSError as error:
        raise cannot("write", place, error) from error
    found = read_bytes(place, 1_000)
    if len(found) != BYTES:
        raise UserError(f"{place} is damaged: remove it, and a new one is made; private runs then begin anew.")
    return found


def promised(privacy: Privacy) -> str:
    """The promise in plain words."""
    factor = math.exp(min(privacy.epsilon, 50))
    times = f"{factor:,.1f}" if factor < 1_000 else f"{factor:.0e}"
    return (
        f"epsilon {privacy.epsilon:g}, delta {privacy.delta:.1e}: whatever a row holds, no model and no drawn row is "
        f"more than {times} times as probable with it as without it, but for a chance of delta"
    )


PUBLIC = "Taken as public: names, kinds, types, decimals and forms of columns, constants, the number of rows, settings."


def sentences(privacy: Privacy) -> list[str]:
    """What is promised, and what is not, for the user."""
    return [
        f"Differential privacy, {promised(privacy)}. The values of the columns use epsilon {privacy.alone:.2f} of it.",
        f"{PUBLIC} Only the model file and what it draws are protected: log, measurements and snapshots of the run are "
        "not, so share the model file alone. Each further training on these rows adds its own epsilon.",
    ]


def told(card: Mapping[str, Any]) -> list[str]:
    """Sentences on the promise of a model, from its card; none where there is none."""
    spec, training = card.get("spec"), card.get("privacy")
    values = spec.get("privacy") if isinstance(spec, Mapping) else None
    if values is None:
        return []
    try:
        privacy = Privacy.from_dict(values)
        kept = [spent(privacy, training)] if training else []
    except (UserError, KeyError, TypeError, ValueError):
        return ["What the model's card says of differential privacy cannot be read."]
    return [f"Differential privacy, {promised(privacy)}.", *kept, PUBLIC]


def spent(privacy: Privacy, training: Mapping[str, Any]) -> str:
    """What a training spent, in a sentence."""
    return (
        f"Differential privacy kept: epsilon {training['epsilon']:.2f} of {privacy.epsilon:g} at delta "
        f"{privacy.delta:.1e} after {training['steps']:,} steps with {training['noise']:.2f} times the bound as noise "
        f"(accountant: {training['accountant']}). The last weights are kept: none were chosen by held-out rows."
    )
