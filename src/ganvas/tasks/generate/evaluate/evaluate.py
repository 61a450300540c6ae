"""`ganvas evaluate`: measure how good generated pictures are.

Each metric comes with its protocol (extractor, number of images, split, seed, file format), its spread over repeats,
and the floor: the value that other real images get by the same code. Metrics of different protocols cannot be compared.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ganvas.core import distributed
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import make_folder, replace
from ganvas.core.progress import Doing, Written
from ganvas.core.run import Run, run_of
from ganvas.images import sheets
from ganvas.images.data import ImageData
from ganvas.images.features import extractors
from ganvas.images.features.extractors import Extractor
from ganvas.images.files import Pictures
from ganvas.metrics import Metric, Pair, Side
from ganvas.metrics.figures import Figure, Protocol, readable
from ganvas.report import page
from ganvas.tasks.generate import copies
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.evaluate.metrics import METRICS, RAW
from ganvas.tasks.generate.evaluate.plan import Plan
from ganvas.tasks.generate.evaluate.plan import plan as planned
from ganvas.tasks.generate.evaluate.reference import Reference, ReferenceFeatures
from ganvas.tasks.generate.evaluate.source import Sampler
from ganvas.training.evaluate import folder_for, into_card

INCEPTION_NAMES = {"frechet": "FID", "kernel": "KID x 1000", "mifid": "MiFID"}  # only for features of Inception
LEAST = 50  # pictures that a measurement needs
SHEET = 100  # pictures on a sheet of the fresh classifier


@dataclass
class Measurement:
    """What is measured, and what it is measured with.

    `strict`: a metric that cannot be measured is an error; `time_limit` in seconds, and when it `ends` by
    `time.monotonic`.
    """

    sampler: Pictures | Sampler
    run: Run | None
    names: list[str]  # of METRICS
    strict: bool
    extractor: Extractor
    protocol: Protocol
    features: ReferenceFeatures
    base: Reference
    plan: Plan
    pairs: list[Pair] = field(default_factory=list)  # one for each repeat
    time_limit: float | None = None
    ends: float = math.inf


def evaluate(
    source: str | os.PathLike[str],
    metrics: Sequence[str] | str | None = None,
    extractor: str = "auto",
    count: int = 10_000,
    split: str = "held-out",
    seed: int = 0,
    repeats: int = 3,
    data: object = None,
    out: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
) -> Generator[Doing | Figure | Written, None, None]:
    """Measure a model's pictures, or pictures in files, and yield progress and each figure.

    Args:
        source: a run's folder, a model file, a folder of pictures (one sub-folder per class) or an .npz file.
        metrics: a list of names from METRICS; 'all'; None: all but the slow ones. Those that cannot be measured are
            skipped with a note. In a string of names separated by commas, one that cannot be measured is an error.
        extractor: see `extractors.load`.
        count: pictures to generate for each repeat; at most as many as there are real images of `split`.
        split: the real images that are the reference, 'held-out' or 'train'; the floor comes from the other split.
        seed: of the first picture, and of every choice of real images.
        repeats: how often to measure, with new pictures each time, and how many blocks of real images give the floor.
        data: the real images (a name, a folder, or pictures in memory as for `ganvas.train`), if they are not those
            that the model was trained on.
        out: folder for sheets of pictures; None: `evaluation/` in a run's folder, otherwise none are written.
        time_limit: seconds after which the remaining metrics are skipped.

    Raises:
        UserError: an unknown name, too few images, images of another size, values that are not numbers.
    """
    started = time.monotonic()
    names = choose(metrics)
    message = sources.reading(source, data)
    yield Doing(message or "reading", 0.0, stays=bool(message))
    sampler, run, real = sources.find(source, data)
    count, repeats = _agree(sampler, real, source, count, split, repeats)
    if not distributed.is_first():  # other processes only help to generate pictures
        for r in range(repeats if isinstance(sampler, Sampler) else 0):
            sampler.some(count, seed, r)
        return
    network = extractors.load(extractor, sampler.spec)
    protocol = _protocol(sampler, real, network, count, split, seed, repeats)
    features = ReferenceFeatures(real, network, seed, wait=False)
    yield Doing("trying how fast this machine is", 0.01)
    ahead = planned(sampler, network, features, protocol, names)
    yield Doing(ahead.words(protocol, sampler.spec.size, len(names), features.missing), 0.02, stays=True)
    for done in features.extracting():
        text = f"looking at real images with {network.name}: {done:,} of {features.count:,}"
        yield Doing(text, ahead.share("real", done / features.count))
    base = features.reference(count, split, repeats)
    strict = isinstance(metrics, str) and metrics != "all"
    m = Measurement(sampler, run, names, strict, network, protocol, features, base, ahead)
    if time_limit is not None:
        m.time_limit, m.ends = time_limit, started + time_limit
    yield from _sample(m)
    figures: list[Figure] = []
    try:
        for event in _measure_all(m):
            if isinstance(event, Figure):
                figures.append(event)
            yield event
    except (KeyboardInterrupt, GeneratorExit):  # what was measured is kept
        _keep(m, figures)
        raise
    _keep(m, figures)
    yield from _sheets(m, out)


def _protocol(
    sampler: Pictures | Sampler, real: ImageData, network: Extractor, count: int, split: str, seed: int, repeats: int
) -> Protocol:
    return Protocol(
        extractor=network.name,
        mark=network.mark,
        count=count,
        split=split,
        seed=seed,
        repeats=repeats,
        labels=sampler.order if real.class_names and sampler.class_names == real.class_names else "none",
        data=real.name,
        fingerprint=real.fingerprint,
        form=sampler.form,
    )


def _sample(m: Measurement) -> Iterator[Doing]:
    """Generate the pictures of every repeat, and extract their features."""
    p = m.protocol
    for r in range(p.repeats):
        which = f" ({r + 1} of {p.repeats})" if p.repeats > 1 else ""
        yield Doing(f"{m.sampler.doing}{which}", m.plan.share("pictures", r / p.repeats))
        images, labels = m.sampler.some(p.count, p.seed, r)
        steps = m.extractor.extracting(images)
        while True:
            try:
                done = next(steps)
            except StopIteration as end:
                features, opinions = end.value
                break
            text = f"looking at pictures with {m.extractor.name}{which}: {done:,} of {len(images):,}"
            yield Doing(text, m.plan.share("pictures", (r + done / len(images)) / p.repeats))
        side = Side(images, features, opinions if m.features.knows_classes else None, labels, RAW)
        m.pairs.append(m.base.pair(side))


def _measure_all(m: Measurement) -> Iterator[Doing | Figure]:
    """Measure one metric after the other, and append each value to the run's metrics.jsonl.

    Raises:
        UserError: a metric that was requested by name cannot be measured.
    """
    late = False
    for i, name in enumerate(m.names):
        yield Doing(METRICS[name].title, m.plan.share("metrics", i / len(m.names)))
        note = missing(METRICS[name], m.pairs, m.base)
        late = late or time.monotonic() > m.ends
        if late and not note:
            note = f"skipped: the time limit of {m.time_limit:.0f} s had run out"
        figure = measure(name, m.pairs, m.base, m.protocol, m.sampler.trained, note)
        if figure.note and m.strict and not late:
            raise UserError(f"{figure.title} cannot be measured: {figure.note}.")
        if m.run is not None:
            m.run.append(figure.row(), m.run.metrics)
        yield figure


def _keep(m: Measurement, figures: Sequence[Figure]) -> None:
    """Save the floors, and put the metrics into the model's card and the run's report."""
    m.features.save()
    if isinstance(m.sampler, Sampler):
        into_card(m.sampler.model, m.run, figures)
    if m.run is not None:
        page.write(m.run)


def _sheets(m: Measurement, out: str | os.PathLike[str] | None) -> Iterator[Written]:
    """Write sheets of pictures."""
    folder = folder_for(out, m.run)
    if folder is not None:
        make_folder(folder)
        yield from save_sheets(folder, m.pairs[0], m.names)


def choose(metrics: Sequence[str] | str | None) -> list[str]:
    """Names of METRICS for the `metrics` of `evaluate`.

    Raises:
        UserError: an unknown name.
    """
    if metrics is None or metrics == "all":
        return [name for name, metric in METRICS.items() if metrics == "all" or not metric.slow]
    names = [m.strip() for m in (metrics.split(",") if isinstance(metrics, str) else metrics)]
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, [*METRICS, "all"])
    return names


def missing(metric: Metric, pairs: Sequence[Pair], base: Reference) -> str:
    """Why a metric cannot be measured here, on the pictures or for the floor; empty if it can."""
    return next(filter(None, map(metric.missing, (*pairs, *base.pairs))), "")


def measure(
    name: str, pairs: list[Pair], base: Reference, protocol: Protocol, images: int = 0, note: str = ""
) -> Figure:
    """One metric over all repeats, and its floor."""
    metric = METRICS[name]
    title = INCEPTION_NAMES.get(name, metric.title) if extractors.is_fid(protocol.extractor) else metric.title
    value = spread = floor = floor_spread = math.nan
    results: list[float | tuple[float, float]] = []
    floors: list[float] = []
    if not note:
        with contextlib.suppress(torch.linalg.LinAlgError):  # pyright: ignore[reportPrivateImportUsage]
            results = [metric.function(pair) for pair in pairs[: 1 if metric.once else None]]
            floors = base.floor(name)
        values = [r[0] if isinstance(r, tuple) else r for r in results]
        if floors and all(map(math.isfinite, (*values, *floors))):
            value, floor = statistics.fmean(values), statistics.fmean(floors)
            spread = statistics.stdev(values) if len(values) > 1 else _error(metric, results[0], protocol.count)
            floor_spread = statistics.stdev(floors) if len(floors) > 1 else math.nan
        else:
            note = "the result was not a finite number"
    return Figure(name, title, value, spread, floor, floor_spread, metric.better, metric.share, protocol, images, note)


def _error(metric: Metric, result: float | tuple[float, float], count: int) -> float:
    """The standard error of a value that was measured once; NaN if it is not known."""
    if isinstance(result, tuple):
        return result[1]
    return math.sqrt(result * (1 - result) / count) if metric.share and 0 <= result <= 1 else math.nan


def save_sheets(folder: Path, pair: Pair, names: Sequence[str]) -> Iterator[Written]:
    """Write sheets that illustrate the metrics: the nearest pairs; generated pictures that are easy or hard to tell."""
    if {"near-copies-pixels", "near-copies-features"} & set(names):
        for by in ("pixels", "features"):
            nearest = pair.raw_to_seen if by == "pixels" else pair.features_to_seen
            path = folder / f"nearest_by_{by}.png"
            classes = pair.other.labels
            if classes is None and pair.other.logits is not None:
                classes = pair.other.logits.argmax(1)
            pairs = copies.worst_pairs(pair.other.samples, nearest, pair.seen.samples, classes)
            sheets.save_grid(path, pairs, 10, scale=2)
            which = "the pictures" if classes is None else "those of each class"
            yield Written(path, f"{which} nearest to a training image by {by}, each with that image to its right")
    if "fresh-expert" in names and "verdict" in vars(pair):
        order = pair.verdict.fakes
        for what, chosen in (("easiest", order[:SHEET]), ("hardest", order.flip(0)[:SHEET])):
            path = folder / f"fresh_expert_{what}.png"
            sheets.save_grid(path, pair.other.samples[chosen], 10, scale=2)
            yield Written(path, f"the generated pictures that the fresh expert found {what} to tell from real ones")


def _agree(
    sampler: Pictures | Sampler, real: ImageData, source: object, count: int, split: str, repeats: int
) -> tuple[int, int]:
    """How many pictures are measured, and how often.

    Raises:
        UserError: the pictures' size is not that of the real images, or there are too few.
    """
    spec = sampler.spec
    if (spec.channels, spec.size) != (real.spec.channels, real.spec.size):
        way = "Make them match, or name other" if isinstance(sampler, Pictures) else "Name the right"
        raise UserError(
            f"{source} has pictures of {spec.size}x{spec.size} pixels and {spec.channels} channels; those of "
            f"{real.name} have {real.spec.size}x{real.spec.size} and {real.spec.channels}. {way} --data."
        )
    _check_numbers(count, repeats, split)
    if isinstance(sampler, Pictures):
        repeats, most = 1, len(sampler.images)
    else:
        most = count
    available = min(len(real.held_out.images), len(real.train.images))  # the floor needs as many
    count = min(most, count, available)
    if count < LEAST:
        where = source if most < LEAST else real.name
        raise UserError(f"{count} pictures of {where} ({split}) are too few: at least {LEAST} are needed.")
    return count, repeats


def _check_numbers(count: int, repeats: int, split: str) -> None:
    if count < LEAST:
        raise UserError(f"--count {count} is too few: at least {LEAST} pictures are needed.")
    if repeats < 1:
        raise UserError(f"--repeats {repeats}: at least 1 is needed.")
    if split not in ("held-out", "train"):
        raise unknown("split", split, ("held-out", "train"))


BRIEF = ("frechet", "precision", "recall", "density", "coverage", "class-accuracy")


def measure_candidate(model: Path, count: int) -> None:
    """Run by a training in a separate process: measure its candidate, and keep it as `best` if it is the best yet."""
    run = run_of(model)
    assert run is not None, "a candidate is in a run's folder"
    figures = [f for f in evaluate(model, BRIEF, count=count, repeats=1) if isinstance(f, Figure)]
    distance = next(f for f in figures if f.metric == "frechet")
    earlier = [f for f in readable(run.figures()) if f.metric == "frechet" and not math.isnan(f.value)]
    comparable = [f.value for f in earlier if not f.protocol.differences(distance.protocol)]
    if distance.value <= min(comparable, default=math.inf):  # False if the value is NaN
        replace(model, run.best)
    else:
        model.unlink()


if __name__ == "__main__":
    with contextlib.suppress(AttributeError, OSError):
        os.nice(19)
    limit = threading.Timer(float(sys.argv[3]), os._exit, (3,))  # an evaluation that hangs ends all the same
    limit.daemon = True
    limit.start()
    measure_candidate(Path(sys.argv[1]), int(sys.argv[2]))
