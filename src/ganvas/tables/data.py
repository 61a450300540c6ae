"""The rows to train on, and the settings that say which."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.core.progress import Counted
from ganvas.core.samples import DataConfigBase, Rows
from ganvas.tables import read
from ganvas.tables.preview import Preview
from ganvas.tables.recognise import recognise
from ganvas.tables.spec import TableSpec, check

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20  # rows of a table


@dataclass(frozen=True)
class TableData:
    """A table: rows to train on and held-out ones as tokens uint8 [N, tokens], and what its columns are."""

    name: str
    spec: TableSpec
    train: Rows
    held_out: Rows
    held_out_rows: Tensor  # int64 [n]: which rows of the source are held out
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    licence: str = "not stated"
    other: None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of both splits and of what their tokens mean."""
        digest = hashlib.sha256(repr(self.spec.to_dict()).encode())
        for rows in (self.train.samples, self.held_out.samples):
            digest.update(f"{tuple(rows.shape)}".encode())
            digest.update(rows.contiguous().numpy().data)
        return digest.hexdigest()

    def decode(self, samples: Tensor) -> Tensor:
        """uint8 [B, tokens] -> int64 [B, tokens], as networks take them."""
        return samples.long()

    def facts(self) -> dict[str, Any]:
        return {}

    def examples(self) -> Preview:
        """Rows of the training data; they are the only ones that a run's folder shows."""
        return Preview.of(self.spec, self.train.samples[:2_000], torch.full((1, len(self.spec.sizes)), 0.5))


@dataclass(frozen=True)
class DataConfig(DataConfigBase):
    """Which table to train on, and what its columns are."""

    places: ClassVar[tuple[str, ...]] = ("source", "columns")

    source: str = knob("", "a CSV or Parquet file, or a database's address")
    table: str = knob("", "the table in the database")
    columns: str = knob("", "a file that says of which kind the columns are; `ganvas data check` writes one")
    held_out: float = knob(0.1, "share of the rows that is held out", low=0.01, high=0.9)
    rare: int = knob(
        5,
        "fewest rows that a value must have to be drawn: rarer ones could give a person away (1: any)",
        low=1,
        high=10**6,
    )

    def loading(self) -> Generator[Counted, None, TableData]:
        """Read the table.

        Raises:
            UserError: it cannot be found or read, or there is nothing to learn from it.
        """
        yield Counted(0, 1, "reading the table")
        frame = read.table(self.source, self.table)
        return of_frame(frame, Path(self.source).name, self)


def of_frame(frame: pd.DataFrame, name: str, config: DataConfig) -> TableData:
    """The data of a DataFrame.

    Raises:
        UserError: it has too few rows, or no column that can be learned.
    """
    if len(frame) < FEWEST:
        raise UserError(f"{name} has {len(frame)} rows: {FEWEST} are the fewest to learn from.")
    if len(set(map(str, frame.columns))) < len(frame.columns):
        twice = next(str(c) for c in frame.columns if list(map(str, frame.columns)).count(str(c)) > 1)
        raise UserError(f"{name} has two columns that are called {twice!r}: give each a name of its own.")
    frame = frame.rename(columns=str)
    columns = [recognise(series) for _, series in frame.items()]
    frame = read.dates(frame, columns)
    order = torch.randperm(len(frame), generator=seeds.generator(0, "held out rows"))
    count = max(1, round(len(frame) * config.held_out))
    held_out, train = order[:count].sort().values, order[count:].sort().values
    first = frame.iloc[train.numpy()]
    spec = TableSpec(check([column.fitted(first[column.name], config.rare) for column in columns]))
    notes = tuple(f"{c.name}: {c.doubt}." for c in columns if c.doubt)
    samples = spec.encode(frame)
    return TableData(name, spec, Rows(samples[train]), Rows(samples[held_out]), held_out, notes)


def with_spec(data: TableData, **changes: Any) -> TableData:
    return dataclasses.replace(data, **changes)
