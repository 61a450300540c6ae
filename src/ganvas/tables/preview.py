"""What a training on a table shows: each column's frequencies next to those of the real rows, and some rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from rich.text import Text
from torch import Tensor

from ganvas.core import samples
from ganvas.tables import summary
from ganvas.tables.columns import Column
from ganvas.tables.rows import frame_of
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8  # rows and columns on a terminal


@dataclass(frozen=True, eq=False)
class Preview(samples.Preview):
    """Rows of a table."""

    spec: TableSpec
    tokens: Tensor  # [n, tokens]
    frame: pd.DataFrame

    @classmethod
    def of(cls, spec: TableSpec, tokens: Tensor, place: Tensor) -> Preview:
        """The preview of these rows; `place` as for `TableSpec.decode`."""
        return cls(spec, tokens, frame_of(spec, tokens, place.expand(tokens.shape)))

    def files(self) -> dict[str, bytes]:
        return {
            ".svg": self.svg().encode(),
            ".csv": self.frame.head(100).to_csv(index=False).encode(),
            ".json": summary.as_bytes(self.spec, self.frame, self.rare()),
        }

    def rare(self) -> dict[str, np.ndarray]:
        """By category, which of these rows have a value that too few rows have: no drawn row does; bool [n]."""
        found = {}
        for column in self.spec.learned:
            if column.kind == "category":
                part, tokens = column.parts[0], self.tokens[:, self.spec.places[column.name]].cpu().numpy()
                found[column.name] = part.cells(tokens) == part.cell_of("rare")
        return found

    def lines(self, width: int, plain: bool, height: int = 14) -> list[Text]:
        text = self.frame.iloc[:SHOWN, :SHOWN].to_string(index=False, max_colwidth=16)
        return [Text(line[:width]) for line in text.splitlines()]

    def svg(self) -> str:
        """A small chart a column: the real rows' frequencies as bars, those of these rows as a line."""
        across, wide, high = 4, 180, 90
        parts = []
        for i, column in enumerate(self.spec.read):
            real, made = self._frequencies(column)
            top, x, y = max(real.max(), made.max(), 1e-9), i % across * wide, i // across * high
            step = (wide - 20) / len(real)
            bars = "".join(
                f'<rect x="{x + 10 + j * step:.1f}" y="{y + 80 - 58 * v / top:.1f}" width="{max(step - 0.5, 0.5):.1f}" '
                f'height="{58 * v / top:.1f}" fill="#bbb"/>'
                for j, v in enumerate(real)
            )
            points = " ".join(
                f"{x + 10 + (j + 0.5) * step:.1f},{y + 80 - 58 * v / top:.1f}" for j, v in enumerate(made)
            )
            name = column.name[:26].replace("&", "&amp;").replace("<", "&lt;")
            parts.append(
                f'<text x="{x + 10}" y="{y + 15}" font-size="11" font-family="sans-serif">{name}</text>{bars}'
                f'<polyline points="{points}" fill="none" stroke="#c0392b" stroke-width="1.5"/>'
            )
        rows = -(-len(self.spec.read) // across)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across * wide} {rows * high}" '
            f'width="{across * wide}">{"".join(parts)}</svg>'
        )

    def _frequencies(self, column: Column, most: int = 40) -> tuple[np.ndarray, np.ndarray]:
        """Shares of real rows and of these in a column's first tokens, as it is in the table, neighbours together
        if there are many."""
        part = column.parts[0]
        logs = part.priors()[0]
        real = np.exp(logs.astype(np.float64))
        if column in self.spec.learned:
            first = self.tokens[:, self.spec.places[column.name].start].cpu().numpy().astype(np.int64)
        else:  # computed by a rule, or learned in another form
            first = column.encode(cast("pd.Series", self.frame[column.name]))[:, 0].astype(np.int64)
        made = np.bincount(first, minlength=len(real)) / max(1, len(first))
        edges = np.linspace(0, len(real), min(most, len(real)) + 1).astype(int)[:-1]
        return np.add.reduceat(real, edges), np.add.reduceat(made, edges)
