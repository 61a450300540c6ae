"""What is usual among held-out rows, and how good a detector that goes by it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.tables.rows import plain_values
from ganvas.tables.rules.order import Order
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.broken import broken_in, named
from ganvas.tasks.table.usual import LEAST, MOST, Usual, auroc, scores_of

if TYPE_CHECKING:
    from ganvas.tasks.table.network import Generator

REPORT = 0.25  # share of the held-out rows that the report is made of


def learn(generator: Generator, spec: TableSpec, held_out: Tensor, seed: int) -> tuple[dict[str, Any], str]:
    """What is usual among held-out rows and how good the detector is, as entries of the card, and why there is none.

    Args:
        held_out: uint8 [N, tokens].
    """
    if len(held_out) < LEAST:
        return {}, f"{len(held_out):,} rows are held out, but {LEAST} are needed to say which rows are odd."
    order = torch.randperm(len(held_out), generator=seeds.generator(seed, "odd rows"))[:MOST]
    held_out = held_out[order.sort().values]
    for_report = torch.randperm(len(held_out), generator=seeds.generator(seed, "odd rows, report"))
    count = round(len(held_out) * REPORT)
    usual = Usual.of(scores_of(generator, spec, held_out[for_report[count:].sort().values]))
    fresh = held_out[for_report[:count].sort().values]
    names = [column.name for column in spec.learned]
    return usual.to_dict(names) | {"report": report(generator, spec, usual, fresh, seed)}, ""


def report(
    generator: Generator, spec: TableSpec, usual: Usual, rows: Tensor, seed: int = 0, alarm: float = 0.05
) -> dict[str, Any]:
    """How good the detector is: rows with one cell from another row, against the same rows as they are.

    Rows whose cell was the same before are left out. Numbers are those in the middle of their cells here.

    Args:
        rows: tokens [N, tokens] of rows that the networks did not train on.

    Returns:
        `rows`, `alarm`, `false_alarm` (share of them that is called odd), and for each column `auroc` (how often such
        a row is odder than one that is in order), `called` (odd, at this alarm), `named` (of those called, the share
        in which this column is the oddest) and `rows`; None where every row has the same value.
    """
    scores = scores_of(generator, spec, rows)
    fine = usual.judge(usual.oddities(scores), scores)
    swapped = Swapped(spec, rows)
    places = [i for i, column in enumerate(spec.read) if column.name in spec.places]
    found: dict[str, Any] = {}
    for number, column in enumerate(spec.read):
        other = torch.randperm(len(rows), generator=seeds.generator(seed, "cells of other rows", number))
        changed, broken, chosen = swapped.of(column.name, other)
        if not len(changed):
            found[column.name] = None
            continue
        scores = scores_of(generator, spec, changed)
        oddities = np.zeros((len(changed), len(spec.read)))
        oddities[:, places] = usual.oddities(scores)
        oddities, _ = named(spec, oddities, broken)
        judged = usual.judge(oddities, scores)
        called = judged.p <= alarm
        right = float((oddities[called].argmax(1) == number).mean()) if called.any() else 0.0
        entry = {"auroc": auroc(fine.rank, judged.rank), "called": float(called.mean()), "named": right}
        found[column.name] = {k: round(v, 4) for k, v in entry.items()} | {"rows": int(chosen.sum())}
    false = round(float((fine.p <= alarm).mean()), 4)
    return {"rows": len(rows), "alarm": alarm, "false_alarm": false, "columns": found}


class Swapped:
    """Rows with one cell from another row."""

    def __init__(self, spec: TableSpec, rows: Tensor) -> None:
        self.spec, self.rows = spec, rows
        self.spoken = {name for rule in spec.rules for name in rule.columns}
        self.frame = plain_values(spec.decode(rows, torch.full(rows.shape, 0.5)), spec)
        self.before = broken_in(spec, self.frame)  # as rare values are not decoded
        self.distances = {r.target: r.other for r in spec.rules if isinstance(r, Order) and r.form}

    def of(self, name: str, other: Tensor) -> tuple[Tensor, dict[int, np.ndarray], np.ndarray]:
        """The tokens of the rows that differ, which rules they break, and which rows these are, bool [N].

        Args:
            name: of the column. other: the row that each row's cell is from, int64 [N].
        """
        spec, rows = self.spec, self.rows
        changed, broken, differs = rows.clone(), {}, torch.zeros(len(rows), dtype=torch.bool)
        own = name in spec.places and name not in self.distances
        if own:
            changed[:, spec.places[name]] = rows[other][:, spec.places[name]]
            differs = (changed != rows).any(1)
        if name in self.spoken:
            moved = self.frame[name].iloc[other.numpy()].reset_index(drop=True)
            same = (moved == self.frame[name]) | (moved.isna() & self.frame[name].isna())
            new = self.frame.assign(**{name: moved})
            differs |= torch.from_numpy(~same.fillna(False).to_numpy(dtype=bool))
            tokens = spec.encode(new).to(rows.dtype)
            for target, source in self.distances.items():
                if name in (target, source):
                    changed[:, spec.places[target]] = tokens[:, spec.places[target]]
            none = np.zeros(len(rows), bool)
            broken = {i: wrong & ~self.before.get(i, none) for i, wrong in broken_in(spec, new).items()}
        chosen = differs.numpy()
        return changed[differs], {i: wrong[chosen] for i, wrong in broken.items()}, chosen
