"""Reading tables of labels: CSV files of spreadsheets, metadata files of Hugging Face, the dataset.json of StyleGAN."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ganvas.core.errors import UserError
from ganvas.core.files import parse_json
from ganvas.core.text import one_line
from ganvas.sources.matching import Names

FILE = ("file_name", "filename", "file", "file_path", "filepath")  # and those of the kind
LABEL = ("label", "class", "category", "class_name", "label_name", "labels", "target", "breed", "species", "kind")
LABEL += ("class_id", "category_id", "y")
CAPTIONS = ("text", "caption", "captions", "prompt", "description", "title", "sentence", "transcript", "transcription")
FIRST_LINES = 200  # lines that are examined to understand a table without known columns
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
Line = tuple[str, dict[str, Any]]  # its place, such as "line 3", and its cells by column


class NoTable(Exception):
    """The file is not a table of labels of these files; the message says what it is."""


class Unclear(UserError):
    """A table names these files, but it is not clear which of its columns holds the classes."""


class Row(NamedTuple):
    """A row of a table: its place, such as 'line 3', a file, and its label."""

    line: str
    file: str
    label: Any


def rows(
    where: str, table: str, data: bytes | Exception, known: Names, partial: bool = False
) -> tuple[list[Row], list[str]]:
    """The file and the label in each row, and notes.

    Args:
        partial: rows that lack one of them are skipped.

    Raises:
        NoTable: it is something else.
        UserError: it cannot be read, or a row lacks its file or its label.
    """
    if isinstance(data, Exception):
        raise UserError(f"{where} cannot be read ({data}).") from data
    kind = PurePosixPath(table).suffix.lower()
    notes: list[str] = []
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except ValueError as error:
        if encoding != "utf-8" or kind.startswith(".json"):
            raise UserError(f"{where} is damaged: it is not text ({error}).") from error
        text = data.decode("cp1252", "replace")
        notes.append(f"{where} is not in UTF-8: it is read as Windows-1252. Check the names of the classes.")
    if "\0" in text:
        raise UserError(f"{where} is damaged: it contains zero bytes.")
    if kind == ".json":
        return _of_json(where, text, table, known, partial), notes
    below = PurePosixPath(table).parent
    lines = _of_lines(where, text) if kind == ".jsonl" else _of_csv(where, text, below, known, notes)
    return _chosen(where, lines, below, known, notes, partial), notes


def _parsed(where: str, line: int, text: str) -> Any:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno + line - 1}, column {error.colno}"
        raise UserError(f"{where} is damaged: it is not well-formed JSON ({at}: {error.msg}).") from error
    except ValueError as error:
        raise UserError(f"{where} is damaged: line {line} is not well-formed JSON ({error}).") from error


def _of_json(where: str, text: str, table: str, known: Names, partial: bool) -> list[Row]:
    """The rows of a dataset.json: pairs, objects with a name and a label, or one object of labels by name."""
    parsed = _parsed(where, 1, text)
    stated = isinstance(parsed, dict) and "labels" in parsed
    parsed = parsed["labels"] if stated else parsed
    if stated and parsed is None:  # StyleGAN writes null where there are none
        return []
    if isinstance(parsed, dict):
        rows = [Row(f"entry {n}", name, label) for n, (name, label) in enumerate(parsed.items(), 1)]
        if not stated and not any(known.find(PurePosixPath(table).parent, row.file) for row in rows[:FIRST_LINES]):
            raise NoTable(f"it names none of these {known.kind.noun}")
    elif isinstance(parsed, list) and parsed and all(isinstance(entry, dict) for entry in parsed):
        lines = [(f"entry {n}", entry) for n, entry in enumerate(parsed, 1)]
        return _chosen(where, lines, PurePosixPath(table).parent, known, [], partial)
    elif isinstance(parsed, list):
        rows = []
        for n, entry in enumerate(parsed, 1):
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
                raise UserError(
                    f"{where}: entry {n} is {one_line(json.dumps(entry))[:80]}; a file name and a label are "
                    'needed, as in ["1.png", 0].'
                )
            rows.append(Row(f"entry {n}", *entry))
    else:
        raise UserError(f'{where} has no labels; a list is needed, as in {{"labels": [["1.png", 0]]}}.')
    return _whole(where, rows, ("file", "label"), partial)


def _of_lines(where: str, text: str) -> list[Line]:
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    entries = [(f"line {n}", _parsed(where, n, line)) for n, line in lines]
    other = next((at for at, row in entries if not isinstance(row, dict)), None)
    if other:
        raise UserError(f"{where} is damaged, or not a table of labels: {other} is not a JSON object.")
    if not entries:
        raise NoTable("it is empty")
    return entries


def _of_csv(where: str, text: str, below: PurePosixPath, known: Names, notes: list[str]) -> list[Line]:
    """The rows of a CSV table by its column names; blank lines are skipped.

    Raises:
        NoTable: it is not such a table.
        UserError: a line has more cells than the heading.
    """
    separator = re.match(r"\"?sep=(.)\"?[ \t]*(\r\n|\r|\n)", text, re.IGNORECASE)  # for Excel: not part of the table
    body = text[separator.end() :] if separator else text
    head = re.sub(r'"[^"]*"', "", re.split(r"[\r\n]", body.lstrip("\r\n"), maxsplit=1)[0])
    mark = separator[1] if separator else max(",;\t|", key=head.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=mark, skipinitialspace=True)
    lines, start = [], 1 + bool(separator)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((f"line {start}", [cell.strip() for cell in cells]))
            start = reader.line_num + 1 + bool(separator)
    except csv.Error as error:
        if any(known.find(below, cell, True) for _, cells in lines[:FIRST_LINES] for cell in cells):
            raise UserError(f"{where} is damaged: {error} (line {start}).") from error
        raise NoTable(f"{error} (line {start})") from error
    if not lines:
        raise NoTable("it is empty")
    columns = lines[0][1]
    if not {*map(_plain, columns)} & {*_files(known), *LABEL} and any(
        known.find(below, cell, True) for cell in columns
    ):
        columns = [f"column {n}" for n in range(1, len(columns) + 1)]
        notes.append(f"{where} has no heading: its first line is read as a {known.kind.singular} like the others.")
    else:
        lines = lines[1:]
    wide = next((at for at, cells in lines if any(cells[len(columns) :])), None)
    rows = [(at, dict(zip(columns, cells, strict=False))) for at, cells in lines]
    if wide and any(known.find(below, str(cell), True) for _, row in rows[:FIRST_LINES] for cell in row.values()):
        raise UserError(f"{where}: {wide} has more cells than the heading. Put cells that hold a '{mark}' into quotes.")
    if not rows:
        raise NoTable("it has a heading but no lines")
    return rows


def _files(known: Names) -> tuple[str, ...]:
    """The names of columns with files."""
    return (*FILE, *known.kind.columns, *known.kind.numbers)


def _plain(column: str) -> str:
    """A column's name in lower case, with words joined by underscores."""
    return re.sub(r"[\s_-]+", "_", column.strip().lower())


