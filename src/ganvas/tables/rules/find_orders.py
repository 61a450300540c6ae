"""Columns of which one is never above another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganvas.tables.rules.base import Given, Rule
from ganvas.tables.rules.dates import DatePart
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.look import NEARLY, SURE, Look
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Together

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
    given = {name for rule in others if isinstance(rule, Given) for name in rule.names}
    shuffled = np.random.default_rng(1).permutation(len(look))
    first = look.first
    found: dict[tuple[str, str], Order] = {}
    for low in names:
        for high in names:
            dates = [look.columns[n].kind == "date" for n in (low, high)]
            if low == high or dates[0] != dates[1] or (high, low) in found or {low, high} <= given:
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
                    nearly.append(f"{high} >= {low} except in {wrong:,} of {count:,} rows")
                continue
            if (a == b).all():
                continue
            found[low, high] = Order(low, high, strict=bool((a < b).all()))
    days = {r.target: r.source for r in others if isinstance(r, DatePart) and r.part == "date" and not r.zone}
    rules = []
    for pair, order in found.items():
        if (days.get(order.low), order.high) in found:  # what is after a time is after its day
            continue
        if can_limit(order, others):
            rules += [order] if not _between(look, pair, found) else []
        else:
            nearly.append(f"{order.text} in all rows, but both follow from other columns: it is not enforced")
    return rules


def _between(look: Look, pair: tuple[str, str], found: dict[tuple[str, str], Order]) -> bool:
    """Whether an order follows from two others by a column that has no gaps."""
    low, high = pair
    middles = [m for m in look.numbers if (low, m) in found and (m, high) in found and not look.missing[m].any()]
    return any(not found[pair].strict or found[low, m].strict or found[m, high].strict for m in middles)


def _follows(look: Look, low: str, high: str, others: Sequence[Rule]) -> bool:
    """Whether an order follows from sums of parts none of which is negative, or from a table of what follows."""
    if any({low, high} <= {*rule.columns} for rule in others if not isinstance(rule, Formula)):
        return True
    for rule in others:
        if isinstance(rule, Formula) and rule.product and rule.target == high and low in rule.needs:
            least = {n: np.nanmin(look.numbers[n]) for n in rule.needs}
            if rule.terms[0][0] >= 1 and all(v >= (0 if n == low else 1) for n, v in least.items()):
                return True
    sums = {rule.target: rule for rule in others if isinstance(rule, Formula) and not rule.product}
    if not {low, high} & sums.keys():
        return False
    parts, constant = {}, 0.0
    for name, sign in ((high, 1.0), (low, -1.0)):
        constant += sign * _parts(name, sign, sums, parts)
    return constant >= 0 and all(
        c >= -1e-12 and np.nanmin(look.numbers[n]) >= 0 for n, c in parts.items() if abs(c) > 1e-12
    )


def _parts(name: str, factor: float, sums: dict[str, Formula], parts: dict[str, float]) -> float:
    """Add a column's parts to `parts`, through all sums that it is computed by; their constants, in all."""
    if name not in sums:
        parts[name] = parts.get(name, 0.0) + factor
        return 0.0
    return sums[name].constant + sum(c * _parts(n, factor * c, sums, parts) for c, n in sums[name].terms)


def can_limit(order: Order, others: Sequence[Rule]) -> list[str]:
    """Which of its columns can be moved so that it holds: those that nothing computes, and not from the other."""
    sources = {target: rule.needs for rule in others if not isinstance(rule, Order) for target in rule.targets}
    bound = {name for rule in others if isinstance(rule, Together) for name in rule.columns}

    def follows(name: str, other: str, seen: frozenset[str] = frozenset()) -> bool:
        return name == other or any(follows(s, other, seen | {name}) for s in sources.get(name, ()) if s not in seen)

    free = [n for n in order.columns if n not in sources and n not in bound]
    return [n for n in free if not follows(order.low if n == order.high else order.high, n)]
