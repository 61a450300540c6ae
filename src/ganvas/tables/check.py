"""`ganvas data check` of a table: what its columns are, what is doubtful, what is skipped; and columns.toml."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core import config as cf
from ganvas.core.console import command
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import write_whole
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.tables import columns_file, databases, pack, read
from ganvas.tables.columns import Column
from ganvas.tables.data import FEWEST, DataConfig
from ganvas.tables.fit import columns_of, doubted, fitted, rules_of
from ganvas.tables.kept import Kept
from ganvas.tables.rules.base import Unique, rows_of
from ganvas.tables.several import planner
from ganvas.tables.several.schema import to_json

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES, WIDE = 3, 44  # example values of a column, and the characters that they may take
LEARNED = ("number", "category", "date")
PASSED = {
    "id": "newly made, never learned",
    "text": "free text: left empty (text=resample draws from frequent ones)",
    "constant": "the same in each row",
}


@dataclass(frozen=True)
class Seen:
    """A column, how many rows miss it, how many values it has among the rows looked at, and some of them."""

    column: Column
    missing: int
    distinct: int
    examples: tuple[str, ...]

    def kind(self) -> str:
        """Kind and type, for people."""
        c = self.column
        whole = {"int": "whole number", "clock": "time of day", "span": "duration"}
        words = {
            "number": whole.get(
                c.type, f"number, {c.decimals} decimal{'s' * (c.decimals > 1)}" if c.decimals > 0 else "number"
            ),
            "category": "ordered category"
            if c.order
            else "yes or no"
            if self.distinct == 2 and not self.missing
            else "category",
            "date": "day" if c.type == "date" else f"date and time{f' ({c.zone})' if c.zone else ''}",
        }
        return words.get(c.kind, c.kind)

    def to_dict(self) -> dict[str, Any]:
        entries = {k: v for k, v in self.column.to_dict().items() if k != "parts"}
        return entries | {"missing": self.missing, "distinct": self.distinct, "examples": list(self.examples)}


def check(
    source: str, settings: dict[str, str], file: Path | None = None
) -> Generator[Counted, None, tuple[list[str], dict[str, Any]]]:
    """Look at a table and change nothing.

    Args:
        source: a path or a database's address.
        settings: of `DataConfig`, as texts; `column.NAME` too.
        file: where columns.toml is to be written; None: nowhere.

    Returns:
        Lines for people, and the JSON form.

    Raises:
        UserError: the table cannot be read, or a setting is none.
    """
    config = configured(source, settings)
    if planner.several(config):
        return (yield from _database(config, settings, file))
    with config.opened() as rows:
        looked = yield from pack.look(rows)
        columns, notes = columns_of(looked, config)
        kept = yield from _rules(rows, looked, columns, config)
    if kept:
        notes += kept.notes
    seen = [_seen(column, looked.frame[column.name], looked.missing.get(column.name, 0)) for column in columns]
    doubts = {doubted(c) for c in columns if c.doubt}
    notes = [note for note in (*looked.notes, *notes) if note not in doubts]
    if file is not None:
        remarks = {s.column.name: _remark(s) for s in seen}
        text = columns_file.text(rows.source.name, str(file), columns, remarks, *_for_file(kept))
        write_whole(file, text)
    place = databases.told(source) if databases.is_address(source) else source
    lines = _lines(place, looked.count, seen, notes, _rule_lines(kept))
    train = ["train", "table", "--data", place, *(f"{k}={v}" for k, v in settings.items())]
    if file is not None:
        lines += ["", f"{file} was written (the table is unchanged). Correct it where it is wrong, then:"]
        lines.append(f"  {command(*train, f'columns={file}')}")
    else:
        check_ = ("data", "check", place, "--columns", "columns.toml")
        lines += [
            "",
            "Nothing is changed by this check. Next:",
            f"  {command(*train)}",
            "If a kind is wrong, add column.NAME=KIND, or edit the file that this writes:",
        ]
        lines.append(f"  {command(*check_)}")
    form = {"source": place, "rows": looked.count, "looked_at": len(looked.frame), "notes": notes}
    if kept:
        form |= {"rules": [{"rule": r.text, "words": r.words()} for r in kept.said], "nearly": list(kept.nearly)}
    return lines, form | {"columns": [s.to_dict() for s in seen]}


def _database(
    config: DataConfig, settings: dict[str, str], file: Path | None
) -> Generator[Counted, None, tuple[list[str], dict[str, Any]]]:
    """As `check`, of all tables of a database and the keys between them."""
    if file is not None:
        raise UserError("--columns is for one table: name it with table=NAME. For several: column.TABLE.NAME=KIND.")
    plan = yield from planner.make(config)
    place = databases.told(config.source)
    lines = [f"{len(plan.tables)} tables in {place}, in the order in which they are learned"]
    does = {
        "first": "rows are made by it",
        "other": "a row that fits",
        "row": "which row is learned as a category",
        "late": "filled at the end, at random",
    }
    for table in plan.tables:
        sql = plan.schema[table.name]
        lines += ["", f"{one_line(table.name)}: {sql.rows:,} rows, {table.way}"]
        for tie in table.ties:
            there = "" if tie.there == 1 else f"; {1 - tie.there:.1%} of the rows have none"
            lines.append(f"   key {tie.key.words()}: {does[tie.role]}{there}")
        keyed = {name for tie in table.ties for name in tie.key.columns}
        own = [one_line(c.name) for c in sql.columns if c.name not in keyed and c.name not in table.ids]
        lines += [f"   new ids: {', '.join(map(one_line, table.ids))}"] * bool(table.ids)
        lines += [f"   columns: {', '.join(own)}"] * bool(own)
    lines += ["", "Notes", *(f"   {note}" for note in plan.notes)] if plan.notes else []
    words = [f"{k}={v}" for k, v in settings.items()]
    first = one_line(plan.learned[0].name)
    lines += ["", "Nothing is changed by this check. Next:", f"  {command('train', 'table', '--data', place, *words)}"]
    lines += ["To see the columns of one table:", f"  {command('data', 'check', place, f'table={first}')}"]
    return lines, {"source": place, **to_json(plan), "notes": list(plan.notes)}


def _rules(
    rows: read.Rows, looked: pack.Looked, columns: list[Column], config: DataConfig
) -> Generator[Counted, None, Kept | None]:
    """The table's rules; None: they are not looked for, or there is nothing to learn."""
    if not config.rules or config.privacy or looked.count < FEWEST:
        return None
    _, held_out = pack.split(looked.count, config.held_out)
    try:
        spec, _ = fitted(looked, columns, held_out, config)
    except UserError:  # no column can be learned: said in the notes
        return None
    return (yield from rules_of(rows, looked, spec, held_out, config))


