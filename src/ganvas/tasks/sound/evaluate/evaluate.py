"""`ganvas evaluate` of drawn sounds: each metric next to its floor, what real sounds get by the same code.

The reference are the data's held-out sounds. The floor of a distance is that of as many training sounds; the floor of
all else is what the held-out sounds themselves get. Figures of different protocols cannot be compared, least of all
with published ones of other data.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ganvas.core import distributed
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.run import Run
from ganvas.core.samples import Dataset
from ganvas.metrics.figures import Figure, Protocol
from ganvas.report import page
from ganvas.sounds import pitch as pitches
from ganvas.sounds.kind import SOUNDS
from ganvas.tasks.sound.evaluate import judge as judges
from ganvas.tasks.sound.evaluate import source as sources
from ganvas.tasks.sound.evaluate.classifier import Classifier
from ganvas.tasks.sound.evaluate.mel import floats
from ganvas.tasks.sound.evaluate.metrics import METRICS, Metric, accuracies, choose, spreads
from ganvas.tasks.sound.evaluate.sides import TIMBRE, Judge, Sides, Sounds
from ganvas.tasks.sound.evaluate.source import Files, Sampler, Split
from ganvas.training.evaluate import Options, into_card

COUNT, REPEATS = 1_000, 1  # without --count and --repeats: an evaluation takes a minute or two
LEAST = 20  # sounds to draw, and held-out ones
KNOWN = ("metrics", "count", "seed", "repeats", "data", "time_limit")
FORM = "16 bits"


@dataclass(frozen=True)
class OfClass:
    """A line of the table of classes; NaN: not known.

    count: drawn sounds; right, held_right: the share that is taken for the class, of drawn and of held-out sounds;
    spread: in timbre, relative to held-out sounds of the class.
    """

    name: str
    count: int
    right: float
    held_right: float
    spread: float


@dataclass(frozen=True)
class Measured:
    """What an evaluation found besides the figures."""

    classes: list[OfClass]
    reads: float  # share of the held-out sounds that the classifier reads right; NaN: there is none
    held: int  # held-out sounds
    trained: int  # training sounds
    drawn: bool  # are the sounds of a model, and not of files?
    notes: tuple[str, ...] = ()


@dataclass
class Measurement:
    """What is measured; `sides` holds the sounds."""

    run: Run | None
    sides: Sides
    names: list[str]
    protocol: Protocol
    images: int
    strict: bool
    ends: float = math.inf
    figures: list[Figure] = field(default_factory=list)


def evaluate(source: str | os.PathLike[str], options: Options) -> Iterator[Doing | Figure | Measured]:
    """Measure a model's sounds, or sounds in files; yields progress, each figure, and at the end `Measured`.

    The figures go to the run's metrics.jsonl, the model's card and report.html.

    Raises:
        UserError: an unknown metric or option, too few sounds, the data is gone or is other data now, or a metric that
            was asked for by name cannot be measured.
    """
    choose(options.metrics)
    _check(options)
    yield Doing("reading", 0.0)
    sampler, run, real = sources.find(source, options.data)
    yield from of(sampler, run, real, options)


def of(
    sampler: Sampler | Files, run: Run | None, real: Dataset, options: Options
) -> Iterator[Doing | Figure | Measured]:
    """As `evaluate`, of what `source.find` found."""
    ends = math.inf if options.time_limit is None else time.monotonic() + options.time_limit
    given, held_out = options.given(), len(real.held_out.samples)
    count = min(options.count if "count" in given else COUNT, len(real.train.samples), sampler.most or 10**9)
    repeats = 1 if isinstance(sampler, Files) else options.repeats if "repeats" in given else REPEATS
    if min(count, held_out) < LEAST:
        raise UserError(
            f"{SOUNDS.many(count)} and {held_out:,} held-out ones of {real.name} are too few to measure: "
            f"at least {LEAST} of each are needed."
        )
    if not distributed.is_first():  # other processes only help to draw
        for r in range(repeats if isinstance(sampler, Sampler) else 0):
            sampler.some(count, options.seed, r)
        return
    train = sources.shuffled(real.train, options.seed, "train", real.spec.samples)
    held = sources.shuffled(real.held_out, options.seed, "held-out", real.spec.samples)
    network, mark = yield from _teach(real, train, options.seed)
    span = pitches.span_of(floats(train.waves[: pitches.PROBED]), real.spec.rate)
    judge, drawn = Judge(real.spec.rate, network, span), []
    for r in range(repeats):
        yield Doing("drawing sounds", 0.42 + 0.2 * r / repeats)
        waves, labels = sampler.some(count, options.seed, r)
        drawn.append(Sounds(waves, labels, judge))
    sides = sides_of(drawn, train, held, judge, () if network is None else tuple(real.class_names))
    protocol = _protocol(real, sampler, mark, count, options.seed, repeats)
    images = int(sampler.model.card["images"]) if isinstance(sampler, Sampler) else 0
    strict = options.metrics not in (None, "all")
    m = Measurement(run, sides, choose(options.metrics), protocol, images, strict, ends)
    yield from _measure_all(m)
    if isinstance(sampler, Sampler):
        into_card(sampler.model, run, m.figures)
    if run is not None:
        page.write(run)
    reads = math.nan if network is None or held.labels is None else float(sides.held.right().double().mean())
    notes = sampler.notes if isinstance(sampler, Files) else ()
    if span == pitches.NOTES:
        notes += (
            f"The sounds have pitches outside the range of voices: {span[0]:,.0f} to {span[1]:,.0f} Hz are searched.",
        )
    yield Measured(classes_of(sides), reads, len(held.waves), len(train.waves), isinstance(sampler, Sampler), notes)


def _teach(real: Dataset, train: Split, seed: int) -> Generator[Doing, None, tuple[Classifier | None, str]]:
    teaching = judges.taught(real, train, seed)
    while True:
        try:
            step = next(teaching)
        except StopIteration as end:
            return end.value
        yield Doing(step.text, 0.02 + 0.4 * step.done / step.total)


def _check(options: Options) -> None:
    """Raise a UserError for an option that means nothing for sounds, or a number that is too small."""
    for name in options.given():
        if name not in KNOWN:
            raise UserError(f"--{name.replace('_', '-')} does not apply to sounds. Leave it out.")
    if options.count < LEAST:
        raise UserError(f"--count {options.count} is too few: at least {LEAST} sounds are needed.")
    if options.repeats < 1:
        raise UserError(f"--repeats {options.repeats}: at least 1 is needed.")


def sides_of(drawn: list[Sounds], train: Split, held: Split, judge: Judge, class_names: tuple[str, ...]) -> Sides:
    """Drawn sounds next to real ones: blocks of as many training sounds, which do not overlap, as long as there are."""
    count, total = len(drawn[0]), len(train.waves)
    starts = [i * count for i in range(len(drawn)) if (i + 1) * count <= total] or [0]
    seen = Sounds(train.waves, train.labels, judge)
    blocks = [seen.part(start, min(start + count, total)) for start in starts]
    return Sides(drawn, blocks, Sounds(held.waves, held.labels, judge), seen, class_names)


def _protocol(real: Any, sampler: Sampler | Files, mark: str, count: int, seed: int, repeats: int) -> Protocol:
    return Protocol(
        extractor="none" if mark == "-" else "classifier of its classes",
        mark=mark,
        count=count,
        split="held-out",
        seed=seed,
        repeats=repeats,
        labels=sampler.order if sampler.has_classes else "none",
        data=real.name,
        fingerprint=real.fingerprint,
        form=FORM,
    )


def _measure_all(m: Measurement) -> Iterator[Doing | Figure]:
    """Measure one metric after the other, and append each figure to the run's metrics.jsonl."""
    for i, name in enumerate(m.names):
        yield Doing(METRICS[name].title, 0.62 + 0.38 * i / len(m.names))
        late = "skipped: the time limit had run out" if time.monotonic() > m.ends else ""
        figure = measure(name, m.sides, m.protocol, m.images, late)
        if figure.note and m.strict and not late:
            raise UserError(f"{figure.title} cannot be measured: {figure.note}.")
        m.figures.append(figure)
        if m.run is not None:
            m.run.append(figure.row(), m.run.metrics)
        yield figure


