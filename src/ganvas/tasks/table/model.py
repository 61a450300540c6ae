"""The generator and the discriminator of a trained model of a table, used on their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ganvas.core import distributed, seeds
from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import TrainedModel, networks_of
from ganvas.tables.rows import frame_of, plain
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.repeats import Repeats

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tasks.table.conditions import Conditions
    from ganvas.tasks.table.expand import Trial
    from ganvas.tasks.table.network import Generator

BLOCK = 1_000  # rows whose noise is drawn together: row 1,234 of a seed is the same however many are drawn
BLOCKS = 8  # of a portion
Where = str | Mapping[str, Any]


class TableModel(TrainedModel):
    """A trained pair of networks and the card that explains them."""

    spec: TableSpec
    generator: Generator  # pyright: ignore[reportIncompatibleVariableOverride]
    optional: ClassVar[dict[str, type]] = {"usual": dict, "no_detector": str, "privacy": dict}
    repeated: dict[str, int]  # see `Repeats.left`
    abilities = ("rows", "file", "odd", "fill")
    hub_tags = ("tabular", "synthetic-data", "tabular-generation")

    def sample(self, n: int = 1_000, seed: int = 0, where: Where = "", rare: bool = False) -> pd.DataFrame:
        """Draw n rows.

        Args:
            n: how many.
            seed: another seed, other rows; the same seed, the same rows.
            where: conditions that all rows meet: "country=NL,age>=65", or {"country": "NL", "plan": ["gold", "free"]};
                see `tables.where.parse`.
            rare: whether values may be drawn that fewer rows of the table had than its setting `rare`: these stay
                empty, as the model does not know them.

        Returns:
            A DataFrame with the columns of the table, in their order and types. Ids are made anew, free texts empty.

        Raises:
            UserError: a condition that cannot be met.
        """
        import pandas as pd

        parts = [plain(part, self.spec) for part in self.portions(n, seed, where, rare)]
        if not parts:
            parts = [plain(frame_of(self.spec, *self.spec_of_none(), 0, seed), self.spec)]
        return pd.concat(parts, ignore_index=True)

    def spec_of_none(self) -> tuple[Tensor, Tensor]:
        """Tokens and places of no rows."""
        return torch.zeros(0, len(self.spec.sizes), dtype=torch.uint8), torch.zeros(0, len(self.spec.sizes))

    def portions(self, n: int, seed: int = 0, where: Where = "", rare: bool = False) -> Iterator[pd.DataFrame]:
        """As `sample`, in portions of up to 8,000 rows, with categories as such.

        Processes that work together (`distributed.joined`) draw a portion each, and the first of them gets all.
        """
        if n < 0:
            raise UserError(f"{n} rows: at least 0 can be drawn.")
        start, decode = 0, None
        conditions = self._conditions(where, seed, rare)
        if conditions is not None:
            decode = conditions.decode
        repeats = Repeats(self.spec, rare)
        self.repeated = repeats.left
        for tokens, place in self._drawn(n, seed, rare, conditions):

            def again(count: int, attempt: int, start: int = start) -> tuple[Tensor, Tensor]:
                return self._again(count, (seed, "again", start, attempt), rare, conditions)

            def rows(tokens: Tensor, place: Tensor, start: int = start) -> pd.DataFrame:
                return frame_of(self.spec, tokens, place, start, seed, decode)

            yield repeats.without(tokens, place, again, rows)
            start += len(tokens)

    @torch.inference_mode()
    def _again(
        self, count: int, key: tuple[int, str, int, int], rare: bool, conditions: Conditions | None
    ) -> tuple[Tensor, Tensor]:
        """Other rows for those that repeat some."""
        source = seeds.generator(*key)
        noise = torch.rand(count, len(self.spec.sizes), generator=source).to(next(self.generator.parameters()).device)
        if conditions is None:
            tokens, place = self.generator.draw(noise, rare=rare, limits=self.generator.limits)
        else:
            tokens, place = conditions.draw(noise, torch.rand(count, len(conditions.each) + 1, generator=source))
        return tokens.cpu(), place.cpu()

    def _conditions(self, where: Where, seed: int, rare: bool) -> Conditions | None:
        from ganvas.tasks.table.conditions import Conditions

        if not where:
            return None
        with torch.inference_mode():
            return Conditions(self.spec, self.generator, where, seed, rare)

    def _drawn(self, n: int, seed: int, rare: bool, conditions: Conditions | None) -> Iterator[tuple[Tensor, Tensor]]:
        """As `portions`: tokens uint8 [rows, tokens], and where in their cells the values are, float [rows, tokens]."""
        device, width = next(self.generator.parameters()).device, len(self.spec.sizes)
        size, limits = BLOCK * BLOCKS, self.generator.limits

        @torch.inference_mode()
        def portion(start: int) -> Tensor:
            noise = self.noise(n, seed, start).to(device)
            if conditions is None:
                tokens, place = self.generator.draw(noise, rare=rare, limits=limits)
            else:
                numbers = self.noise(n, seed, start, "conditions", len(conditions.each) + 1)
                tokens, place = conditions.draw(noise, numbers)
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

    def detect(self, frame: pd.DataFrame, alarm: float = 0.05) -> pd.DataFrame:
        """Which rows are unlike the training data, and where it shows.

        Args:
            frame: rows with the columns of the table, its types or text.
            alarm: the share of rows like the training data that may be called odd.

        Returns:
            A row for each, with the index of `frame`: `odd` (yes, not sure, no), `p` (at most this share of rows like
            the training data is as odd), and unless it is 'no' the `column` in which it shows most, what was `found`
            there, what was `expected` given the row's other values, and `why`.

        Raises:
            UserError: a model that was not trained to the end or with too few rows, or a column that is not there.
        """
        from ganvas.tasks.table import detect

        return detect.detect(self, frame, alarm)

    def restore(
        self,
        frame: pd.DataFrame,
        columns: Sequence[str] = (),
        times: int = 1,
        best: bool = False,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The rows with their empty cells filled, with values that are probable given the row's others.

        Args:
            frame: rows with the columns of the table, its types or text.
            columns: whose cells are filled; (): all that were learned.
            times: how many plausible fillings: a column `filling` says which one a row belongs to.
            best: the best guess instead of a drawn value: the most frequent category, the mean of numbers and dates.
            seed: other fillings.

        Raises:
            UserError: a column that is not there or cannot be filled.
        """
        from ganvas.tasks.table import restore_files

        return restore_files.restore(self, frame, columns, times, best, seed)

    def expand(
        self, frame: pd.DataFrame, target: str, rare: str, count: int | None = None, seed: int = 0, repeats: int = 3
    ) -> tuple[pd.DataFrame, Trial | None]:
        """Drawn rows of a rare class, and whether they help a classifier.

        Args:
            frame: the rows that the model was trained on, held-out ones included.
            target, rare: the column of the class, and the rare one.
            count: how many rows; None: so many that the class is as frequent as the most frequent one.
            seed: other rows, other trials.
            repeats: trials of each kind; 3 are the least for a verdict, 0: none.

        Returns:
            The drawn rows; and what boosted trees learn from the real rows alone, with drawn ones and with repeated
            ones.

        Raises:
            UserError: no such class, or too few rows of it for a trial.
        """
        from ganvas.tasks.table import expand

        return expand.of_frame(self, frame, target, rare, count, seed, repeats)

    facts = later_method("ganvas.tasks.table.card:facts")
    sections = later_method("ganvas.tasks.table.card:sections")
    usage = later_method("ganvas.tasks.table.card:usage")
    exports = later_method("ganvas.tasks.table.export:exports")


def load(path: str | os.PathLike[str], device: str = "auto") -> TableModel:
    """Load a trained model of a table from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`, or the model is of another task.
    """
    return TableModel.from_parts(networks_of(path, "table", device))
