"""The generator and the discriminator of a trained model of a table, used on their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.model import TrainedModel, networks_of
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1_000  # rows whose noise is drawn together: row 1,234 of a seed is the same however many are drawn


class TableModel(TrainedModel):
    """A trained pair of networks and the card that explains them."""

    spec: TableSpec

    def sample(self, n: int = 1_000, seed: int = 0) -> pd.DataFrame:
        """Draw n rows.

        Args:
            n: how many.
            seed: another seed, other rows; the same seed, the same rows.

        Returns:
            A DataFrame with the columns of the table.
        """
        import pandas as pd

        parts = list(self.portions(n, seed))
        return (
            pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[c.name for c in self.spec.columns])
        )

    def portions(self, n: int, seed: int = 0) -> Iterator[pd.DataFrame]:
        """As `sample`, in portions of up to 8,000 rows."""
        import pandas as pd

        with torch.inference_mode():
            for noise in self.noise(n, seed):
                tokens, place = self.generator.draw(noise)  # pyright: ignore[reportCallIssue]
                yield pd.DataFrame(self.spec.decode(tokens, place))

    def noise(self, n: int, seed: int, blocks: int = 8) -> Iterator[Tensor]:
        """Uniform noise [rows, tokens] of rows 0 to n - 1, in portions."""
        size = BLOCK * blocks
        for start in range(0, n, size):
            parts = [
                torch.rand(BLOCK, len(self.spec.sizes), generator=seeds.generator(seed, "rows", block))
                for block in range(start // BLOCK, -(-min(n, start + size) // BLOCK))
            ]
            yield torch.cat(parts)[: n - start]


def load(path: str | os.PathLike[str], device: str = "auto") -> TableModel:
    """Load a trained model of a table from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`, or the model is of another task.
    """
    return TableModel.from_parts(networks_of(path, "table", device))
