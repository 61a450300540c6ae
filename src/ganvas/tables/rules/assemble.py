"""Rules fitted to a table's rows, so that none contradicts another, in the order in which a drawn row is completed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ganvas.core.errors import UserError
from ganvas.tables import cells as cl
from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Columns, Frame, Given, Rule, rows_of, span
from ganvas.tables.rules.find_orders import can_limit
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Missing, Together


def assemble(
    rules: Iterable[Rule], columns: Columns, frame: Frame, rare: int, given: frozenset[str] = frozenset()
) -> tuple[Rule, ...]:
    """The rules, fitted, in the order in which they are to be applied to drawn rows.

    Args:
        rules: as `rule_text.parse` or `find_rules.find` give them.
        columns: the table's columns by name.
        frame: the rows to train on.
        rare: fewest rows that a value or a combination must have to be drawn.
        given: columns that no rule may compute or limit.

    Raises:
        UserError: a rule does not hold in the rows, or rules contradict each other.
    """
    fitted: list[Rule] = []
    orders: list[Order] = []
    for rule in _merged(rules):
        for name in rule.columns:
            if columns[name].kind in ("id", "text", "constant"):
                raise UserError(f"The rule '{rule.text}' mentions {name}, which is not learned ({columns[name].kind}).")
        if isinstance(rule, Order):
            orders.append(rule)
            if wrong := rule.broken(frame, columns):
                raise UserError(f"The rule '{rule.text}' does not hold in {rows_of(wrong)}: change or refuse it.")
            continue
        if isinstance(rule, Formula | Together | Missing):
            rule = rule.fitted(frame, columns, rare)
        elif wrong := rule.broken(frame, columns):
            raise UserError(f"The rule '{rule.text}' does not hold in {rows_of(wrong)}: change or refuse it.")
        fitted.append(rule)
    known = [Given(tuple(given))] if given else []
    fitted += _orders(orders, [*known, *fitted], columns, frame, rare)
    fitted = [_with_free(rule, fitted, given) for rule in fitted]
    return check_rules(fitted, columns)


def _merged(rules: Iterable[Rule]) -> list[Rule]:
    """Each once; combinations for what columns follow from, where more than one column is needed."""
    each = list(dict.fromkeys(rules))
    combined = [set(r.names) for r in each if isinstance(r, Together) and not r.targets]
    for rule in list(each):
        if isinstance(rule, Together) and rule.targets and rule.by > 1 and not any({*rule.free} <= c for c in combined):
            if any({*rule.free} & c for c in combined):
                raise UserError(
                    f"The rule '{rule.text}' needs a rule that {' and '.join(rule.free)} occur together: add it."
                )
            combined.append(set(rule.free))
            each.append(Together(rule.free, rule.by))
    return each


def _with_free(rule: Rule, rules: Sequence[Rule], given: frozenset[str]) -> Rule:
    if not isinstance(rule, Formula):
        return rule
    others = {name for other in rules if other is not rule for name in other.columns} | given
    return dataclasses.replace(rule, free=tuple(name for name in rule.needs if name not in others))


def _orders(orders: Sequence[Order], fitted: Sequence[Rule], columns: Columns, frame: Frame, rare: int) -> list[Order]:
    """Which column of each order is limited by the other: the one with more different values; how it is learned.

    A round price is not the sum of two that are none: so the finer column of the two is the one that is moved.
    """
    related: dict[str, list[Order]] = {}
    names = list(dict.fromkeys(name for order in orders for name in order.columns))
    numbers = {name: vl.numbers(columns[name], frame[name]) for name in names}
    rank = {name: (len(np.unique(numbers[name])), list(columns).index(name)) for name in names}
    done: list[Order] = []
    for order in _closed(orders, columns, frame):
        free = can_limit(order, fitted)
        if not free and order not in orders:
            continue
        if not free:
            raise UserError(f"The rule '{order.text}' cannot be enforced: both follow from other columns. Refuse it.")
        target = max(free, key=lambda n: rank[n])
        related.setdefault(target, []).append(dataclasses.replace(order, target=target))
    for target, limits in related.items():
        low, high = span(columns[target], numbers[target], rare)
        limits = [dataclasses.replace(o, least=low, most=high, step=_step(o, columns)) for o in limits]
        width = max(limits[0].step, (high - low) / 256)
        best = min(limits, key=lambda o: _bits(o.distance(frame, columns) * o.step, width) if o.step else np.inf)
        if best.step and columns[target].kind != "category":
            distance = best.distance(frame, columns)
            if _bits(distance * best.step, width) < 0.9 * _bits(numbers[target], width):
                form = Column(target, "number", "int", parts=(cl.of_numbers(distance, rare),))
                limits[limits.index(best)] = best = dataclasses.replace(best, form=form)
        done += [best, *(o for o in limits if o is not best)]
    return done


def _closed(orders: Sequence[Order], columns: Columns, frame: Frame) -> list[Order]:
    """The orders and those that follow: a column between two others can be limited only if these are in order."""
    known = {(order.low, order.high): order for order in orders}
    while True:
        more = {
            (a.low, b.high): Order(a.low, b.high, a.strict or b.strict)
            for a in known.values()
            for b in known.values()
            if a.high == b.low and (a.low, b.high) not in known and a.low != b.high
        }
        more = {pair: order for pair, order in more.items() if not order.broken(frame, columns)}
        if not more:
            return list(known.values())
        known |= more


def _step(order: Order, columns: Columns) -> float:
    return min(vl.unit(columns[order.low]), vl.unit(columns[order.high]))


def _bits(values: np.ndarray, width: float) -> float:
    """The entropy of values in bits, where those within `width` count as one."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    _, counts = np.unique(np.round(known / (width or 1.0)), return_counts=True)
    share = counts / len(known)
    return float(-(share * np.log2(share)).sum())


