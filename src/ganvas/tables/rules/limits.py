"""What a token may be, given those drawn or given before: combinations that occur, and cells that are missing together.

The generator asks for each token and takes no other, so a rule of these kinds needs no second try.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.tables.columns import Column
from ganvas.tables.rules.together import Missing, Together
from ganvas.tables.spec import TableSpec

MOST_SHARED = 5  # gaps that a group shares: a bit for each of their 32 cases
ALL_CASES = 2**2**MOST_SHARED - 1
CASES = np.array(  # those in which gap i is filled [0, i], or missing [1, i]
    [[sum(1 << c for c in range(2**MOST_SHARED) if c >> i & 1 == gone) for i in range(MOST_SHARED)] for gone in (0, 1)],
    np.int64,
)


class Tree:
    """Combinations of tokens as a tree: a level a token, a node for each beginning that occurs."""

    def __init__(self, tokens: np.ndarray, cases: np.ndarray | None = None) -> None:
        """
        Args:
            tokens: uint8 [combinations, tokens], in the order in which they are drawn.
            cases: int64 [combinations]: a bit for each case in which the combination may be; None: always.
        """
        rows, first = np.unique(tokens, axis=0, return_index=True)
        rows = rows.astype(np.int64)
        found = None if cases is None else cases[first]
        node = np.zeros(len(rows), np.int64)
        self.cases: list[Tensor] = []  # of each node of a level, the cases of all combinations below it
        self.keys: list[Tensor] = []  # node * 256 + token of each node of the next level, ascending
        self.starts: list[Tensor] = []  # of each node, its first child
        nodes = 1
        for level in range(rows.shape[1] + 1):
            if found is not None:
                below = np.zeros(nodes, np.int64)
                np.bitwise_or.at(below, node, found)
                self.cases.append(torch.from_numpy(below))
            if level == rows.shape[1]:
                break
            keys, node = np.unique(node * 256 + rows[:, level], return_inverse=True)
            starts = np.searchsorted(keys, np.arange(nodes + 1) * 256)
            self.keys.append(torch.from_numpy(keys))
            self.starts.append(torch.from_numpy(starts))
            nodes = len(keys)

    def allowed(self, level: int, node: Tensor, size: int, cases: Tensor | None = None) -> Tensor:
        """Which tokens can follow, bool [B, size]; a row that left the tree (node -1): all.

        Args:
            cases: int64 [B], bits: only tokens after which one of these cases can still be.
        """
        starts, keys = self.starts[level].to(node.device), self.keys[level].to(node.device)
        inside = node >= 0
        safe = node.clamp_min(0)
        first, count = starts[safe], torch.where(inside, starts[safe + 1] - starts[safe], 0)
        out = (~inside)[:, None].repeat(1, size)
        row = torch.repeat_interleave(torch.arange(len(node), device=node.device), count)
        place = torch.arange(len(row), device=node.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
        child = first[row] + place
        if cases is not None:
            can = (self.cases[level + 1].to(node.device)[child] & cases[row]) != 0
            row, child = row[can], child[can]
        out[row, keys[child] & 255] = True
        return out

    def follow(self, level: int, node: Tensor, token: Tensor) -> Tensor:
        """The nodes of the next level, int64 [B]; -1: there is none."""
        keys = self.keys[level].to(node.device)
        key = node * 256 + token
        at = torch.searchsorted(keys, key).clamp_max(len(keys) - 1)
        return torch.where((node >= 0) & (keys[at] == key), at, -1)


@dataclass(frozen=True, eq=False)
class Group:
    """Tokens of which only some combinations may be: `places` [t] and `tokens` uint8 [combinations, t]."""

    places: tuple[int, ...]
    tokens: np.ndarray


@dataclass(frozen=True, eq=False)
class Gaps:
    """Columns that are missing together: for a column's first tokens, which of their values say that it is so.

    `members`: the place of a token, and bool [size]; a date with a time has two tokens that say it.
    """

    members: tuple[tuple[int, Tensor], ...]
    state: int = -1  # 1: they are missing, 0: they are not; -1: either
    leader: tuple[int, Tensor] | None = None  # a token, and which of its values say that they are; others say nothing

    def said(self) -> tuple[tuple[int, Tensor], ...]:
        """The tokens that say it, the leader's last."""
        return self.members if self.leader is None else (*self.members, self.leader)


