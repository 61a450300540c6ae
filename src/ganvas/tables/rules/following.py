"""What follows from the known cells of rows by the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.rules.base import Rule, is_missing
from ganvas.tables.rules.dates import DatePart
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.solving import computed, empty, solved_for, span_of
from ganvas.tables.rules.together import Missing, Together

if TYPE_CHECKING:
    from ganvas.tables.rules.completing import Partial

STEPS = 8  # rules in a row by which a cell can follow
MOST = 200_000  # times that are looked through for one with known parts


def deduce(partial: Partial) -> None:
    """Take as known what follows from known cells, rule after rule, until nothing more does."""
    dated: dict[str, list[DatePart]] = {}
    for rule in partial.spec.rules:
        if isinstance(rule, DatePart):
            dated.setdefault(rule.source, []).append(rule)
    for _ in range(STEPS):
        before = sum(int(mask.sum()) for mask in partial.known.values())
        for rule in partial.spec.rules:
            _follow(partial, rule)
        for source, rules in dated.items():
            _date(partial, source, rules)
        if sum(int(mask.sum()) for mask in partial.known.values()) == before:
            break


def _follow(partial: Partial, rule: Rule) -> None:
    """What follows from known cells by one rule."""
    frame, known = partial.frame, partial.known
    if isinstance(rule, Missing):
        _gaps(partial, rule)
    if not rule.targets or isinstance(rule, Order):
        return
    due = np.logical_and.reduce([known[n] for n in rule.needs])
    if isinstance(rule, Together):
        due &= rule.find(frame, partial.columns) >= 0
    for name in rule.targets:
        if (rows := due & ~known[name]).any():
            partial.know(name, rows, computed(rule, frame, partial.columns)[name])
    if isinstance(rule, Formula):
        there = known[rule.target] & ~is_missing(frame[rule.target])
        for name in rule.needs:
            others = [known[n] & ~is_missing(frame[n]) for n in rule.needs if n != name]
            rows = np.logical_and.reduce([there, ~known[name], *others])
            if rows.any():
                series = vl.series_of(partial.columns[name], solved_for(rule, name, frame, partial.columns))
                rows &= ~rule.wrong({**frame, name: series}, partial.columns) & ~is_missing(series)
                partial.know(name, rows, series)
    elif isinstance(rule, DatePart) and rule.part == "date" and partial.columns[rule.source].type == "date":
        rows = known[rule.target] & ~known[rule.source]
        days = vl.numbers(partial.columns[rule.target], frame[rule.target]) - rule.plus
        partial.know(rule.source, rows, vl.series_of(partial.columns[rule.source], days))


def _gaps(partial: Partial, rule: Missing) -> None:
    """Cells that are missing because others are, or have a value."""
    frame, known = partial.frame, partial.known
    gone = known[rule.leader] & rule.state(frame, partial.columns)
    for name in rule.names:
        partial.know(name, gone & ~known[name], empty(partial.columns[name], len(gone)))
    if rule.when == "value":
        there = np.logical_or.reduce([known[n] & ~is_missing(frame[n]) for n in rule.names])
        partial.know(rule.leader, there & ~known[rule.leader], empty(partial.columns[rule.leader], len(gone)))


def _date(partial: Partial, source: str, rules: Sequence[DatePart]) -> None:
    """Dates of which only one within the table's span has the parts that are known: month, day and hour of one year."""
    frame, columns, column = partial.frame, partial.columns, partial.columns[source]
    there = np.stack([partial.known[r.target] & ~is_missing(frame[r.target]) for r in rules], 1)
    rows = np.flatnonzero(there.any(1) & ~partial.known[source])
    (low, high), unit = span_of(column), vl.unit(column)
    count = int(np.round((high - low) / unit)) + 1
    if not len(rows) or count > MOST:
        return
    moments = low + np.arange(count) * unit
    parts = np.stack([rule.value({source: vl.series_of(column, moments)}, columns) for rule in rules], 1)
    have = np.stack([vl.numbers(columns[r.target], frame[r.target]) for r in rules], 1)[rows]
    found = np.full(len(partial), np.nan)
    patterns, which = np.unique(there[rows], axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        mine = np.flatnonzero(which == i)
        both = np.concatenate([parts[:, pattern], have[mine][:, pattern]])
        keys = np.unique(both, axis=0, return_inverse=True)[1]
        times, last = np.bincount(keys[:count], minlength=len(both)), np.zeros(len(both), np.int64)
        last[keys[:count]] = np.arange(count)
        one = times[keys[count:]] == 1
        found[rows[mine[one]]] = moments[last[keys[count:][one]]]
    partial.know(source, ~np.isnan(found), vl.series_of(column, found))
