"""Rows that meet conditions, drawn so by construction: the columns with conditions first, all others given them.

With a_1, ..., a_k the columns with conditions and b all others, a row is to come from p(a, b | conditions)
= p(a | conditions) p(b | a). The generator draws from p(b | a) as fast as without conditions, as it takes any columns
as given. What remains is p(a | conditions):

- conditions that leave one cell of each column leave nothing to draw;
- one column that may still have several values: its share in the training data, limited to them, which is exact;
- otherwise it is estimated once from POOL rows: they are drawn given the columns with one value, each other column with
  a condition limited to its values at its turn, and weighted by the probability that the generator gave those
  (importance sampling, exact as POOL grows: Liu and Chen 1998); rows then take their a from this pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.tables.narrow import Limits, Narrowed
from ganvas.tables.spec import TableSpec
from ganvas.tables.where import Allowed, allowed

if TYPE_CHECKING:
    from ganvas.tasks.table.network import Generator

POOL = 8_192  # rows of the estimate
PORTION = 4_096  # of them at a time


class Conditions:
    """What is given in rows that meet conditions."""

    def __init__(
        self, spec: TableSpec, generator: Generator, where: str | Mapping[str, Any], seed: int, rare: bool
    ) -> None:
        """
        Args:
            where: see `tables.where.parse`.
            rare: whether values may be drawn that few rows have.

        Raises:
            UserError: conditions that cannot be met.
        """
        self.spec, self.generator, self.rare = spec, generator, rare
        self.device = next(generator.parameters()).device
        self.each = allowed(spec, where)
        self.places = [place for c in self.each for place in range(*self._span(c))]
        self.given = torch.zeros(len(spec.sizes), dtype=torch.bool)
        self.given[self.places] = True
        open_ones = [c for c in self.each if not c.is_one]
        if len(open_ones) < 2 and len(self.each) == 1 and len(self.each[0].parts) == 1:
            self.pool, self.weights = self._alone(self.each[0])
        elif not open_ones:
            self.pool, self.weights = self._tokens(self.each), torch.ones(1, dtype=torch.float64)
        else:
            self.pool, self.weights = self._estimated(open_ones, seed)
        if not float(self.weights.sum()) > 0:
            texts = " and ".join(c.text for c in self.each)
            raise UserError(f"No row meets {texts} together: each occurs, but not with the others.")
        self.sums = self.weights.cumsum(0)

    def _span(self, condition: Allowed) -> tuple[int, int]:
        place = self.spec.places[condition.column.name]
        return place.start, place.stop

    def of(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is given: tokens int64 [B, tokens], which bool [B, tokens], and where in their cells, float [B, tokens].

        Args:
            numbers: uniform, float [B, conditions + 1].
        """
        pick = torch.searchsorted(self.sums, numbers[:, 0].double() * self.sums[-1], right=True).clamp_max(
            len(self.sums) - 1
        )
        chosen = self.pool[pick]  # [B, places]
        rows = torch.zeros(len(numbers), len(self.spec.sizes), dtype=torch.int64)
        rows[:, self.places] = chosen
        place = torch.zeros(rows.shape)
        for number, condition in enumerate(self.each, 1):
            end = self._span(condition)[0]
            for cells, part in zip(condition.column.parts, condition.parts, strict=True):
                start, end = end, end + len(cells.sizes)
                found = cells.cells(rows[:, start:end].to(torch.uint8).numpy())
                low, high = (torch.from_numpy(x[found]).float() for x in (part.start, part.end))
                place[:, end - 1] = (low + numbers[:, number] * (high - low)).clamp(0, 1 - 1e-6)
        return rows, self.given.expand(rows.shape), place

    def _alone(self, condition: Allowed) -> tuple[Tensor, Tensor]:
        """Every cell that is left of a column, and how many training rows it has."""
        (cells,), (part,) = condition.column.parts, condition.parts
        counts = [
            *cells.counts,
            *({"rare": cells.rare * self.rare, "missing": cells.missing}[s] for s in cells.specials),
        ]
        weights = np.array(counts, np.float64) * part.share
        left = np.flatnonzero(weights)
        return torch.from_numpy(cells.tokens(left).astype(np.int64)), torch.from_numpy(weights[left])

    def _tokens(self, conditions: Sequence[Allowed]) -> Tensor:
        """The tokens of columns of which one cell is left, int64 [1, tokens]."""
        parts = [
            cells.tokens(np.flatnonzero(part.share))
            for c in conditions
            for cells, part in zip(c.column.parts, c.parts, strict=True)
        ]
        return torch.from_numpy(np.concatenate(parts, 1).astype(np.int64))

    def _estimated(self, open_ones: list[Allowed], seed: int) -> tuple[Tensor, Tensor]:
        """Tokens of the columns with conditions in POOL rows, and the rows' weights."""
        fixed = [c for c in self.each if c.is_one]
        given = torch.zeros(len(self.spec.sizes), dtype=torch.bool)
        rows = torch.zeros(1, len(given), dtype=torch.int64)
        known = [place for c in fixed for place in range(*self._span(c))]
        if fixed:
            given[known] = True
            rows[:, known] = self._tokens(fixed)
        rules: Limits | None = getattr(self.generator, "limits", None)
        limits = Narrowed(self.spec, open_ones, None if self.rare else rules)
        pool, weights = [], []
        for start in range(0, POOL, PORTION):
            noise = torch.rand(PORTION, len(given), generator=seeds.generator(seed, "conditions", start)).to(
                self.device
            )
            same = rows.expand(PORTION, -1).to(self.device), given.expand(PORTION, -1).to(self.device)
            drawn, _ = self.generator.draw(noise, *same, rare=self.rare, limits=limits)
            pool.append(drawn[:, self.places].cpu())
            weights.append(self._weights(drawn, same[1], limits, open_ones).cpu())
        return torch.cat(pool), torch.cat(weights)

    def _weights(self, drawn: Tensor, given: Tensor, limits: Narrowed, open_ones: list[Allowed]) -> Tensor:
        """The probability of what the conditions allow, in each of these rows, float64 [B]."""
        logits = self.generator(drawn, given)
        walk, weight = limits.start(drawn, given), torch.zeros(len(drawn), dtype=torch.float64, device=drawn.device)
        for place, each in enumerate(logits):
            condition = walk.condition(place)
            if condition is not None:
                values = each.double()
                if not self.rare and self.generator.rare[place] is not None:
                    values[:, self.generator.rare[place]] = -torch.inf
                rules = None if walk.rules is None else walk.rules.allowed(place, values.shape[1])
                if rules is not None:
                    values = values.masked_fill(~rules, -torch.inf)
                inside = values.masked_fill(~condition.to(values.device), -torch.inf)
                weight += inside.logsumexp(1) - values.logsumexp(1)
            walk.drawn(place, drawn[:, place])
        share = torch.ones_like(weight)
        for condition in open_ones:
            end = self._span(condition)[0]
            for cells, part in zip(condition.column.parts, condition.parts, strict=True):
                start, end = end, end + len(cells.sizes)
                found = cells.cells(drawn[:, start:end].to(torch.uint8).cpu().numpy())
                share *= torch.from_numpy(part.share[found]).to(share.device)
        return weight.exp().nan_to_num(0.0) * share
