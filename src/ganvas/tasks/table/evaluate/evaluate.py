"""`ganvas evaluate` of a model of a table: reads the real rows again, draws, measures, and keeps what was found."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.run import Run, run_of
from ganvas.metrics.figures import NO_EXTRACTOR, Figure, Protocol
from ganvas.report import page
from ganvas.tables.data import DataConfig, TableData
from ganvas.tasks.table.evaluate import details, experts, source
from ganvas.tasks.table.evaluate.measure import measure
from ganvas.tasks.table.evaluate.metrics import METRICS, choose
from ganvas.tasks.table.evaluate.sides import Found, Sides
from ganvas.tasks.table.model import TableModel, load
from ganvas.training.evaluate import Options, data_of, into_card, trained_on

LIKELY = 10_000  # rows of each side whose probability is asked for, at most
LEAST = 20  # rows to draw
OTHER = "these are not the rows that it was trained on: leave --data out"


@dataclass(frozen=True)
class Measured:
    """All that an evaluation found, at its end: what it was taken of, and each figure's parts."""

    sides: Sides
    found: dict[str, Found]
    card: dict[str, Any]


def evaluate(path: str | os.PathLike[str], options: Options) -> Iterator[Doing | Figure | Measured]:
    """Measure a model; yields what is done, each figure, and at the end everything.

    The figures go to the run's metrics.jsonl, the model's card and report.html.

    Raises:
        UserError: an unknown metric or option, scikit-learn is not installed, or the data is gone or is other data now.
    """
    began = time.monotonic()
    names = choose(options.metrics)
    check(options)
    version = experts.needed()
    yield Doing("reading", 0.0)
    model = load(path)
    data: Any = trained_on(model, path, options.data)
    config: DataConfig = data_of(model, options.data)
    real: source.Real | None = None
    for event in source.again(config, data, model.spec, options.seed):
        if isinstance(event, Doing):
            yield event
        else:
            real = event
    assert real is not None
    sides = yield from _sides(model, data, real, options)
    if sides.count < 2:
        raise UserError(f"{data.name} has {len(real.held_out)} held-out rows: too few for a comparison.")
    run, images = run_of(model.path), int(model.card["images"])
    ends = began + options.time_limit if options.time_limit is not None else math.inf
    late = f"skipped: the time limit of {options.time_limit or 0:.0f} s had run out"
    found: dict[str, Found] = {}
    figures: list[Figure] = []
    for event in measure(sides, names, ends, late):
        if isinstance(event, Doing):
            yield event
            continue
        found |= event
        for name, one in event.items():
            figures.append(_figure(name, one, _protocol(name, sides, data, options, version), images))
            if run is not None:
                run.append(figures[-1].row(), run.metrics)
            yield figures[-1]
    _keep(model, run, sides, found, figures)
    yield Measured(sides, found, model.card)


def check(options: Options) -> None:
    """Raise a UserError for an option that means nothing for rows, or a number that is too small."""
    for name, what in {
        "extractor": "belongs to pictures",
        "split": "belongs to pictures: rows are compared with held-out ones",
        "out": "belongs to pictures: results of a table are in its run's report.html",
        "against": "is for models that restore pictures; for others use: ganvas compare RUN RUN",
        "to": "is for models that translate pictures",
    }.items():
        if name in options.given():
            raise UserError(f"--{name} {what}. Leave it out.")
    if options.count < LEAST:
        raise UserError(f"--count {options.count} is too few: at least {LEAST} rows are needed.")
    if options.repeats < 1:
        raise UserError(f"--repeats {options.repeats}: at least 1 is needed.")


def _sides(model: TableModel, data: TableData, real: source.Real, options: Options) -> Iterator[Any]:
    """Draw the rows of each repeat; returns what is measured."""
    strange = "" if data.fingerprint == model.card["fingerprint"] else OTHER
    count = min(options.count, max(real.train_count, LEAST))
    frames = []
    for r in range(options.repeats):
        yield Doing("drawing rows", 0.05 + 0.05 * r / options.repeats)
        frames.append(model.sample(count, seed=options.seed + r))
    chances = None
    if not strange:
        yield Doing("asking the model how probable rows are", 0.1)
        rows = [_some(side.samples, options.seed) for side in (data.train, data.held_out)]
        chances = _surprise(model, data, rows[0]), _surprise(model, data, rows[1])
    return Sides(model.spec, real, frames, options.seed, chances, strange)


def _some(samples: Any, seed: int) -> torch.Tensor:
    order = np.random.default_rng(seeds.key(seed, "rows whose probability is asked for")).permutation(len(samples))
    return samples[torch.from_numpy(np.sort(order[:LIKELY]))]


@torch.inference_mode()
def _surprise(model: TableModel, data: TableData, rows: torch.Tensor) -> np.ndarray:
    """-log of the probability of each row to the model, in random order, float64 [N]."""
    out = []
    device = next(model.generator.parameters()).device
    for part in rows[torch.randperm(len(rows), generator=seeds.generator(0, "their order"))].split(1_000):
        tokens = data.decode(part).to(device)
        each = model.generator.surprise(tokens, torch.zeros_like(tokens, dtype=torch.bool))  # pyright: ignore[reportCallIssue]
        out.append(each.sum(1).double().cpu().numpy())
    return np.concatenate(out)


def _protocol(name: str, sides: Sides, data: TableData, options: Options, version: str) -> Protocol:
    """All that a figure depends on; where something learns, the version of scikit-learn."""
    metric = METRICS[name]
    learns = metric.group in ("c2st", "c2st-linear", "tstr")
    count = {"tstr": sides.taught, "sound": len(sides.frames[0]), "copies": len(sides.frames[0])}.get(
        metric.group, sides.count
    )
    once = metric.group == "likelihood"
    return Protocol(
        extractor="scikit-learn" if learns else NO_EXTRACTOR,
        mark=version if learns else "-",
        count=count,
        split="held-out",
        seed=options.seed,
        repeats=1 if once else options.repeats,
        labels="none",
        data=data.name,
        fingerprint=data.fingerprint,
        form=metric.form,
    )


def _figure(name: str, found: Found, protocol: Protocol, images: int) -> Figure:
    metric = METRICS[name]
    numbers = found.value, found.spread, found.floor, found.floor_spread
    return Figure(name, metric.title, *numbers, metric.better, metric.share, protocol, images, found.note)


def _keep(model: TableModel, run: Run | None, sides: Sides, found: dict[str, Found], figures: list[Figure]) -> None:
    """Put the figures into the model's card and the run's report."""
    if model.spec.privacy is None:  # figures tell of real rows
        into_card(model, run, figures)
    if run is not None:
        details.write(run, sides, found)
        page.write(run)
