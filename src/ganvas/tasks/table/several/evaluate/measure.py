"""Computes the metrics of a database: of a drawn one, and the same of one half of the real one, by the same code.

Real parents are split into two halves with everything that belongs to them. The drawn ones are compared with the first
half, and so is the second half: that is the floor. Each repeat has halves and a drawn database of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganvas.core import seeds
from ganvas.core.progress import Doing
from ganvas.core.text import one_line
from ganvas.tables.columns import Column
from ganvas.tables.several.plan import Tie
from ganvas.tasks.table.evaluate import details, experts, shapes
from ganvas.tasks.table.evaluate.sides import Found
from ganvas.tasks.table.evaluate.values import Values
from ganvas.tasks.table.evaluate.words import GUESSING
from ganvas.tasks.table.several.evaluate.checks import Checks
from ganvas.tasks.table.several.evaluate.families import Family, own, shuffled
from ganvas.tasks.table.several.evaluate.metrics import LEARNS, LEAST
from ganvas.tasks.table.several.evaluate.sides import ROWS, Base, Rows

EACH, SHOWN = 2, 16  # pairs of a column of the child, and of a key, that may be shown
OVER = "skipped: the time limit had run out"
TRENDS = {"parent": "family-trend", "above": "above-trend"}  # whose columns are compared with those of the child


@dataclass
class Part:
    """What came out of one key or one table: for each metric, a drawn and a floor's value for each repeat.

    title: what it is; rows: of a side; notes: why a figure is missing; pairs: for each metric of pairs, their names
    and for each repeat their values; seen: what the report shows: of the first repeat `counts`, the real and the drawn
    numbers of children, `gives_away`, and for each metric of pairs the tables of some.
    """

    title: str
    rows: int = 0
    values: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, tuple[list[tuple[str, str]], list[tuple[np.ndarray, np.ndarray]]]] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)

    def add(self, metric: str, drawn: float, floor: float) -> None:
        self.values.setdefault(metric, []).append((drawn, floor))

    def mean(self, metric: str) -> tuple[float, float]:
        """The drawn and the floor's value, a mean of the repeats; NaN where there is none."""
        drawn, floor = np.mean(self.values.get(metric) or [(math.nan, math.nan)], 0)
        return float(drawn), float(floor)

    def gives_away(self) -> list[tuple[str, float]]:
        """By which columns the expert tells drawn rows from real ones, and how much; [] where it cannot."""
        metric = "family-c2st" if "family-c2st" in self.values else "c2st"
        drawn, floor = self.mean(metric)
        return self.seen.get("gives_away", []) if drawn - floor > GUESSING else []


