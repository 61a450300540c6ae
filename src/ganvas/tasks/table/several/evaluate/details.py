"""What the report shows of an evaluation besides the metrics: each key, each table, the pairs that differ most.

It is stored in evaluation/database.json in the training's folder: shares of rows in bins, no row.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from ganvas.core.files import make_folder, write_whole
from ganvas.core.run import Run
from ganvas.tables.columns import Column
from ganvas.tasks.table.evaluate import details as of_one
from ganvas.tasks.table.several.evaluate.measure import TRENDS, Measuring, Part, worst

FILE = "database.json"
PAIRS = 4  # pairs that are shown as maps
LISTED = 8  # pairs that are named
OF_KEYS = ("children", "children-trend", "family-trend", "above-trend", "family-c2st")
OF_TABLES = ("shape", "trend", "c2st")


def write(run: Run, measuring: Measuring, tops: int) -> None:
    """Write evaluation/database.json."""
    folder = run.folder / "evaluation"
    make_folder(folder)
    write_whole(folder / FILE, json.dumps(of(measuring, tops), allow_nan=False) + "\n")


def read(run: Run) -> dict[str, Any]:
    """What `write` wrote; nothing where there is none or it is damaged."""
    return of_one.entries_of(run.folder / "evaluation" / FILE)


def of(measuring: Measuring, tops: int) -> dict[str, Any]:
    """The entries of database.json; of each figure the drawn and the floor's value, null where there is none."""
    keys = [_key(part) for part in measuring.keys.values()]
    tables = [{"name": p.title, "rows": p.rows, **_figures(p, OF_TABLES)} for p in measuring.tables.values()]
    far = listed(measuring)
    return {
        "repeats": len(measuring.drawn),
        "tops": tops,
        "shared": shared(measuring),
        "keys": keys,
        "counts": [made for part in measuring.keys.values() if (made := _counts(part))],
        "tables": tables,
        "worst": [{"names": list(names), "trend": _round(a), "floor": _round(b)} for names, a, b, _ in far],
        "pairs": [heat | {"trend": _round(a), "floor": _round(b)} for _, a, b, heat in far if heat][:PAIRS],
        "wrong": wrong(measuring),
    }


def shared(measuring: Measuring) -> list[str]:
    """The tables whose rows are led to from both halves of the real database."""
    plan = measuring.real.plan
    tables = {tie.key.table for table in plan.learned for tie in table.of("other")}
    return [table.name for table in plan.tables if table.name in tables]


def _key(part: Part) -> dict[str, Any]:
    away = [[name, round(fall, 4)] for name, fall in part.gives_away()]
    return {
        "name": part.title, "rows": part.rows, "none": without(part), "notes": notes(part), "gives_away": away,
        **_figures(part, OF_KEYS),
    }  # fmt: skip


def without(part: Part) -> list[float]:
    """The shares of real and of drawn rows that no row leads to; () where that is not known."""
    return [_round(float((counts == 0).mean())) for counts in part.seen.get("counts", ())]


def notes(part: Part) -> list[str]:
    """Why figures are missing."""
    return sorted({note for name, note in part.notes.items() if name not in part.values})


def _figures(part: Part, names: tuple[str, ...]) -> dict[str, list[float] | None]:
    means = {name: part.mean(name) for name in names}
    return {name: None if math.isnan(mean[0]) else [_round(v) for v in mean] for name, mean in means.items()}


def _counts(part: Part) -> dict[str, Any]:
    """The bars of the numbers of children."""
    if "counts" not in part.seen:
        return {}
    drawn, floor = part.mean("children")
    bars = of_one.number(Column("children", "number", "int"), *part.seen["counts"])
    return {
        "name": part.title,
        "kind": "number",
        "shape": _round(drawn),
        "floor": _round(floor),
        "missing": [0, 0],
        **bars,
    }


def listed(measuring: Measuring) -> list[tuple[tuple[str, str], float, float, dict[str, Any]]]:
    """The pairs of a column of a child and one of a row above it that differ most from the real ones, beyond what other
    real rows differ, at most two of each column and key: names, drawn and floor's value, and a map's entries."""
    found = []
    for part in measuring.keys.values():
        for metric in TRENDS.values():
            if metric not in part.pairs:
                continue
            names, values = part.pairs[metric]
            made, floor = (np.mean([v[side] for v in values], 0) for side in (0, 1))
            for i in worst(names, made - floor):
                found.append((names[i], float(made[i]), float(floor[i]), part.seen[metric].get(i, {})))
    return sorted(found, key=lambda pair: pair[1] - pair[2])[:LISTED]


def wrong(measuring: Measuring) -> dict[str, int]:
    """What is wrong in drawn databases, summed over them: keys that lead nowhere, repeated keys, broken rules."""
    found: dict[str, int] = {}

    def add(what: str, count: int) -> None:
        if count:
            found[what] = found.get(what, 0) + count

    for checks, across in zip(measuring.drawn, measuring.across, strict=True):
        for (table, columns), (known, led) in checks.keys.items():
            add(f"{table}.{', '.join(columns)}: leads to no row", known - led)
        for (table, columns), count in checks.repeated.items():
            add(f"{table}.{', '.join(columns)}: repeated", count)
        for text, count in across.items():
            add(f"{text}: broken", count)
    return found


def _round(value: float) -> float:
    return round(float(value), 4)
