"""A table of any length as tokens: looked through once for what its columns are, read again for the tokens.

What does not fit into IN_MEMORY is written to the user's cache and read from there by memory maps; a training on the
same file finds it again.
"""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import cache, seeds
from ganvas.core.errors import UserError, cannot
from ganvas.core.files import cache_folder, make_folder, parse_json, part_of, read_bytes, write_whole
from ganvas.core.memmap import Shards, Stored, release
from ganvas.core.naming import safe
from ganvas.core.progress import Counted
from ganvas.core.text import one_line, quoted
from ganvas.tables import read
from ganvas.tables.read import Rows
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
IN_MEMORY = 100_000_000  # bytes of tokens
CELLS = 10_000_000  # cells of the sample that kinds and cells are learned from, about
FEWEST, MOST = 100_000, 1_000_000  # rows of it
CARD = 1_000_000_000  # bytes of a pack's card at most


@dataclass(frozen=True)
class Looked:
    """What was seen of a table: a sample of its rows, or all of them, and how many there are.

    Attributes:
        frame: the sample as it is stored, texts as texts; the index has the rows' numbers, ascending.
        count: rows of the table.
        missing: rows of the table without a value, by column.
        notes: sentences for the user.
    """

    frame: pd.DataFrame
    count: int
    missing: dict[str, int]
    notes: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.frame) == self.count