class Measuring:
    """Collects the figures of several drawn databases next to the real one.

    keys, tables: what came out of each key and of each table, by name.
    """

    def __init__(self, real: Base, checks: Checks, names: list[str], seed: int, late: Callable[[], bool]) -> None:
        """
        Args:
            names: of METRICS.
            late: is the time over?
        """
        self.real, self.checks, self.names, self.seed, self.late = real, checks, names, seed, late
        self.keys = {
            (table.name, tie): Part(f"{one_line(table.name)}.{one_line(tie.key.name)} -> {one_line(tie.key.table)}")
            for table in real.plan.tables for tie in table.ties
        }  # fmt: skip
        self.tables = {table.name: Part(one_line(table.name)) for table in real.plan.learned}
        self.drawn: list[Checks] = []
        self.across: list[dict[str, int]] = []

    def add(self, drawn: Base, checks: Checks, repeat: int, scaled: bool) -> Iterator[Doing]:
        """Measure a drawn database.

        Args:
            scaled: has it fewer rows than the real one?
        """
        self.drawn.append(checks)
        self.across.append(_across(drawn, checks))
        steps = [*self.keys, *self.tables]
        for i, step in enumerate(steps):
            title = step if isinstance(step, str) else self.keys[step].title
            yield Doing(f"twin {repeat + 1}: {title}", i / len(steps))
            random = np.random.default_rng(seeds.key(self.seed, "halves", repeat, i))
            if isinstance(step, str):
                self._table(drawn, step, random, repeat)
            else:
                self._key(drawn, step[0], step[1], random, repeat, scaled)

    def wants(self, *metrics: str) -> bool:
        return any(name in self.names for name in metrics)

    # A key

    def _key(self, drawn: Base, child: str, tie: Tie, random: np.random.Generator, repeat: int, scaled: bool) -> None:
        part, sides = self.keys[child, tie], (Family.of(self.real, child, tie), Family.of(drawn, child, tie))
        way = self.real.plan[tie.key.table].way
        fixed = way != "learned" and self.real.plan[tie.key.table].first is None
        chosen = _sides(sides[0].parents, sides[1].parents, random)
        n = part.rows = len(chosen[0])
        families = sides[0], sides[1], sides[0]  # whose the first half, the drawn rows and the second half are
        note = f"it needs {LEAST} parents of each side, and there are {n}" if n < LEAST else ""
        if not note and scaled and fixed:
            note = "as many parents as in the real database have fewer children: leave --count out"
        if note:
            part.notes |= dict.fromkeys(
                ("children", "childless", "children-trend", "family-c2st", *TRENDS.values()), note
            )
            return
        self._counts(part, families, chosen)
        self._trends(part, families, chosen, repeat)
        if self.wants("children-trend", "family-c2st"):
            self._summary(part, families, chosen, repeat)

    def _counts(self, part: Part, families: tuple[Family, ...], chosen: tuple[np.ndarray, ...]) -> None:
        counts = [family.counts()[rows].astype(np.float64) for family, rows in zip(families, chosen, strict=True)]
        real, drawn, other = (Values((Column("count", "number", "int"),), c[:, None]) for c in counts)
        part.add("children", float(shapes.shapes(real, drawn)[0]), float(shapes.shapes(real, other)[0]))
        none = [float((c == 0).mean()) for c in counts]
        part.add("childless", abs(none[1] - none[0]), abs(none[2] - none[0]))
        if "counts" not in part.seen:
            part.seen["counts"] = [families[i].counts().astype(np.float64) for i in (0, 1)]

    def _trends(self, part: Part, families: tuple[Family, ...], chosen: tuple[np.ndarray, ...], repeat: int) -> None:
        groups = families[0].groups()
        start, size = 0, {}
        for name in ("child", "parent", "above"):
            size[name] = range(start, start + len(groups[name]))
            start += len(groups[name])
        wanted = [name for name in TRENDS if self.wants(TRENDS[name]) and size["child"] and size[name]]
        if not wanted:
            return
        rows = [family.joined(side) for family, side in zip(families, chosen, strict=True)]
        if min(map(len, rows)) < LEAST:
            part.notes |= {TRENDS[name]: f"fewer than {LEAST} rows lead to them" for name in wanted}
            return
        for name in wanted:
            pairs = _some([(a, b) for b in size[name] for a in size["child"]], self.seed)
            self._pairs(part, TRENDS[name], rows, pairs)
            if repeat == 0:
                made, floor = part.pairs[TRENDS[name]][1][0]
                part.seen[TRENDS[name]] = {
                    i: details.pair(families[0].texts(), rows[0], rows[1], pairs[i], float(made[i]), float(floor[i]))
                    for i in worst(part.pairs[TRENDS[name]][0], made - floor)
                }

    def _pairs(self, part: Part, metric: str, rows: list[Values], pairs: list[tuple[int, int]]) -> None:
        """Add the trends of these pairs of columns."""
        real, *others = shapes.binned(*rows)
        each = [shapes.trends(real, other, pairs) for other in others]
        names = [(rows[0].columns[a].name, rows[0].columns[b].name) for a, b in pairs]
        part.pairs.setdefault(metric, (names, []))[1].append((each[0], each[1]))
        part.add(metric, float(each[0].mean()), float(each[1].mean()))

    def _summary(self, part: Part, families: tuple[Family, ...], chosen: tuple[np.ndarray, ...], repeat: int) -> None:
        if not all(family.whole() for family in families):
            part.notes["family-c2st"] = "too many rows lead to one of them"
        sides = [family.summary(rows) for family, rows in zip(families, chosen, strict=True)]
        mine = len(own(self.real, families[0].tie.key.table))
        if mine and self.wants("children-trend"):
            self._pairs(part, "children-trend", sides, [(0, 1 + j) for j in range(mine)])
        if self.wants("family-c2st") and "family-c2st" not in part.notes:
            self._expert(part, "family-c2st", sides, repeat)

    def _expert(self, part: Part, metric: str, sides: list[Values], repeat: int) -> None:
        """Add what a fresh expert makes of drawn and of other real rows."""
        real, drawn, other = sides
        if len(real) < LEARNS:
            part.notes[metric] = f"it needs {LEARNS} rows of each side, and there are {len(real)}"
            return
        if self.late():
            part.notes[metric] = OVER
            return
        seed = seeds.key(self.seed, "expert", repeat)
        part.add(metric, experts.distinguish(real, drawn, seed).auc, experts.distinguish(real, other, seed).auc)
        if repeat == 0:
            falls = experts.gives_away(real, drawn, self.seed)
            order = [j for j in np.argsort(-falls)[:3] if falls[j] > 0.005]
            part.seen["gives_away"] = [(one_line(real.columns[j].name), float(falls[j])) for j in order]

    # A table

    def _table(self, drawn: Base, name: str, random: np.random.Generator, repeat: int) -> None:
        part, places = self.tables[name], own(self.real, name)
        if not places or not self.wants("shape", "trend", "c2st"):
            return
        tables = [self.real.tables[name], drawn.tables[name]]
        a, d, b = _sides(tables[0], tables[1], random)
        part.rows = len(a)
        if len(a) < LEAST:
            note = f"it needs {LEAST} rows of each side, and there are {len(a)}"
            part.notes |= dict.fromkeys(("shape", "trend", "c2st"), note)
            return
        sides = []
        for table, rows in ((tables[0], a), (tables[1], d), (tables[0], b)):
            columns = tuple(table.values.columns[j] for j in places)
            sides.append(Values(columns, table.values.numbers[table.at[rows]][:, places]))
        part.add("shape", float(shapes.shapes(*sides[:2]).mean()), float(shapes.shapes(sides[0], sides[2]).mean()))
        if pairs := shapes.pairs_of(len(places), self.seed):
            self._pairs(part, "trend", sides, pairs)
        if self.wants("c2st"):
            self._expert(part, "c2st", sides, repeat)

    # All of it

    def found(self) -> dict[str, Found]:
        """What came out, by metric."""
        out = {}
        for name in self.names:
            parts = self.tables if name in ("shape", "trend", "c2st") else self.keys
            made = _counted(name, self) or _mean(name, list(parts.values()))
            if not made.note and not all(map(math.isfinite, made.values)):
                made.note = "no finite number came out"
            out[name] = made
        return out


