"""Columns of numbers and dates that are sums, differences, multiples or products of others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from ganvas.tables import values as vl
from ganvas.tables.rules.base import EXACT, Columns
from ganvas.tables.rules.formula import Formula, solved
from ganvas.tables.rules.look import NEARLY, SURE, Look

TRIED = 256  # rows in which all pairs of columns are tried
FEW = 3  # different values that a column needs for a formula
MOST_TERMS = 6
MOST_COLUMNS = 120  # of numbers, in which sums and products are looked for


def formulas(look: Look, computed: set[str], nearly: list[str]) -> list[Formula]:
    """The formulas that hold in every row; of the columns of each, the finest is the one that is computed.

    Args:
        computed: columns that other rules compute.
        nearly: gets sentences about what nearly holds.
    """
    usable = [n for n in look.numbers if look.columns[n].kind in ("number", "date") and look.sizes(n) > 1]
    usable = usable[:MOST_COLUMNS]
    names = [n for n in usable if look.sizes(n) >= FEW]
    if len(names) < 2:
        return []
    candidates = [*_multiples(look, names), *_pairs(look, usable), *_longer(look, names)]
    candidates = [f for f in candidates if not {*f.columns} <= computed]
    done: list[Formula] = []
    known: list[np.ndarray] = []
    taken = set(computed)
    for formula in candidates:
        factors = {n: c for c, n in formula.terms}
        vector = np.array([factors.get(n, 0.0) - (n == formula.target) for n in usable])
        if not formula.product and known and np.linalg.matrix_rank(np.stack([*known, vector])) == len(known):
            continue  # it follows from others
        holds = _share(look, formula)
        if holds is None:
            continue
        if holds < 1:
            nearly.append(f"{formula.text} in {100 * holds:.2f}% of the rows")
            continue
        turned = _best(look, formula, taken, done)
        if turned is None:
            continue
        done.append(turned)
        taken.add(turned.target)
        if not formula.product:
            known.append(vector)
    return done


def _share(look: Look, formula: Formula) -> float | None:
    """The share of rows in which a formula holds; None: not in nearly all, or it might by chance."""

    for rows in (look.first, np.arange(len(look))):
        frame = {n: look.frame[n].iloc[rows] for n in formula.columns}
        distance = formula.distance(frame, look.columns)
        known = ~np.isnan(distance)
        count = int(known.sum())
        alone = int((np.isnan(formula.value(frame, look.columns)) & ~look.missing[formula.target][rows]).sum())
        close = distance[known] <= allowed(formula, look.columns, look.numbers[formula.target])
        if count < SURE or (count - close.sum()) + alone > NEARLY * (count + alone):
            return None
    shuffled = np.random.default_rng(2).permutation(len(look))
    for _, name in formula.terms:  # every term must matter
        mixed = {n: look.frame[n] for n in formula.columns}
        mixed[name] = look.frame[name].iloc[shuffled].set_axis(look.frame.index)
        distance = formula.distance(mixed, look.columns)
        if int((distance > allowed(formula, look.columns, look.numbers[formula.target])).sum()) < SURE:
            return None
    wrong = (count - int(close.sum())) + alone
    return 1.0 if not wrong else 1 - wrong / (count + alone)


def allowed(formula: Formula, columns: Columns, target: np.ndarray) -> float:
    """Last digits that the target may be off by: none in whole numbers of things, one where money is rounded."""
    step = vl.unit(columns[formula.target])
    if columns[formula.target].kind == "date":
        return EXACT
    units = [vl.unit(columns[n]) for _, n in formula.terms]
    whole = not formula.product and all(float(c).is_integer() for c, _ in formula.terms)
    if whole and all(u and u >= step * (1 - EXACT) for u in units) and (step == 1.0 or np.nanstd(target) < 100 * step):
        return EXACT
    return 1 + EXACT if step and np.nanstd(target) >= 100 * step else 0.5 + EXACT


def _multiples(look: Look, names: Sequence[str]) -> list[Formula]:
    """y = c * x + k."""
    found = []
    for x, y in itertools.permutations(names, 2):
        dates = [look.columns[n].kind == "date" for n in (x, y)]
        if dates[0] != dates[1]:
            continue
        a, b = (look.numbers[n][look.first] for n in (x, y))
        known = ~(np.isnan(a) | np.isnan(b))
        a, b = a[known], b[known]
        if len(a) < TRIED // 8 or np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        step = vl.unit(look.columns[y]) or 1e-9
        least, most = a.argmin(), a.argmax()
        slope = (b[most] - b[least]) / np.ptp(a)
        slope = simplest(slope, 2 * step / np.ptp(a))
        if (
            slope == 0
            or (dates[0] and slope != 1)
            or np.abs(b - slope * a - (b[least] - slope * a[least])).max() > 3 * step
        ):
            continue
        constant = float(np.round(np.median(b - slope * a) / step) * step)
        digits = max(0, look.columns[y].decimals)
        constant = 0.0 if abs(constant) < step / 2 else round(constant, digits) if not dates[0] else constant
        if slope != 1 and names.index(x) > names.index(y) and abs(slope) < 1 and float(1 / slope).is_integer():
            continue  # the other way round it is a whole factor
        found.append(Formula(y, ((float(slope), x),), constant))
    return found


def simplest(value: float, off: float) -> float:
    """The number with the fewest digits within `off` of a value."""
    for digits in range(13):
        near = round(value, digits)
        if abs(near - value) <= off and near != 0:
            return near
    return value


def _pairs(look: Look, names: list[str]) -> list[Formula]:
    """y = a + b, y = a * b and y = a * b / 100 (tax at 19 percent), all pairs in a few rows; differences are sums of
    others."""
    rows = look.first[np.linspace(0, len(look.first) - 1, min(TRIED, len(look.first))).astype(int)]
    values = np.stack([look.numbers[n][rows] for n in names])
    first, second = np.triu_indices(len(names), 1)
    found = []
    products = values[first] * values[second]
    tables = ((values[first] + values[second], 0.0), (products, 1.0), (products / 100, 0.01))
    pairs: Iterable[tuple[tuple[np.ndarray, float], int]] = itertools.product(tables, range(len(names)))
    for (table, product), i in pairs:
        y = names[i]
        date = look.columns[y].kind == "date"
        if (product and date) or look.sizes(y) < FEW:
            continue
        step = vl.unit(look.columns[y]) or 1e-9 * float(np.nanmax(np.abs(values[i])) + 1)
        off = np.abs(table - values[i])
        known = ~np.isnan(off)
        wrong = (off > 1.01 * step) & known
        good = (wrong.sum(1) <= 0.02 * known.sum(1)) & (known.sum(1) >= min(20, len(rows) // 2))
        good &= (first != i) & (second != i)
        for pair in np.flatnonzero(good):
            a, b = names[first[pair]], names[second[pair]]
            if product and "date" in (look.columns[a].kind, look.columns[b].kind):
                continue
            if (max if product else min)(look.sizes(a), look.sizes(b)) < FEW:  # two rates of a tax may be a factor
                continue
            found.append(Formula(y, ((product or 1.0, a), (1.0, b)), product=bool(product)))
    return found


def _longer(look: Look, names: Sequence[str]) -> list[Formula]:
    """y = a + b - c + ...: the columns that explain it best, one after the other, until nothing is left to explain."""
    numbers = [n for n in names if look.columns[n].kind == "number"]
    if len(numbers) < 3:
        return []
    values = np.stack([look.numbers[n][look.first] for n in numbers])
    gaps = np.isnan(values)
    found = []
    for i, y in enumerate(numbers):
        others = [j for j in range(len(numbers)) if j != i and not (gaps[j] & ~gaps[i]).any()]
        rows = np.flatnonzero(~gaps[i])[:2_000]
        if len(rows) < 40 or len(others) < 2:
            continue
        matrix = values[others][:, rows]
        target = values[i, rows]
        step = vl.unit(look.columns[y]) or 1e-9 * float(np.abs(target).max() + 1)
        scale = np.sqrt((matrix**2).sum(1)) + 1e-30
        chosen: list[int] = []
        left = target
        for _ in range(min(MOST_TERMS, len(others))):
            score = np.abs(matrix @ left) / scale
            score[chosen] = -1
            chosen.append(int(score.argmax()))
            weights, *_ = np.linalg.lstsq(matrix[chosen].T, target, rcond=None)
            left = target - weights @ matrix[chosen]
            if np.abs(left).max() <= 3 * step:
                terms = [(float(round(w, 4)), numbers[others[j]]) for w, j in zip(weights, chosen, strict=True)]
                terms = [(float(round(w)) if abs(w - round(w)) < 0.01 else w, n) for w, n in terms]
                terms = sorted(((w, n) for w, n in terms if w), key=lambda t: numbers.index(t[1]))
                if len(terms) > 1:
                    found.append(Formula(y, tuple(terms)))
                break
    return found


def _best(look: Look, formula: Formula, taken: set[str], done: Sequence[Formula]) -> Formula | None:
    """The formula solved for the finest of its columns that is not computed yet; None: there is no such."""
    forms = [formula]
    if not formula.product:
        forms += [f for f in (solved(formula, name, look.columns) for name in formula.needs) if f is not None]
    forms = [f for f in forms if f.target not in taken and not _circle(f, done)]
    forms = [f for f in forms if _share(look, f) == 1.0]
    if not forms:
        return None
    finest = max(look.sizes(f.target) for f in forms)
    close = [f for f in forms if look.sizes(f.target) >= 0.7 * finest]
    return max(
        close, key=lambda f: (sum(c > 0 for c, _ in f.terms) == len(f.terms), look.columns[f.target].kind == "number")
    )


def _circle(formula: Formula, done: Sequence[Formula]) -> bool:
    """Whether a term is computed from the target."""
    sources = {f.target: f.needs for f in done}

    def reaches(name: str) -> bool:
        return name == formula.target or any(map(reaches, sources.get(name, ())))

    return any(map(reaches, formula.needs))
