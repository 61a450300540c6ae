"""columns.toml: of which kind each column of a table is, and which rules hold, in one file that people read and change.

[columns]
age = "number"  # whole; 73 different
joined = { kind = "date", form = "%d/%m/%Y" }  # doubtful: day and month cannot be told apart

[rules]
keep = [
  "total = net + tax",
]
refuse = []
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganvas.core.errors import UserError, first_line, unknown
from ganvas.core.files import place, read_bytes
from ganvas.core.text import one_line
from ganvas.tables.columns import KINDS, Column

LARGEST = 20_000_000  # bytes
SKIP = "skip"  # the kind of a column that is left out
ENTRIES: dict[str, type] = {
    "kind": str,
    "type": str,
    "form": str,
    "zone": str,
    "decimals": int,
    "order": list,
    "span": list,
}
HEAD = """\
# The columns of {name}, as `ganvas data check` found them. Change what is wrong, then train with columns={file}.
# Kinds: number; category; date; id (newly made, never learned); text (free text: left empty, or text=resample);
# constant; skip (left out). More can be set in braces: {{ kind = "date", form = "%d/%m/%Y" }}; form = "€ 1.234,5" of
# numbers (how 1234.5 is written); type = "int", "float" or "text"; decimals = 2; zone = "Europe/Berlin"; and
# order = ["low", "high"] of categories; span = [0, 100], the range of numbers, for privacy=.
"""
RULES = """\
# Rules that hold in every row, and are kept in drawn rows: as many lines as you like, yours too. Without keep, all
# rules found are kept, except those listed in refuse.
"""


@dataclass(frozen=True)
class Chosen:
    """What a file says: the entries of each column by name, and the rules as they are written."""

    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)


def read(path: str) -> Chosen:
    """What the user's file says; nothing where `path` is ''.

    Raises:
        UserError: it cannot be read, or says what there is not.
    """
    if not path:
        return Chosen()
    where = place(path)
    try:
        found = tomllib.loads(read_bytes(where, LARGEST).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{where} cannot be read as TOML: {first_line(error)}.") from error
    if strange := [key for key in found if key not in ("columns", "rules")]:
        raise UserError(f"{where} has a part {one_line(strange[0])[:60]!r}: only [columns] and [rules] are allowed.")
    for part in found:
        if not isinstance(found[part], dict):
            raise UserError(f"{where}: {part} is not a group; write [{part}] and below it a line for each.")
    columns = {name: entries(name, value, str(where)) for name, value in found.get("columns", {}).items()}
    return Chosen(columns, found.get("rules", {}))


def entries(name: str, value: Any, where: str = "") -> dict[str, Any]:
    """The entry of a column: its kind, or a table with more.

    Raises:
        UserError: it is not one.
    """
    at = f"{where}: " if where else ""
    title = one_line(name)[:60]
    given = {"kind": value} if isinstance(value, str) else value
    if not isinstance(given, dict):
        raise UserError(f'{at}the column {title} is {value!r:.60}: write {title} = "number", or another kind.')
    for key, entry in given.items():
        if key not in ENTRIES:
            raise unknown(f"entry of the column {title}", str(key)[:60], ENTRIES)
        if type(entry) is not ENTRIES[key]:
            raise UserError(f"{at}{key} of the column {title} is {entry!r:.60}, which is not allowed.")
    if "kind" in given and given["kind"] not in (*KINDS, SKIP):
        raise unknown(f"kind of column ({at}{title})", given["kind"][:60], (*KINDS, SKIP))
    if not all(isinstance(value, str) for value in given.get("order", [])):
        raise UserError(f'{at}order of the column {title} is a list of texts: ["low", "high"].')
    span: Any = given.get("span", [0, 0])
    if len(span) != 2 or not all(type(v) in (int, float) and abs(v) < 2**52 for v in span) or span[0] > span[1]:
        raise UserError(f"{at}span of the column {title} is two numbers: [0, 100].")
    return dict(given)


def single(text: str) -> dict[str, dict[str, Any]]:
    """What `column.NAME=kind` on the command line said: JSON with kinds by name, '' for none.

    Raises:
        UserError: it is none, or names a kind that there is not.
    """
    try:
        found = json.loads(text) if text else {}
    except ValueError as error:
        raise UserError(f"kinds={text[:60]} is set by column.NAME=KIND.") from error
    if not isinstance(found, dict):
        raise UserError(f"kinds={text[:60]} is set by column.NAME=KIND.")
    return {str(name): entries(str(name), value) for name, value in found.items()}


def text(
    name: str,
    file: str,
    columns: Sequence[Column],
    remarks: Mapping[str, str],
    rules: Sequence[tuple[str, str]] | None = None,
    refused: Sequence[str] = (),
) -> str:
    """The file's text.

    Args:
        name: of the table.
        file: the file's own name.
        remarks: the comment on each column, by its name; a doubt is added.
        rules: texts of rules to keep, and a remark on each; None: no entry on rules.
        refused: texts of rules that are refused.
    """
    lines = [HEAD.format(name=one_line(name), file=one_line(file)), "[columns]"]
    for column in columns:
        notes = [f"doubtful: {column.doubt}"] * bool(column.doubt) + [remarks.get(column.name, "")]
        remark = one_line("; ".join(filter(None, notes)))
        lines.append(f"{key(column.name)} = {_said(column)}" + (f"  # {remark}" if remark else ""))
    if rules is not None:
        lines += ["", RULES + "[rules]"]
        lines += (
            ["keep = [", *(f"  {quoted(rule)},  # {one_line(remark)}" for rule, remark in rules), "]"] if rules else []
        )
        lines += ["refuse = [", *(f"  {quoted(rule)}," for rule in refused), "]"] if refused else ["refuse = []"]
    return "\n".join(lines) + "\n"


def _said(column: Column) -> str:
    """A column's kind, with what cannot be known from the kind alone."""
    more: dict[str, Any] = {"kind": column.kind}
    if column.form and column.kind in ("number", "date"):
        more["form"] = column.form
    if column.type in ("clock", "span"):
        more["type"] = column.type
    if column.order:
        more["order"] = list(column.order)
    if len(more) == 1:
        return quoted(column.kind)
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in more.items()) + " }"


def _value(value: Any) -> str:
    return f"[{', '.join(map(quoted, value))}]" if isinstance(value, list) else quoted(value)


def key(name: str) -> str:
    """A column's name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def quoted(value: str) -> str:
    """A text as a basic string of TOML."""
    escaped = "".join(
        f"\\{c}" if c in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in value
    )
    return f'"{escaped}"'
