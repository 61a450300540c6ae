"""`ganvas evaluate`: how good generated pictures are, in figures that say what they mean.

Each figure names its protocol (extractor, number of images, split, seed, file format), its spread over repeats, and the
floor: the value that other real images get by the same code. Figures of unlike protocols refuse to be compared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas import data as datasets
from ganvas import images as im
from ganvas import pictures, reference, report, seeds
from ganvas.data import ImageData
from ganvas.errors import UserError, unknown
from ganvas.files import cannot, make_folder
from ganvas.metrics import METRICS, Metric, Pair, Side, copies, extractors
from ganvas.reference import Reference
from ganvas.run import Run
from ganvas.sample import Model, load

INCEPTION_NAMES = {"frechet": "FID", "kernel": "KID x 1000", "mifid": "MiFID"}  # on no other network's features
LEAST = 50  # pictures without which nothing is measured
SHEET = 100  # pictures of a sheet of the fresh expert


@dataclass(frozen=True)
class Protocol:
    """All that a figure depends on besides the generator."""

    extractor: str
    mark: str
    count: int
    split: str
    seed: int
    repeats: int
    labels: str
    data: str
    fingerprint: str
    form: str = "8 bits, lossless"
    version: int = reference.VERSION

    def differences(self, other: Protocol) -> list[str]:
        """What keeps figures of two protocols from being compared: 'count (10,000 and 2,000)'."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        return [f"{name} ({a} and {b})" for name, a, b in pairs if a != b]


