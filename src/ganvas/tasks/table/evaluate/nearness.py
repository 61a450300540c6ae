"""Distances between rows of mixed columns, and what they say: precision and recall, and privacy.

The distance is Euclidean: a number counts by its rank among the training rows, 0 to 1, and two different values of a
category, or a value and a missing one, are 1 apart (as in Gower 1971, but squared and with ranks). Two values of a
category with more than FEW values are nearly 1 apart: each is a random direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.metrics import neighbours
from ganvas.metrics.neighbours import Neighbourhood
from ganvas.tasks.table.evaluate.values import Values, ranks

FEW = 32  # values of a category with a place of its own each
DIRECTIONS = 32  # numbers of a random direction
PORTION = 500  # rows at a time
SAME = 1e-5  # distances that differ by less are equal


@dataclass(frozen=True)
class Space:
    """Turns rows into vectors; `among`: training rows, which say what a number's rank is."""

    among: Values
    sizes: list[int]  # of `Coder.sizes`

    def __call__(self, rows: Values) -> Tensor:
        """Rows -> float32 [N, D]."""
        parts = []
        for j, size in enumerate(self.sizes):
            x = rows.numbers[:, j]
            missing = np.isnan(x)
            if self.among.columns[j].kind != "category":
                parts += [np.nan_to_num(ranks(x, self.among.numbers[:, j]), nan=0.5)[:, None], missing[:, None]]
                continue
            # the row `size` represents missing values; values that came in after the sizes were taken are alike
            code = np.where(missing, size, np.minimum(np.nan_to_num(x), size - 1)).astype(np.int64)
            parts.append(_places(size + 1, j)[code])
        return torch.from_numpy(np.concatenate(parts, 1).astype(np.float32))


def _places(count: int, column: int) -> np.ndarray:
    """A vector for each value of a category, float32 [count, D], at squared distances of 1, or about that."""
    if count <= FEW + 1:
        return np.eye(count, dtype=np.float32) * 0.5**0.5
    vectors = np.random.default_rng(column).standard_normal((count, DIRECTIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * 0.5**0.5).astype(np.float32)


def neighbourhood(real: Tensor, other: Tensor) -> Neighbourhood:
    """Precision, recall, density and coverage of as many rows [N, D] of both."""
    return neighbours.neighbourhood(real, other, neighbours.radii(real), neighbours.radii(other)[0])


def distance(rows: Tensor, among: Tensor) -> np.ndarray:
    """Distance of each row to the nearest one of `among`, float [N]."""
    return neighbours.nearest(rows, among)[0].numpy()


def nearer(rows: Tensor, training: Tensor, held_out: Tensor) -> float:
    """Share of the rows that are nearer to a training row than to a held-out one of as many; ties count half."""
    apart = distance(rows, training) - distance(rows, held_out)
    return float(np.mean(np.where(np.abs(apart) < SAME, 0.5, apart < 0)))


def ratio(rows: Tensor, training: Tensor) -> float:
    """Mean of the distance to the nearest over that to the second nearest training row: near 1 for rows of no one."""
    found = []
    for part in rows.split(PORTION):
        index = neighbours.squared(part, training).topk(2, largest=False).indices
        two = (part[:, None] - training[index]).square().sum(2).sqrt().sort(1).values  # anew: the product blurs them
        found.append(torch.where(two[:, 1] < SAME, 1.0, two[:, 0] / two[:, 1].clamp_min(SAME)))
    return float(torch.cat(found).mean())


def advantage(members: np.ndarray, others: np.ndarray, seed: int) -> float:
    """What an attacker gains who takes rows with a high score for training rows.

    The threshold is chosen on half of the rows and used on the other half, in turn, so that chance gives 0.

    Args:
        members, others: scores of training rows and of as many others.

    Returns:
        The share of the training rows that are taken for such less that of the others: -1 to 1, 0 is guessing.
        Source: Yeom et al. 2018.
    """
    random = np.random.default_rng(seed)
    halves = [random.permutation(len(side)) % 2 for side in (members, others)]
    gains = []
    for half in (0, 1):
        a, b = (np.sort(side[h == half]) for side, h in zip((members, others), halves, strict=True))
        marks = np.union1d(a, b)
        gain = np.searchsorted(b, marks, "left") / len(b) - np.searchsorted(a, marks, "left") / len(a)
        mark = marks[gain.argmax()]
        a, b = (side[h != half] for side, h in zip((members, others), halves, strict=True))
        gains.append(float((a >= mark).mean() - (b >= mark).mean()))
    return float(np.mean(gains))
