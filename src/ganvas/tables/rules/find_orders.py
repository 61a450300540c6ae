"""Columns of which one is never above another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.look import NEARLY, SURE, Look
from ganvas.tables.rules.order import Order

USUAL = 0.95  # share of shuffled rows that keep an order which the columns' ranges alone nearly see to


def orders(look: Look, others: Sequence[Rule], nearly: list[str]) -> list[Order]:
    """The orders that hold wherever both have values, but for those that follow from others.

    An order counts only if at least 5% of the rows would break it were one of its columns shuffled: else the two
    simply have other ranges.

    Args:
        others: rules that are known already.
        nearly: gets sentences about what nearly holds.
    """

    names = [n for n in look.numbers if look.columns[n].kind in ("number", "date")]
    shuffled = np.random.default_rng(1).permutation(len(look))
    first = look.first
    found: dict[tuple[str, str], Order] = {}
    for low in names:
        for high in names:
            dates = [look.columns[n].kind == "date" for n in (low, high)]
            if low == high or dates[0] != dates[1] or (high, low) in found:
                continue
            if (look.numbers[low][first] > look.numbers[high][first]).mean() > 2 * NEARLY:
                continue
            known = ~(look.missing[low] | look.missing[high])
            count = int(known.sum())
            a, b = look.numbers[low][known], look.numbers[high][known]
            wrong = int((a > b).sum())
            if count < SURE or wrong > NEARLY * count:
                continue
            mixed = look.numbers[high][shuffled[known[shuffled]]]  # the same values, other rows
            broken = int((a > mixed).sum())
            if broken < max(SURE, (1 - USUAL) * count) or _follows(look, low, high, others):
                continue
            if wrong:
                if wrong < 0.1 * broken:
                    nearly.append(f"{high} >= {low} but for {wrong:,} of {count:,} rows")
                continue
            if (a == b).all():
                continue
            found[low, high] = Order(low, high, strict=bool((a < b).all()))
    return [order for pair, order in found.items() if not _between(look, pair, found)]


def _between(look: Look, pair: tuple[str, str], found: dict[tuple[str, str], Order]) -> bool:
    """Whether an order follows from two others by a column that has no gaps."""
    low, high = pair
    middles = [m for m in look.numbers if (low, m) in found and (m, high) in found and not look.missing[m].any()]
    return any(not found[pair].strict or found[low, m].strict or found[m, high].strict for m in middles)


def _follows(look: Look, low: str, high: str, others: Sequence[Rule]) -> bool:
    """Whether an order follows from a sum of parts none of which is negative, or from a table of what follows."""
    for rule in others:
        if not isinstance(rule, Formula):
            if {low, high} <= {*rule.columns}:
                return True
            continue
        terms = {name: factor for factor, name in rule.terms}
        times = rule.product and rule.target == high and low in terms and terms[rule.needs[0]] >= 1
        if times and all(np.nanmin(look.numbers[n]) >= (0 if n == low else 1) for n in terms):
            return True
        if rule.product or not {low, high} <= {*rule.columns}:
            continue
        if rule.target == high:  # high - low = the other terms
            rest, sign = {**terms, low: terms[low] - 1}, 1
        elif rule.target == low and terms[high] == 1:  # high - low = what is taken from high
            rest, sign = {**terms, high: 0.0}, -1
        else:
            continue
        if sign * rule.constant >= 0 and all(
            sign * c >= 0 and np.nanmin(look.numbers[n]) >= 0 for n, c in rest.items() if c
        ):
            return True
    return False
