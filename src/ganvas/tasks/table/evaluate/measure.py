"""Computes the metrics: each of drawn rows, and the same of other real rows, by the same code."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ganvas.core import seeds
from ganvas.core.progress import Doing
from ganvas.tasks.table.evaluate import experts, nearness, shapes, sound
from ganvas.tasks.table.evaluate.metrics import METRICS, NEIGHBOURS, TRAINING
from ganvas.tasks.table.evaluate.sides import Found, Sides
from ganvas.tasks.table.evaluate.values import Values

Group = Callable[[Sides], dict[str, Found]]


def measure(
    sides: Sides, names: Sequence[str], ends: float = math.inf, limit: str = ""
) -> Iterator[Doing | dict[str, Found]]:
    """Take figures; yields what is done, and each group's figures by name as soon as they are there.

    Args:
        names: of METRICS.
        ends: when the time is over, in seconds of `time.monotonic`; what is left then is skipped.
        limit: the sentence that says so.
    """
    groups = list(dict.fromkeys(METRICS[name].group for name in names))
    for i, group in enumerate(groups):
        wanted = [name for name in names if METRICS[name].group == group]
        yield Doing(METRICS[wanted[0]].title, 0.1 + 0.9 * i / len(groups))
        notes = {name: "" if time.monotonic() <= ends else limit for name in wanted}
        notes = {name: note or missing(sides, name) for name, note in notes.items()}
        found = GROUPS[group](sides) if not all(notes.values()) else {}
        out = {name: Found(note=notes[name]) if notes[name] else found[name] for name in wanted}
        for one in out.values():
            if not one.note and not all(map(math.isfinite, (one.value, *one.values))):
                one.note = "no finite number came out"
        yield out


def missing(sides: Sides, name: str) -> str:
    """Why a figure cannot be taken: a sentence without its end; '' where it can."""
    metric = METRICS[name]
    if metric.private and sides.strange:
        return sides.strange
    if sides.count < metric.least:
        return f"it needs {metric.least} rows of each side, and there are {sides.count}"
    if name == "membership-likelihood" and sides.chances is None:
        return "there is no model"
    if name == "broken-rules" and not getattr(sides.spec, "rules", ()):
        return "the table has no rules"
    return ""


def _shape(sides: Sides) -> dict[str, Found]:
    made = [shapes.shapes(sides.held_out, drawn) for drawn, _ in sides.pairs]
    real = [shapes.shapes(sides.held_out, other) for _, other in sides.pairs]
    parts = {"columns": np.mean(made, 0), "floors": np.mean(real, 0)}
    return {
        "shape": Found([float(x.mean()) for x in made], [float(x.mean()) for x in real], parts=parts),
        "shape-worst": Found([float(x.min()) for x in made], [float(x.min()) for x in real]),
    }


def _trend(sides: Sides) -> dict[str, Found]:
    pairs = shapes.pairs_of(len(sides.held_out.columns), sides.seed)
    if not pairs:
        return {name: Found(note="there is only one column") for name in ("trend", "correlations")}
    found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {"trend": ([], []), "correlations": ([], [])}
    for both in sides.pairs:
        real, *others = shapes.binned(sides.held_out, *both)
        for side, (values, other) in enumerate(zip(both, others, strict=True)):
            found["trend"][side].append(shapes.trends(real, other, pairs))
            found["correlations"][side].append(shapes.correlations(sides.held_out, values, pairs))
    made, floor = (np.mean(x, 0) for x in found["trend"])
    out = {
        "trend": _means(*found["trend"]),
        "correlations": Found(note="there are no two numbers that vary"),
    }
    out["trend"].parts = {"pairs": pairs, "made": made, "floors": floor}
    if all(len(x) for side in found["correlations"] for x in side):
        out["correlations"] = _means(*found["correlations"])
    return out


def _means(made: list[np.ndarray], floors: list[np.ndarray]) -> Found:
    return Found([float(x.mean()) for x in made], [float(x.mean()) for x in floors])


def _c2st(sides: Sides) -> dict[str, Found]:
    made, floor = _verdicts(sides, linear=False)
    falls = experts.gives_away(sides.held_out, sides.pairs[0][0], sides.seed)
    return {
        "c2st": Found([v.auc for v in made], [v.auc for v in floor], made[0].spread, parts={"falls": falls}),
        "c2st-accuracy": Found([v.accuracy for v in made], [v.accuracy for v in floor]),
    }


def _c2st_linear(sides: Sides) -> dict[str, Found]:
    made, floor = _verdicts(sides, linear=True)
    return {"c2st-linear": Found([v.auc for v in made], [v.auc for v in floor], made[0].spread)}


def _verdicts(sides: Sides, linear: bool) -> tuple[list[experts.Verdict], list[experts.Verdict]]:
    both: tuple[list[experts.Verdict], list[experts.Verdict]] = ([], [])
    for r, pair in enumerate(sides.pairs):
        for into, other in zip(both, pair, strict=True):
            into.append(experts.distinguish(sides.held_out, other, seeds.key(sides.seed, "expert", r), linear))
    return both


def _tstr(sides: Sides) -> dict[str, Found]:
    """Training on drawn rows, against training on as many real rows; the floor: on as many other real rows."""
    m, train = sides.taught, sides.real.train
    real, other, test = train.take(slice(m)), train.take(slice(m, 2 * m)), sides.held_out
    targets, count = experts.targets(real, test, sides.seed)
    rows, skipped = [], []
    for target in targets:
        best, floor = (experts.learned(target, side, test, real, sides.seed) for side in (real, other))
        if not experts.skill(target, best) > experts.SKILL:
            skipped.append(real.columns[target.column].name)
            continue
        made = [experts.learned(target, drawn.take(slice(m)), test, real, sides.seed) for drawn in sides.drawn]
        rows.append((target, best, floor, made))
    if not rows:
        return {name: Found(note="no column can be predicted from the others") for name in ("tstr", "tstr-auc")}

    def ratios(pick: int | None, by_skill: bool, categories: bool) -> list[float]:
        """For each target: of a repeat (None: the floor), over real rows."""
        out = []
        for target, best, floor, made in rows:
            value = floor if pick is None else made[pick]
            if by_skill:
                out.append(experts.skill(target, value) / experts.skill(target, best))
            elif target.is_category == categories:
                out.append(value / best)
        return out

    parts = {
        "targets": [
            {
                "column": t.column,
                "measure": "AUC" if t.is_category else "R2",
                "real": b,
                "floor": f,
                "drawn": float(np.mean(x)),
            }
            for t, b, f, x in rows
        ],
        "skipped": skipped,
        "count": count,
    }
    repeats = range(len(sides.drawn))
    whole = Found(
        [float(np.mean(ratios(r, True, True))) for r in repeats],
        [float(np.mean(ratios(None, True, True)))],
        parts=parts,
    )
    auc = Found(note="no category can be predicted from the others")
    if any(target.is_category for target, *_ in rows):
        auc = Found(
            [float(np.mean(ratios(r, False, True))) for r in repeats], [float(np.mean(ratios(None, False, True)))]
        )
    return {"tstr": whole, "tstr-auc": auc}


def _near(sides: Sides) -> dict[str, Found]:
    names = ("precision", "recall", "density", "coverage")
    found = {name: Found() for name in names}
    real = sides.space(sides.held_out.take(slice(NEIGHBOURS)))
    for drawn, other in sides.pairs:
        for into, side in (("values", drawn), ("floors", other)):
            near = nearness.neighbourhood(real, sides.space(side.take(slice(NEIGHBOURS))))
            for name in names:
                getattr(found[name], into).append(getattr(near, name))
    return found


def _private(sides: Sides) -> dict[str, Found]:
    """How near drawn rows are to training rows, and how near other real rows are to them."""
    n = min(sides.count, NEIGHBOURS)
    train, held_out = (sides.space(side.take(slice(n))) for side in (sides.real.train, sides.real.held_out))
    every = sides.space(sides.real.train.take(slice(TRAINING)))
    shares, ratios = Found(), Found([], [nearness.ratio(held_out, every)])
    for drawn, _ in sides.pairs:
        rows = sides.space(drawn.take(slice(n)))
        shares.values.append(nearness.nearer(rows, train, held_out))
        ratios.values.append(nearness.ratio(rows, every))
    others = sides.real.train.take(slice(n, 2 * n))
    if len(others):
        shares.floors.append(nearness.nearer(sides.space(others), train, held_out))
    shares.error = 0.5 / n**0.5
    return {"nearer-training": shares, "neighbour-ratio": ratios}


def _copies(sides: Sides) -> dict[str, Found]:
    training, held_out = sides.real.known.training, sides.real.known.held_out
    hashes = [drawn.hashes() for drawn in sides.drawn]
    copied = [float(np.isin(h, training).mean()) for h in hashes]
    return {
        "copies": Found(copied, [float(np.isin(held_out, training).mean())]),
        "repeats": Found(
            [_repeated(drawn.hashes()) for drawn, _ in sides.pairs],
            [_repeated(other.hashes()) for _, other in sides.pairs],
        ),
    }


def _repeated(hashes: np.ndarray) -> float:
    return 1 - len(np.unique(hashes)) / len(hashes)


def _attack(sides: Sides) -> dict[str, Found]:
    """Is a row one that the model has learned from? By the distance to the nearest drawn row."""
    k = min(sides.count, NEIGHBOURS, len(sides.real.train) // 2)
    members, others = (sides.space(side.take(slice(k))) for side in (sides.real.train, sides.real.held_out))

    def gain(drawn: Values) -> float:
        rows = sides.space(drawn)
        near, far = (-nearness.distance(side, rows) for side in (members, others))
        return nearness.advantage(near, far, seeds.key(sides.seed, "attack"))

    as_many = sides.real.train.take(slice(k, k + max(map(len, sides.drawn))))
    return {"membership-distance": Found([gain(drawn) for drawn in sides.drawn], [gain(as_many)], _error(k))}


def _likelihood(sides: Sides) -> dict[str, Found]:
    """The same by the model's own probability of a row; the floor: held-out rows against held-out rows."""
    assert sides.chances is not None
    members, others = (-side for side in sides.chances)
    k, seed = min(len(members), len(others)), seeds.key(sides.seed, "attack")
    half = len(others) // 2
    floor = nearness.advantage(others[:half], others[half : 2 * half], seed)
    return {"membership-likelihood": Found([nearness.advantage(members[:k], others[:k], seed)], [floor], _error(k))}


