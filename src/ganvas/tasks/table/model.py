"""The generator and the discriminator of a trained model of a table, used on their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganvas.core import distributed, seeds
from ganvas.core.exports import Exports
from ganvas.core.model import Section, TrainedModel, Usage, networks_of
from ganvas.tables.rows import frame_of, plain
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.network import Generator

BLOCK = 1_000  # rows whose noise is drawn together: row 1,234 of a seed is the same however many are drawn
BLOCKS = 8  # of a portion
Where = str | Mapping[str, Any]


class TableModel(TrainedModel):
    """A trained pair of networks and the card that explains them."""

    spec: TableSpec
    generator: Generator  # pyright: ignore[reportIncompatibleVariableOverride]
    hub_tags = ("tabular", "synthetic-data", "tabular-generation")

    def sample(self, n: int = 1_000, seed: int = 0, where: Where = "", rare: bool = False) -> pd.DataFrame:
        """Draw n rows.

        Args:
            n: how many.
            seed: another seed, other rows; the same seed, the same rows.
            where: conditions that all rows meet: "country=NL,age>=65", or {"country": "NL", "plan": ["gold", "silver"]}; see
                `tables.where.parse`.
            rare: whether values may be drawn that fewer rows of the table had than its setting `rare`: these stay empty, as
                the model does not know them.

        Returns:
            A DataFrame with the columns of the table, in their order and types. Ids are made anew, free texts are empty.

        Raises:
            UserError: a condition that cannot be met.
        """
        import pandas as pd

        parts = [plain(part, self.spec) for part in self.portions(n, seed, where, rare)]
        if not parts:
            parts = [plain(self._frame(*self.spec_of_none(), 0, seed), self.spec)]
        return pd.concat(parts, ignore_index=True)

    def spec_of_none(self) -> tuple[Tensor, Tensor]:
        """Tokens and places of no rows."""
        return torch.zeros(0, len(self.spec.sizes), dtype=torch.uint8), torch.zeros(0, len(self.spec.sizes))

    def portions(self, n: int, seed: int = 0, where: Where = "", rare: bool = False) -> Iterator[pd.DataFrame]:
        """As `sample`, in portions of up to 8,000 rows, with categories as such.

        Processes that work together (`distributed.joined`) draw a portion each, and the first of them gets all.
        """
        start = 0
        for tokens, place in self.draw(n, seed, where, rare):
            yield self._frame(tokens, place, start, seed)
            start += len(tokens)

    def _frame(self, tokens: Tensor, place: Tensor, start: int, seed: int) -> pd.DataFrame:
        return frame_of(self.spec, tokens, place, start, seed)

    def draw(self, n: int, seed: int = 0, where: Where = "", rare: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """As `portions`: tokens uint8 [rows, tokens], and where in their cells the values lie, float [rows, tokens].

        Raises:
            UserError: a condition that cannot be met.
        """
        from ganvas.tasks.table.conditions import Conditions

        device, width = next(self.generator.parameters()).device, len(self.spec.sizes)
        conditions = None
        if where:
            with torch.inference_mode():
                conditions = Conditions(self.spec, self.generator, where, seed, rare)
        size = BLOCK * BLOCKS

        @torch.inference_mode()
        def portion(start: int) -> Tensor:
            noise = self.noise(n, seed, start)
            if conditions is None:
                tokens, place = self.generator.draw(noise.to(device), rare=rare)
            else:
                rows, given, where_in = conditions.of(self.noise(n, seed, start, "conditions", len(conditions.each) + 1))
                tokens, place = self.generator.draw(noise.to(device), rows.to(device), given.to(device), rare=rare)
                place = torch.where(given, where_in, place.cpu())
            return torch.stack([tokens.float().cpu(), place.cpu()])

        for drawn in distributed.spread(range(0, n, size), portion):
            assert drawn.shape[2] == width
            yield drawn[0].to(torch.uint8), drawn[1]

    def noise(self, n: int, seed: int, start: int = 0, what: str = "rows", width: int | None = None) -> Tensor:
        """Uniform noise [rows, width] of the portion of n rows that begins with row `start`, a multiple of BLOCK.

        Args:
            what: it is for.
            width: numbers of a row; None: one a token.
        """
        end, numbers = min(n, start + BLOCK * BLOCKS), len(self.spec.sizes) if width is None else width
        parts = [
            torch.rand(BLOCK, numbers, generator=seeds.generator(seed, what, block))
            for block in range(start // BLOCK, -(-end // BLOCK))
        ]
        return torch.cat(parts)[: end - start]

    def facts(self) -> dict[str, str]:
        from ganvas.tasks.table import card

        return card.facts(self)

    def sections(self) -> list[Section]:
        from ganvas.tasks.table import card

        return card.sections(self)

    def usage(self, place: str) -> Usage:
        from ganvas.tasks.table import card

        return card.usage(self, place)

    def exports(self) -> Exports:
        from ganvas.tasks.table import export

        return export.exports(self)


def load(path: str | os.PathLike[str], device: str = "auto") -> TableModel:
    """Load a trained model of a table from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`, or the model is of another task.
    """
    return TableModel.from_parts(networks_of(path, "table", device))
