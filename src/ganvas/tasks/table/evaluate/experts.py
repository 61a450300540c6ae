"""What learns from rows: a fresh expert that is to tell real from drawn rows, and models of each column.

The expert is the classifier two-sample test (Lopez-Paz and Oquab 2017) with two kinds of classifier; training on drawn
rows and testing on real ones is from Esteban et al. 2017.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.tasks.table.evaluate.values import Values, commonness, ranks

FOLDS = 3
TREES, LEAVES, RATE = 150, 31, 0.08  # of the boosted trees that tell rows apart
CATEGORIES = 100  # values of a category; the rarer ones count as one, or by how rare they are
ONE_HOT = 20  # values of a category that have a weight of their own in the logistic regression
TARGETS = 20  # columns that are predicted, at most
CLASSES = 20  # values of a category that is predicted, at most
IN_CLASS = 10  # rows of a value in the test, below which it has no area under a curve of its own
SKILL = 0.1  # of a model of real rows, below which a column cannot be predicted from the others


def needed() -> str:
    """The version of scikit-learn.

    Raises:
        UserError: it is not installed.
    """
    try:
        import sklearn
    except ImportError as error:
        raise UserError("The metrics need scikit-learn: pip install 'ganvas[tables]'") from error
    return ".".join(sklearn.__version__.split(".")[:2])


@dataclass(frozen=True)
class Verdict:
    """How well a classifier tells rows apart that it has not learned from.

    auc: area under the curve, 0.5 is guessing; accuracy: share of rows that it is right on; spread: of the AUC,
    the standard deviation over the folds.
    """

    auc: float
    accuracy: float
    spread: float


def for_trees(*sides: Values) -> tuple[list[np.ndarray], np.ndarray]:
    """Rows as boosted trees take them, float64 [N, columns] each, and which columns are categories, bool [columns].

    A category with more than CATEGORIES values is a number: how common its values are among all of the rows.
    """
    made = [side.numbers.copy() for side in sides]
    is_category = np.zeros(len(sides[0].columns), bool)
    for j, column in enumerate(sides[0].columns):
        if column.kind != "category":
            continue
        among = [side.numbers[:, j] for side in sides]
        many = len(np.unique(np.concatenate([a[~np.isnan(a)] for a in among]))) > CATEGORIES
        is_category[j] = not many
        for side, x in zip(made, among, strict=True):
            side[:, j] = commonness(x, among, 1 << 40 if many else CATEGORIES + 1)
    return made, is_category


def for_lines(*sides: Values) -> list[np.ndarray]:
    """Rows as a logistic regression takes them, float64 [N, features] each.

    A number: its rank among all, and whether it is missing. A category: a feature for each of the ONE_HOT commonest
    values, one for missing, and how common the others are.
    """
    features: list[list[np.ndarray]] = [[] for _ in sides]
    for j, column in enumerate(sides[0].columns):
        among = [side.numbers[:, j] for side in sides]
        every = np.concatenate(among)
        for x, into in zip(among, features, strict=True):
            missing = np.isnan(x)
            if column.kind == "category":
                place = commonness(x, among, 1 << 40)
                into += [(place == k).astype(float) for k in range(ONE_HOT)]
                into.append(np.where(place >= ONE_HOT, np.log1p(np.nan_to_num(place)) / 10, 0.0))
            else:
                into.append(np.nan_to_num(ranks(x, every), nan=0.5) - 0.5)
            into.append(missing.astype(float))
    made = [np.stack(side, 1) for side in features]
    varies = np.concatenate(made).std(0) > 0
    return [side[:, varies] for side in made]


def folds(count: int, seed: int) -> np.ndarray:
    """The fold of each of `count` rows, 0 to FOLDS - 1, at random."""
    return np.random.default_rng(seed).permutation(np.arange(count) % FOLDS)


def distinguish(real: Values, other: Values, seed: int, linear: bool = False) -> Verdict:
    """Train a classifier to tell as many rows of both sides apart; each third is tested after learning the others."""
    n = min(len(real), len(other))
    real, other = real.take(slice(n)), other.take(slice(n))
    if linear:
        x, categories = np.concatenate(for_lines(real, other)), None
    else:
        sides, categories = for_trees(real, other)
        x = np.concatenate(sides)
    y = np.r_[np.ones(n), np.zeros(n)]
    fold = np.r_[folds(n, seeds.key(seed, "folds", 1)), folds(n, seeds.key(seed, "folds", 0))]
    said = np.empty(2 * n)
    for k in range(FOLDS):
        model = _line() if linear else _trees(categories, seed)
        said[fold == k] = _fitted(model, x[fold != k], y[fold != k]).predict_proba(x[fold == k])[:, 1]
    each = [auc(y[fold == k], said[fold == k]) for k in range(FOLDS)]
    return Verdict(float(np.mean(each)), float(((said > 0.5) == y).mean()), float(np.std(each, ddof=1)))


def gives_away(real: Values, other: Values, seed: int) -> np.ndarray:
    """By how much the AUC falls where a column's values are mixed up, float64 [columns]: what the expert looks at."""
    n = min(len(real), len(other))
    sides, categories = for_trees(real.take(slice(n)), other.take(slice(n)))
    x, y = np.concatenate(sides), np.r_[np.ones(n), np.zeros(n)]
    test = np.r_[folds(n, seeds.key(seed, "folds", 1)), folds(n, seeds.key(seed, "folds", 0))] == 0
    model = _fitted(_trees(categories, seed), x[~test], y[~test])
    whole, random, falls = auc(y[test], model.predict_proba(x[test])[:, 1]), np.random.default_rng(seed), []
    for j in range(x.shape[1]):
        mixed = x[test].copy()
        mixed[:, j] = mixed[random.permutation(len(mixed)), j]
        falls.append(whole - auc(y[test], model.predict_proba(mixed)[:, 1]))
    return np.array(falls)


