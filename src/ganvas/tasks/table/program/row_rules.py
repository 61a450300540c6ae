"""The rules of a table: what they compute, which rows break them, and which tokens may follow others.

`rows.py` needs it.
"""

from datetime import timedelta

import numpy as np
from row_values import (  # pyright: ignore[reportMissingImports]
    DAY,
    EPOCH,
    from_keys,
    gone,
    keys_of,
    numbers_of,
    texts_of,
    tokens_of,
    unit,
    values_of,
    zone_of,
)

# Rules: each sets columns in `found`, by name, and says which rows cannot keep it, bool [n]


def formula(rule, found, columns):
    """A sum or a product. A sum stays within its span: where it is not, a term that nothing else binds gives way."""
    terms, target = rule["terms"], rule["target"]

    def value():
        each = [(factor, numbers_of(found[name])) for factor, name in terms]
        if rule["product"]:
            return each[0][0] * np.prod([v for _, v in each], axis=0)
        return sum(factor * v for factor, v in each) + rule["constant"]

    total = value()
    for (factor, name), (least, most) in zip(terms, rule["spans"][1:]):  # noqa: B905  # for old Pythons
        low, high = rule["spans"][0]
        over = np.nan_to_num(np.maximum(total - high, 0) + np.minimum(total - low, 0))
        if name in rule["free"] and not rule["product"] and over.any():
            moved = values_of(columns[name], np.clip(numbers_of(found[name]) - over / factor, least, most))
            found[name] = np.where(over != 0, moved, found[name])
            total = value()
    missing = gone(found[target]) if rule["gaps"] else np.zeros(len(total), bool)
    found[target] = values_of(columns[target], np.where(missing, np.nan, total))


def order(rule, found, columns):
    """One column never above another: it is learned as the distance from the other, or moved where it has to be."""
    target = rule["target"]
    if not target:
        return
    column, up = columns[target], target == rule["high"]
    against = rule["low"] if up else rule["high"]
    other, value = numbers_of(found[against]), numbers_of(found[target])
    if rule["distance"]:
        start = np.where(np.isnan(other), rule["least"] if up else rule["most"], other)
        away = value * rule["step"]
        value = np.clip(start + away if up else start - away, rule["least"], rule["most"])
    grid = unit(column)
    fine, bound = min((u for u in (grid, unit(columns[against])) if u), default=0.0), other
    if rule["strict"] and fine:
        bound = other + fine if up else other - fine
    elif rule["strict"]:
        bound = np.nextafter(other, np.inf if up else -np.inf)
    if grid:
        value, edge = np.round(value / grid) * grid, bound / grid
        bound = (np.ceil(edge - 1e-3) if up else np.floor(edge + 1e-3)) * grid
    limited = np.fmax(value, bound) if up else np.fmin(value, bound)
    found[target] = values_of(column, np.where(np.isnan(value), np.nan, limited))


def part(rule, found, columns):
    """A part of a date, in a time zone of its own where the rule names one."""
    days = found[rule["source"]]
    missing = np.isnan(days)
    seconds, back = np.unique(np.round(np.where(missing, 0, days) * DAY).astype("int64"), return_inverse=True)
    pick = {
        "date": lambda t: (t.replace(tzinfo=None) - EPOCH).days,
        "start of month": lambda t: (t.replace(day=1, tzinfo=None) - EPOCH).days,
        "year and month": lambda t: 100 * t.year + t.month,
        "quarter": lambda t: (t.month + 2) // 3,
        "week": lambda t: t.isocalendar()[1],
        "day of year": lambda t: t.timetuple().tm_yday,
        "weekday": lambda t: t.weekday(),
    }.get(rule["part"], lambda t: getattr(t, rule["part"]))
    times = [EPOCH + timedelta(seconds=int(s)) for s in seconds]
    if rule["zone"]:
        of = zone_of(columns[rule["source"]]["zone"])
        times = [t.replace(tzinfo=of).astimezone(zone_of(rule["zone"])) for t in times]
    values = np.array([float(pick(t) + rule["plus"]) for t in times])
    found[rule["target"]] = values_of(columns[rule["target"]], np.where(missing, np.nan, values[back]))


def together(rule, found, columns):
    """Combinations of the first columns; the others are looked up from them."""
    names, by = rule["names"], rule["by"]
    known = [[*values, None] for values in rule["values"]]
    rows = [[known[i][j] for j in places] for i, places in enumerate(rule["rows"])]
    table = dict(zip(zip(*rows[:by]), range(len(rows[0]))))  # noqa: B905
    keys = zip(*(keys_of(columns[name], found[name]) for name in names[:by]))  # noqa: B905
    at = np.array([table.get(key, -1) for key in keys], np.int64)
    for i, name in enumerate(names[by:], by):
        found[name] = from_keys(columns[name], np.array([*rows[i], None], object)[at])
    for name in names[:by]:
        found[name] = from_keys(columns[name], keys_of(columns[name], found[name]))  # learned as categories
    return at < 0 if by == len(names) else None


def missing(rule, found, columns):
    """Columns that are missing exactly where another is, has a value, or has one of some values."""
    leader = found[rule["leader"]]
    if rule["when"] in ("is", "if"):
        values = set(rule["values"])
        state = np.array([key in values for key in keys_of(columns[rule["leader"]], leader)], bool)
    else:
        state = gone(leader) == (rule["when"] == "missing")
    wrong = np.logical_or.reduce([gone(found[name]) != state for name in rule["names"]])
    return wrong & state if rule["when"] == "if" else wrong  # 'if': elsewhere they may be missing, too


