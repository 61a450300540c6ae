"""Labels in tables: which files each names, and their classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.sources import label_tables
from ganvas.sources.kind import Kind
from ganvas.sources.label_tables import NoTable, Row, Unclear
from ganvas.sources.matching import Names

LARGEST = 200_000_000  # bytes of a table
LONGEST = 200  # characters of a class's name
Open = Callable[[list[str]], Iterator[bytes | Exception]]


class Stated(NamedTuple):
    """The class of each file, None where a test file has none; notes on what was ignored or guessed; the tables."""

    labels: list[str | None] | None  # None where the tables state no class
    notes: list[str]
    tables: list[str]  # the names of those that state classes


def is_table(name: str) -> bool:
    """Is this the name of a file that may be a table of labels?"""
    base = name.rpartition("/")[2].lower()
    return base.endswith((".csv", ".tsv")) or base in ("metadata.jsonl", "dataset.json")


def check_names(place: str, names: Collection[str]) -> None:
    """Raise a UserError if two classes differ only in case: one of them is a typing error."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        twin = seen.setdefault(name.strip().lower(), name)
        if twin != name:
            raise UserError(
                f"{place} has the classes '{one_line(twin)}' and '{one_line(name)}', which differ only in case. "
                "Rename one."
            )


def from_tables(
    place: str,
    kind: Kind,
    names: list[str],
    tables: dict[str, Open],
    beside: Collection[str] = (),
    tests: list[bool] | None = None,
    partial: bool = False,
) -> Stated:
    """The class of each file.

    Args:
        place: what the user calls the folder or archive.
        names: of the files, as in the folder or archive.
        tables: the names of files that may be tables, each with a function that reads it.
        beside: files that are not used, which tables may name all the same.
        tests: which are for testing. Where none of these has a label, as in competitions, theirs are None.
        partial: the files need not be those of the tables: some may have no label (None), and others not be there.

    Raises:
        Unclear: it is not clear which column of the only table holds the classes.
        UserError: a table cannot be read, contradicts itself or another one, names files that are not there, or leaves
            files without a label.
    """
    known, notes = Names(kind, names, beside), []
    stated: dict[int, tuple[str, str]] = {}  # by number: its label, and the line with it
    used, unclear = [], None
    for table, read in tables.items():
        where = one_line(f"{place}/{table}")
        try:
            rows, table_notes = label_tables.rows(where, table, next(read([table])), known, partial)
        except NoTable as error:
            notes.append(f"{where} is not a table of labels and is skipped: {error}.")
            continue
        except Unclear as error:  # no matter if the other tables name all classes
            unclear = error
            continue
        notes += table_notes
        used += [table] if rows else []
        _add_labels(where, PurePosixPath(table).parent, rows, known, stated, partial)
    if not used:
        if unclear is not None:
            raise unclear
        return Stated(None, notes, [])
    labels = [stated[i][0] if i in stated else None for i in range(len(names))]
    bare = [i for i, label in enumerate(labels) if label is None]
    if tests and bare == [i for i, test in enumerate(tests) if test]:
        notes.append(f"{len(bare):,} {kind.tests} without a label in {', '.join(map(one_line, used))} are left out.")
    elif bare and not partial:
        raise UserError(
            f"{place}: {kind.many(len(bare))} {'has' if len(bare) == 1 else 'have'} no label in "
            f"{', '.join(map(one_line, used))} (the first: {one_line(names[bare[0]])}). Add them, or train with "
            "labels=false."
        )
    if unclear is not None:
        notes.append(f"Skipped, because other tables name all classes: {unclear}")
    if not partial:
        check_names(place, {label for label in labels if label is not None})
    return Stated(labels, notes, used)


def _add_labels(
    where: str,
    below: PurePosixPath,
    rows: list[Row],
    known: Names,
    stated: dict[int, tuple[str, str]],
    partial: bool,
) -> None:
    """Add the labels of a table to those that are known already."""
    missing = []
    for row in rows:
        at = f"{where}, {row.line}"
        matches = known.find(below, row.file)
        if not matches:
            missing.append(row)
            continue
        if len(matches) > 1:
            one, other = (one_line(known.names[i]) for i in matches[:2])
            raise UserError(
                f"{at}: {one_line(row.file)} may be {one} or {other}. Write the path, relative to the table's folder."
            )
        if matches[0] in known.beside:
            continue
        label = _label(at, row.label, known.kind)
        before, before_at = stated.setdefault(matches[0], (label, at))
        if before != label:
            raise UserError(
                f"{one_line(known.names[matches[0]])} has two labels: '{one_line(before)}' ({before_at}) and "
                f"'{one_line(label)}' ({at}). Remove one of these lines."
            )
    if missing and not partial:
        first, many = one_line(missing[0].file[:LONGEST]), len(missing) > 1
        raise UserError(
            f"{where} names {len(missing):,} {'files that are' if many else 'file that is'} not there (the first: "
            f"{first}, {missing[0].line}). Remove such lines, or add the files."
        )


def _label(where: str, value: Any, kind: Kind) -> str:
    """The name of a class in a table; for a one-hot list, the position of the 1."""
    if isinstance(value, list):
        numbers = [v for v in value if isinstance(v, int | float)]
        if len(numbers) == len(value) and sorted(numbers)[-1:] == [1] and not any(sorted(numbers)[:-1]):
            return str(numbers.index(1))
        raise UserError(
            f"{where}: the label {one_line(json.dumps(value))[:80]} is a list. One class for each {kind.singular} "
            "is needed, or a list of zeros with a single 1."
        )
    if isinstance(value, dict):
        raise UserError(f"{where}: the label is an object. One class for each {kind.singular} is needed.")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if len(text) > LONGEST:
        raise UserError(
            f"{where}: the label has {len(text):,} characters; the name of a class has {LONGEST} at most. Train with "
            "labels=false if these are not classes."
        )
    return text