@torch.inference_mode()
def measure(name: str, sides: Sides, protocol: Protocol, images: int = 0, note: str = "") -> Figure:
    """One metric over all repeats, and its floor."""
    metric = METRICS[name]
    note = note or metric.missing(sides)
    value = spread = floor = floor_spread = math.nan
    if not note:
        values = [metric.function(sides, sounds) for sounds in sides.drawn]
        others = [sides.held] if metric.floor == "held" else sides.blocks
        floors = [metric.function(sides, sounds) for sounds in others]
        if all(map(math.isfinite, values)):
            value, floor = statistics.fmean(values), statistics.fmean(floors)
            spread = statistics.stdev(values) if len(values) > 1 else _error(metric, value, sides)
            floor_spread = statistics.stdev(floors) if len(floors) > 1 else math.nan
        else:
            note = metric.undefined
    return Figure(
        name, metric.title, value, spread, floor, floor_spread, metric.better, metric.share, protocol, images, note
    )


def _error(metric: Metric, value: float, sides: Sides) -> float:
    """The standard error of a share of sounds that was measured once; NaN of anything else."""
    return math.sqrt(max(0.0, value * (1 - value)) / len(sides.drawn[0])) if metric.of_sounds else math.nan


@torch.inference_mode()
def classes_of(sides: Sides) -> list[OfClass]:
    """The table of classes, over all repeats; empty where there are none."""
    if not sides.class_names or any(sounds.labels is None for sounds in (*sides.drawn, sides.held)):
        return []
    right = [accuracies(sides, sounds) for sounds in sides.drawn]
    widths = [spreads(sides, sounds, TIMBRE) for sounds in sides.drawn]
    held, table = accuracies(sides, sides.held), []
    for number, name in enumerate(sides.class_names):
        counts = [int((sounds.labels == number).sum()) for sounds in sides.drawn]
        shares = [r[number] * n for r, n in zip(right, counts, strict=True) if n]
        wide = [w[number] for w in widths if number in w]
        share = sum(shares) / sum(counts) if sum(counts) else math.nan
        width = statistics.fmean(wide) if wide else math.nan
        table.append(OfClass(name, sum(counts), share, held.get(number, math.nan), width))
    return table
