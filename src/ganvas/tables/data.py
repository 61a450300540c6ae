"""The rows to train on, and the settings that say which."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ganvas.core import cache, files, seeds
from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.core.progress import Counted, last
from ganvas.core.samples import DataConfigBase, Rows
from ganvas.tables import columns_file, databases, fit, kept, pack, private, read
from ganvas.tables.preview import Preview
from ganvas.tables.several import above
from ganvas.tables.several.joined import Joined
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20  # rows of a table
TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq", ".db", ".sqlite", ".sqlite3", ".xlsx", ".xls", ".ods")


@dataclass(frozen=True)
class OnDisk:
    """A split whose tokens stay on the disk."""

    samples: Stored
    labels: None = None


@dataclass(frozen=True)
class TableData:
    """A table: rows to train on and held-out ones as tokens uint8 [N, tokens], and what its columns are."""

    name: str
    spec: TableSpec
    train: Rows | OnDisk
    held_out: Rows | OnDisk
    held_out_rows: Tensor  # int64 [n]: which rows of the source are held out
    fingerprint: str  # SHA-256 of all tokens, of what they mean, and of which rows are held out
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    licence: str = "not stated"
    other: None = None

    def decode(self, samples: Tensor) -> Tensor:
        """uint8 [B, tokens] -> int64 [B, tokens], as networks take them."""
        return samples.long()

    def facts(self) -> dict[str, Any]:
        return {}

    def examples(self) -> Preview:
        """Rows from all over the training data, which may be sorted: the only ones that a run's folder shows."""
        samples, shown = self.train.samples, 0 if self.spec.privacy else 2_000
        order = torch.randperm(len(samples), generator=seeds.generator(0, "examples"))[:shown].sort().values
        rows: Any = samples[order]
        return Preview.of(self.spec, rows, torch.full((1, len(self.spec.sizes)), 0.5))


@dataclass(frozen=True)
class DataConfig(DataConfigBase):
    """Which table to train on, and what its columns are."""

    places: ClassVar[tuple[str, ...]] = ("source", "columns")
    families: ClassVar[dict[str, str]] = {"column": "kinds", "parent": "parents"}  # column.NAME=KIND goes there

    source: str = knob("", "a CSV or Parquet file, or a database's address")
    table: str = knob("", "the table in the database ('': all of them, with their keys)")
    columns: str = knob("", "a file with the kinds of the columns; `ganvas data check` writes one")
    kinds: str = knob("", "the kinds that column.NAME=KIND set: number, category, date, id, text, constant or skip")
    missing: str = knob(read.MISSING, "comma-separated texts that mean a missing cell; empty cells always do")
    text: str = knob(
        "skip", "free texts: left empty, or drawn from those that `rare` rows have", choices=("skip", "resample")
    )
    encoding: str = knob("", "of a CSV file, such as cp1252 ('': detected)")
    delimiter: str = knob("", "of a CSV file: the character between cells, or tab ('': detected)")
    held_out: float = knob(0.1, "share of the rows that is held out", low=0.01, high=0.9)
    rare: int = knob(
        5,
        "fewest rows that a value must have to be drawn: rarer ones could identify a person (1: any)",
        low=1,
        high=10**6,
    )
    copied: str = knob("", "with several tables, those whose rows are copied unchanged, comma-separated")
    parents: str = knob("", "with several tables, the key by which rows are made; parent.TABLE=COLUMN sets it")
    related: str = knob("", "of one of several tables, how it is related to the others; written by Ganvas")
    rules: bool = knob(True, "find rules that hold in all rows, and keep them in drawn ones")
    privacy: float = knob(
        0.0, "epsilon of differential privacy: 1 is strict, 10 is weak (0: no such promise)", low=0, high=100
    )
    delta: float = knob(0.0, "its delta: the probability that the promise fails (0: 1 / (10 rows))", low=0, high=0.01)

    @classmethod
    def takes(cls, source: str) -> bool:
        """Does this look like a table, by its name alone or by its first bytes?"""
        if databases.is_address(source):
            return True
        name = Path(source).name.lower().removesuffix(".gz")
        return name.endswith(TABLES)

    @classmethod
    def named(cls, data: object) -> str:
        """What represents a DataFrame in `source`; see `read.named`."""
        return read.named(data)

    def kept(self) -> dict[str, str]:
        """What a run's folder keeps of these settings in another form: no password, and whole paths."""
        return (
            {"source": databases.shown(self.source)} if databases.is_address(self.source) and not self.is_frame else {}
        )

    @property
    def is_frame(self) -> bool:
        return self.source.startswith(read.FRAME)

    def bare_name(self) -> str:
        if self.is_frame:
            return "table"
        return self.table or Path(self.source.partition("?")[0]).name.split(".")[0] or "table"

    def bare(self, data: Any) -> dict[str, str]:
        return {"source": data.name, "columns": Path(self.columns).name}

    def without_effect(self) -> list[str]:
        """A sentence on each group of settings that changes nothing for such data."""
        database = databases.is_address(self.source)
        no_text = database or self.is_frame or self.source.lower().endswith((".parquet", ".pq"))
        groups = (
            (("delta",), not self.privacy, "it belongs to privacy="),
            (("copied", "parents"), not database, "the tables of a database have that"),
            (("encoding", "delimiter"), no_text, "CSV files have that"),
        )
        called = {"parents": "parent.TABLE=COLUMN"}
        given = [([called.get(n, n) for n in names if getattr(self, n)], why) for names, vain, why in groups if vain]
        return [f"{' and '.join(n)} change{'' if n[1:] else 's'} nothing here: {why}." for n, why in given if n]

    def loading(self) -> Generator[Counted, None, TableData]:
        """Read the table.

        Raises:
            UserError: it cannot be found or read, or there is nothing to learn from it.
        """
        yield Counted(0, 1, "Opening the table")
        with self.opened() as rows:
            return (yield from loading(rows, self))

    @contextlib.contextmanager
    def opened(self) -> Iterator[read.Rows]:
        """The rows of the table, to be read in portions.

        Raises:
            UserError: it cannot be found or read.
        """
        joined = Joined.of(self.related)
        source = read.opened(self.source, self.table, self.encoding, self.delimiter, joined)
        try:
            yield read.Rows(source, self.missing)
        finally:
            source.close()

    def said(self) -> dict[str, dict[str, Any]]:
        """What the user says of columns, in the file and by column.NAME=KIND, which is stronger."""
        found = columns_file.read(self.columns).columns
        for name, entries in columns_file.single(self.kinds).items():
            found[name] = entries
        return found

    def key(self, stamp: str) -> str:
        """A digest that changes if the table or a setting does that matters for its tokens; '' if that is not known."""
        if not stamp:
            return ""
        settings = {k: v for k, v in dataclasses.asdict(self).items() if k not in self.places}
        content = files.read_bytes(files.place(self.columns), columns_file.LARGEST) if self.columns else b""
        return pack.key_of(stamp, [settings, hashlib.sha256(content).hexdigest()])


