"""What a token may be, given those drawn or given before: combinations that occur, and cells that are missing together.

The generator asks for each token and takes no other, so a rule of these kinds needs no second try.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from ganvas.tables.columns import Column
from ganvas.tables.rules.combinations import ALL_CASES, CASES, MOST_SHARED, Gaps, Group, Tree
from ganvas.tables.rules.together import Missing, Together
from ganvas.tables.rules.walk import RuleWalk
from ganvas.tables.spec import TableSpec


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