def sample_size(columns: int) -> int:
    """How many rows kinds and cells are learned from at most."""
    return min(MOST, max(FEWEST, CELLS // max(1, columns)))


def look(rows: Rows, most: int = 0) -> Generator[Counted, None, Looked]:
    """Go through a table once: count, and keep a sample in which every row is as likely.

    Args:
        most: rows of the sample; 0: `sample_size`.

    Raises:
        UserError: the table has no rows or no columns, or cannot be read.
    """

    random = np.random.default_rng(seeds.key(0, "rows to look at"))  # as no program that made the table would
    parts: list[tuple[pd.DataFrame, np.ndarray]] = []
    count, held, below, missing = 0, 0, 1.0, {}
    columns: list[str] = []
    for frame in rows.portions():
        columns = columns or list(frame.columns)
        most = most or sample_size(len(columns))
        key = random.random(len(frame))  # the rows with the smallest numbers are the sample
        for name, gone in frame.isna().sum().items():
            missing[str(name)] = missing.get(str(name), 0) + int(gone)
        count += len(frame)
        if below < 1:
            frame, key = frame[key < below], key[key < below]
        parts.append((frame, key))
        held += len(frame)
        if held > 1.2 * most:
            parts = [_smallest(parts, most)]
            held, below = most, float(parts[0][1].max())
        yield Counted(count, rows.source.rows or count, "Reading through the table")
    if not count:
        what = f"columns ({', '.join(map(one_line, columns[:5]))}) but no rows" if columns else "no rows"
        raise UserError(f"{rows.source.name} has {what}: there is nothing to learn from.")
    frame, _ = _smallest(parts, most)
    if not len(columns):
        raise UserError(f"{rows.source.name} has no columns.")
    del parts
    return Looked(frame, count, missing, (*rows.source.notes, *rows.sentences()))


def _smallest(parts: list[tuple[pd.DataFrame, np.ndarray]], most: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows with the smallest keys, in their order."""
    import pandas as pd

    frame = pd.concat([part for part, _ in parts]) if len(parts) > 1 else parts[0][0]
    key = np.concatenate([key for _, key in parts])
    parts.clear()
    if len(key) > most:
        chosen = np.sort(np.argpartition(key, most)[:most])
        frame, key = frame.iloc[chosen], key[chosen]
    return frame, key


def split(count: int, share: float) -> tuple[Tensor, Tensor]:
    """Which rows are trained on and which are held out, int64 each, ascending; the same for the same arguments."""
    order = torch.randperm(count, generator=seeds.generator(0, "held out rows"))
    held_out = max(1, round(count * share))
    return order[held_out:].sort().values, order[:held_out].sort().values


def encoded(frame: pd.DataFrame, spec: TableSpec, unread: dict[str, int]) -> Tensor:
    """Rows as they are stored -> tokens uint8 [N, tokens].

    Args:
        unread: counts values that are none of their column's kind, by column.

    Raises:
        UserError: there is one in a column that misses no value elsewhere.
    """
    typed = read.typed(frame, spec.read)
    for column in spec.read:
        if column.kind == "category":
            continue
        lost = typed[column.name].isna() & frame[column.name].notna()
        if not lost.any():
            continue
        if not column.parts[0].missing:
            row, title = frame.index[lost.to_numpy()][0], one_line(column.name)
            value = quoted(str(frame[column.name][row])[:40])
            raise UserError(
                f"Row {int(row) + 1:,} of the column {title} holds {value}, which is not a "
                f"{column.kind} as in the rows that were examined. Correct it, or set column.{title}=category."
            )
        unread[column.name] = unread.get(column.name, 0) + int(lost.sum())
    return spec.encode(typed.reset_index(drop=True))


def portions(rows: Rows, looked: Looked, spec: TableSpec, unread: dict[str, int]) -> Iterator[Tensor]:
    """The tokens of all rows, uint8 [n, tokens] each, in order; read again where the sample is not the whole table."""
    if looked.is_whole:
        for start in range(0, looked.count, read.PORTION):
            yield encoded(looked.frame.iloc[start : start + read.PORTION], spec, unread)
        return
    done = 0
    for frame in rows.portions():
        done += len(frame)
        if done > looked.count:
            break
        yield encoded(frame, spec, unread)
    if done != looked.count:
        raise UserError(
            f"{rows.source.name} changes while it is read: {looked.count:,} rows at first, then {done:,}. "
            "Read it when nothing writes to it, or read a copy."
        )


def fingerprint(spec: TableSpec, held_out: Tensor, tokens: Iterable[Tensor]) -> str:
    """SHA-256 of all tokens, of what they mean, and of which rows are held out."""
    digest = hashlib.sha256(json.dumps(spec.to_dict()).encode())
    digest.update(held_out.numpy().data)
    for part in tokens:
        digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


def in_memory(rows: Rows, looked: Looked, spec: TableSpec, unread: dict[str, int]) -> Generator[Counted, None, Tensor]:
    """All tokens, uint8 [N, tokens]."""
    tokens = torch.empty(looked.count, len(spec.sizes), dtype=torch.uint8)
    done = 0
    for part in portions(rows, looked, spec, unread):
        tokens[done : done + len(part)] = part
        done += len(part)
        yield Counted(done, looked.count, "Reading the table")
    return tokens


@dataclass(frozen=True)
class Pack:
    """Tokens in the cache."""

    spec: TableSpec
    source: Shards
    count: int
    fingerprint: str
    notes: tuple[str, ...]

    def rows(self, numbers: Tensor) -> Stored:
        return Stored(self.source, numbers)


def place_of(name: str, key: str) -> Path:
    """The folder in the cache for the tokens of a table."""
    return cache_folder() / "packs" / f"{safe(name)}-{key[:20]}"


def key_of(stamp: str, settings: Any) -> str:
    """A digest that changes if the file or a setting does."""
    return hashlib.sha256(json.dumps([FORMAT, "table", stamp, settings]).encode()).hexdigest()


def write(
    place: Path | None, rows: Rows, looked: Looked, spec: TableSpec, held_out: Tensor, notes: tuple[str, ...]
) -> Generator[Counted, None, Path]:
    """Write the tokens of a table into the cache.

    Args:
        place: the folder; None: it is named after the content.

    Raises:
        UserError: the disk is full, or what `portions` raises.
    """
    target = place or place_of(rows.source.name, "0" * 20)
    make_folder(target.parent)
    removed = cache.trim(target, looked.count * len(spec.sizes))
    unread: dict[str, int] = {}
    try:
        with part_of(target, folder=True) as part:
            done = 0
            digest = hashlib.sha256(json.dumps(spec.to_dict()).encode())
            digest.update(held_out.numpy().data)
            with open(part / "tokens.bin", "wb") as file:
                for tokens in portions(rows, looked, spec, unread):
                    data = tokens.contiguous().numpy().data
                    file.write(data)
                    digest.update(data)
                    done += len(tokens)
                    yield Counted(done, looked.count, "Reading the table into the cache")
                file.flush()
                os.fsync(file.fileno())
            card = {
                "format": FORMAT,
                "count": looked.count,
                "fingerprint": digest.hexdigest(),
                "spec": spec.to_dict(),
                "notes": [*notes, *unread_notes(unread)],
            }
            write_whole(part / "card.json", json.dumps(card))
            found = place or place_of(rows.source.name, digest.hexdigest())
            if not found.exists():  # another process may have been quicker
                os.replace(part, found)
    except OSError as error:
        raise cannot("write", target, error) from error
    del removed
    return found


def unread_notes(unread: dict[str, int]) -> list[str]:
    """Sentences on values that are none of their column's kind."""
    return [
        f"{one_line(name)}: {count:,} values do not match its kind: treated as missing."
        for name, count in unread.items()
    ]


def open_pack(place: Path, share: float) -> Pack:
    """A pack of the cache.

    Args:
        share: of the rows that is held out.

    Raises:
        UserError: it is damaged.
    """
    damaged = UserError(f"{place} in the cache is damaged.")
    try:
        card = parse_json(read_bytes(place / "card.json", CARD))
        spec = TableSpec.from_dict(card["spec"])
        count, notes = int(card["count"]), tuple(map(str, card["notes"]))
        size = (place / "tokens.bin").stat().st_size
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise damaged from error
    if card.get("format") != FORMAT or count < 1 or size != count * len(spec.sizes):
        raise damaged
    source = Shards([place / "tokens.bin"], (len(spec.sizes),), count)
    _, held_out = split(count, share)
    step = max(1, 8_000_000 // len(spec.sizes))
    tokens = source.parts[0]
    found = fingerprint(spec, held_out, (tokens[start : start + step] for start in range(0, count, step)))
    release(source.maps)
    if found != card.get("fingerprint"):
        raise damaged
    cache.used(place)
    return Pack(spec, source, count, found, notes)