def of_frame(frame: pd.DataFrame, name: str, config: DataConfig) -> TableData:
    """The data of a DataFrame.

    Raises:
        UserError: it has too few rows, or no column that can be learned.
    """
    return last(loading(read.Rows(read.Frame(frame, name), config.missing), config))


def loading(rows: read.Rows, config: DataConfig) -> Generator[Counted, None, TableData]:
    """The data of a table that is read in portions; from the cache if it is there.

    Raises:
        UserError: it cannot be read, or there is nothing to learn from it.
    """
    name, notes = rows.source.name, ()
    key = config.key(rows.source.stamp())
    place = pack.place_of(name, key) if key else None
    if place is not None and place.exists():
        try:
            return _packed(name, pack.open_pack(place, config.held_out), config)
        except UserError as error:
            notes = (f"{error} It is made again.",)
            cache.remove(place, in_use=True)
    looked = yield from pack.look(rows)
    if looked.count < FEWEST:
        raise UserError(f"{name} has {looked.count} rows: at least {FEWEST} are needed to learn from.")
    joined, known = Joined.of(config.related), {}
    if joined is not None:
        known = yield from above.columns(config, joined, fit.alone)
    columns, found = fit.columns_of(looked, config, joined, known)
    notes = (*notes, *looked.notes, *found)
    train, held_out = pack.split(looked.count, config.held_out)
    if joined is not None and config.privacy:
        raise UserError("privacy= is for one table: a person may have rows in several. Name one with --table.")
    if config.privacy:
        spec, found = fit.privately(looked, columns, held_out, config)
    else:
        spec, found = fit.fitted(looked, columns, held_out, config, known)
    notes = (*notes, *found)
    if config.rules and not config.privacy:
        rules = yield from fit.rules_of(rows, looked, spec, held_out, config, fit.given_of(joined, known))
        spec = TableSpec(spec.columns, rules.rules)
        notes = (*notes, *rules.notes, *kept.sentence(rules))
    if looked.count * len(spec.sizes) > pack.IN_MEMORY:
        place = yield from pack.write(place, rows, looked, spec, held_out, notes)
        return _packed(name, pack.open_pack(place, config.held_out), config)
    unread: dict[str, int] = {}
    tokens = yield from pack.in_memory(rows, looked, spec, unread)
    if not looked.is_whole:
        notes = (*notes, *pack.unread_notes(unread))
    digest = _told(spec, pack.fingerprint(spec, held_out, [tokens]))
    return TableData(name, spec, Rows(tokens[train]), Rows(tokens[held_out]), held_out, digest, notes)


def _packed(name: str, found: pack.Pack, config: DataConfig) -> TableData:
    train, held_out = pack.split(found.count, config.held_out)
    splits = OnDisk(found.rows(train)), OnDisk(found.rows(held_out))
    return TableData(name, found.spec, *splits, held_out, _told(found.spec, found.fingerprint), found.notes)


def _told(spec: TableSpec, fingerprint: str) -> str:
    """The fingerprint as a model may state it."""
    return private.sealed(fingerprint) if spec.privacy else fingerprint
