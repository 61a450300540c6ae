"""Rules found by looking at a table's rows.

A rule is proposed only if it holds in every row, and if so many rows would be unlikely to keep it by chance: shuffling
one of its columns must break it in at least `SURE` rows. What holds in 99.5% of the rows is named, and not kept.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.tables.columns import Column
from ganvas.tables.rules import find_dates, find_formulas, find_orders, find_together
from ganvas.tables.rules.base import Given, Rule
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.look import Look
from ganvas.tables.rules.together import Together

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 200_000  # rows at most that rules are looked for in


@dataclass(frozen=True)
class Found:
    """`rules` hold in all rows; `nearly`: sentences about what holds in nearly all."""

    rules: tuple[Rule, ...]
    nearly: tuple[str, ...]


def find(frame: pd.DataFrame, columns: Sequence[Column], rare: int = 5, given: frozenset[str] = frozenset()) -> Found:
    """The rules of a table, not yet fitted (see `assemble`), and what nearly holds.

    Args:
        frame: all rows, dates as dates.
        columns: what the columns are; ids, texts and constants are in no rule.
        rare: fewest rows that a value must have to be drawn.
        given: columns that no rule may compute or limit.
    """
    sample = frame if len(frame) <= LOOKED_AT else frame.sample(LOOKED_AT, random_state=0)
    usable = {c.name: c for c in columns if c.kind in ("number", "category", "date")}
    look = Look(sample.reset_index(drop=True), usable, rare)
    nearly: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of columns without values
        rules = _without([*find_dates.parts(look)], given)
        computed = {t for rule in rules for t in rule.targets} | given
        formulas = find_formulas.formulas(look, computed, nearly)
        computed |= {f.target for f in formulas}
        follows, flags = find_together.dependencies(look, computed - given, nearly)
        follows = _without(follows, given)
        computed |= {t for rule in follows for t in rule.targets}
        combined, more = find_together.combinations(look, computed)
        computed |= {t for rule in more for t in rule.targets}
        missing = find_together.missing(look, computed - _own_gaps(look, formulas), flags, nearly)
        known = [Given(tuple(given))] if given else []
        orders = find_orders.orders(look, [*known, *rules, *follows, *formulas, *more], nearly)
        unique = find_together.unique(look)
    rules += [*follows, *formulas, *combined, *more, *missing, *orders, *unique]
    held = tuple(rule for rule in rules if _holds(rule, frame, sample, usable))
    return Found(held, tuple(nearly))


def _without(rules: Sequence[Rule], given: frozenset[str]) -> list[Any]:
    """The rules, but for what they compute of the given columns."""
    kept: list[Rule] = []
    for rule in rules:
        left = tuple(t for t in rule.targets if t not in given)
        if left and len(left) < len(rule.targets) and isinstance(rule, Together):
            kept.append(dataclasses.replace(rule, names=(*rule.free, *left)))
        elif len(left) == len(rule.targets):
            kept.append(rule)
    return kept


def _own_gaps(look: Look, formulas: Sequence[Formula]) -> set[str]:
    """The targets that are also missing where no term is."""
    terms = {f.target: np.logical_or.reduce([look.missing[n] for n in f.needs]) for f in formulas}
    return {target for target, gaps in terms.items() if (look.missing[target] != gaps).any()}


def _holds(rule: Rule, frame: pd.DataFrame, sample: pd.DataFrame, columns: dict[str, Column]) -> bool:
    """Whether it does in all rows, not only in those looked at."""
    from ganvas.core.errors import UserError

    if len(frame) == len(sample):
        return True
    if isinstance(rule, Together):
        if not rule.targets:
            return True  # what occurs is what the rows have
        try:
            rule.fitted(frame, columns, 1)
        except UserError:
            return False
        return True
    return rule.broken(frame, columns) == 0
