"""Values that drawn rows are to have, in any columns: also in those that rules compute from others.

A value of a column that is learned as it is is given to the generator. One that is looked up, or a part of a date,
limits what may be drawn where it comes from. One that is computed as a sum or as a distance from another column is kept
as it is, and the other gives way: rows are drawn once to see about where, and again with that given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.tables import values as vl
from ganvas.tables.rules.assemble import check_rules
from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.combinations import Gaps, Group
from ganvas.tables.rules.date_cells import date_groups
from ganvas.tables.rules.dates import DatePart
from ganvas.tables.rules.drawing import RAW, Back, Condition, text_of, value_of
from ganvas.tables.rules.formula import Formula, solved
from ganvas.tables.rules.limits import RuleLimits, gaps_of, group_of
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.solving import span_of
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


def condition(
    spec: TableSpec,
    limits: RuleLimits | None,
    values: Mapping[str, Any],
    several: Mapping[str, Sequence[Any]] | None = None,
    held: Collection[str] = (),
) -> Condition:
    """What draws rows that have these values.

    Args:
        limits: the generator's; None: there are none.
        values: by column; None or '': missing.
        several: values of which a row is to have one, for columns that are looked up.
        held: columns that the caller sees to, and that no rule may move.

    Raises:
        UserError: there is no such column or value, no row can have these values, or a rule cannot be inverted.
    """
    return _Making(spec, limits or RuleLimits(), values, several or {}, frozenset(held)).done()


@dataclass(eq=False)
class _Making:
    """A condition as it is put together."""

    spec: TableSpec
    limits: RuleLimits
    values: Mapping[str, Any]
    several: Mapping[str, Sequence[Any]]
    held: frozenset[str]
    fixed: dict[str, pd.Series] = field(default_factory=dict)
    kept: dict[str, np.ndarray] = field(default_factory=dict)  # by a rule's text, which of its combinations may be
    only: dict[str, set[str | None]] = field(default_factory=dict)  # by column, the texts of values that may be
    parts: dict[str, list[tuple[DatePart, float]]] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)

    def done(self) -> Condition:
        spec = self.spec
        self.learned = {column.name: column for column in spec.learned}
        self.computed = {t: rule for rule in spec.rules if not isinstance(rule, Order) for t in rule.targets}
        self.distances = {r.target: r for r in spec.rules if isinstance(r, Order) and r.form}
        rows, given = torch.zeros(len(spec.sizes), dtype=torch.int64), torch.zeros(len(spec.sizes), dtype=torch.bool)
        for name, value in self.values.items():
            self.fixed[name] = value_of(spec.column(name), value)
        self.follow()
        for name, series in list(self.fixed.items()):
            rule = self.computed.get(name)
            if isinstance(rule, Together):
                self.restrict(name, {text_of(spec.column(name), series)})
            elif isinstance(rule, DatePart):
                self.parts.setdefault(rule.source, []).append((rule, float(vl.numbers(spec.column(name), series)[0])))
            elif isinstance(rule, Formula) or name in self.distances:
                if name in self.learned and (rule or self.is_missing(name)):  # whether it is missing is learned
                    series = series.isna().map({True: np.nan, False: 0.0})
                    self.give(rows, given, name, series)
                elif self.is_missing(name):
                    raise UserError(f"{name} is missing where {' or '.join(rule.needs if rule else ())} is: set that.")
            else:
                self.give(rows, given, name, series)
        for name, each in self.several.items():
            column = spec.column(name)
            self.restrict(name, {text_of(column, value_of(column, value)) for value in each})
        groups = self.groups()
        rules = self.turned()
        limits = RuleLimits(groups, (*self.limits.gaps, *self.there()))
        self.check(limits, rows, given)
        return Condition(rows, given, limits, self.fixed, rules, tuple(self.guessed))

    def follow(self) -> None:
        """Take the last term of a sum as given where all others are."""
        formulas = [r for r in self.spec.rules if isinstance(r, Formula) and not r.product]
        for rule in [r for _ in formulas for r in formulas]:
            free = [n for n in rule.needs if n not in self.fixed]
            turned = solved(rule, free[0], self.spec.by_name) if len(free) == 1 and rule.target in self.fixed else None
            if turned is not None and not self.is_missing(rule.target):
                value = turned.value(self.fixed, self.spec.by_name)
                self.fixed[turned.target] = vl.series_of(self.spec.column(turned.target), value)

    def give(self, rows: Tensor, given: Tensor, name: str, series: pd.Series) -> None:
        tokens = self.tokens(name, series)
        rows[self.spec.places[name]] = torch.from_numpy(tokens[0]).long()
        given[self.spec.places[name]] = True

    def there(self) -> list[Gaps]:
        """Where the value of a sum is given, its terms are not missing."""
        found = []
        for rule in self.spec.rules:
            if isinstance(rule, Formula) and rule.target in self.fixed and not self.is_missing(rule.target):
                names = [n for n in rule.needs if n in self.learned]
                found += [Gaps(tuple(gaps_of(self.spec, self.learned[n])), 0) for n in names]
        return found

    def tokens(self, name: str, series: pd.Series) -> np.ndarray:
        """The tokens of a value.

        Raises:
            UserError: it is none that can be drawn.
        """
        if name not in self.learned:
            raise UserError(f"{name} is not learned ({self.spec.column(name).kind}): its values cannot be set.")
        column = self.learned[name]
        if bool(series.isna().iloc[0]):
            if not all(part.missing for part in column.parts):
                raise UserError(f"{name} is never missing in the table: rows without it cannot be drawn.")
        elif column.kind == "category":
            (part,) = column.parts
            text = column.as_text(series.astype(object)).iloc[0]
            if text not in part.values:
                some = ", ".join(part.values[:8]) + (", ..." if len(part.values) > 8 else "")
                raise UserError(f"{name} is never {text} in the table, or in too few rows: it may be {some}.")
        else:
            for part, number in zip(column.parts, column.as_numbers(series), strict=True):
                if not part.counts or not part.low[0] <= number[0] <= part.high[-1]:
                    raise UserError(f"{name} = {series.iloc[0]} is outside the range of the table.")
        return column.encode(series)

    def restrict(self, name: str, texts: set[str | None]) -> None:
        """Let a column have only these values, by limiting what it follows from."""
        rule = self.computed.get(name)
        if isinstance(rule, Together):
            at = rule.names.index(name)
            known = (*rule.values[at], None)
            if not texts & {*known}:
                some = ", ".join(map(str, rule.values[at][:8])) + (", ..." if len(rule.values[at]) > 8 else "")
                raise UserError(
                    f"{name} is never {self.values.get(name)} in the table, or in too few rows: it may be {some}."
                )
            kept = np.array([text in texts for text in known])[rule.table[:, at]]
            kept &= self.kept.get(rule.text, np.True_)
            self.kept[rule.text] = kept
            if not kept.any():
                raise UserError(f"No row can have {name} = {self.values.get(name)} together with the other values.")
            for i, free in enumerate(rule.free):
                known = (*rule.values[i], None)
                self.restrict(free, {known[j] for j in np.unique(rule.table[kept, i])})
        elif rule is not None:
            raise UserError(f"{name} is computed ({rule.text}): it cannot be limited. Set another column.")
        else:
            self.only[name] = self.only.get(name, texts) & texts

    def groups(self) -> tuple[Group, ...]:
        """The limits' combinations, fewer where something is to be limited."""
        spec = self.spec
        combined = [rule for rule in spec.rules if isinstance(rule, Together) and not rule.targets]
        lookups = [r for r in spec.rules if isinstance(r, Together) and r.text in self.kept and r.by > 1]
        groups, inside = [], set()
        for i, rule in enumerate(combined):
            inside |= {*rule.names}
            mine = [r for r in lookups if {*r.free} <= {*rule.names}]
            names = [n for n in rule.names if n in self.only]
            if not mine and not names:
                groups.append(self.limits.groups[i])
                continue
            kept = np.ones(len(rule.table), bool)
            for name in names:
                known = (*rule.values[rule.names.index(name)], None)
                kept &= np.array([t in self.only[name] for t in known])[rule.table[:, rule.names.index(name)]]
            for lookup in mine:
                columns = [_moved(rule, lookup, n) for n in lookup.free]
                found = lookup.find_places(np.stack(columns, 1))
                kept &= (found >= 0) & self.kept[lookup.text][found]
            groups.append(group_of(spec, rule, rule.table[kept]))
        for name, texts in self.only.items():
            if name not in inside:
                groups.append(self.cells(name, texts))
        for source, parts in self.parts.items():
            groups += self.dates(source, parts)
        if not all(len(group.tokens) for group in groups):
            raise UserError(f"{_said(self.values)} never occur together in the table, or in too few rows.")
        return tuple(groups)

    def cells(self, name: str, texts: set[str | None]) -> Group:
        column = self.learned[name]
        if column.kind != "category":
            raise UserError(f"{name} is not a category, so what follows from it cannot be set. Set {name} itself.")
        (part,) = column.parts
        found = [i for i, text in enumerate(part.values) if text in texts]
        found += [part.cell_of("missing")] if None in texts and part.missing else []
        tokens = part.tokens(np.array(found, np.int64))
        start = self.spec.places[name].start
        return Group(tuple(range(start, start + tokens.shape[1])), tokens)

    def dates(self, source: str, parts: list[tuple[DatePart, float]]) -> list[Group]:
        """The cells of a date in which its parts are as they are to be."""
        if source in self.fixed:
            wrong = [rule for rule, value in parts if rule.value(self.fixed, self.spec.by_name)[0] != value]
            if wrong:
                raise UserError(f"{_said(self.values)} contradict each other: {wrong[0].words()}")
            return []
        if source not in self.learned or source in self.distances or source in self.computed:
            raise UserError(f"{source} is computed from other columns: set {source} itself and not a part of it.")
        return date_groups(self.spec, source, parts)

    def turned(self) -> tuple[Rule, ...]:
        """The rules, with those inverted that compute what is given.

        Raises:
            UserError: that is not possible.
        """
        spec, known = self.spec, {*self.fixed, *self.held}
        rules = [
            rule
            for rule in spec.rules
            if not (isinstance(rule, Together | DatePart) and {*rule.targets} <= {*self.fixed})
        ]
        for rule in list(rules):
            if isinstance(rule, Formula) and rule.target in self.fixed:
                rules.remove(rule)
                rules += self.solved(rule, known)
            elif isinstance(rule, Formula) and {*rule.free} & known:  # what is given does not give way
                at = rules.index(rule)
                rules[at] = dataclasses.replace(rule, free=tuple(n for n in rule.free if n not in known))
        waiting = [name for name in self.distances if name in self.fixed]
        while waiting:
            rule = self.distances[waiting.pop()]
            if rule not in rules:
                continue
            rules.remove(rule)
            if rule.other in self.fixed:
                if rule.target not in self.fixed:
                    rules.append(dataclasses.replace(rule, form=None))
                elif rule.broken(self.fixed, spec.by_name):
                    raise UserError(f"{_said(self.values)} contradict each other: {rule.words()}")
                continue
            self.may_move(rule.other, rule)
            rules.append(Back(rule, self.span(rule.other)))
            known.add(rule.other)
            if rule.other in self.distances:
                waiting.append(rule.other)
            else:
                self.guessed.append(rule.other)
        for rule in list(rules):
            if not isinstance(rule, Order) or not rule.target or rule.target not in known:
                continue
            if rule.other in known and {rule.target, rule.other} & self.held and not rule.form:
                raise UserError(f"{rule.words()} Of {rule.target} and {rule.other}, only one can have a range.")
            if rule.other in self.fixed and rule.target not in self.fixed:
                continue
            rules.remove(rule)
            if rule.other in self.fixed:
                if rule.broken(self.fixed, spec.by_name):
                    raise UserError(f"{_said(self.values)} contradict each other: {rule.words()}")
                continue
            if rule.other not in known:
                self.may_move(rule.other, rule)
            rules.append(dataclasses.replace(rule, target=rule.other, form=None))
        return check_rules(rules, spec.by_name | {RAW + n: c for n, c in spec.by_name.items()}, drawn=True)

    def is_missing(self, name: str) -> bool:
        return bool(self.fixed[name].isna().iloc[0])

    def solved(self, rule: Formula, known: set[str]) -> list[Rule]:
        free = [n for n in rule.needs if n not in known]
        if not free and {*rule.needs} & self.held:
            raise UserError(f"{rule.words()} Its parts cannot have ranges where {rule.target} has a value.")
        if not free:
            if rule.broken(self.fixed, self.spec.by_name):
                raise UserError(f"{_said(self.values)} contradict each other: {rule.words()}")
            return []
        for name in free if not {*free} & self.computed.keys() else ():
            turned = solved(rule, name, self.spec.by_name)
            alone = not any(name in other.columns for other in self.spec.rules if other is not rule)
            exact = turned is not None and max(abs(c) for c, n in turned.terms if n == rule.target) == 1
            if turned is not None and exact and alone and name in self.learned:
                known.add(name)
                self.guessed.append(name)
                spans = dict(zip((rule.target, *(n for _, n in rule.terms)), rule.spans, strict=True))
                order = tuple(spans[n] for n in (turned.target, *(n for _, n in turned.terms)))
                return [
                    dataclasses.replace(
                        turned, spans=order, free=tuple(n for n in free if n in rule.free and n != name)
                    )
                ]
        raise UserError(f"{rule.words()} To set it, set {' and '.join(free)} as well.")

    def may_move(self, name: str, rule: Rule) -> None:
        bound = any(isinstance(r, Together) and name in r.columns for r in self.spec.rules)
        if name in self.computed or bound or name in self.held:
            raise UserError(f"{rule.words()} To set one of the two, set {name} as well.")

    def span(self, name: str) -> tuple[float, float]:
        """The smallest and the largest value of a column that is learned."""
        if name in self.distances:
            return (self.distances[name].least, self.distances[name].most)
        return span_of(self.learned[name])

    def check(self, limits: RuleLimits, rows: Tensor, given: Tensor) -> None:
        """Raises: UserError: the values that are given never occur together."""
        walk = limits.start(rows[None], given[None])
        if any((part.node < 0).any() for parts in walk.parts.values() for part in parts):
            raise UserError(f"{_said(self.values)} never occur together in the table, or in too few rows.")


def _moved(rule: Together, other: Together, name: str) -> np.ndarray:
    """The values of a column in a rule's combinations, as places among the values of another rule."""
    texts = (*rule.values[rule.names.index(name)], None)
    known = {text: i for i, text in enumerate((*other.values[other.names.index(name)], None))}
    return np.array([known.get(text, -1) for text in texts])[rule.table[:, rule.names.index(name)]]


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