def _whole(where: str, rows: list[Row], columns: tuple[str, str], partial: bool) -> list[Row]:
    """The rows that have a file and a label; that one lacks them is an error, unless `partial`."""
    whole = [row for row in rows if row.file and row.label not in (None, "")]
    if len(whole) < len(rows) and not partial:
        line = next(row.line for row in rows if row not in whole)
        raise UserError(f"{where}: {line} lacks its {one_line(columns[0])} or its {one_line(columns[1])}.")
    return whole


def _chosen(
    where: str, lines: list[Line], below: PurePosixPath, known: Names, notes: list[str], partial: bool
) -> list[Row]:
    """The cells with the files and the labels.

    Raises:
        NoTable: no column names these files, or no other one holds classes.
        UserError: a row has no file or no label, or it is not clear which column holds the classes.
    """
    columns = list(dict.fromkeys(c for _, row in lines[:FIRST_LINES] for c in row))
    plain = {_plain(c): c for c in reversed(columns)}
    file, label = (next((plain[n] for n in wanted if n in plain), None) for wanted in (_files(known), LABEL))
    first = [row for _, row in lines[:FIRST_LINES]]
    if file is None or label is None or _plain(file) in known.kind.numbers:
        naming = {c: sum(bool(known.find(below, str(row.get(c) or ""), c != file)) for row in first) for c in columns}
        file = file if file is not None and naming[file] else max(columns, key=lambda c: naming[c], default=None)
        if file is None or not naming[file]:
            raise NoTable(
                f"it names none of these {known.kind.noun}; its columns are {', '.join(map(one_line, columns[:20]))}"
            )
    if label is None or label == file:
        label = _guessed(where, [c for c in columns if c != file], file, lines)
        notes.append(f"{where}: '{one_line(file)}' is used for the files and '{one_line(label)}' for the classes.")
    rows = [Row(at, str(row.get(file) or ""), row.get(label)) for at, row in lines]
    return _whole(where, rows, (file, label), partial)


def _guessed(where: str, other_columns: list[str], file: str, lines: list[Line]) -> str:
    """The column of classes if no name says so: the only other column, if its values repeat."""
    captions = [c for c in other_columns if _plain(c) in CAPTIONS]
    if captions:
        raise NoTable(f"its column '{one_line(captions[0])}' holds captions, not classes")
    values = [str(row.get(other_columns[0]) or "") for _, row in lines] if len(other_columns) == 1 else []
    if not values or 2 * len(set(values)) > len(values):
        columns = ", ".join(map(one_line, [file, *other_columns][:20]))
        raise Unclear(
            f"{where} has the columns {columns}; one of {', '.join(LABEL[:6])} is needed next to '{one_line(file)}'. "
            "Rename the column of the classes, or train with labels=false."
        )
    return other_columns[0]
