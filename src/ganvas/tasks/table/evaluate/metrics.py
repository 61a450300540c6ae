"""The figures of tables: their names, what they are called, what they need and how exactly they are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganvas.core.errors import unknown
from ganvas.tasks.table.evaluate import experts, shapes

NEIGHBOURS = 5_000  # rows of each side whose neighbours are sought, at most
TRAINING = 20_000  # training rows among which the nearest is sought where there may be more of them, at most


@dataclass(frozen=True)
class Metric:
    """A figure.

    title: what people read; better: 'higher', 'lower' or 'near' (to what real rows get); group: figures that are taken
    together; form: its protocol; least: rows of each side that it needs; share: shown as a percentage; private: about
    training rows, so it needs the data that the model was trained on.
    """

    title: str
    better: str
    group: str
    form: str
    least: int = 10
    share: bool = False
    private: bool = False


_EXPERT = f"{experts.FOLDS}-fold cross-validation on as many held-out as drawn rows"
_TREES = f"{experts.TREES} boosted trees of {experts.LEAVES} leaves, {_EXPERT}"
_TARGETS = (
    f"boosted trees for each number and each category of 2 to {experts.CLASSES} values ({experts.TARGETS} at most), on "
    "as many drawn as training rows, tested on held-out ones"
)
_NEAR = f"Euclidean; a number by its rank, unlike categories 1 apart; {NEIGHBOURS:,} rows at most"

METRICS: dict[str, Metric] = {
    "shape": Metric(
        "column shapes",
        "higher",
        "shape",
        "mean over columns: 1 - Kolmogorov-Smirnov of numbers and dates, 1 - total "
        "variation of categories, missing included",
    ),
    "shape-worst": Metric("worst column's shape", "higher", "shape", "the smallest of the column shapes"),
    "trend": Metric(
        "pair trends",
        "higher",
        "trend",
        f"mean over pairs of columns ({shapes.PAIRS:,} at most): 1 - total variation of "
        f"their table; numbers in {shapes.BINS} bins by deciles, the {shapes.KEPT} commonest values of a category",
    ),
    "correlations": Metric(
        "correlations",
        "higher",
        "trend",
        "mean over pairs of numbers: 1 - half the difference of Pearson's correlations",
    ),
    "c2st": Metric("fresh expert, AUC", "lower", "c2st", f"area under the ROC curve; {_TREES}", 50),
    "c2st-accuracy": Metric("fresh expert is right", "lower", "c2st", f"share of rows; {_TREES}", 50, share=True),
    "c2st-linear": Metric(
        "simple expert, AUC", "lower", "c2st-linear", f"area under the ROC curve; logistic regression, {_EXPERT}", 50
    ),
    "tstr": Metric(
        "learned from drawn rows",
        "higher",
        "tstr",
        f"skill (2 AUC - 1, or R2 of ranks) over that of real rows; {_TARGETS}",
        50,
        share=True,
    ),
    "tstr-auc": Metric(
        "the same, categories: AUC",
        "higher",
        "tstr",
        f"AUC (mean over values) over that of real rows; {_TARGETS}",
        50,
        share=True,
    ),
    "precision": Metric("precision", "near", "near", f"3 neighbours; {_NEAR}", 20),
    "recall": Metric("recall", "near", "near", f"3 neighbours; {_NEAR}", 20),
    "density": Metric("density", "near", "near", f"5 neighbours; {_NEAR}", 20),
    "coverage": Metric("coverage", "near", "near", f"5 neighbours; {_NEAR}", 20),
    "nearer-training": Metric(
        "nearer to training rows",
        "near",
        "private",
        f"share of drawn rows nearer to a training row than to a held-out one of as many, ties half; {_NEAR}",
        20,
        share=True,
        private=True,
    ),
    "neighbour-ratio": Metric(
        "nearest-neighbour ratio",
        "near",
        "private",
        f"mean distance to the nearest over that to the second nearest of {TRAINING:,} training rows at most; {_NEAR}",
        20,
        private=True,
    ),
    "copies": Metric(
        "copies of training rows",
        "near",
        "copies",
        "share of rows that are in the training data, in all columns but ids, texts and constants",
        share=True,
        private=True,
    ),
    "repeats": Metric(
        "repeated rows", "near", "copies", "share of rows that equal an earlier one of as many", share=True
    ),
    "membership-distance": Metric(
        "attack by distance gains",
        "near",
        "attack",
        "advantage (true minus false positives) of telling training from "
        f"held-out rows by how near a drawn row is, threshold from the other half; {_NEAR}",
        50,
        share=True,
        private=True,
    ),
    "membership-likelihood": Metric(
        "attack by the model gains",
        "near",
        "likelihood",
        "advantage (true minus false positives) of telling training from "
        "held-out rows by their probability to the model, threshold from the other half",
        50,
        share=True,
        private=True,
    ),
    "impossible": Metric(
        "impossible values",
        "lower",
        "sound",
        "cells of all drawn rows: not a number, outside the real range, unknown values, "
        "too many digits, missing where none is, repeated or real ids",
        1,
    ),
    "broken-rules": Metric("broken rules", "lower", "sound", "rows of all drawn ones, summed over rules", 1),
}


def choose(
    metrics: str | Sequence[str] | None, known: Mapping[str, object] = METRICS, what: str = "metric"
) -> list[str]:
    """Names of metrics for what --metrics says; all without it.

    Args:
        known: those that there are, by name.
        what: they are called in an error.

    Raises:
        UserError: a name that there is not.
    """
    if metrics is None or metrics == "all":
        return list(known)
    wanted = [name.strip() for name in (metrics.split(",") if isinstance(metrics, str) else metrics)]
    for name in wanted:
        if name not in known:
            raise unknown(what, name, [*known, "all"])
    return list(dict.fromkeys(wanted))
