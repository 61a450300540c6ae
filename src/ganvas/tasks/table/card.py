"""What a trained model of a table says of itself, in addition to what every model says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ganvas.core.model import Section, Usage
from ganvas.core.text import one_line, quoted
from ganvas.tables import private

if TYPE_CHECKING:
    from ganvas.tables.columns import Column
    from ganvas.tasks.table.model import TableModel

SHOWN = 60  # columns that are listed
KINDS = {
    "number": "numbers",
    "category": "categories",
    "date": "dates",
    "id": "ids",
    "text": "free texts",
    "constant": "constants",
}


def facts(model: TableModel) -> dict[str, str]:
    """The columns by kind, the rows, and what may be drawn."""
    counts = Counter(column.kind for column in model.spec.columns)
    kinds = ", ".join(f"{counts[kind]} {words}" for kind, words in KINDS.items() if counts[kind])
    rare, rows = model.card["data"].get("rare"), _rows(model)
    lines = {"rows": f"{len(model.spec.columns)} columns: {kinds}"}
    if model.spec.privacy:
        lines["privacy"] = " ".join(private.told(model.card))
    if rows:
        lines["learned from"] = f"{rows:,} rows; the file contains none of them"
    if isinstance(rare, int):
        lines["rare values"] = f"those that fewer than {rare} rows have are never drawn"
    path = model.path
    if path.is_file():
        lines["size"] = f"{path.stat().st_size / 1e6:.1f} MB"
    return lines


def _rows(model: TableModel) -> int:
    """The rows that were trained on, as the cells count them."""
    if model.spec.privacy:
        return model.spec.privacy.rows
    for column in model.spec.read:
        part = column.parts[0]
        return sum(part.counts) + part.missing + part.rare
    return 0


def sections(model: TableModel) -> list[Section]:
    """Each column and each rule, a line."""
    columns = model.spec.columns
    lines = [f"{one_line(column.name)}: {describe(column)}" for column in columns[:SHOWN]]
    if len(columns) > SHOWN:
        lines.append(f"and {len(columns) - SHOWN} more")
    rules = [one_line(rule.words()) for rule in model.spec.rules]
    if len(rules) > SHOWN:
        rules = [*rules[:SHOWN], f"and {len(rules) - SHOWN} more"]
    found = [Section("Columns", "The columns", lines)]
    return [*found, Section("Rules", "Rules that drawn rows keep", rules)] if rules else found


def describe(column: Column) -> str:
    """A column in a few words; no value that one row alone has is among them."""
    if column.kind == "id":
        return "id, made anew"
    if column.kind == "text":
        return "free text, left empty"
    if column.kind == "constant":
        return f"always {one_line(column.value)[:40]}" if column.value else "always empty"
    part = column.parts[0]
    rows = max(1, sum(part.counts) + part.missing + part.rare)
    missing = f", {part.missing / rows:.0%} missing" if part.missing else ""
    if column.kind == "category":
        kind = {"bool": "yes or no", "int": "codes"}.get(column.type, "category")
        return f"{kind}, {len(part.values)} values{', in an order' if column.order else ''}{missing}"
    if column.kind == "date":
        return f"{'date' if column.type == 'date' else 'date and time'}{missing}"
    if column.type in ("clock", "span"):
        return f"{'time of day' if column.type == 'clock' else 'duration'}{missing}"
    digits = f" with {column.decimals} digits after the point" if column.decimals > 0 else ""
    return f"{'whole number' if column.type == 'int' else 'number'}{digits}{missing}"


def condition(model: TableModel) -> str:
    """A condition that shows how one is written; '' where there is no column for it."""
    for column in model.spec.learned:
        if column.kind == "category" and column.parts[0].values:
            part = column.parts[0]
            value = part.values[max(range(len(part.counts)), key=lambda i: part.counts[i])]
            if not any(c in f"{column.name}{value}" for c in ',|<>="'):
                return f"{column.name}={value}"
    return ""


def usage(model: TableModel, place: str) -> Usage:
    """Draw rows, with a condition and without."""
    where = condition(model)
    more = (("sample", place, "--count", "1000", "--where", where),) if where else ()
    conditional = f"\nsome = model.sample(1_000, where={quoted(where)})" if where else ""
    return Usage(
        (("sample", place, "--count", "10000", "--out", "rows.csv"), *more),
        f"model = ganvas.load({quoted(place)})\nrows = model.sample(10_000, seed=0)  # a pandas DataFrame{conditional}",
        ("tables",),
    )