def _counted(name: str, measuring: Measuring) -> Found | None:
    """A figure that is counted in all rows."""
    real, drawn = measuring.checks, measuring.drawn
    if name == "keys":
        return Found([c.resolved for c in drawn], [real.resolved]) if real.keys else Found(note="there are no keys")
    if name == "repeated-keys":
        if not real.repeated:
            return Found(note="there are no primary keys")
        return Found([float(sum(c.repeated.values())) for c in drawn], [float(sum(real.repeated.values()))])
    if name == "broken-across":
        own = _across(measuring.real, real)
        if not own:
            return Found(note="there are no such rules")
        scale = [sum(c.rows.values()) / max(1, sum(real.rows.values())) for c in drawn]
        floors = [sum(own.values()) * s for s in scale]  # of as many rows
        return Found([float(sum(each.values())) for each in measuring.across], floors)
    return None


def _across(base: Base, checks: Checks) -> dict[str, int]:
    """In how many rows each rule over several tables does not hold, by a sentence that says it."""
    found = {}
    for table in base.plan.tables:
        for text, count in base.tables[table.name].broken.items():
            found[f"{table.name}: {text}"] = count
        for one in table.sums:
            text = f"{table.name}: {one.column} = sum of {one.of} of its {one.table}"
            found[text] = checks.sums[table.name, (one.column,)]
    return found


def _mean(name: str, parts: list[Part]) -> Found:
    """The mean over keys or tables, of each repeat."""
    having = [part.values[name] for part in parts if part.values.get(name)]
    if not having:
        notes = [part.notes[name] for part in parts if name in part.notes]
        return Found(note=notes[0] if notes else "no key leads to columns that could be compared")
    repeats = min(map(len, having))
    sides = [[float(np.mean([each[r][side] for each in having])) for r in range(repeats)] for side in (0, 1)]
    return Found(sides[0], sides[1])


def _sides(real: Rows, drawn: Rows, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As many rows of one real half, of the drawn ones and of the other half, int64 [N] each."""
    rows, others = (shuffled(np.flatnonzero(table.chosen), table.unit, random) for table in (real, drawn))
    n = min(len(rows) // 2, len(others), ROWS)
    return rows[:n], others[:n], rows[n : 2 * n]


def _some(pairs: list[tuple[int, int]], seed: int) -> list[tuple[int, int]]:
    """At most shapes.PAIRS of them, by the seed."""
    if len(pairs) <= shapes.PAIRS:
        return pairs
    order = np.random.default_rng(seeds.key(seed, "pairs of columns")).permutation(len(pairs))[: shapes.PAIRS]
    return [pairs[i] for i in sorted(order)]


def worst(names: list[tuple[str, str]], far: np.ndarray) -> list[int]:
    """The numbers of the pairs with the smallest `far`, at most EACH with the same first name and SHOWN in all."""
    found: list[int] = []
    for i in map(int, np.argsort(far, kind="stable")):
        if far[i] < 0 and len(found) < SHOWN and sum(names[j][0] == names[i][0] for j in found) < EACH:
            found.append(i)
    return found