@dataclass(frozen=True)
class Figure:
    """A metric's value (mean over repeats), its spread, and the floor.

    `spread` is the standard deviation over the repeats, or, for a metric that is taken once, its standard error; NaN
    where it is not known. `note` says why there is no value (then it is NaN).
    """

    metric: str
    title: str
    value: float
    spread: float
    floor: float
    floor_spread: float
    better: str
    share: bool
    protocol: Protocol
    images: int = 0
    note: str = ""

    def row(self) -> dict[str, Any]:
        """The line of metrics.jsonl."""
        values = {k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in vars(self).items()}
        return {**values, "protocol": vars(self.protocol)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Figure:
        values = {k: math.nan if v is None else v for k, v in row.items()}
        return cls(**{**values, "protocol": Protocol(**row["protocol"])})

    @property
    def times_floor(self) -> float:
        return self.value / self.floor if self.better == "lower" and self.floor > 0 else math.nan


@dataclass(frozen=True)
class Doing:
    """What is being done now, and how much of everything is done (0..1)."""

    text: str
    share: float


@dataclass(frozen=True)
class Written:
    """A sheet of pictures was written."""

    path: Path
    text: str


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
    yield Doing("reading", 0.0)
    taken = pictures.load(source) if pictures.is_pictures(source) else None
    model = None if taken else load(source)
    run = _run_of(model)
    real = _real_images(model, run, data, source)
    taken = taken.named(real.class_names) if taken else None
    spec = taken.spec if taken else model.spec  # pyright: ignore[reportOptionalMemberAccess]
    if (spec.channels, spec.size) != (real.spec.channels, real.spec.size):
        raise UserError(
            f"{source} has pictures of {spec.size}x{spec.size} pixels and {spec.channels} channels; those of "
            f"{real.name} have {real.spec.size}x{real.spec.size} and {real.spec.channels}. Name the right --data."
        )
    _check_numbers(count, repeats, split)
    if taken:
        repeats = 1
    available = min(len(real.held_out.images), len(real.train.images))  # the floor is taken of as many
    count = min(count, len(taken.images) if taken else count, available)
    if count < LEAST:
        where, there = (source, len(taken.images)) if taken and len(taken.images) < LEAST else (real.name, available)
        raise UserError(f"{min(count, there)} pictures of {where} ({split}) are too few: {LEAST} are the least.")
    looks = extractors.load(extractor, spec)
    labelled = real.class_names != () and (taken or model).class_names == real.class_names  # pyright: ignore[reportOptionalMemberAccess]
    protocol = Protocol(
        extractor=looks.name,
        mark=looks.mark,
        count=count,
        split=split,
        seed=seed,
        repeats=repeats,
        labels="none" if not labelled else "as in the files" if taken else "as often as in the data",
        data=real.name,
        fingerprint=real.fingerprint,
        form="8 bits, as in the files" if taken else "8 bits, lossless",
    )
    yield Doing(f"looking at real images with {looks.name}", 0.02)
    looked = reference.Looked(real, looks, seed)
    base = looked.reference(real, count, split, seed, repeats)
    pairs: list[Pair] = []
    for r in range(repeats):
        yield Doing("drawing" if model else "looking at pictures", 0.1 + 0.3 * r / repeats)
        images, labels = draw(model, real, count, seed, r) if model else taken.some(count, seed)  # pyright: ignore[reportOptionalMemberAccess]
        features, opinions = looks.look(images)
        pairs.append(base.pair(Side(images, features, opinions if looked.knows_classes else None, labels)))

    images_seen = model.card.get("images", 0) if model else 0
    late = False
    for i, name in enumerate(names):
        yield Doing(METRICS[name].title, 0.4 + 0.6 * i / len(names))
        note = missing(METRICS[name], pairs[0], base)
        late = late or (time_limit is not None and time.monotonic() - started > time_limit)
        if late and not note:
            note = f"passed over: the time limit of {time_limit:.0f} s had run out"
        elif note and strict:
            raise UserError(f"{METRICS[name].title} cannot be measured: {note}.")
        figure = measure(name, pairs, base, protocol, images_seen, note)
        if run is not None:
            run.append(figure.row(), run.metrics)
        yield figure
    looked.save()
    folder = Path(out) if out is not None else run.folder / "evaluation" if run is not None else None
    if run is not None:
        report.write(run)
    if folder is not None:
        make_folder(folder)
        yield from sheets(folder, pairs[0], names)


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


def draw(model: Model, real: ImageData, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
    """Pictures of the seeds that belong to a repeat, uint8 [count, C, H, W], and the classes asked for.

    Classes come as often as in the training images, for the reference has them as often as they come.

    Raises:
        UserError: the generator draws values that are not numbers.
    """
    first = seed + repeat * count
    labels = None
    if model.class_names and real.train.labels is not None and model.class_names == real.class_names:
        order = torch.randint(len(real.train.labels), (count,), generator=seeds.generator(seed, "classes", repeat))
        labels = real.train.labels[order]
    drawn = []
    for portion in model.draw(range(first, first + count), None if labels is None else labels.tolist()):
        if not bool(torch.isfinite(portion).all()):
            bad = int((~torch.isfinite(portion)).flatten(1).any(1).nonzero()[0]) + first + sum(map(len, drawn))
            raise UserError(f"{model.path} draws values that are not numbers (seed {bad}): its training went wrong.")
        drawn.append(im.to_uint8(portion))
    return torch.cat(drawn), labels


def missing(metric: Metric, pair: Pair, base: Reference) -> str:
    """Why a metric cannot be measured here; empty where it can."""
    fewest = min(len(pair.real), len(pair.other), *map(len, base.blocks))
    if fewest < metric.least:
        return f"it needs {metric.least} images of each kind, and there are {fewest}"
    if "opinions" in metric.needs and pair.other.opinions is None:
        return "this extractor does not know the classes of these images"
    if "labels" in metric.needs and (pair.other.labels is None or pair.real.labels is None):
        return "the pictures were not asked for by class"
    return ""


def measure(
    name: str, pairs: list[Pair], base: Reference, protocol: Protocol, images: int = 0, note: str = ""
) -> Figure:
    """One metric over all repeats, and its floor."""
    metric = METRICS[name]
    title = INCEPTION_NAMES.get(name, metric.title) if extractors.is_fid(protocol.extractor) else metric.title
    value = spread = floor = floor_spread = math.nan
    if not note:
        found = [metric.function(pair) for pair in pairs[: 1 if metric.once else None]]
        values = [f[0] if isinstance(f, tuple) else f for f in found]
        floors = base.floor(name)
        value, floor = statistics.fmean(values), statistics.fmean(floors)
        spread = statistics.stdev(values) if len(values) > 1 else math.nan
        floor_spread = statistics.stdev(floors) if len(floors) > 1 else math.nan
        if len(values) == 1:
            if isinstance(found[0], tuple):
                spread = found[0][1]
            elif metric.share and 0 <= value <= 1:
                spread = math.sqrt(value * (1 - value) / protocol.count)
    return Figure(name, title, value, spread, floor, floor_spread, metric.better, metric.share, protocol, images, note)


def sheets(folder: Path, pair: Pair, names: Sequence[str]) -> Iterator[Written]:
    """Pictures that show what the figures mean: pairs nearest to training images; fakes easy and hard to tell."""
    if {"near-copies-pixels", "near-copies-features"} & set(names):
        for kind in ("pixels", "features"):
            found = pair.pixels_to_seen if kind == "pixels" else pair.features_to_seen
            path = folder / f"nearest_by_{kind}.png"
            kinds = pair.other.labels
            if kinds is None and pair.other.opinions is not None:
                kinds = pair.other.opinions.argmax(1)
            im.save_grid(path, copies.worst_pairs(pair.other.images, found, pair.seen.images, kinds), 10, scale=2)
            told = "the pictures" if kinds is None else "those of each class"
            yield Written(path, f"{told} nearest to a training image by {kind}, each with that image to its right")
    if "fresh-expert" in names and "verdict" in vars(pair):
        order = pair.verdict.fakes
        for what, chosen in (("easiest", order[:SHEET]), ("hardest", order.flip(0)[:SHEET])):
            path = folder / f"fresh_expert_{what}.png"
            im.save_grid(path, pair.other.images[chosen], 10, scale=2)
            yield Written(path, f"the generated pictures that the fresh expert found {what} to tell from real ones")


def figures_of(folder: str | os.PathLike[str]) -> list[Figure]:
    """The newest figure of each metric in a run's folder.

    Raises:
        UserError: the run was not evaluated yet.
    """
    run = Run(Path(folder))
    rows = [row for row in run.rows(run.metrics) if isinstance(row, dict) and "protocol" in row]
    if not rows:
        raise UserError(f"{folder} has no figures yet. Measure it first: ganvas evaluate {folder}")
    return list({row["metric"]: Figure.from_row(row) for row in rows}.values())


def compare(a: Figure, b: Figure) -> float:
    """a's value divided by b's.

    Raises:
        UserError: they are figures of different metrics or protocols.
    """
    unlike = [f"metric ({a.metric} and {b.metric})"] if a.metric != b.metric else a.protocol.differences(b.protocol)
    if unlike:
        raise UserError(f"These figures cannot be compared; they differ in {', '.join(unlike)}. Measure both alike.")
    return a.value / b.value if b.value else math.nan


def _run_of(model: Model | None) -> Run | None:
    """The run that a model file lies in."""
    if model is None:
        return None
    for folder in (model.path.parent, model.path.parent.parent):
        if (folder / "experiment.json").is_file():
            return Run(folder)
    return None


def _real_images(model: Model | None, run: Run | None, data: str | os.PathLike[str] | None, source: Any) -> ImageData:
    """The images to compare with: those that were named, or those that the model was trained on."""
    if data is not None:
        return datasets.load(str(data))
    if model is None:
        raise UserError(
            f"{source} holds pictures. Name the real images that they are to be compared with: --data mnist."
        )
    name = model.card.get("data", {}).get("source", "")
    if run is not None:
        try:
            name = json.loads(run.experiment.read_text(encoding="utf-8"))["data"]["source"]
        except OSError as error:
            raise cannot("read", run.experiment, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{run.experiment} is damaged ({error}). Name the data with --data.") from error
    elif name not in datasets.DATASETS:
        raise UserError(f"{source} was trained on '{name}', which is not here. Name these images with --data.")
    real = datasets.load(name)
    if real.fingerprint != model.card.get("fingerprint"):
        raise UserError(f"{name} holds other images now than {source} was trained on. Name the right ones with --data.")
    return real


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
    run = _run_of(load(model))
    assert run is not None, "a candidate lies in a run's folder"
    figures = [f for f in evaluate(model, BRIEF, count=count, repeats=1) if isinstance(f, Figure)]
    mine = next(f for f in figures if f.metric == "frechet")
    rows = [Figure.from_row(r) for r in run.rows(run.metrics) if "protocol" in r and r.get("metric") == "frechet"]
    alike = [f.value for f in rows if not f.protocol.differences(mine.protocol)]
    if mine.value <= min(alike):
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