def auc(truth: np.ndarray, said: np.ndarray) -> float:
    """Area under the ROC curve, ties half. Source: Mann and Whitney 1947.

    Args:
        truth: 1 or 0 [N]; said: higher for 1 [N].
    """
    values, place, counts = np.unique(said, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    ones = float(truth.sum())
    zeros = len(truth) - ones
    if not ones or not zeros or not len(values):
        return math.nan
    return float((rank[truth == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _trees(categories: np.ndarray | None, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, **_plain(categories, seed)
    )


def _plain(categories: np.ndarray | None, seed: int) -> dict[str, Any]:
    """The settings of all boosted trees."""
    return {"categorical_features": categories, "early_stopping": False, "random_state": seed % 2**32}


def _line() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(solver="newton-cholesky", max_iter=50)


def _fitted(model: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """The model after learning; a column without any value tells it nothing, and scikit-learn takes none."""
    x = np.where(np.isnan(x).all(0), 0.0, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a regression that could run for longer, and of columns without values
        return model.fit(x, y)


@dataclass(frozen=True)
class Target:
    """A column to be predicted from the others: its number, and whether it is a category."""

    column: int
    is_category: bool


def targets(train: Values, test: Values, seed: int) -> tuple[list[Target], int]:
    """The columns that can be predicted, at most TARGETS of them by the seed, and how many there are."""
    found = []
    for j, column in enumerate(train.columns):
        known = train.numbers[~np.isnan(train.numbers[:, j]), j]
        distinct = len(np.unique(known))
        if column.kind == "date" or distinct < 2 or (column.kind == "category" and distinct > CLASSES):
            continue
        if _enough(test.numbers[:, j], column.kind == "category"):
            found.append(Target(j, column.kind == "category"))
    order = np.random.default_rng(seeds.key(seed, "targets")).permutation(len(found))[:TARGETS]
    return [found[i] for i in sorted(order)], len(found)


def _enough(column: np.ndarray, is_category: bool) -> bool:
    """Whether a test on these values means something."""
    counts = np.unique(column[~np.isnan(column)], return_counts=True)[1]
    return (counts >= IN_CLASS).sum() >= 2 if is_category else counts.sum() >= 50 and len(counts) > 1


def learned(target: Target, train: Values, test: Values, among: Values, seed: int) -> float:
    """How well boosted trees that learn a column from `train` predict it on `test`.

    Returns:
        A category: the area under the curve, a mean over its values. A number: R2 of its rank in `among`, the real rows
        (ranks, or a few huge values would decide). NaN where `train` has nothing to learn from.
    """
    j, rest = target.column, [k for k in range(len(train.columns)) if k != target.column]
    train, test = (side.take(~np.isnan(side.numbers[:, j])) for side in (train, test))
    sides, categories = for_trees(train, test, among)
    x, x_test, categories = sides[0][:, rest], sides[1][:, rest], categories[rest]
    y, y_test = train.numbers[:, j], test.numbers[:, j]
    if len(np.unique(y)) < 2:
        return 0.5 if target.is_category else 0.0
    if target.is_category:
        return _classes(x, y, x_test, y_test, categories, seed)
    from sklearn.ensemble import HistGradientBoostingRegressor

    y, y_test = (ranks(v, among.numbers[:, j]) for v in (y, y_test))
    model = HistGradientBoostingRegressor(max_iter=100, **_plain(categories, seed))
    said = _fitted(model, x, y).predict(x_test)
    return float(1 - np.square(y_test - said).sum() / np.square(y_test - y_test.mean()).sum())


def _classes(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, categories: np.ndarray, seed: int
) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier

    kinds = len(np.unique(y))
    model = HistGradientBoostingClassifier(
        max_iter=max(20, 300 // max(3, kinds)), max_leaf_nodes=8, l2_regularization=10.0, **_plain(categories, seed)
    )
    # without the regularization the steps for rare values are so large that a value told by another column is lost
    said = _fitted(model, x, y).predict_proba(x_test)
    areas = []
    for value in np.unique(y_test):
        is_it = (y_test == value).astype(float)
        if is_it.sum() >= IN_CLASS and is_it.sum() < len(is_it):
            column = np.flatnonzero(model.classes_ == value)
            areas.append(auc(is_it, said[:, column[0]]) if len(column) else 0.5)
    return float(np.mean(areas)) if areas else math.nan


def skill(target: Target, value: float) -> float:
    """0 for guessing, 1 for always right: 2 AUC - 1, or R2."""
    return 2 * value - 1 if target.is_category else value