def _error(k: int) -> float:
    """The standard error of the difference of two shares of k each, at most."""
    return (0.5 / k) ** 0.5


def _sound(sides: Sides) -> dict[str, Found]:
    wrong: dict[str, int] = {}
    rules: dict[str, int] = {}
    for frame in sides.frames:
        for what, count in sound.impossible(frame, sides.spec, sides.real.known).items():
            wrong[what] = wrong.get(what, 0) + count
        for what, count in (sound.broken(frame, sides.spec) or {}).items():
            rules[what] = rules.get(what, 0) + count
    known, drawn = sides.real.known, sum(map(len, sides.frames))
    floor = sum(known.broken.values()) * drawn / max(1, len(known.held_out))  # of as many held-out rows
    return {
        "impossible": Found([float(sum(wrong.values()))], [0.0], parts={"cells": wrong}),
        "broken-rules": Found([float(sum(rules.values()))], [floor], parts={"rules": rules}),
    }


GROUPS: dict[str, Group] = {
    "shape": _shape,
    "trend": _trend,
    "c2st": _c2st,
    "c2st-linear": _c2st_linear,
    "tstr": _tstr,
    "near": _near,
    "private": _private,
    "copies": _copies,
    "attack": _attack,
    "likelihood": _likelihood,
    "sound": _sound,
}
