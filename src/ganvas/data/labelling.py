"""Labels in tables: a CSV file, the metadata files of Hugging Face, the dataset.json of StyleGAN."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

from ganvas.errors import UserError

FILE = ("file_name", "file", "image", "path", "filename")
LABEL = ("label", "class", "category")
Open = Callable[[list[str]], Iterator[bytes | Exception]]


def is_table(name: str) -> bool:
    """Is this a table of labels, by its name?"""
    base = name.rpartition("/")[2].lower()
    return base.endswith(".csv") or base in ("metadata.jsonl", "dataset.json")


def check_names(place: str, names: Collection[str]) -> None:
    """Raise a UserError where two classes differ by case alone: one of them is a slip."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        twin = seen.setdefault(name.strip().lower(), name)
        if twin != name:
            raise UserError(f"{place} has the classes '{twin}' and '{name}', which differ by case alone. Rename one.")


def from_tables(place: str, names: list[str], tables: dict[str, Open]) -> list[str] | None:
    """The class of each picture; None where the tables state none.

    Args:
        place: what the user calls the folder or archive.
        names: of the pictures, as the folder or archive has them.
        tables: name of each table, and what reads it.

    Raises:
        UserError: a table cannot be read, names files that are not there, or leaves pictures without a label.
    """
    places = {name: i for i, name in enumerate(names)}
    short: dict[str, int] = {}  # a file's bare name, where no other picture has it
    for i, name in enumerate(names):
        base = name.rpartition("/")[2]
        short[base] = -1 if base in short else i
    labels: list[str | None] = [None] * len(names)
    stated = False
    for table, read in tables.items():
        where, missing, first = f"{place}/{table}", 0, ""
        below = PurePosixPath(table).parent
        for file, label in _rows(where, table, next(read([table]))):
            stated = True
            number = places.get(str(below / file), short.get(file.rpartition("/")[2], -1))
            if number < 0:
                missing, first = missing + 1, first or file
            else:
                labels[number] = label
        if missing:
            raise UserError(
                f"{where} names {missing:,} files that are not there (the first: {first}). Remove these lines, or add "
                "the files."
            )
    if not stated:
        return None
    bare = [name for name, label in zip(names, labels, strict=True) if label is None]
    if bare:
        raise UserError(
            f"{place}: {len(bare):,} pictures have no label in {', '.join(tables)} (the first: {bare[0]}). Add them, "
            "or train with labels=false."
        )
    found = [label for label in labels if label is not None]
    check_names(place, set(found))
    return found


def _rows(where: str, table: str, data: bytes | Exception) -> Iterator[tuple[str, str]]:
    """File and label of each line."""
    if isinstance(data, Exception):
        raise UserError(f"{where} cannot be read ({data}).") from data
    try:
        text = data.decode("utf-8-sig")
        if table.endswith(".json"):
            pairs = json.loads(text).get("labels") or []  # StyleGAN writes null where there are none
            yield from ((str(file), str(label)) for file, label in pairs)
            return
        if table.endswith(".jsonl"):
            rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            head = text.partition("\n")[0]
            mark = max(",;\t", key=head.count)
            rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=mark))
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("its lines are no objects")
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"{where} is damaged, or no table of labels ({error}).") from error
    columns = {str(c).strip().lower(): c for c in (rows[0] if rows else {})}
    file, label = (next((columns[n] for n in wanted if n in columns), None) for wanted in (FILE, LABEL))
    if file is None or label is None:
        raise UserError(
            f"{where} has the columns {', '.join(map(str, columns)) or '(none)'}; one of {', '.join(FILE)} and one of "
            f"{', '.join(LABEL)} are needed. Rename them, or train with labels=false."
        )
    for number, row in enumerate(rows, 2):
        if row.get(file) in (None, "") or row.get(label) in (None, ""):
            raise UserError(f"{where}: line {number} lacks its {file} or its {label}.")
        yield str(row[file]).replace("\\", "/").removeprefix("./"), str(row[label]).strip()
