"""How odd a row is, and each of its cells: the generator's probabilities, against those of held-out rows.

A cell's score is s - r / 2, with s = -log p(value | all other columns) and r = -log of the value's share in the
training data: the mean of its surprise and of what is left of it once values that are rare in any row do not count.
Scores are compared with those of held-out rows, on which the networks did not train (they only said which of the
previews' weights are kept): the share of them that score as high is a p-value, however scores are distributed
(conformal prediction: Vovk et al. 2005). A row is judged by its oddest cell and by the sum of its scores, each compared
in turn with held-out rows'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as f

from ganvas.core.errors import UserError
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.network import TOKENS, Generator

MOST = 12_000  # held-out rows that are used at most
LEAST = 40  # that are needed
KEPT = 64  # largest scores that are stored one by one; below them every tenth of their number
TAIL = 0.05  # share of the scores whose mean excess says how odd a still larger one is
CANNOT = 50.0  # the oddity of a cell that no row can have


@dataclass(frozen=True, eq=False)
class Scale:
    """Which scores are usual: some of `count` held-out rows' scores, ascending, and how many rows have as high a one.

    `tail`: the mean by which scores in the upper tail exceed its start.
    """

    count: int
    values: np.ndarray
    ranks: np.ndarray
    tail: float

    @classmethod
    def of(cls, scores: np.ndarray) -> Scale:
        """The scale of held-out rows' scores, float [N]."""
        known = np.sort(scores.astype(np.float64))
        values, first = np.unique(known, return_index=True)
        ranks = len(known) - first
        steps = np.unique([*range(1, KEPT + 1), *(KEPT * 1.1 ** np.arange(1, 400)).astype(np.int64), len(known)])
        chosen = np.unique(np.searchsorted(-ranks, -steps[steps <= len(known)]).clip(0, len(ranks) - 1))
        start = known[min(len(known) - 1, int(len(known) * (1 - TAIL)))]
        above = known[known > start]
        tail = float((above - start).mean()) if len(above) else 1.0
        up = np.ceil(values[chosen] * 1e4) / 1e4  # rounded up, so that no p-value gets smaller
        return cls(len(known), up, ranks[chosen], max(round(tail, 4), 0.05))

    def p(self, scores: np.ndarray) -> np.ndarray:
        """At most this share of new rows scores as high, float [N]."""
        place = np.searchsorted(self.values, scores, side="right") - 1
        rank = np.where(place < 0, self.count, self.ranks[np.maximum(place, 0)])
        top = scores > self.values[-1]
        return (1 + np.where(top, 0, rank)) / (self.count + 1)

    def oddity(self, scores: np.ndarray) -> np.ndarray:
        """About -log p without its steps, and larger still beyond all held-out rows: for putting rows in order."""
        logs = -np.log((1 + self.ranks) / (self.count + 1))
        return np.interp(scores, self.values, logs) + np.maximum(scores - self.values[-1], 0) / self.tail

    def own(self, scores: np.ndarray) -> np.ndarray:
        """`oddity` of the rows that the scale was made of, as if each had not been among them."""
        order = np.sort(scores)
        rank = len(order) - np.searchsorted(order, scores, side="left")  # the row itself is among these
        beyond = np.where(scores == order[-1], order[-1] - order[-2], 0.0) if len(order) > 1 else 0.0
        return -np.log(rank / len(order)) + beyond / self.tail

    def to_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "values": [round(v, 4) for v in self.values.tolist()],
            "ranks": self.ranks.tolist(),
            "tail": self.tail,
        }

    @classmethod
    def from_dict(cls, entries: Any) -> Scale:
        """The scale of a JSON form.

        Raises:
            UserError: it is none.
        """
        try:
            count, tail = int(entries["count"]), float(entries["tail"])
            values, ranks = np.array(entries["values"], np.float64), np.array(entries["ranks"], np.int64)
            ascends = (np.diff(values) >= 0).all() and (np.diff(ranks) <= 0).all() and np.isfinite(values).all()
            fits = values.shape == ranks.shape == (len(values),) and 0 < ranks.min() <= ranks.max() <= count
            if not (ascends and fits and 0 < tail < math.inf):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError("its card does not say how odd rows usually are.") from error
        return cls(count, values, ranks, tail)


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual for each learned column's cells, for the oddest cell of a row, and for a row's sum of scores."""

    columns: tuple[Scale, ...]
    largest: Scale
    whole: Scale

    @classmethod
    def of(cls, scores: np.ndarray) -> Usual:
        """From the scores of held-out rows, float [N, columns]."""
        columns = tuple(map(Scale.of, scores.T))
        oddities = np.stack([scale.own(column) for scale, column in zip(columns, scores.T, strict=True)], 1)
        return cls(columns, Scale.of(oddities.max(1)), Scale.of(scores.sum(1)))

    def oddities(self, scores: np.ndarray) -> np.ndarray:
        """Of each cell, float [N, columns]."""
        return np.stack([scale.oddity(column) for scale, column in zip(self.columns, scores.T, strict=True)], 1)

    def judge(self, oddities: np.ndarray, scores: np.ndarray) -> Judged:
        """The verdicts on rows; both [N, columns]."""
        largest, whole = oddities.max(1), scores.sum(1)
        rank = np.maximum(self.largest.oddity(largest), self.whole.oddity(whole))
        return Judged(self.largest.p(largest), self.whole.p(whole), rank)

    def to_dict(self, names: list[str]) -> dict[str, Any]:
        scales = {name: scale.to_dict() for name, scale in zip(names, self.columns, strict=True)}
        return {"columns": scales, "largest": self.largest.to_dict(), "whole": self.whole.to_dict()}

    @classmethod
    def from_dict(cls, entries: Any, names: list[str]) -> Usual:
        """What a model's card says of its columns.

        Raises:
            UserError: it says nothing, or something else.
        """
        scales = entries.get("columns") if isinstance(entries, dict) else None
        if not isinstance(scales, dict) or list(scales) != names:
            raise UserError("its card does not say how odd the cells of its columns usually are.")
        columns = tuple(map(Scale.from_dict, scales.values()))
        return cls(columns, Scale.from_dict(entries.get("largest")), Scale.from_dict(entries.get("whole")))


@dataclass(frozen=True, eq=False)
class Judged:
    """Of each row: the p-values of its oddest cell and of its sum of scores, and a number by which rows are ordered."""

    cell: np.ndarray
    whole: np.ndarray
    rank: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """Of both together: at most this share of new rows is as odd (Bonferroni)."""
        return np.minimum(1.0, 2 * np.minimum(self.cell, self.whole))

    def verdicts(self, alarm: float) -> np.ndarray:
        """'yes' (odd) where both together say so, 'not sure' where only one by itself would, else 'no'; [N] of text."""
        one = np.minimum(self.cell, self.whole) <= alarm
        return np.where(self.p <= alarm, "yes", np.where(one, "not sure", "no"))


def scores_of(generator: Generator, spec: TableSpec, rows: Tensor) -> np.ndarray:
    """The score of each cell, float64 [N, columns]; rows uint8 or int64 [N, tokens]."""
    device = next(generator.parameters()).device
    shares = [torch.from_numpy(p) for c in spec.learned for part in c.parts for p in part.priors()]
    parts = []
    for some in rows.split(max(1, TOKENS // len(spec.sizes))):
        tokens = some.long().to(device)
        with torch.inference_mode():
            logits = generator.logits_given_rest(tokens)
            each = [f.cross_entropy(x.float(), tokens[:, i], reduction="none").cpu() for i, x in enumerate(logits)]
        usual = [_share(shares[i], some.long(), i, generator) for i in range(len(each))]
        token = torch.stack(each, 1).double() - torch.stack(usual, 1).double() / 2
        parts.append(torch.stack([token[:, spec.places[c.name]].sum(1) for c in spec.learned], 1))
    return torch.cat(parts).numpy() if parts else np.zeros((0, len(spec.learned)))


def _share(logs: Tensor, rows: Tensor, i: int, generator: Generator) -> Tensor:
    """-log of the share of a token's value in the training data, given the tokens of its number before it, [N]."""
    logs = generator.at(i, rows, logs).expand(len(rows), -1)
    return -logs.gather(1, rows[:, i : i + 1])[:, 0].clamp_min(-50)


def auroc(fine: np.ndarray, odd: np.ndarray) -> float:
    """How often one of `odd` is larger than one of `fine`; a tie counts half (Mann and Whitney 1947)."""
    known = np.sort(fine)
    below = np.searchsorted(known, odd, side="left") + np.searchsorted(known, odd, side="right")
    return float(below.mean() / 2 / len(known))