class RuleLimits:
    """The limits of a table's rules."""

    def __init__(self, groups: tuple[Group, ...] = (), gaps: tuple[Gaps, ...] = ()) -> None:
        self.groups, self.gaps = groups, gaps
        self.places = {p for g in groups for p in g.places} | {p for g in gaps for p, _ in g.members}
        self.places |= {g.leader[0] for g in gaps if g.leader is not None}
        self.trees: dict[tuple[int, tuple[int, ...]], Tree] = {}
        self.shared = [  # of each group, the gaps that its tokens have a say in
            [i for i, gap in enumerate(gaps) if {p for p, _ in gap.said()} & {*group.places}][:MOST_SHARED]
            for group in groups
        ]

    @classmethod
    def of(cls, spec: TableSpec) -> RuleLimits:
        groups = tuple(
            group_of(spec, rule, rule.table) for rule in spec.rules if isinstance(rule, Together) and not rule.targets
        )
        missing = [_gaps(spec, rule) for rule in spec.rules if isinstance(rule, Missing)]
        both = [g for g in missing if g is not None and g.leader is None]
        gaps = (*_joined(both), *(g for g in missing if g is not None and g.leader is not None))
        return cls((*groups, *_alone(spec, groups, gaps)), gaps)

    def tree(self, group: int, order: tuple[int, ...]) -> Tree:
        """The combinations of a group by its tokens in this order."""
        if (group, order) not in self.trees:
            if len(self.trees) > 64:  # conditions of many kinds: those used first go
                self.trees.pop(next(iter(self.trees)))
            cases = self._cases(group) if self.shared[group] else None
            self.trees[group, order] = Tree(self.groups[group].tokens[:, order], cases)
        return self.trees[group, order]

    def _cases(self, number: int) -> np.ndarray:
        """Of each combination of a group, in which cases it may be, int64 bits [combinations]: a case says of each gap
        that it shares whether its columns are missing."""
        group = self.groups[number]
        found = np.full(len(group.tokens), ALL_CASES)
        for i, gap in enumerate(self.shared[number]):
            leader = self.gaps[gap].leader
            for place, says in self.gaps[gap].said():
                if place in group.places:
                    there = says.cpu().numpy()[group.tokens[:, group.places.index(place)]]
                    one_way = leader is not None and place == leader[0]
                    found &= np.where(there, CASES[1, i], ALL_CASES if one_way else CASES[0, i])
        return found

    def start(self, rows: Tensor, given: Tensor | None) -> RuleWalk:
        """Begin to draw rows.

        Args:
            rows: int64 [B, tokens]: given tokens where `given` is true.
            given: bool [B, tokens]; None: none is.
        """
        return RuleWalk(self, rows, given)


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


def group_of(
    spec: TableSpec, rule: Together, table: np.ndarray, more: np.ndarray | None = None, after: int = 0
) -> Group:
    """The tokens of a rule's free columns, in the order of the tokens of a row.

    Args:
        table: those of the rule's combinations that may be, int64 [combinations, columns].
        more: what follows from each, as further tokens uint8 [combinations, n] at the places from `after` on.
    """
    learned = {column.name: column for column in spec.learned}
    parts: list[tuple[int, np.ndarray]] = []
    kept = np.ones(len(table), bool)
    for i, name in enumerate(rule.free):
        part = learned[name].parts[0]
        number = {value: cell for cell, value in enumerate(part.values)}
        cells = np.array([*(number.get(value, -1) for value in rule.values[i]), -1])
        if part.missing:
            cells[-1] = part.cell_of("missing")
        cell = cells[table[:, i]]
        kept &= cell >= 0
        parts.append((spec.places[name].start, part.tokens(np.maximum(cell, 0))))
    parts.sort(key=lambda p: p[0])
    places = tuple(start + j for start, tokens in parts for j in range(tokens.shape[1]))
    each = [tokens for _, tokens in parts]
    if more is not None:
        places, each = (*places, *range(after, after + more.shape[1])), [*each, more]
    return Group(places, np.concatenate(each, 1)[kept])


