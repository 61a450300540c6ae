"""The cells of a table's columns that meet conditions on rows."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.cells import Cells
from ganvas.tables.columns import DAY, Column
from ganvas.tables.spec import TableSpec
from ganvas.tables.term_values import as_float, as_moment, as_number, what_there_is
from ganvas.tables.terms import Term, parse

TRUE, FALSE = {"true", "1", "yes", "y", "j", "ja"}, {"false", "0", "no", "n", "nein"}
EDGE = 1e-9  # of a last digit: what a float may be off by


@dataclass(frozen=True, eq=False)
class Part:
    """Which cells of a part of a column meet the conditions.

    `share`: of each cell, those for rare and missing values too, the share that does, float64 [cells], 0 to 1.
    `start`, `end`: where in the cell that share is, 0 to 1.
    """

    share: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def all(cls, cells: Cells) -> Part:
        count = len(cells.counts) + len(cells.specials)
        return cls(np.ones(count), np.zeros(count), np.ones(count))

    def also(self, other: Part) -> Part:
        """The cells that meet both."""
        start, end = np.maximum(self.start, other.start), np.minimum(self.end, other.end)
        share = np.where(end > start, end - start, np.where(end == start, self.share * other.share, 0.0))
        return Part(np.where(self.share * other.share > 0, share, 0.0), start, end)


@dataclass(frozen=True, eq=False)
class Allowed:
    """The conditions on one learned column, and what they allow of each of its parts."""

    column: Column
    parts: tuple[Part, ...]
    text: str

    @property
    def is_one(self) -> bool:
        """Is one cell left of each part?"""
        return all(np.count_nonzero(part.share) == 1 for part in self.parts)


def allowed(spec: TableSpec, where: str | Mapping[str, Any] | Sequence[Term]) -> list[Allowed]:
    """What the conditions allow of each column that they speak of, in the order of the columns.

    Raises:
        UserError: a column that there is not or that is not learned, a value that never occurs, or no condition.
    """
    learned = {column.name: column for column in spec.learned}
    found: dict[str, list[Term]] = {}
    for term in parse(where) if isinstance(where, str | Mapping) else where:
        column = spec.column(term.column)
        _must_be_learned(column, learned.get(term.column), list(learned))
        found.setdefault(term.column, []).append(term)
    out = []
    for name, column in learned.items():
        if name not in found:
            continue
        parts, text = [Part.all(cells) for cells in column.parts], ",".join(map(str, found[name]))
        for term in found[name]:
            parts = [old.also(new) for old, new in zip(parts, _parts(column, term), strict=True)]
        if not all(part.share.any() for part in parts):
            raise UserError(f"{text}: no row meets this. {what_there_is(column)}")
        out.append(Allowed(column, tuple(parts), text))
    return out


def _must_be_learned(column: Column, learned: Column | None, names: Iterable[str]) -> None:
    same = learned is not None and (learned.kind, learned.type) in (
        (column.kind, column.type),
        ("category", column.type),
    )
    if (
        same
        and learned is not None
        and (learned is column or learned.kind == "category" or learned.parts == column.parts)
    ):
        return
    why = {
        "id": "its values are newly made for each row",
        "text": "free text is not learned",
        "constant": f"all rows have the same value: {column.value or 'none'}",
    }.get(column.kind, "its values follow from those of other columns")
    raise UserError(
        f"{one_line(column.name)} cannot be a condition: {why}. Conditions are for: {', '.join(map(one_line, names))}."
    )


def _parts(column: Column, term: Term) -> list[Part]:
    """The cells of each part that meet one term."""
    if column.kind == "category":
        return [_category(column, term)]
    return _numbers(column, term)


def _category(column: Column, term: Term) -> Part:
    (cells,) = column.parts
    share = np.zeros(len(cells.counts) + len(cells.specials))
    for value in term.values:
        if value == "" and term.sign == "=" and "" not in cells.values:
            share[_missing(column, cells, term)] = 1
        elif term.sign == "=":
            share[_index(column, cells, value)] = 1
        else:
            share[: len(cells.counts)][_beyond(column, cells, term.sign, value)] = 1
    return Part(share, np.zeros(len(share)), np.ones(len(share)))


def _index(column: Column, cells: Cells, value: str) -> int:
    text = value
    if column.type == "bool" and value.lower() in TRUE | FALSE:
        text = "true" if value.lower() in TRUE else "false"
    if column.type in ("int", "float") and text not in cells.values:
        number = as_float(value)
        text = value if number is None or (column.type == "int" and number % 1) else column._text(number)
    if text in cells.values:
        return cells.values.index(text)
    near = difflib.get_close_matches(value, cells.values, n=1, cutoff=0.5)
    hint = f" Did you mean '{one_line(near[0])}'?" if near else ""
    raise UserError(
        f"No row has {one_line(column.name)}={one_line(value)[:60]}, or too few to draw it.{hint} "
        f"{what_there_is(column)}"
    )


def _beyond(column: Column, cells: Cells, sign: str, value: str) -> np.ndarray:
    """Which values of a category are on that side of one, bool [values]."""
    if column.order:
        ranks = {v: float(i) for i, v in enumerate(column.order)}
        limit = ranks.get(value)
        if limit is None:
            raise UserError(f"{one_line(column.name)} has no value {one_line(value)[:60]}. {what_there_is(column)}")
        numbers = np.array([ranks.get(v, math.nan) for v in cells.values])
    elif column.type in ("int", "float"):
        limit = as_float(value)
        numbers = np.array([float(v) for v in cells.values])
        if limit is None:
            raise UserError(f"{one_line(column.name)}{sign}{one_line(value)[:60]}: that is not a number.")
    else:
        raise UserError(
            f"{one_line(column.name)}{sign}{one_line(value)[:60]}: its values have no order. List them: "
            f"{one_line(column.name)}=VALUE|VALUE."
        )
    return {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[sign](numbers, limit)


def _missing(column: Column, cells: Cells, term: Term) -> int:
    if not cells.missing:
        raise UserError(f"{term}: every row has a value of {one_line(column.name)}.")
    return cells.cell_of("missing")


def _numbers(column: Column, term: Term) -> list[Part]:
    """The cells of numbers, dates and times: of a date with a time the days, and the time of day if one is named."""
    empty = [Part(np.zeros(len(p.share)), p.start, p.end) for p in map(Part.all, column.parts)]
    found: list[list[Part]] = []
    for value in term.values:
        parts = [Part.all(cells) for cells in column.parts]
        if value == "":
            if term.sign != "=":
                raise UserError(f"{term}: a value is missing after {term.sign}.")
            for part, cells in zip(parts, column.parts, strict=True):
                only = _missing(column, cells, term)
                part.share[:only], part.share[only + 1 :] = 0, 0
        else:
            spans = zip(column.parts, _spans(column, term.sign, value), strict=True)
            parts = [_between(c, *span, whole=column.kind == "date" or column.decimals >= 0) for c, span in spans]
            if not all(part.share.any() for part in parts):
                raise UserError(
                    f"No row has {one_line(column.name)}{term.sign}{one_line(value)[:60]}. {what_there_is(column)}"
                )
        found.append(parts)
    if len(found) == 1:
        return found[0]
    times = [parts[-1] for parts, value in zip(found, term.values, strict=True) if value != ""]
    if len(column.parts) > 1 and any((part.share[: len(column.parts[-1].counts)] == 0).any() for part in times):
        raise UserError(f"{term}: several times of day at once cannot be conditions; use whole days, or one time.")
    return [_either([parts[i] for parts in found], empty[i], term) for i in range(len(column.parts))]


def _either(parts: list[Part], empty: Part, term: Term) -> Part:
    share, start, end = empty.share.copy(), empty.start.copy(), empty.end.copy()
    for part in parts:
        hit = part.share > 0
        again = hit & (share > 0) & ((start != part.start) | (end != part.end))
        if again.any():
            raise UserError(
                f"{term}: some of these values are too close together to be told apart: use a range (>=, <=)."
            )
        share[hit], start[hit], end[hit] = part.share[hit], part.start[hit], part.end[hit]
    return Part(share, start, end)


def _between(cells: Cells, low: float, high: float, whole: bool) -> Part:
    """The cells of the numbers from `low` to `high`."""
    first, last = np.array(cells.low), np.array(cells.high)
    a, b = np.maximum(first, low), np.minimum(last, high)
    if whole:  # counted in steps
        width = cells.width(first, last)
        a, b = np.ceil((a - first) / cells.step), np.floor((b - first) / cells.step)
        start, end = a / width, (b + 1) / width
    else:
        width = last - first
        safe = np.where(width > 0, width, 1)
        start, end = (a - first) / safe, (b - first) / safe
    inside = a <= b
    share = np.where(inside, np.where(width > 0, np.maximum(end - start, 1e-9), 1.0), 0.0)
    more = len(cells.specials)
    fill = [np.concatenate([x, np.full(more, v)]) for x, v in ((share, 0.0), (start, 0.0), (end, 1.0))]
    return Part(fill[0], np.clip(fill[1], 0, 1), np.clip(np.maximum(fill[2], fill[1]), 0, 1))


def _spans(column: Column, sign: str, value: str) -> list[tuple[float, float]]:
    """From where to where each part's numbers may go, in its own unit, both included."""
    everything = (-math.inf, math.inf)
    if column.kind == "number":
        whole = column.decimals >= 0
        number = as_number(column, value)
        if whole and sign == "=" and abs(number - round(number)) > 1e-6:
            digits = f"{column.decimals} digits after the point" if column.decimals else "whole numbers"
            raise UserError(f"No row has {one_line(column.name)}={one_line(value)[:60]}: it has {digits}.")
        return [_side(number, sign, whole)]
    moment = as_moment(column, value)
    days, rest = divmod(moment, DAY)
    spans = [_side(float(days), sign, True)]
    if column.type == "time":
        if rest and sign != "=":
            raise UserError(
                f"{one_line(column.name)}{sign}{one_line(value)[:60]}: a range of times needs whole days as its ends."
            )
        named = rest or re.search(r"\d:\d\d", value)
        step = float(rest // column.step)
        spans.append((step, step) if named else everything)
    return spans


def _side(number: float, sign: str, whole: bool) -> tuple[float, float]:
    if not whole:
        return {"=": (number, number)}.get(sign, (number, math.inf) if sign[0] == ">" else (-math.inf, number))
    if sign == "=":
        return float(round(number)), float(round(number))
    if sign[0] == ">":
        return (float(math.ceil(number - EDGE)) if sign == ">=" else math.floor(number + EDGE) + 1.0), math.inf
    return -math.inf, (float(math.floor(number + EDGE)) if sign == "<=" else math.ceil(number - EDGE) - 1.0)
