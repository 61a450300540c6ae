"""What both networks know about the numbers in a row's cells, besides the tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from ganvas.tables.spec import TableSpec


class Numbers(nn.Module):
    """What follows from the numbers in a row's cells, besides their tokens; see `Cells.features`."""

    def __init__(self, spec: TableSpec, width: int) -> None:
        super().__init__()
        self.parts: list[tuple[int, tuple[int, ...], Tensor]] = []  # first token, sizes, features; no buffers: known
        end = 0
        for column in spec.learned:
            for part, table in zip(column.parts, column.features(), strict=True):
                start, end = end, end + len(part.sizes)
                if table.size:
                    self.parts.append((start, part.sizes, torch.from_numpy(table)))
        self.last = {start + len(sizes) - 1: i for i, (start, sizes, _) in enumerate(self.parts)}
        self.single = [i for i, (_, sizes, _) in enumerate(self.parts) if len(sizes) == 1]
        self.several = {last: i for last, i in self.last.items() if i not in self.single}
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(table.shape[1], width) * 0.1) for _, _, table in self.parts
        )

    def features(self, i: int, rows: Tensor) -> Tensor:
        """The features of the i-th number, [B, n]."""
        start, sizes, table = self.parts[i]
        place = rows[:, start]
        for level, size in enumerate(sizes[1:], start + 1):
            place = place * size + rows[:, level]
        return f.embedding(place, table.to(rows.device))

    def part(self, i: int, rows: Tensor) -> Tensor:
        """What the i-th number adds, [B, width]."""
        return self.features(i, rows) @ self.weights[i]

    def within(self, values: Tensor, first: list[int]) -> Tensor:
        """`values` [values of all tokens, width] with what the numbers of one token each add to theirs.

        Args:
            first: the number of each token's first value.
        """
        parts, end = [], 0
        for i in self.single:
            start, _, table = self.parts[i]
            parts += [values[end : first[start]], values[first[start] : first[start] + len(table)]]
            parts[-1] = torch.addmm(parts[-1], table.to(values.device), self.weights[i])
            end = first[start] + len(table)
        return torch.cat([*parts, values[end:]])

    def add(self, said: Tensor, rows: Tensor) -> Tensor:
        """`said` [tokens, B, width] with what each number of several tokens adds at its last one."""
        if not self.several:
            return said
        places = torch.tensor(list(self.several), device=rows.device)
        return said.index_add_(0, places, torch.stack([self.part(i, rows) for i in self.several.values()]))
