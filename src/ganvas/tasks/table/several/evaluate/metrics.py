"""The figures of a database: their names, what they are called, and how exactly they are taken."""

from __future__ import annotations

from dataclasses import dataclass

from ganvas.tasks.table.evaluate import experts, shapes

LEAST, LEARNS = 20, 50  # rows of a side that a figure needs; where something learns


@dataclass(frozen=True)
class Metric:
    """A figure. title: what people read; better: 'higher' or 'lower'; form: its protocol; share: as a percentage;
    learns: a classifier does."""

    title: str
    better: str
    form: str
    share: bool = False
    learns: bool = False


_TREES = f"area under the ROC curve; {experts.TREES} boosted trees of {experts.LEAVES} leaves, {experts.FOLDS}-fold"
_PAIRS = f"1 - total variation of their table, {shapes.PAIRS:,} at most; numbers in {shapes.BINS} bins by deciles"
_OWN = "mean over tables, of their own columns"

METRICS: dict[str, Metric] = {
    "keys": Metric("keys that lead to a row", "higher", "share of all foreign keys that are set, all rows", True),
    "repeated-keys": Metric("repeated keys", "lower", "rows that repeat a primary key or a UNIQUE group, all rows"),
    "children": Metric(
        "numbers of children", "higher", "mean over keys: 1 - Kolmogorov-Smirnov of the number of rows that lead to one"
    ),
    "childless": Metric(
        "parents without children, off", "lower", "mean over keys: difference of the shares", share=True
    ),
    "children-trend": Metric(
        "children by parents' columns", "higher", f"mean over keys and columns of the parent: {_PAIRS}"
    ),
    "family-trend": Metric(
        "parents and children", "higher", f"mean over keys and pairs of a column of each, rows joined: {_PAIRS}"
    ),
    "above-trend": Metric("grandparents and children", "higher", f"as parents and children: {_PAIRS}"),
    "family-c2st": Metric(
        "fresh expert on families, AUC",
        "lower",
        f"mean over keys; parents with a summary of their children; {_TREES}",
        learns=True,
    ),
    "broken-across": Metric("broken rules across tables", "lower", "rows, summed over rules and sums, all rows"),
    "shape": Metric("each table: column shapes", "higher", _OWN),
    "trend": Metric("each table: pair trends", "higher", f"{_OWN}: {_PAIRS}"),
    "c2st": Metric("each table: fresh expert, AUC", "lower", f"{_OWN}; {_TREES}", learns=True),
}