def _for_file(kept: Kept | None) -> tuple[list[tuple[str, str]] | None, tuple[str, ...]]:
    """What is below [rules]: texts with remarks, and texts of refused rules."""
    if kept is None:
        return None, ()
    return [(rule.text, rule.words()) for rule in kept.said if not isinstance(rule, Unique)], kept.refused


def _rule_lines(kept: Kept | None) -> list[str]:
    """Rules in plain words."""
    if kept is None:
        return []
    held = [one_line(rule.words()) for rule in kept.said if not isinstance(rule, Unique)]
    more = [one_line(rule.words()) for rule in kept.said if isinstance(rule, Unique)]
    lines = ["", "Rules that hold in every row, and are kept in drawn rows"] if held else []
    lines += [f"   {words}" for words in held]
    if more:
        lines += ["", "True of the table, but not kept", *(f"   {words}" for words in more)]
    if kept.nearly:
        lines += [
            "",
            "Rules that hold in nearly every row, and are not kept",
            *(f"   {one_line(words)}" for words in kept.nearly),
        ]
    return lines


def configured(source: str, settings: dict[str, str]) -> DataConfig:
    """The settings of the data.

    Raises:
        UserError: one is none, or has a value that it cannot have.
    """
    import json

    config, kinds = DataConfig(source), cf.types_of(DataConfig)
    for key, text in settings.items():
        family, _, name = key.partition(".")
        if name and family in config.families:
            holder = config.families[family]
            key, text = holder, json.dumps({**json.loads(getattr(config, holder) or "{}"), name: text})
        if key not in kinds or key == "source":
            raise unknown("setting", key, [k for k in kinds if k != "source"])
        config = dataclasses.replace(config, **{key: cf.parse(text, kinds[key], key)})
    cf.check(config)
    return config