def _gaps(spec: TableSpec, rule: Missing) -> Gaps | None:
    """The tokens of a rule's columns that say that they are missing; None: it is not about what is drawn."""
    learned = {column.name: column for column in spec.learned}
    members: list[tuple[int, Tensor]] = []
    for name in rule.names:
        if name in learned:
            members += gaps_of(spec, learned[name])
    if rule.leader in learned and not rule.values:
        leaders = gaps_of(spec, learned[rule.leader])
        members += [(place, says if rule.when == "missing" else ~says) for place, says in leaders]
    elif rule.leader in learned:
        says = _says(learned[rule.leader], rule.values)
        if says is None:
            return None
        leader = (spec.places[rule.leader].start, says)
        if rule.when == "if":
            return Gaps(tuple(members), leader=leader) if members else None
        members.append(leader)
    return Gaps(tuple(members)) if len(members) > 1 else None


def _alone(spec: TableSpec, groups: tuple[Group, ...], gaps: tuple[Gaps, ...]) -> list[Group]:
    """Tokens of no group that several gaps have a say in, as groups of their own: what the gaps say has to fit."""
    said = Counter(place for gap in gaps for place, _ in gap.said())
    rare, place = {}, 0
    for column in spec.learned:
        for part in column.parts:
            if "rare" in part.specials:
                rare[place] = part.token_of("rare")
            place += len(part.sizes)
    found = []
    for place, count in said.items():
        if count > 1 and not any(place in group.places for group in groups):
            tokens = np.arange(spec.sizes[place], dtype=np.uint8)
            found.append(Group((place,), tokens[tokens != rare.get(place, -1)][:, None]))  # rare is not drawn
    return found


def _says(column: Column, values: tuple[str, ...]) -> Tensor | None:
    """Which values of a learned column's token are one of these, bool [size]; None: no single token says so."""
    part = column.parts[0]
    if part.base or len(column.parts) > 1:
        return None
    says = torch.zeros(part.sizes[0], dtype=torch.bool)
    if part.is_category:
        known = {value: cell for cell, value in enumerate(part.values)}
        cells = [known[value] for value in values if value in known]
    else:
        scale = 10.0 ** max(0, column.decimals)
        numbers = {round(float(value) * scale) for value in values}
        cells = [i for i, (a, b) in enumerate(zip(part.low, part.high, strict=True)) if a == b and round(a) in numbers]
    says[cells] = True
    return says


def gaps_of(spec: TableSpec, column: Column) -> list[tuple[int, Tensor]]:
    """The places of a learned column's first tokens, and which of their values say that it is missing, bool [size]."""
    members, place = [], spec.places[column.name].start
    for part in column.parts:
        says = torch.zeros(part.sizes[0], dtype=torch.bool)
        if part.missing:
            says[part.token_of("missing")] = True
        members.append((place, says))
        place += len(part.sizes)
    return members


def _joined(gaps: list[Gaps]) -> tuple[Gaps, ...]:
    """Rules that share a token which says the same in both, as one."""
    joined: list[dict[int, Tensor]] = []
    for each in gaps:
        members = dict(each.members)
        for other in [o for o in joined if any(p in o and torch.equal(o[p], says) for p, says in members.items())]:
            members |= other
            joined = [o for o in joined if o is not other]
        joined.append(members)
    return tuple(Gaps(tuple(members.items())) for members in joined)
