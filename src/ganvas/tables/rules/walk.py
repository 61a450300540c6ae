"""What rows that are being drawn may still become: a place in each tree of combinations, and what is known of gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganvas.tables.rules.combinations import ALL_CASES, CASES, Group, Tree

if TYPE_CHECKING:
    from ganvas.tables.rules.limits import RuleLimits


class RuleWalk:
    """What the rows that are being drawn may still become."""

    def __init__(self, limits: RuleLimits, rows: Tensor, given: Tensor | None) -> None:
        self.limits = limits
        self.parts: dict[int, list[_Part]] = {}
        self.gaps: dict[int, list[tuple[_State, Tensor]]] = {}
        self.leaders: dict[int, list[tuple[_State, Tensor]]] = {}
        for number, group in enumerate(limits.groups):
            for part in _parts(limits, number, group, rows, given):
                for place in group.places:
                    self.parts.setdefault(place, []).append(part)
        self.states: list[_State] = []
        for gaps in limits.gaps:
            unknown = torch.full((len(rows),), gaps.state, dtype=torch.int64, device=rows.device)
            state = _State(unknown, len(self.states))
            self.states.append(state)
            for place, says in gaps.members:
                says = says.to(rows.device)
                self.gaps.setdefault(place, []).append((state, says))
                if given is not None:
                    state.learn(torch.where(given[:, place], says[rows[:, place]].long(), -1))
            if gaps.leader is not None:
                place, says = gaps.leader[0], gaps.leader[1].to(rows.device)
                self.leaders.setdefault(place, []).append((state, says))
                if given is not None:
                    state.learn(torch.where(given[:, place] & says[rows[:, place]], 1, -1))
        self.linked = list({id(p): p for parts in self.parts.values() for p in parts if p.shared}.values())
        self._follow({*range(len(self.states))})

    def allowed(self, place: int, size: int) -> Tensor | None:
        """Which values the token at a place may have, bool [B, size]; None: all."""
        if place not in self.limits.places:
            return None
        mask = None
        for part in self.parts.get(place, []):
            level = part.level(place)
            if level is None:
                continue
            found = part.tree.allowed(level, part.node, size)
            if part.shared:
                found = _narrowed(found, part.tree.allowed(level, part.node, size, self._cases(part)))
            if part.rows is None:
                mask = found
            else:
                mask = torch.ones(part.count, size, dtype=torch.bool, device=found.device) if mask is None else mask
                mask[part.rows] = found
        for state, says in self.gaps.get(place, []):
            known = state.value[:, None]
            mask = _narrowed(mask, (known < 0) | (known == says.long()[None]))
        for state, says in self.leaders.get(place, []):
            mask = _narrowed(mask, (state.value != 0)[:, None] | ~says[None])
        return mask

    def drawn(self, place: int, tokens: Tensor) -> None:
        """Take note of the tokens int64 [B] that were drawn (or given) at a place."""
        if place not in self.limits.places:
            return
        touched: set[int] = set()
        for part in self.parts.get(place, []):
            level = part.level(place)
            if level is not None:
                part.node = part.tree.follow(level, part.node, tokens if part.rows is None else tokens[part.rows])
                part.at = level + 1
                touched |= {*part.shared}
        for state, says in self.gaps.get(place, []):
            state.learn(says[tokens].long())
            touched.add(state.number)
        for state, says in self.leaders.get(place, []):
            state.learn(torch.where(says[tokens], 1, -1))
            touched.add(state.number)
        self._follow(touched)

    def _cases(self, part: _Part) -> Tensor:
        """The cases that what is known of the gaps leaves to each row of a part, int64 bits [rows]."""
        left = torch.full_like(part.node, ALL_CASES)
        for i, gap in enumerate(part.shared):
            state = self.states[gap].value if part.rows is None else self.states[gap].value[part.rows]
            left = left & torch.where(state < 0, ALL_CASES, torch.where(state > 0, *CASES[::-1, i].tolist()))
        return left

    def _follow(self, touched: set[int]) -> None:
        """What follows for gaps: where all combinations that a tree still has say the same, it is so."""
        for part in self.linked:
            if not touched & {*part.shared}:
                continue
            touched |= {*part.shared}
            inside = part.node >= 0
            left = self._cases(part) & part.tree.cases[part.at].to(part.node.device)[part.node.clamp_min(0)]
            for i, gap in enumerate(part.shared):
                filled, missing = ((left & cases) != 0 for cases in CASES[:, i].tolist())
                says = torch.where(inside & (filled != missing), missing.long(), -1)
                if part.rows is not None:
                    says = torch.full_like(self.states[gap].value, -1).index_copy(0, part.rows, says)
                self.states[gap].learn(says)


def _narrowed(mask: Tensor | None, fits: Tensor) -> Tensor:
    """Both, bool [B, size]; the first alone in rows where they leave nothing."""
    if mask is None:
        return fits
    both = mask & fits
    return torch.where(both.any(1, keepdim=True), both, mask)


class _State:
    """Of each row, whether columns are missing: 0, 1, or -1: not known yet."""

    def __init__(self, value: Tensor, number: int) -> None:
        self.value, self.number = value, number

    def learn(self, value: Tensor) -> None:
        self.value = torch.where(self.value < 0, value, self.value)


class _Part:
    """Rows in which the same tokens of a group are given: these come first in its tree."""

    def __init__(
        self, tree: Tree, places: list[int], given: int, node: Tensor, rows: Tensor | None, count: int,
        shared: list[int],
    ) -> None:  # fmt: skip
        self.tree, self.node, self.rows, self.count, self.shared = tree, node, rows, count, shared
        self.at = given  # tokens that are known
        self.levels = {place: level for level, place in enumerate(places) if level >= given}

    def level(self, place: int) -> int | None:
        return self.levels.get(place)


def _parts(limits: RuleLimits, number: int, group: Group, rows: Tensor, given: Tensor | None) -> list[_Part]:
    count, width = len(rows), len(group.places)
    if given is None:
        node = torch.zeros(count, dtype=torch.int64, device=rows.device)
        tree = limits.tree(number, tuple(range(width)))
        return [_Part(tree, list(group.places), 0, node, None, count, limits.shared[number])]
    known = given[:, list(group.places)]
    patterns, which = torch.unique(known, dim=0, return_inverse=True)
    parts = []
    for i, pattern in enumerate(patterns.tolist()):
        order = (*(j for j in range(width) if pattern[j]), *(j for j in range(width) if not pattern[j]))
        tree, places = limits.tree(number, order), [group.places[j] for j in order]
        chosen = None if len(patterns) == 1 else (which == i).nonzero()[:, 0]
        mine = rows if chosen is None else rows[chosen]
        node = torch.zeros(len(mine), dtype=torch.int64, device=rows.device)
        for level in range(sum(pattern)):
            node = tree.follow(level, node, mine[:, places[level]])
        parts.append(_Part(tree, places, sum(pattern), node, chosen, count, limits.shared[number]))
    return parts
