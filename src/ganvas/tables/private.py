"""What a model with differential privacy promises, what its columns' cells use of it, and the keys of the noise.

The unit is a row: whatever one row holds, what is released is nearly as probable without it.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.core.errors import UserError, cannot
from ganvas.core.files import make_folder, read_bytes, state_folder
from ganvas.tables.columns import Column

if TYPE_CHECKING:
    import pandas as pd

SHARE = 0.15  # of the budget that the cells may use: of mu squared, in which releases with normal noise add up
SINGLES = 0.25  # share of delta for values of single rows that pass the threshold
LEVELS = 3  # of the tree of numbers, below its first: see `private_cells`
KEY = "privacy.key"  # in the user's folder
BYTES = 32  # of the key


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
        """Raises a UserError if this is not a promise."""
        values = (self.epsilon, self.delta, self.noise, self.singles)
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
            raise UserError("its entry on privacy holds something that is not a number.")
        fine = self.epsilon > 0 and 0 < self.singles < self.delta < 1 and self.noise > 0
        if not fine or type(self.rows) is not int or type(self.counts) is not int or min(self.rows, self.counts) < 1:
            raise UserError("its entry on privacy promises something impossible.")

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
            raise UserError("its entry on privacy is invalid.")
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
        raise UserError(f"{place} is damaged: remove it, and a new one is made; private runs then start from scratch.")
    return found


def promised(privacy: Privacy) -> str:
    """The promise in plain words."""
    factor = math.exp(min(privacy.epsilon, 50))
    times = f"{factor:,.1f}" if factor < 1_000 else f"{factor:.0e}"
    return (
        f"epsilon {privacy.epsilon:g}, delta {privacy.delta:.1e}: whatever a row holds, no model and no drawn row is "
        f"more than {times} times as probable with it as without it, except with probability delta"
    )


PUBLIC = (
    "Treated as public: names, kinds, types, decimals and forms of columns, constants, the number of rows, settings."
)


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
        f"(accountant: {training['accountant']}). The last weights are kept, not chosen by held-out rows."
    )