def between(rule, found, columns):
    """Numbers within a range."""
    value = numbers_of(found[rule["column"]])
    return (value < rule["least"] - 1e-9) | (value > rule["most"] + 1e-9)


def unique(rule, found, columns):
    """No two rows have the same values there."""
    seen, again = set(), []
    for row in zip(*(texts_of(columns[name], found[name]) for name in rule["names"])):  # noqa: B905
        again.append("" not in row and row in seen)
        seen.add(row)
    return np.array(again, bool)


KINDS = {"formula": formula, "order": order, "part": part, "together": together}
CHECKED = {"missing": missing, "range": between}  # once all is computed


# Which tokens may follow those before, so that a row keeps the rules


class Combinations:
    """Tokens of which only some combinations occur, as a tree: a level a token, a node for each beginning."""

    def __init__(self, places, tokens):
        """`places` of the tokens of a row, ascending; `tokens` int64 [combinations, places]."""
        self.places, self.keys, node = places, [], np.zeros(len(tokens), np.int64)
        for column in tokens.T:
            keys, node = np.unique(node * 256 + column, return_inverse=True)
            self.keys.append(keys)  # node * 256 + token of each node of the next level

    def follow(self, level, node, token):
        """The nodes of the next level; -1: there is none."""
        keys, key = self.keys[level], node * 256 + token
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        return np.where((node >= 0) & (keys[at] == key), at, -1)

    def allowed(self, level, node):
        """Which tokens can follow, bool [n, 256]."""
        keys = self.keys[level]
        first = np.searchsorted(keys, node * 256)
        count = np.searchsorted(keys, node * 256 + 256) - first
        row = np.repeat(np.arange(len(node)), count)
        after = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        out = np.zeros((len(node), 256), bool)
        out[row, keys[np.repeat(first, count) + after] & 255] = True
        return out


def combinations(rule, columns, starts, given):
    """The combinations of a rule that have the given tokens, by place; None: no token of the rule is free.

    `starts`: the first token of each column.
    """
    rows, places, each = np.array(rule["rows"], np.int64).reshape(len(rule["names"]), -1), [], []
    known = np.ones(rows.shape[1], bool)
    for name, values, at in sorted(zip(rule["names"], rule["values"], rows), key=lambda t: starts[t[0]]):  # noqa: B905
        p = columns[name]["parts"][0]
        number = {value: cell for cell, value in enumerate(p["values"])}
        gap = p["cells"] + p["specials"].index("missing") if "missing" in p["specials"] else -1
        cell = np.array([*(number.get(value, -1) for value in values), gap])[at]
        known &= cell >= 0
        each.append(tokens_of(p, np.maximum(cell, 0)))
        places += range(starts[name], starts[name] + p["tokens"])
    tokens = np.concatenate(each, 1)[known]
    for i, place in enumerate(places):
        tokens = tokens[tokens[:, i] == given[place]] if place in given else tokens
    free = [i for i, place in enumerate(places) if place not in given]
    if not len(tokens):
        raise ValueError(f"values that never occur together are given: {rule['text']}")
    return Combinations([places[i] for i in free], tokens[:, free]) if free else None


def strays(trees, gaps, tokens, given):
    """The first token of each row that cannot be what it is, int64 [n] (-1: none); and what can be, bool [n, 256].

    `gaps`: tokens that say alike that columns are missing, lists of a place and the tokens that say so.
    """
    count, width = tokens.shape
    first, can, rows = np.full(count, -1), np.zeros((count, 256), bool), np.arange(count)
    nodes = [np.zeros(count, np.int64) for _ in trees]
    says = [{place: np.isin(np.arange(256), said) for place, said in members} for members in gaps]
    states = [np.full(count, -1) for _ in gaps]
    for state, members in zip(states, says):  # noqa: B905
        for place in members.keys() & given.keys():
            state[:] = members[place][given[place]]
    for place in range(width):
        wrong, inside = np.zeros(count, bool), []
        for i, tree in enumerate(trees):
            if place in tree.places:
                level = tree.places.index(place)
                inside.append((tree, level, nodes[i]))
                nodes[i] = tree.follow(level, nodes[i], tokens[:, place])
                wrong |= nodes[i] < 0
        alike = [(members[place], state) for members, state in zip(says, states) if place in members]  # noqa: B905
        for said, state in alike:
            wrong |= (state >= 0) & (said[tokens[:, place]] != state)
        at = rows[wrong & (first < 0)] if place not in given else rows[:0]
        if len(at):
            mask = np.ones((len(at), 256), bool)
            for tree, level, node in inside:
                mask &= tree.allowed(level, node[at])
            for said, state in alike:
                both = mask & ((state[at, None] < 0) | (said == state[at, None]))
                mask = np.where(both.any(1, keepdims=True), both, mask)
            stray = ~mask[np.arange(len(at)), tokens[at, place]]
            first[at[stray]], can[at[stray]] = place, mask[stray]
        for said, state in alike:
            state[:] = np.where(state < 0, said[tokens[:, place]], state)
    return first, can