def _seen(column: Column, series: pd.Series, missing: int) -> Seen:
    known = series.dropna()
    if not len(known):
        return Seen(column, missing, 0, ())
    often = known.value_counts().index[:EXAMPLES] if column.kind == "category" else known.iloc[:200].unique()[:EXAMPLES]
    return Seen(column, missing, int(known.nunique()), tuple(one_line(value)[:40] for value in often))


def _remark(seen: Seen) -> str:
    shown = ", ".join(seen.examples) if seen.column.kind in LEARNED else ""  # no ids and texts: they are of one row
    parts = [f"{seen.distinct:,} different" if seen.distinct > 1 else ""]
    parts += [f"{seen.missing:,} missing" * bool(seen.missing), f"such as {shown[:60]}" * bool(shown)]
    return "; ".join(filter(None, parts))


def _lines(place: str, count: int, seen: list[Seen], notes: list[str], rules: list[str]) -> list[str]:
    wide = min(32, max([6, *(len(one_line(s.column.name)) for s in seen)]))
    kinds = max([4, *(len(s.kind()) for s in seen)])
    lines = [
        f"{rows_of(count)} and {len(seen):,} column{'' if len(seen) == 1 else 's'} in {place}",
        "",
    ]
    lines.append(f"   {'Column':<{wide}}  {'Kind':<{kinds}}  {'Missing':>8}  {'Different':>9}  Examples")
    for s in seen:
        mark = "?" if s.column.doubt else "-" if s.column.kind not in LEARNED else " "
        share = s.missing / max(1, count)
        gone = "" if not s.missing else f"{share:.1%}" if 0.0005 <= share < 0.9995 else f"{s.missing:,}"
        shown = ", ".join(s.examples)
        shown = shown if len(shown) <= WIDE else f"{shown[: WIDE - 3]}..."
        name = one_line(s.column.name)
        name = name if len(name) <= wide else f"{name[: wide - 3]}..."
        lines.append(f" {mark} {name:<{wide}}  {s.kind():<{kinds}}  {gone:>8}  {s.distinct:>9,}  {shown}".rstrip())
    doubtful = [s for s in seen if s.column.doubt]
    if doubtful:
        lines += ["", "Doubtful (?): correct them with column.NAME=KIND"]
        lines += [f" ? {doubted(s.column)}" for s in doubtful]
    passed = [s for s in seen if s.column.kind not in LEARNED]
    if passed:
        lines += ["", "Skipped (-), not learned"]
        for kind, why in PASSED.items():
            names = [one_line(s.column.name) for s in passed if s.column.kind == kind]
            if names:
                lines.append(f" - {', '.join(names)}: {kind}, {why}.")
    nearly = [f"{one_line(s.column.name)} ({s.missing / count:.1%})" for s in seen if count > s.missing > 0.95 * count]
    if nearly:
        notes = [*notes, f"Nearly empty: {', '.join(nearly)}."]
    if count < FEWEST:
        notes = [
            *notes,
            f"{rows_of(count)} {'is' if count == 1 else 'are'} too few to learn from: at least {FEWEST} are needed.",
        ]
    if not any(s.column.kind in LEARNED for s in seen):
        notes = [*notes, "No column can be learned: there is nothing to train on. Set a kind with column.NAME=KIND."]
    return [*lines, *rules, *(["", "Notes", *(f"   {note}" for note in notes)] if notes else [])]
