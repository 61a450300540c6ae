"""A generator that draws a row's columns one after the other, and a discriminator that sees whole rows.

The generator turns uniform noise into a row: each token is the quantile, at one of the noise's numbers, of a
distribution that a small network of its own computes from the tokens before it. Any columns may be given: the networks
learn to draw from what is before a token and from given tokens after it (orderless training: Uria et al. 2014,
Hoogeboom et al. 2022; the sums over what is known: MADE, Germain et al. 2015). So a condition costs no time, and
missing cells are filled in as new rows are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from ganvas.core.config import knob
from ganvas.tables.cells import NEVER
from ganvas.tables.limits import Limits
from ganvas.tables.rules.limits import RuleLimits
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.numbers import Numbers
from ganvas.tasks.table.sums import sums

AT_ONCE = 2_000  # rows that are drawn at once: what a layer works on stays in the processor's cache
TOKENS = 16_000  # whose probabilities are computed at once where nothing is learned: 8 MB a layer


@dataclass(frozen=True)
class Config:
    """Sizes of both networks."""

    width: int = knob(128, "units of the generator's network for each token", low=8, high=4096)
    dropout: float = knob(0.2, "share of these units that is left out in training", low=0, high=0.9)
    d_width: int = knob(256, "units of the discriminator's layers", low=8, high=4096)


class Generator(nn.Module):
    """Noise -> rows, all columns or those that are not given."""

    def __init__(self, spec: TableSpec, config: Config) -> None:
        super().__init__()
        sizes, width = spec.sizes, config.width
        self.sizes, self.dropout = sizes, config.dropout
        count = len(sizes)
        self.first = _first(spec)
        self.ends = [spec.places[c.name].stop for c in spec.learned for _ in c.sizes]  # of each token's column
        self.values = nn.Embedding(sum(sizes), width)
        nn.init.normal_(self.values.weight, std=0.3)
        self.numbers = Numbers(spec, width)
        self.given_values = nn.Embedding(sum(sizes), width)  # what a token says to those before it, where it is given
        nn.init.normal_(self.given_values.weight, std=0.3)
        self.given_numbers = Numbers(spec, width)
        self.given = nn.Parameter(torch.zeros(count, width))
        self.weight0 = nn.Parameter(torch.eye(width).repeat(count, 1, 1))  # each token hears it in its own way
        self.start = nn.Parameter(torch.zeros(count, width))
        self.weight1 = nn.Parameter(torch.randn(count, width, width) / width**0.5)
        self.bias1 = nn.Parameter(torch.zeros(count, width))
        self.weight2 = nn.Parameter(torch.randn(count, width, width) / width**0.5)
        self.bias2 = nn.Parameter(torch.zeros(count, width))
        self.heads = nn.ParameterList(nn.Parameter(torch.zeros(width, size)) for size in sizes)
        priors = [torch.from_numpy(p) for column in spec.learned for part in column.parts for p in part.priors()]
        self.priors = nn.ParameterList(nn.Parameter(p.clone()) for p in priors)
        self.depth = [level for c in spec.learned for part in c.parts for level in range(len(part.sizes))]
        self.spec = spec
        self.rare = [_rare(part, level) for c in spec.learned for part in c.parts for level in range(len(part.sizes))]

    @cached_property
    def limits(self) -> RuleLimits | None:
        """What the rules of the table allow; None: anything."""
        limits = RuleLimits.of(self.spec)
        return limits if limits.places else None

    def of(self, rows: Tensor) -> Tensor:
        """What each token says, [tokens, B, width]."""
        return self._said(rows, self.values, self.numbers)

    def of_given(self, rows: Tensor) -> Tensor:
        """What each token says to those before it where it is given, [tokens, B, width]."""
        return self._said(rows, self.given_values, self.given_numbers).add_(self.given[:, None])

    def _said(self, rows: Tensor, values: nn.Embedding, numbers: Numbers) -> Tensor:
        table = numbers.within(values.weight, self.first.tolist())
        return numbers.add(f.embedding((rows + self.first.to(rows.device)).T, table), rows)

    def known(self, rows: Tensor, given: Tensor) -> Tensor:
        """What each token's network knows about the others, [tokens, B, width].

        Args:
            rows: int64 [B, tokens].
            given: bool [B, tokens]: which tokens are given from the outset.
        """
        return self.told(sums(self.of(rows)), self.after(rows, given))

    def after(self, rows: Tensor, given: Tensor) -> Tensor:
        """The sum of what given tokens after each one say, [tokens, B, width]."""
        return sums(self.of_given(rows) * given.T[..., None], after=True)

    def told(self, before: Tensor, after: Tensor) -> Tensor:
        """What each token's network is told, [tokens, B, width], of sums of what tokens before and after it say."""
        return torch.baddbmm(before, after, self.weight0).add_(self.start[:, None])

    def say(self, i: int, rows: Tensor, given: Tensor) -> Tensor:
        """What the i-th token says to those before it where it is given, [B, width]."""
        said = self.given_values.weight[rows[:, i] + int(self.first[i])] + self.given[i]
        if i in self.numbers.last:
            said = said + self.given_numbers.part(self.numbers.last[i], rows)
        return said * given[:, i : i + 1]

    def forward(self, rows: Tensor, given: Tensor) -> list[Tensor]:
        """The logits [B, size] of each token, given those before it and the given ones; see `known`."""
        return self.logits(self.known(rows, given), rows)

    def logits(self, known: Tensor, rows: Tensor) -> list[Tensor]:
        """The logits [B, size] of each token, given what its network is told, [tokens, B, width]."""
        hidden = self.drop(f.silu(known))
        inner = self.drop(f.silu(torch.baddbmm(self.bias1[:, None], hidden, self.weight1)))
        hidden = hidden + f.silu(torch.baddbmm(self.bias2[:, None], inner, self.weight2))
        return [x @ head + self._prior(i, rows) for i, (x, head) in enumerate(zip(hidden, self.heads, strict=True))]

    def drop(self, x: Tensor) -> Tensor:
        """Dropout, in training: Srivastava et al. 2014. By one random byte a unit: a fifth of `f.dropout`'s time."""
        least = round(256 * self.dropout)
        if not self.training or not least:
            return x
        drawn = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        keep = drawn.view(torch.uint8)[: x.numel()].view(x.shape) >= least
        return x * keep.to(x.dtype).mul_(256 / (256 - least))

    def _prior(self, i: int, rows: Tensor) -> Tensor:
        """The bias of a token's logits, which for the later tokens of a column depends on its first ones."""
        prior = self.at(i, rows, self.priors[i])
        return prior.masked_fill(prior <= NEVER / 2, NEVER)  # what cannot be stays so: no gradient reaches it

    def at(self, i: int, rows: Tensor, table: Tensor) -> Tensor:
        """A token's row [B, size] of a table for each combination of the tokens before it in its cell; see `priors`.

        The first token of a cell has one row, [size], for all.
        """
        if not self.depth[i]:
            return table
        before = rows[:, i - 1] if self.depth[i] == 1 else rows[:, i - 2] * self.sizes[i - 1] + rows[:, i - 1]
        return f.embedding(before, table)

    def surprise(self, rows: Tensor, given: Tensor) -> Tensor:
        """-log of the probability of each token, given those before it and the given ones, [B, tokens]; given: 0."""
        if not torch.is_grad_enabled() and len(rows) > (at_once := max(1, TOKENS // len(self.sizes))):
            parts = zip(rows.split(at_once), given.split(at_once), strict=True)
            return torch.cat([self.surprise(*part) for part in parts])
        logits = self(rows, given)
        each = [f.cross_entropy(x.float(), rows[:, i], reduction="none") for i, x in enumerate(logits)]
        return torch.stack(each, 1).masked_fill(given, 0.0)

    def logits_given_rest(self, rows: Tensor) -> list[Tensor]:
        """The logits [B, size] of each token, given all other columns and the tokens before it in its own.

        They are those of `forward` with all columns but one given, for each column in turn, at the cost of one.
        """
        after = sums(self.of_given(rows), after=True)[[end - 1 for end in self.ends]]
        return self.logits(self.told(sums(self.of(rows)), after), rows)

    @torch.no_grad()
    def draw(
        self,
        noise: Tensor,
        rows: Tensor | None = None,
        given: Tensor | None = None,
        rare: bool = False,
        limits: Limits | None = None,
        logits_at: dict[int, Tensor] | None = None,
        until: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Rows, int64 [B, tokens], and where in the cell of each token their values are, float [B, tokens] in 0 to 1.

        A value that few rows have gives way to another once the row is whole, one that goes with all else. Were it left
        out at once, what goes with such values would be drawn too seldom.

        Args:
            noise: uniform in [0, 1), [B, tokens].
            rows, given: tokens that are given, and which; see `known`.
            rare: whether values and combinations may be drawn that few rows have.
            until: how many tokens are drawn; None: all.
            limits: what may be drawn; None: what the rules of the table allow, or anything with `rare`.
            logits_at: by the places that are asked for: is filled with their logits [B, size] without any limits.
                With it or `until`, rows are not complete, and values that few rows have are left out at once.
        """
        parts, of_rows = (
            [],
            logits_at is not None or limits not in (None, self.limits),
        )  # limits of others may be a row's
        limits = limits or (None if rare else self.limits)
        table = self.numbers.within(self.values.weight, self.first.tolist())
        at_once = max(1, len(noise)) if of_rows else AT_ONCE
        for start in range(0, max(1, len(noise)), at_once):
            c = slice(start, start + at_once)
            mine = (rows[c], given[c]) if rows is not None and given is not None else (None, None)
            whole = not rare and logits_at is None and until is None
            part = self._draw(table, noise[c], *mine, rare or whole, limits, logits_at, until)
            parts.append(self._common(table, *part, noise[c], mine[1], limits, of_rows) if whole else part)
        out, place = zip(*parts, strict=True)
        return torch.cat(out), torch.cat(place)

    def _common(
        self,
        table: Tensor,
        rows: Tensor,
        place: Tensor,
        noise: Tensor,
        given: Tensor | None,
        limits: Limits | None,
        of_rows: bool,
    ) -> tuple[Tensor, Tensor]:
        """Rows with other values in place of those that few rows have, drawn given all else, but for given ones.

        Args:
            of_rows: the limits are of these very rows: none of them may be left out.
        """
        again, left = torch.zeros_like(rows, dtype=torch.bool), noise.clone()
        for i, token in enumerate(self.rare):
            if token is not None:
                few = rows[:, i] == token if given is None else (rows[:, i] == token) & ~given[:, i]
                again[:, i : self.ends[i]] |= few[:, None]
                left[:, i] = torch.where(few, place[:, i], left[:, i])  # what is left of its noise, uniform again
        some = torch.arange(len(rows), device=rows.device) if of_rows else again.any(1).nonzero()[:, 0]
        if not again.any():
            return rows, place
        new, where = self._draw(table, left[some], rows[some], ~again[some], False, limits, None, None)
        there = again[some]
        rows, place = rows.clone(), place.clone()
        rows[some] = torch.where(there, new, rows[some])
        place[some] = torch.where(there, where, place[some])
        return rows, place

    def _draw(
        self,
        table: Tensor,
        noise: Tensor,
        rows: Tensor | None,
        given: Tensor | None,
        rare: bool,
        limits: Limits | None,
        logits_at: dict[int, Tensor] | None,
        until: int | None,
    ) -> tuple[Tensor, Tensor]:
        """As `draw`; table: what each value of each token says, [values, width]."""
        out = torch.zeros(len(noise), len(self.sizes), dtype=torch.int64, device=noise.device)
        place = torch.zeros_like(noise)
        known = noise.new_zeros(len(noise), self.values.embedding_dim)
        ahead, after = {}, torch.zeros_like(known)
        if rows is not None and given is not None:
            out = torch.where(given, rows, out)
            ahead = {i: self.say(i, out, given) for i in given.any(0).nonzero()[:, 0].tolist()}
            after = after + sum(ahead.values())
        walk = None if limits is None else limits.start(out, given)
        for i, size in enumerate(self.sizes[:until]):
            if i in ahead:
                after = after - ahead.pop(i)
            if given is None or not bool(given[:, i].all()):
                heard = torch.addmm(self.start[i], after, self.weight0[i]) if ahead else self.start[i]
                logits = self._logits_of(i, known + heard, out)
                if logits_at is not None and i in logits_at:
                    logits_at[i] = logits.clone()
                if self.rare[i] is not None and not rare:
                    logits[:, self.rare[i]] = NEVER
                allowed = walk.allowed(i, size) if walk else None
                token, place[:, i] = quantile(logits, noise[:, i : i + 1], allowed)
                out[:, i] = token if given is None else torch.where(given[:, i], out[:, i], token)
            if walk:
                walk.drawn(i, out[:, i])
            known += f.embedding(out[:, i] + int(self.first[i]), table)
            if i in self.numbers.several:
                known += self.numbers.part(self.numbers.several[i], out)
        return out, place

    def _logits_of(self, i: int, told: Tensor, rows: Tensor) -> Tensor:
        """The logits [B, size] of the i-th token, given what its network is told, [B, width]; see `logits`."""
        hidden = f.silu(told, inplace=True)
        inner = f.silu(torch.addmm(self.bias1[i], hidden, self.weight1[i]), inplace=True)
        hidden += f.silu(torch.addmm(self.bias2[i], inner, self.weight2[i]), inplace=True)
        return (hidden @ self.heads[i]).float().add_(self._prior(i, rows))


def quantile(logits: Tensor, noise: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Tokens, int64 [B], and where between its neighbours each is, float [B] in 0 to 1.

    Args:
        logits: float [B, size].
        noise: uniform in [0, 1), [B, 1].
        allowed: which tokens may be, bool [B or 1, size]; None: all.
    """
    if allowed is not None:
        allowed = allowed.to(logits.device)  # what cells say of each other is on the CPU
        logits = logits.masked_fill(~allowed, -torch.inf)
    shares = logits.softmax(1).cumsum(1)
    mark = noise * shares[:, -1:]
    token = torch.searchsorted(shares, mark, right=True).clamp_max_(logits.shape[1] - 1)
    if allowed is not None:  # the last sum may be rounded to a number below the mark
        inside = allowed.expand(logits.shape).gather(1, token)
        token = torch.where(inside, token, logits.argmax(1, keepdim=True))
    below = torch.where(token > 0, shares.gather(1, (token - 1).clamp_min(0)), 0.0)
    within = (mark - below) / (shares.gather(1, token) - below).clamp_min(1e-9)
    return token[:, 0], within[:, 0].clamp(0, 1 - 1e-6)


def _first(spec: TableSpec) -> Tensor:
    """The number of each token's first value among the values of all tokens, int64 [tokens]; no buffer: it is known."""
    return torch.from_numpy(np.cumsum([0, *spec.sizes[:-1]]))


def _rare(part: object, level: int) -> int | None:
    """The first token of values that few rows have; None where there are none or for later tokens."""
    from ganvas.tables.cells import Cells

    assert isinstance(part, Cells)
    if level or "rare" not in part.specials:
        return None
    return part.token_of("rare")


class Discriminator(nn.Module):
    """Rows int64 [B, tokens] -> logits [B] that they are real."""

    def __init__(self, spec: TableSpec, config: Config) -> None:
        super().__init__()
        self.first = _first(spec)
        self.values = nn.EmbeddingBag(sum(spec.sizes), config.d_width, mode="sum")
        nn.init.normal_(self.values.weight, std=0.3)
        self.bias = nn.Parameter(torch.zeros(config.d_width))
        self.numbers = Numbers(spec, config.d_width)
        width = config.d_width
        self.layers = nn.Sequential(
            nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, rows: Tensor) -> Tensor:
        said = self.values(rows + self.first.to(rows.device)) + self.bias
        for i in range(len(self.numbers.parts)):
            said = said + self.numbers.part(i, rows)
        return self.layers(said)[:, 0]
