"""The rules that a table's drawn rows keep: found in the rows looked at or said by the user, and true of all rows."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganvas.core.errors import UserError
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.tables import read
from ganvas.tables.columns import Column
from ganvas.tables.rules import text
from ganvas.tables.rules.assemble import assemble
from ganvas.tables.rules.base import Columns, Rule, Unique, rows_of
from ganvas.tables.rules.find import find
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Together

if TYPE_CHECKING:
    import pandas as pd

    from ganvas.tables.pack import Looked


@dataclass(frozen=True)
class Kept:
    """Rules of a table.

    Attributes:
        rules: what drawn rows keep, fitted, in the order in which they are applied.
        said: the same rules as they were found or written, and some that drawn rows need not keep.
        refused: the texts of rules that the user refuses.
        notes: sentences for the user.
        nearly: sentences on what holds in nearly all rows.
    """

    rules: tuple[Rule, ...] = ()
    said: tuple[Rule, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nearly: tuple[str, ...] = ()


def rules(
    rows: read.Rows,
    looked: Looked,
    columns: Sequence[Column],
    trained: Any,
    entries: Mapping[str, Any],
    rare: int,
    given: frozenset[str] = frozenset(),
) -> Generator[Counted, None, Kept]:
    """The rules of a table.

    Where the user's file names rules to keep, these are all; else those that are found, without the refused ones. Where
    not all rows were looked at, the table is read once more: a rule that was found and does not hold is left out.

    Args:
        columns: the table's, fitted.
        trained: which rows of those looked at are trained on, bool [n].
        entries: the table [rules] of the user's file.
        rare: fewest rows that a value or a combination must have to be drawn.
        given: columns that are known before a row is drawn: no rule may compute or limit them.

    Raises:
        UserError: a rule of the user cannot be read, or does not hold.
    """
    by_name, notes = {column.name: column for column in columns}, []
    mine, refused = text.from_toml(dict(entries), list(by_name))
    chosen = "keep" in entries
    usable = [column for column in columns if column.parts]
    frame = read.typed(looked.frame, usable)
    nearly: tuple[str, ...] = ()
    if not chosen:
        found = find(frame, usable, rare, given)
        no = {*refused, *(_plain(t, list(by_name)) for t in refused)}
        mine, nearly = tuple(rule for rule in found.rules if rule.text not in no), found.nearly
    said = mine
    # ids are unique in any case, and a part of the rows says nothing of all
    sure = {column.name for column in usable if chosen or looked.is_whole}
    mine = tuple(rule for rule in mine if not isinstance(rule, Unique) or {*rule.names} <= sure)
    first = frame[trained]
    fitted, left = _assembled(mine, by_name, first, rare, chosen, given)
    notes += left
    if fitted and not looked.is_whole:
        wrong = yield from _broken(rows, looked, fitted, usable, by_name)
        for rule in fitted:
            if count := wrong.get(rule.text, 0):
                if chosen and rule.text in {r.text for r in mine}:
                    raise UserError(f"The rule '{rule.text}' does not hold in {rows_of(count)}: change or refuse it.")
                notes.append(
                    f"{one_line(rule.text)} does not hold in {rows_of(count)} beyond those examined: left out."
                )
        if any(wrong.values()):
            mine = tuple(rule for rule in mine if not wrong.get(rule.text))
            said = tuple(rule for rule in said if not wrong.get(rule.text))
            fitted, _ = _assembled(mine, by_name, first, rare, chosen, given)
            fitted = tuple(rule for rule in fitted if not (isinstance(rule, Order) and wrong.get(rule.text)))
    return Kept(tuple(_with_gaps(rule, looked.missing) for rule in fitted), said, refused, tuple(notes), nearly)


def _plain(rule: str, names: Sequence[str]) -> str:
    """A rule's text as `Rule.text` writes it; as it is where it cannot be read."""
    try:
        return text.parse(rule, names).text
    except UserError:
        return rule


def _assembled(
    rules: tuple[Rule, ...],
    columns: Columns,
    frame: pd.DataFrame,
    rare: int,
    strict: bool,
    given: frozenset[str] = frozenset(),
) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules, fitted; where found ones contradict each other, those that come first, and sentences on the others."""
    fit: Callable[..., tuple[Rule, ...]] = assemble
    try:
        return fit(rules, columns, frame, rare, given), []
    except UserError:
        if strict:
            raise
    kept: list[Rule] = []
    notes: list[str] = []
    fitted: tuple[Rule, ...] = ()
    for rule in rules:
        try:
            fitted = fit([*kept, rule], columns, frame, rare, given)
            kept.append(rule)
        except UserError as error:
            notes.append(f"{one_line(rule.text)} holds but is not enforced: {error}")
    return fitted, notes


def _broken(
    rows: read.Rows, looked: Looked, fitted: Sequence[Rule], usable: Sequence[Column], columns: Columns
) -> Generator[Counted, None, dict[str, int]]:
    """In how many rows of the whole table each rule does not hold, by its text."""
    counts = {rule.text: 0 for rule in fitted if not (isinstance(rule, Together) and not rule.targets)}
    done = 0
    for part in rows.portions():
        frame = read.typed(part, usable)
        for rule in fitted:
            if rule.text in counts:
                counts[rule.text] += rule.broken(frame, columns)
        done += len(part)
        yield Counted(min(done, looked.count), looked.count, "Checking the rules")
    return counts


def _with_gaps(rule: Rule, missing: Mapping[str, int]) -> Rule:
    """The rule, with a cell for missing values in what it learns, where only rows that were not looked at have some."""

    def gap(form: Column, names: Sequence[str]) -> Column:
        if not any(missing.get(name) for name in names):
            return form
        parts = (p if p.missing else dataclasses.replace(p, missing=1) for p in form.parts)
        return dataclasses.replace(form, parts=tuple(parts))

    if isinstance(rule, Order) and rule.form:
        return dataclasses.replace(rule, form=gap(rule.form, [rule.target]))
    if isinstance(rule, Together) and rule.learned:
        return dataclasses.replace(rule, learned=tuple(gap(form, [form.name]) for form in rule.learned))
    return rule


def sentence(kept: Kept, others: int = 3) -> tuple[str, ...]:
    """How many rules drawn rows keep, and some of them, in a sentence."""
    kinds = [rule for rule in kept.said if not isinstance(rule, Unique)]
    if not kept.rules or not kinds:
        return ()
    some = "; ".join(one_line(rule.text) for rule in kinds[:others])
    more = f" and {len(kinds) - others} more" if len(kinds) > others else ""
    holds = "rule holds" if len(kinds) == 1 else "rules hold"
    return (
        f"{len(kinds)} {holds} in every row, and drawn rows keep {'it' if len(kinds) == 1 else 'them'}: {some}{more}.",
    )