def check_rules(rules: Iterable[Rule], columns: Columns, drawn: bool = False) -> tuple[Rule, ...]:
    """The rules in the order in which they are to be applied: what a rule needs before what it computes.

    Args:
        drawn: they are for rows with given values, in which what else is computed may be limited.

    Raises:
        UserError: a rule speaks of a column that there is not, two rules compute one column, or they go in a circle.
    """
    left = list(rules)
    computed: set[str] = set()
    groups: set[str] = set()
    for rule in left:
        if strange := [name for name in rule.columns if name not in columns]:
            raise UserError(f"a rule speaks of the column {strange[0][:60]!r}, which there is not.")
        if isinstance(rule, Together) and not rule.targets:
            if twice := groups & {*rule.names}:
                raise UserError(f"Two rules limit the combinations of {min(twice)!r}: combine them into one rule.")
            groups |= {*rule.names}
        if not isinstance(rule, Order):
            if twice := computed & {*rule.targets}:
                raise UserError(f"Two rules compute {min(twice)!r}: refuse one of them.")
            computed |= {*rule.targets}
    for rule in left:
        if isinstance(rule, Together) and (rule.by > 1 or rule.learned) and computed & {*rule.free}:
            name = min(computed & {*rule.free})
            raise UserError(f"The rule '{rule.text}' mentions {name}, which another rule computes: refuse one of them.")
        if isinstance(rule, Order) and rule.target in computed and not drawn:
            raise UserError(f"The rule '{rule.text}' limits {rule.target}, which another rule computes.")
    done: list[Rule] = []
    # a column is there once no rule is left that sets it
    while left:
        waiting = {target for rule in left for target in rule.targets}
        ready = [r for r in left if not {*r.needs} & waiting]
        ready = [r for r in ready if not (isinstance(r, Order) and not r.form and _first(left, r.target))]
        if not ready:
            raise UserError(f"The rule '{left[0].text}' is circular with others: refuse one of them.")
        done += ready
        left = [rule for rule in left if rule not in ready]
    return tuple(done)


def _first(rules: Iterable[Rule], target: str) -> bool:
    """Whether a column must be computed before it is limited."""
    return any(target in r.targets and (r.form if isinstance(r, Order) else True) for r in rules)


def broken(rules: Iterable[Rule], frame: Frame, columns: Mapping[str, Column]) -> dict[str, int]:
    """In how many of these rows each rule is broken, by its text."""
    return {rule.text: rule.broken(frame, columns) for rule in rules}
