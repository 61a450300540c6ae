"""What the web studio shows of an evaluation of a training on all tables of a database."""

from __future__ import annotations

import dataclasses
from typing import Any

from ganvas.core.run import Run
from ganvas.tasks.table.report_charts import safely, share_of
from ganvas.tasks.table.several import told
from ganvas.tasks.table.several.evaluate import details, words

COUNTS = "How many child rows a parent row has, for each key: real rows grey, drawn ones coloured."
PAIRS = "The pairs over a key that differ most from the real ones, at most two of each column and key."


def together(run: Run, names: list[str]) -> dict[str, Any]:
    """What `ganvas evaluate` wrote into a training's folder, as the page takes it; nothing where it did not.

    Args:
        names: of the folders of its tables.
    """
    figures = told.figures_of(run)
    if not figures:
        return {}
    elsewhere = (run.folder / "evaluation").is_symlink()  # which may lead anywhere
    found = {} if elsewhere else details.read(run)
    every = (
        told.figures(figures, told.shared_in(found)), told.keys(found), told.tables(found, names), told.wrong(found),
        told.worst(found),
    )  # fmt: skip
    return {
        "words": words.said(figures),
        "tables": [dataclasses.asdict(one) for one in every if one.rows],
        "counts": {"words": COUNTS, "charts": _all(found.get("counts"), _count)},
        "pairs": {"words": PAIRS, "charts": _all(found.get("pairs"), _pair)},
    }


def _all(entries: Any, make: Any) -> list[dict[str, Any]]:
    """What is in order of a list of a file."""
    if not isinstance(entries, list):
        return []
    return [made for entry in entries if (made := safely(lambda entry=entry: make(entry), {}))]


def _count(entry: Any) -> dict[str, Any]:
    """A key's numbers of children: real and drawn bars."""
    labels = [str(label) for label in entry["labels"]]
    sides = {side: [share_of(v) for v in entry[side]] for side in ("real", "drawn")}
    if not labels or any(len(shares) != len(labels) for shares in sides.values()):
        return {}
    shown = {side: {"name": str(entry["name"]), "kind": "number", "labels": labels, "shares": shares, "missing": 0.0}
             for side, shares in sides.items()}  # fmt: skip
    return shown | {"share": share_of(entry["shape"]), "chance": share_of(entry["floor"])}


def _pair(entry: Any) -> dict[str, Any]:
    """Two columns' tables, real and drawn."""
    names = [str(name) for name in entry["names"]]
    down, along = ([str(label) for label in labels] for labels in entry["labels"])
    sides = {side: [[share_of(v) for v in row] for row in entry[side]] for side in ("real", "drawn")}
    fits = all(len(t) == len(down) and all(len(row) == len(along) for row in t) for t in sides.values())
    if len(names) != 2 or not down or not along or not fits:
        return {}
    return {"names": names, "labels": [down, along], **sides, "share": share_of(entry["trend"]),
            "chance": share_of(entry["floor"])}  # fmt: skip
