"""Combinations of tokens that may be, as a tree, and columns that are missing together: what limits are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
