"""`ganvas evaluate`: how good generated pictures are, in figures that say what they mean.

Each figure names its protocol (extractor, number of images, split, seed, file format), its spread over repeats, and the
floor: the value that other real images get by the same code. Figures of unlike protocols refuse to be compared.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ganvas.core import checkpoint, distributed
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import make_folder
from ganvas.core.progress import Doing, Written
from ganvas.core.run import Run
from ganvas.images import sheets
from ganvas.images.data import ImageData
from ganvas.images.features import extractors
from ganvas.images.files import Pictures
from ganvas.metrics import METRICS, Metric, Pair, Side, copies
from ganvas.metrics.figures import Figure, Protocol, readable
from ganvas.report import page
from ganvas.tasks.generate.evaluate import reference
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.evaluate.reference import Reference
from ganvas.tasks.generate.evaluate.source import Drawer

INCEPTION_NAMES = {"frechet": "FID", "kernel": "KID x 1000", "mifid": "MiFID"}  # on no other network's features
LEAST = 50  # pictures without which nothing is measured
SHEET = 100  # pictures of a sheet of the fresh expert


def evaluate(
    source: str | os.PathLike[str],
    metrics: Sequence[str] | str | None = None,
    extractor: str = "auto",
    count: int = 10_000,
    split: str = "held-out",
    seed: int = 0,
    repeats: int = 3,
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
) -> Iterator[Doing | Figure | Written]:
    """Measure a model's pictures, or pictures in files, and yield what is done and each figure.

    Args:
        source: a run's folder, a model file, a folder of pictures (a sub-folder a class) or an .npz file.
        metrics: names of METRICS in a list; 'all'; None: all but the slow ones. What is not possible is passed over
            with a note. Names in a text with commas between them must be possible.
        extractor: see `extractors.load`.
        count: pictures to draw for each repeat; no more than there are real images of `split`.
        split: the real images that are the reference, 'held-out' or 'train'; the floor comes from the other ones.
        seed: of the first picture, and of every choice of real images.
        repeats: so many times, with new pictures each time, and as many blocks of real images for the floor.
        data: a data set's name or folder, where it is not what the model was trained on.
        out: folder for sheets of pictures; None: `evaluation/` in a run's folder, else none are written.
        time_limit: seconds after which the metrics that are left are passed over.

    Raises:
        UserError: a name that there is not, too few images, images of another size, values that are not numbers.
    """
    started = time.monotonic()
    names = choose(metrics)
    strict = isinstance(metrics, str) and metrics != "all"
    told = sources.reading(source, data)
    yield Doing(told or "reading", 0.0, stays=bool(told))
    drawer, run, real = sources.find(source, data)
    count, repeats = _agree(drawer, real, source, count, split, repeats)
    if not distributed.is_first():  # it helps to draw, and that is all
        for r in range(repeats if isinstance(drawer, Drawer) else 0):
            drawer.some(count, seed, r)
        return
    looks = extractors.load(extractor, drawer.spec)
    protocol = Protocol(
        extractor=looks.name,
        mark=looks.mark,
        count=count,
        split=split,
        seed=seed,
        repeats=repeats,
        labels=drawer.order if real.class_names and drawer.class_names == real.class_names else "none",
        data=real.name,
        fingerprint=real.fingerprint,
        form=drawer.form,
    )
    yield Doing(f"looking at real images with {looks.name}", 0.02)
    looked = reference.Looked(real, looks, seed)
    base = looked.reference(count, split, repeats)
    pairs: list[Pair] = []
    for r in range(repeats):
        yield Doing(drawer.doing, 0.1 + 0.3 * r / repeats)
        images, labels = drawer.some(count, seed, r)
        features, opinions = looks.look(images)
        pairs.append(base.pair(Side(images, features, opinions if looked.knows_classes else None, labels)))

    late, figures = False, []
    for i, name in enumerate(names):
        yield Doing(METRICS[name].title, 0.4 + 0.6 * i / len(names))
        note = missing(METRICS[name], pairs, base)
        late = late or (time_limit is not None and time.monotonic() - started > time_limit)
        if late and not note:
            note = f"passed over: the time limit of {time_limit:.0f} s had run out"
        figure = measure(name, pairs, base, protocol, drawer.trained, note)
        if figure.note and strict and not late:
            raise UserError(f"{figure.title} cannot be measured: {figure.note}.")
        figures.append(figure)
        if run is not None:
            run.append(figure.row(), run.metrics)
        yield figure
    looked.save()
    if isinstance(drawer, Drawer):
        _note(drawer, run, figures)
    folder = Path(out) if out is not None else run.folder / "evaluation" if run is not None else None
    if run is not None:
        page.write(run)
    if folder is not None:
        make_folder(folder)
        yield from draw_sheets(folder, pairs[0], names)


def _note(drawer: Drawer, run: Run | None, figures: Sequence[Figure]) -> None:
    """Put the figures into the card of the model that was measured; the newest of a metric counts.

    Why there is no value stands there too, unless another evaluation found one.

    Not where the file may not be written, or a training is at work that writes newer ones.
    """
    model = drawer.model
    rows = {figure.metric: figure.row() for figure in readable(model.card.get("metrics"))}
    rows |= {f.metric: f.row() for f in figures if not f.note or rows.get(f.metric, {}).get("value") is None}
    with contextlib.suppress(UserError), run.locked() if run is not None else contextlib.nullcontext():
        now = checkpoint.head(model.path)
        if (now.get("images"), now.get("finished")) == (model.card.get("images"), model.card.get("finished")):
            checkpoint.annotate(model.path, metrics=list(rows.values()))


def choose(metrics: Sequence[str] | str | None) -> list[str]:
    """Names of METRICS for what `evaluate` takes.

    Raises:
        UserError: a name that there is not.
    """
    if metrics is None or metrics == "all":
        return [name for name, metric in METRICS.items() if metrics == "all" or not metric.slow]
    wanted = [m.strip() for m in (metrics.split(",") if isinstance(metrics, str) else metrics)]
    for name in wanted:
        if name not in METRICS:
            raise unknown("metric", name, [*METRICS, "all"])
    return wanted


def missing(metric: Metric, pairs: Sequence[Pair], base: Reference) -> str:
    """Why a metric cannot be measured here, on the pictures or for the floor; empty where it can."""
    return next(filter(None, map(metric.missing, (*pairs, *base.pairs))), "")


def measure(
    name: str, pairs: list[Pair], base: Reference, protocol: Protocol, images: int = 0, note: str = ""
) -> Figure:
    """One metric over all repeats, and its floor."""
    metric = METRICS[name]
    title = INCEPTION_NAMES.get(name, metric.title) if extractors.is_fid(protocol.extractor) else metric.title
    value = spread = floor = floor_spread = math.nan
    found: list[float | tuple[float, float]] = []
    floors: list[float] = []
    if not note:
        with contextlib.suppress(torch.linalg.LinAlgError):  # pyright: ignore[reportPrivateImportUsage]
            found = [metric.function(pair) for pair in pairs[: 1 if metric.once else None]]
            floors = base.floor(name)
        values = [f[0] if isinstance(f, tuple) else f for f in found]
        if floors and all(map(math.isfinite, (*values, *floors))):
            value, floor = statistics.fmean(values), statistics.fmean(floors)
            spread = statistics.stdev(values) if len(values) > 1 else _error(metric, found[0], protocol.count)
            floor_spread = statistics.stdev(floors) if len(floors) > 1 else math.nan
        else:
            note = "no finite number came out"
    return Figure(name, title, value, spread, floor, floor_spread, metric.better, metric.share, protocol, images, note)


def _error(metric: Metric, found: float | tuple[float, float], count: int) -> float:
    """The standard error of a value that was taken once; NaN where it is not known."""
    if isinstance(found, tuple):
        return found[1]
    return math.sqrt(found * (1 - found) / count) if metric.share and 0 <= found <= 1 else math.nan


def draw_sheets(folder: Path, pair: Pair, names: Sequence[str]) -> Iterator[Written]:
    """Pictures that show what the figures mean: pairs nearest to training images; fakes easy and hard to tell."""
    if {"near-copies-pixels", "near-copies-features"} & set(names):
        for kind in ("pixels", "features"):
            found = pair.pixels_to_seen if kind == "pixels" else pair.features_to_seen
            path = folder / f"nearest_by_{kind}.png"
            kinds = pair.other.labels
            if kinds is None and pair.other.opinions is not None:
                kinds = pair.other.opinions.argmax(1)
            sheets.save_grid(path, copies.worst_pairs(pair.other.images, found, pair.seen.images, kinds), 10, scale=2)
            told = "the pictures" if kinds is None else "those of each class"
            yield Written(path, f"{told} nearest to a training image by {kind}, each with that image to its right")
    if "fresh-expert" in names and "verdict" in vars(pair):
        order = pair.verdict.fakes
        for what, chosen in (("easiest", order[:SHEET]), ("hardest", order.flip(0)[:SHEET])):
            path = folder / f"fresh_expert_{what}.png"
            sheets.save_grid(path, pair.other.images[chosen], 10, scale=2)
            yield Written(path, f"the generated pictures that the fresh expert found {what} to tell from real ones")


def _agree(
    drawer: Pictures | Drawer, real: ImageData, source: object, count: int, split: str, repeats: int
) -> tuple[int, int]:
    """How many pictures are measured, and how often.

    Raises:
        UserError: the two sides are of unlike sizes, or there are too few images.
    """
    spec = drawer.spec
    if (spec.channels, spec.size) != (real.spec.channels, real.spec.size):
        way = "Make them alike, or name other" if isinstance(drawer, Pictures) else "Name the right"
        raise UserError(
            f"{source} has pictures of {spec.size}x{spec.size} pixels and {spec.channels} channels; those of "
            f"{real.name} have {real.spec.size}x{real.spec.size} and {real.spec.channels}. {way} --data."
        )
    _check_numbers(count, repeats, split)
    if isinstance(drawer, Pictures):
        repeats, most = 1, len(drawer.images)
    else:
        most = count
    available = min(len(real.held_out.images), len(real.train.images))  # the floor is taken of as many
    count = min(most, count, available)
    if count < LEAST:
        where = source if most < LEAST else real.name
        raise UserError(f"{count} pictures of {where} ({split}) are too few: {LEAST} are the least.")
    return count, repeats


def _check_numbers(count: int, repeats: int, split: str) -> None:
    if count < LEAST:
        raise UserError(f"--count {count} is too few: {LEAST} pictures are the least.")
    if repeats < 1:
        raise UserError(f"--repeats {repeats}: at least 1 is needed.")
    if split not in ("held-out", "train"):
        raise unknown("split", split, ("held-out", "train"))


BRIEF = ("frechet", "precision", "recall", "density", "coverage", "class-accuracy")


def beside(model: Path, count: int) -> None:
    """What a training starts beside itself: measure its candidate, and keep it as `best` if none before was better."""
    run = sources.run_of(model)
    assert run is not None, "a candidate lies in a run's folder"
    figures = [f for f in evaluate(model, BRIEF, count=count, repeats=1) if isinstance(f, Figure)]
    mine = next(f for f in figures if f.metric == "frechet")
    before = [f for f in readable(run.figures()) if f.metric == "frechet" and not math.isnan(f.value)]
    alike = [f.value for f in before if not f.protocol.differences(mine.protocol)]
    if mine.value <= min(alike, default=math.inf):  # never where there is no value
        os.replace(model, run.best)
    else:
        model.unlink()


if __name__ == "__main__":
    with contextlib.suppress(AttributeError, OSError):
        os.nice(19)
    limit = threading.Timer(float(sys.argv[3]), os._exit, (3,))  # an evaluation that hangs ends all the same
    limit.daemon = True
    limit.start()
    beside(Path(sys.argv[1]), int(sys.argv[2]))
