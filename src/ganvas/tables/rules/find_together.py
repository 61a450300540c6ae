"""Columns that follow from others, combinations that occur, cells missing together, and pairs that are unique."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Unique, rows_of
from ganvas.tables.rules.look import NEARLY, SURE, Look
from ganvas.tables.rules.together import MOST, Missing, Together

FEWER = 0.5  # combinations that occur, of those that would by chance
UNSEEN = 0.002  # estimated share of rows to come with a combination that was not seen (Good 1953)
LEFT_OUT = 0.02  # share of the rows whose combinations too few rows have
CLEAR = 7.0  # filled cells that a value's rows would have by chance, where none says something: none in one of 1,000
LEADING = 100  # different values up to which a column may say where others are missing
MOST_PAIRS = 4_000_000  # of values of two columns that are compared


def dependencies(
    look: Look, computed: set[str], nearly: list[str]
) -> tuple[list[Together], dict[str, tuple[str, tuple[str, ...]]]]:
    """Columns that follow from one other, and columns whose gaps do.

    Args:
        computed: columns that other rules compute.
        nearly: gets sentences about what nearly holds.

    Returns:
        Rules, and for columns whose missing cells follow from a category: that and its values with missing cells.
    """

    names = [n for n in look.names if n not in computed]
    listed = [n for n in names if look.is_listed(n)]
    gaps = [n for n in names if look.missing[n].any() and not look.missing[n].all()]
    table = np.stack([look.codes[n] for n in names] + [look.missing[n].astype(np.int64) for n in gaps], 1)
    mixed = np.array([look.mixed(n) for n in names] + [2 * m * (1 - m) for m in (look.missing[n].mean() for n in gaps)])
    follow: dict[str, list[str]] = {}
    flags: dict[str, tuple[str, tuple[str, ...]]] = {}
    for x in listed:
        wrong, repeats = _changes(look.codes[x][look.first], table[look.first])
        maybe = np.flatnonzero((wrong <= 0.02 * repeats) | (wrong <= 2))
        maybe = maybe[maybe != names.index(x)]
        if not len(maybe):
            continue
        wrong, repeats = _changes(look.codes[x], table[:, maybe])
        for place, changes in zip(maybe, wrong, strict=True):
            sure = repeats * mixed[place]
            if sure < 30 or changes > max(2 * NEARLY * len(look), 1):
                continue
            name = names[place] if place < len(names) else gaps[place - len(names)]
            if changes:
                if place < len(names):
                    _nearly(look, x, name, nearly)
            elif place < len(names):
                follow.setdefault(name, []).append(x)
            elif name != x and name not in flags and _leads(look, x):
                flags[name] = (x, _values(look, x, name))
    for name, (leader, values) in flags.items():  # whether a cell is missing says the leader: that is one rule, not two
        if values and look.sizes(leader) == 2 and name in follow.get(leader, []):
            follow[leader].remove(name)
    return _roots(look, {name: sources for name, sources in follow.items() if sources}), flags


def _changes(codes: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, int]:
    """In rows sorted by `codes`, how often each column changes where the code does not, and how often that is."""
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    rows = table[order]
    return ((rows[1:] != rows[:-1]) & same[:, None]).sum(0), int(same.sum())


def _nearly(look: Look, x: str, y: str, nearly: list[str]) -> None:

    pairs = look.codes[x] * (look.codes[y].max() + 1) + look.codes[y]
    found, counts = np.unique(pairs, return_counts=True)
    best = np.zeros(look.codes[x].max() + 1, np.int64)
    np.maximum.at(best, found // (look.codes[y].max() + 1), counts)
    wrong = len(look) - int(best.sum())
    usual = len(look) - int(look.counts[y][0])
    if 0 < wrong <= NEARLY * len(look) and wrong < 0.1 * usual:
        nearly.append(f"{y} from {x} except in {rows_of(wrong)}")


def _values(look: Look, x: str, name: str) -> tuple[str, ...]:
    series = look.frame[x][look.missing[name]]
    texts, places = vl.distinct(look.columns[x], series)
    counts = np.bincount(places, minlength=1)
    enough = counts.max() if look.columns[x].kind == "category" else counts.min()  # numbers of few rows share a range
    return () if series.isna().any() or enough < look.rare else texts


def _leads(look: Look, name: str) -> bool:
    """Whether its values can say that others are missing."""
    column = look.columns[name]
    return look.sizes(name) <= LEADING and (
        column.kind == "category" or (column.kind == "number" and not _is_time(column))
    )


def _is_time(column: Column) -> bool:
    return column.type in ("clock", "span") or column.decimals < 0


def _implied(look: Look, group: Sequence[str], leaders: Sequence[str]) -> Missing | None:
    """The rule that these columns, which are missing in the same rows, are so wherever another has some values: values
    that say at least half of their gaps, and of which none would have gaps alone by chance."""
    gone, best = look.missing[group[0]], None
    for name in leaders:
        if name in group:
            continue
        codes, none = look.codes[name], look.missing[name]
        counts = np.bincount(codes[~none], minlength=codes.max() + 1)
        filled = np.bincount(codes[~none & ~gone], minlength=codes.max() + 1)
        always = (counts * (1 - gone.mean()) >= CLEAR) & (counts >= look.rare) & (filled == 0)
        said = int(counts[always].sum())
        if said >= gone.sum() / 2 and said * (1 - gone.mean()) >= SURE and (best is None or said > best[0]):
            best = (said, name, always)
    if best is None:
        return None
    _, name, always = best
    rows = ~look.missing[name] & always[look.codes[name]]
    texts, _ = vl.distinct(look.columns[name], look.frame[name][rows])
    return Missing(tuple(group), name, "if", texts)


def _roots(look: Look, follow: dict[str, list[str]]) -> list[Together]:
    """A rule for each column that others follow from and that follows from none, but for those that are as good."""

    def rank(name: str) -> tuple[bool, int]:
        return (look.columns[name].type != "text", look.names.index(name))

    def same(a: str, b: str) -> bool:
        return a in follow.get(b, []) and b in follow.get(a, [])

    leads = {name: min([name, *(x for x in sources if same(name, x))], key=rank) for name, sources in follow.items()}
    roots: dict[str, list[str]] = {}
    for name in look.names:
        if name not in follow:
            continue
        lead = leads[name]
        above = [x for x in follow[lead] if not same(x, lead)]
        above = [x for x in above if leads.get(x, x) == x and all(same(x, z) for z in follow.get(x, []))]
        root = min(above, key=lambda x: (look.sizes(x), look.names.index(x))) if above else lead
        if root != name:
            roots.setdefault(root, []).append(name)
    return [Together((root, *targets), 1) for root, targets in roots.items()]


def combinations(look: Look, computed: set[str]) -> tuple[list[Together], list[Together]]:
    """Columns of which far fewer combinations occur than would by chance, and columns that follow from two of them.

    Each column is in one combination at most.
    """
    names = [n for n in look.names if n not in computed and look.is_listed(n) and look.sizes(n) <= len(look) / 20]
    strength: dict[tuple[str, str], float] = {}
    for a, b in itertools.combinations(names, 2):
        if look.sizes(a) * look.sizes(b) <= MOST_PAIRS and (few := _few(look, [a], b)) is not None:
            strength[a, b] = few
    follows = _pairs_followed(look, names, computed)
    groups: list[list[str]] = []
    for pair in [*(f.free for f in follows), *sorted(strength, key=strength.__getitem__)]:
        inside = [next((g for g in groups if name in g), None) for name in pair]
        if inside[0] is None and inside[1] is None:
            groups.append(list(pair))
        elif (inside[0] is None) != (inside[1] is None):
            group, name = (inside[0], pair[1]) if inside[0] is not None else (inside[1], pair[0])
            assert group is not None
            if _few(look, group, name) is not None:
                group.append(name)
    follows = [f for f in follows if any({*f.free} <= {*g} for g in groups)]
    used = {t for f in follows for t in f.targets}
    groups = [[n for n in group if n not in used] for group in groups]
    return [Together(tuple(sorted(g, key=look.names.index)), len(g)) for g in groups if len(g) > 1], follows


def _joint(look: Look, names: Sequence[str]) -> np.ndarray:
    """A number for each combination, int64 [N]."""
    joint = look.codes[names[0]]
    for name in names[1:]:
        joint = np.unique(joint * (look.codes[name].max() + 1) + look.codes[name], return_inverse=True)[1]
    return joint


def _few(look: Look, names: Sequence[str], other: str) -> float | None:
    """The share of combinations that occur, of those that would by chance; None: too many, or many are yet unseen.

    Where cells are missing, it must be so among the rows in which all are known too: that a column is filled in some
    years only leaves out combinations, and says nothing of its values.
    """
    a, b, size = _joint(look, names), look.codes[other], int(look.codes[other].max()) + 1
    first, mixed = look.first, np.random.default_rng(4).permutation(look.first)
    seen = [len(np.unique(a[first] * size + b[rows])) for rows in (first, mixed)]
    if seen[0] > 1.2 * FEWER * seen[1]:
        return None
    share = _share(look, a, b)
    known = ~np.logical_or.reduce([look.missing[name] for name in (*names, other)])
    if share is None or known.all():
        return share
    filled = _share(look, a[known], b[known]) if known.any() else None
    return None if filled is None else max(share, filled)


def _share(look: Look, a: np.ndarray, b: np.ndarray) -> float | None:
    """As `_few`, of rows with these values int64 [n]."""
    rows = len(a)
    _, counts = np.unique(a * (b.max() + 1) + b, return_counts=True)
    if (counts == 1).sum() > UNSEEN * rows or counts[counts < look.rare].sum() > LEFT_OUT * rows or len(counts) > MOST:
        return None
    shares = [np.bincount(x)[np.bincount(x) > 0] / rows for x in (a, b)]
    if len(shares[0]) * len(shares[1]) > MOST_PAIRS:
        return None
    by_chance = float((1 - np.exp(-rows * np.outer(*shares))).sum())
    return len(counts) / by_chance if len(counts) <= FEWER * by_chance and by_chance - len(counts) >= 20 else None


def _pairs_followed(look: Look, names: Sequence[str], computed: set[str]) -> list[Together]:
    """Columns that follow from two others, each from the pair with the fewest combinations."""

    targets = [n for n in look.names if n not in computed and look.columns[n].kind in ("number", "category")]
    table = np.stack([look.codes[n] for n in targets], 1) if targets else np.zeros((len(look), 0), np.int64)
    mixed = np.array([look.mixed(n) for n in targets])
    best: dict[str, tuple[int, tuple[str, str]]] = {}
    for a, b in itertools.combinations(names, 2):
        if look.sizes(a) * look.sizes(b) > MOST_PAIRS:
            continue
        joint = look.codes[a] * (look.codes[b].max() + 1) + look.codes[b]
        order = look.first[np.argsort(joint[look.first], kind="stable")]
        again = np.flatnonzero(np.diff(joint[order]) == 0)
        if len(again) < len(order) / 2:
            continue
        some = again[np.linspace(0, len(again) - 1, 300).astype(int)]
        wrong = (table[order[some]] != table[order[some + 1]]).any(0)
        places = np.array([i for i in np.flatnonzero(~wrong) if targets[i] not in (a, b)], np.int64)
        if not len(places):
            continue
        wrong, repeats = _changes(joint, table[:, places])
        size = len(np.unique(joint))
        for place, changes in zip(places, wrong, strict=True):
            name = targets[place]
            sure = not changes and repeats * mixed[place] >= 10 * SURE and (name not in best or size < best[name][0])
            if sure and all(_changes(look.codes[x], table[:, [place]])[0][0] for x in (a, b)):  # one is not enough
                best[name] = (size, (a, b))
    pairs: dict[tuple[str, str], list[str]] = {}
    used: set[str] = set()
    order = sorted(best, key=lambda n: (look.columns[n].kind != "number", best[n][0], -look.names.index(n)))
    for name in order:  # origin and destination say the distance, not the distance and one of them the other
        pair = best[name][1]
        taken = {t for names in pairs.values() for t in names}
        if name in used or {*pair} & taken or any({*pair} & {*other} for other in pairs if other != pair):
            continue
        pairs.setdefault(pair, []).append(name)
        used |= {*pair}
    return [Together((*pair, *follow), 2) for pair, follow in pairs.items()]


def missing(
    look: Look, computed: set[str], flags: dict[str, tuple[str, tuple[str, ...]]], nearly: list[str]
) -> list[Missing]:
    """Columns that are missing in the same rows, exactly where another has a value, or where a category says so."""

    names = [n for n in look.names if n not in computed]
    names = [n for n in names if SURE <= look.missing[n].sum() <= len(look) - SURE]
    classes: dict[bytes, list[str]] = {}
    for name in names:
        classes.setdefault(np.packbits(look.missing[name]).tobytes(), []).append(name)
    rules: list[Missing] = []
    groups = list(classes.values())
    led = {g[0] for g in groups if g[0] in flags and flags[g[0]][1]}
    for group in groups:
        if len(group) > 1 and group[0] not in led:
            rules.append(Missing(tuple(group[1:]), group[0]))
    for a, b in itertools.combinations(groups, 2):
        same = look.missing[a[0]] == look.missing[b[0]]
        wrong = min(int(same.sum()), int((~same).sum()))
        if not same.any():
            if not {a[0], b[0]} <= led:
                rules.append(Missing((b[0],), a[0], "value"))
        elif wrong <= NEARLY * len(look) and wrong < 0.1 * min(look.missing[a[0]].sum(), (~look.missing[a[0]]).sum()):
            kind = "missing together" if same.sum() > (~same).sum() else "missing in other rows each"
            nearly.append(f"{a[0]}, {b[0]} {kind} except in {rows_of(wrong)}")
    for group in groups:
        if group[0] in led:
            leader, values = flags[group[0]]
            rules.append(Missing(tuple(group), leader, "is", values))
    led |= {n for rule in rules if rule.when == "value" for n in rule.columns}
    leaders = [n for n in look.names if n not in computed and _leads(look, n)]
    one_way = [_implied(look, group, leaders) for group in groups if group[0] not in led]
    return [*rules, *(rule for rule in one_way if rule is not None)]


def unique(look: Look) -> list[Unique]:
    """Pairs of columns that no two rows have the same of, though each alone often is the same."""

    names = [
        n
        for n in look.names
        if not look.missing[n].any() and look.columns[n].decimals == 0 and look.sizes(n) < len(look)
    ]
    found = []
    for a, b in itertools.combinations(names, 2):
        one, other = (((1 - look.mixed(n)) * len(look) - 1) / max(1, len(look) - 1) for n in (a, b))  # of other rows
        same = one * other * len(look) * (len(look) - 1) / 2  # pairs of rows that would be by chance
        if look.sizes(a) * look.sizes(b) < len(look) or same < SURE:
            continue
        joint = look.codes[a] * (look.codes[b].max() + 1) + look.codes[b]
        if len(np.unique(joint[look.first])) == len(look.first) and len(np.unique(joint)) == len(joint):
            found.append(Unique((a, b)))
    return found
