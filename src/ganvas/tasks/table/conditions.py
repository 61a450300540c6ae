"""Rows that meet conditions, drawn so by construction: the columns with conditions first, all others given them.

With a_1, ..., a_k the columns with conditions and b all others, a row is to come from p(a, b | conditions)
= p(a | conditions) p(b | a). The generator draws from p(b | a) as fast as without conditions, as it takes any columns
as given. What remains is p(a | conditions):

- conditions that leave one cell of each column leave nothing to draw;
- one column that may still have several values: its share in the training data, limited to them, which is exact;
- otherwise it is estimated once from POOL rows: they are drawn given the columns with one value, each other column with
  a condition limited to its values at its turn, and weighted by the probability that the generator gave those
  (importance sampling, exact as POOL grows: Liu and Chen 1998); rows then get their a from this pool.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.tables.limits import Both, Walk
from ganvas.tables.narrow import Narrowed
from ganvas.tables.rules import drawing
from ganvas.tables.rules.conditions import condition
from ganvas.tables.rules.drawing import Condition
from ganvas.tables.rules.limits import RuleLimits
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec
from ganvas.tables.term_values import typed
from ganvas.tables.terms import Term, parse
from ganvas.tables.where import Allowed, allowed

if TYPE_CHECKING:
    import pandas as pd

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
        terms = parse(where)
        self.rules = self._by_rules(terms)
        self.each = allowed(spec, [t for t in terms if t.column not in self.ruled])
        rows, self.given = self._fixed()
        self.changed = self._changed()
        open_ones = [c for c in self.each if not c.is_one]
        chosen = {p for c in self.each for p in range(*self._span(c))} | self.changed
        self.given[[place for c in self.each if c.is_one for place in range(*self._span(c))]] = True
        self.places = sorted(chosen | set(self.given.nonzero()[:, 0].tolist()))
        limited = set() if generator.limits is None else generator.limits.places
        alone = self.rules is None and len(self.each) == 1 and len(self.each[0].parts) == 1
        if alone and not limited & {*self.places}:
            self.pool, self.weights = self._alone(self.each[0])
        elif not open_ones and chosen <= set(self.given.nonzero()[:, 0].tolist()):
            self.pool, self.weights = rows[None, self.places], torch.ones(1, dtype=torch.float64)
        else:
            self.pool, self.weights = self._estimated(rows, open_ones, seed)
        self.given[self.places] = True
        self.weights = self.weights * self._occur()
        if not float(self.weights.sum()) > 0:
            texts = " and ".join(map(str, terms))
            raise UserError(f"No row meets {texts} together: each occurs, but not with the others.")
        self.sums = self.weights.cumsum(0)

    def _by_rules(self, terms: Sequence[Term]) -> Condition | None:
        """What the table's rules make of the conditions on columns that they speak of; None: there are none.

        `self.ruled`: the columns whose conditions these are.
        """
        self.ruled: set[str] = set()
        rules = self.spec.rules
        spoken = {name for rule in rules for name in rule.columns}
        if not spoken & {term.column for term in terms}:
            return None
        lookups = {name for rule in rules if isinstance(rule, Together) for name in rule.targets}
        names = [term.column for term in terms]
        values, several = {}, {}
        for term in terms:
            column = self.spec.column(term.column)
            if term.sign != "=" or names.count(term.column) > 1 or term.column not in spoken:
                continue
            each = [typed(column, value) for value in term.values]
            if len(each) == 1:
                values[term.column] = each[0]
            elif term.column in lookups:
                several[term.column] = each
        self.ruled = {*values, *several}
        held = {*names} - self.ruled
        return condition(self.spec, self.generator.limits, values, several, held)

    @property
    def limits(self) -> RuleLimits | None:
        """What the table's rules allow, less where conditions limit what others follow from."""
        return self.generator.limits if self.rules is None else self.rules.limits

    def _fixed(self) -> tuple[Tensor, Tensor]:
        """The tokens that are given in all rows, int64 [tokens], and which the rules give, bool [tokens]."""
        count = len(self.spec.sizes)
        rows, given = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.bool)
        if self.rules is not None:
            rows, given = self.rules.rows.clone(), self.rules.given.clone()
        for c in self.each:
            if c.is_one:
                rows[list(range(*self._span(c)))] = self._tokens([c])[0]
        return rows, given

    def _changed(self) -> set[int]:
        """The places of tokens that conditions limit by way of rules."""
        base = self.generator.limits
        if self.rules is None:
            return set()
        groups, gaps = (base.groups, base.gaps) if base is not None else ((), ())
        new = [g for g in self.rules.limits.groups if not any(g is old for old in groups)]
        more = [g for g in self.rules.limits.gaps if not any(g is old for old in gaps)]
        return {p for g in new for p in g.places} | {p for g in more for p, _ in g.members}

    def _occur(self) -> Tensor:
        """Which rows of the pool can be, by the combinations that occur, float64 [rows]."""
        good = torch.ones(len(self.pool), dtype=torch.float64)
        if self.limits is None:
            return good
        rows = torch.zeros(len(self.pool), len(self.spec.sizes), dtype=torch.int64)
        rows[:, self.places] = self.pool
        walk = self.limits.start(rows, self.given.expand(rows.shape))
        for part in {id(p): p for parts in walk.parts.values() for p in parts}.values():
            good[part.rows if part.rows is not None else slice(None)] *= (part.node >= 0).double()
        return good

    def draw(self, noise: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens int64 [B, tokens] of rows that meet the conditions, and where in their cells the values are.

        Args:
            noise, numbers: uniform, float [B, tokens] and [B, conditions + 1].
        """
        rows, given, where_in = self.of(numbers)
        rows, given = rows.to(self.device), given.to(self.device)
        if self.rules is None:
            tokens, place = self.generator.draw(noise, rows, given, self.rare, self.limits)
        else:
            draw = functools.partial(self.generator.draw, rare=self.rare)
            tokens, place = drawing.tokens_of(draw, self.spec, noise, self.rules, rows, given)
        mine = torch.zeros(len(self.spec.sizes), dtype=torch.bool)
        mine[[p for c in self.each for p in range(*self._span(c))]] = True
        return tokens, torch.where(mine, where_in, place.cpu())

    def decode(self, tokens: Tensor, place: Tensor) -> dict[str, pd.Series]:
        """The columns of drawn rows."""
        if self.rules is None:
            return self.spec.decode(tokens, place)
        return drawing.decoded(self.spec, self.rules, tokens, place)

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
        for number, one in enumerate(self.each, 1):
            end = self._span(one)[0]
            for cells, part in zip(one.column.parts, one.parts, strict=True):
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

    def _estimated(self, fixed: Tensor, open_ones: list[Allowed], seed: int) -> tuple[Tensor, Tensor]:
        """Tokens of the columns with conditions in POOL rows, and the rows' weights."""
        narrow = Narrowed(self.spec, open_ones)
        limits = narrow if self.limits is None else Both([self.limits, narrow])
        pool, weights = [], []
        for start in range(0, POOL, PORTION):
            noise = torch.rand(PORTION, len(fixed), generator=seeds.generator(seed, "conditions", start))
            rows, given = (x.expand(PORTION, -1).to(self.device) for x in (fixed, self.given))
            known = {*self.given.nonzero()[:, 0].tolist()}
            logits = dict.fromkeys(({*narrow.masks} | self.changed) - known, torch.zeros(0))
            drawn, _ = self.generator.draw(noise.to(self.device), rows, given, self.rare, limits, logits)
            pool.append(drawn[:, self.places].cpu())
            weights.append(self._weights(drawn, given, logits, narrow, open_ones).cpu())
        return torch.cat(pool), torch.cat(weights)

    def _weights(
        self, drawn: Tensor, given: Tensor, logits: dict[int, Tensor], narrow: Narrowed, open_ones: list[Allowed]
    ) -> Tensor:
        """The probability of what the conditions allow among what the rules do, in each of these rows, float64 [B].

        Args:
            logits: of the tokens that conditions limit, by their places.
        """
        weight = torch.zeros(len(drawn), dtype=torch.float64, device=drawn.device)
        before = [x.start(drawn, given) for x in (self.generator.limits,) if x is not None]
        after: list[Walk] = [x.start(drawn, given) for x in (self.limits, narrow) if x is not None]
        for place in range(drawn.shape[1]):
            if place in logits:
                values = logits[place].double()
                if not self.rare and self.generator.rare[place] is not None:
                    values[:, self.generator.rare[place]] = -torch.inf
                values = _within(values, before, place)
                weight += _within(values, after, place).logsumexp(1) - values.logsumexp(1)
            for walk in (*before, *after):
                walk.drawn(place, drawn[:, place])
        share = torch.ones_like(weight)
        for one in open_ones:
            end = self._span(one)[0]
            for cells, part in zip(one.column.parts, one.parts, strict=True):
                start, end = end, end + len(cells.sizes)
                found = cells.cells(drawn[:, start:end].to(torch.uint8).cpu().numpy())
                share *= torch.from_numpy(part.share[found]).to(share.device)
        return weight.exp().nan_to_num(0.0) * share


def _within(values: Tensor, walks: Iterable[Walk], place: int) -> Tensor:
    """The logits [B, size] of a token, where each of these allows it."""
    for walk in walks:
        may = walk.allowed(place, values.shape[1])
        if may is not None:
            values = values.masked_fill(~may.to(values.device), -torch.inf)
    return values
