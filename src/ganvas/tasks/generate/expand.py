"""`ganvas expand`: enlarge a labelled data set with generated pictures, and find out whether that helps.

Near copies of training images and pictures that the detector rejects are dropped. Whether the rest is useful is then
tried: the same small classifier learns from real images, from generated ones and from both, and is tested on held-out
images. The pictures are said to help only if the mean gain exceeds its own spread.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers, seeds
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.text import command
from ganvas.images import tensors as im
from ganvas.images.data import Split
from ganvas.images.features import extractors
from ganvas.metrics import Seen, copies
from ganvas.tasks.generate import save as saving
from ganvas.tasks.generate.copies import in_pixels
from ganvas.tasks.generate.evaluate import reference
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model, load
from ganvas.tasks.generate.save import Portion

PORTION = 200  # candidates at a time
TRIES = 8  # candidates for each picture that is wanted, at most
ALARM = 0.05  # the false-alarm rate of the threshold below which the detector rejects a picture
SIZES = (100, 1_000, 10_000)  # numbers of real images that a classifier learns from, beside all of them
BATCH, RATE = 64, 2e-3
PASSES, LEAST_STEPS, MOST_STEPS = 10, 250, 1_000  # of a classifier: ten passes over its images, within these limits


@dataclass(frozen=True)
class Expanded:
    """What was written: the number of pictures, and how many candidates were dropped as near copies and as rejects."""

    path: Path
    kept: int
    copies: int
    rejected: int
    short: tuple[str, ...]  # classes with fewer pictures than requested
    renamed: str = ""  # a sentence about classes whose folders are named differently


@dataclass(frozen=True)
class Lesson:
    """Accuracy on held-out images after learning from `size` real images; one value for each repeat."""

    size: int
    real: tuple[float, ...]
    both: tuple[float, ...]
    synthetic: tuple[float, ...]

    @property
    def gains(self) -> tuple[float, ...]:
        return tuple(b - a for a, b in zip(self.real, self.both, strict=True))

    @property
    def verdict(self) -> str:
        return verdict_on(self.gains)


def verdict_on(gains: Sequence[float]) -> str:
    """'helps' or 'hurts' if the mean gain exceeds its spread (standard deviation) over five repeats or more."""
    if len(gains) < 5:
        return "too few repeats"
    mean, spread = statistics.fmean(gains), statistics.stdev(gains)
    return "helps" if mean > spread else "hurts" if mean < -spread else "makes no difference"


def conclusion(lessons: Sequence[Lesson]) -> str:
    """One sentence about all sizes."""
    helped = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict == "helps"]
    hurt = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict == "hurts"]
    if lessons and lessons[0].verdict == "too few repeats":
        return "Five repeats are the least from which anything can be said."
    sentence = (
        f"The extra pictures help beside {_and(helped)} real images" if helped else "The extra pictures do not help"
    )
    if helped and len(helped) < len(lessons):
        rest = [f"{lesson.size:,}" for lesson in lessons if lesson.verdict != "helps"]
        sentence += f", and do not beside {_and(rest)}"
    return sentence + (f" (beside {_and(hurt)} they hurt)." if hurt else ".")


def expand(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    count: int = 1_000,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    repeats: int = 5,
    force: bool = False,
) -> Iterator[Doing | Expanded | Lesson]:
    """Write `count` new pictures of each class, then try whether they help a classifier.

    Args:
        source: a run's folder or a model file, trained on a labelled data set.
        out: NAME.npz, NAME.zip, an IDX file's name, or a folder, which gets IDX files as the data set has them.
        count: pictures a class.
        data: the training data's name or folder, if it is not where the run says.
        repeats: trials of each classifier, each with other real images; 0: none.
        force: overwrite what an earlier call wrote there.

    Raises:
        UserError: a model without classes, images that it was not trained on, or a place that cannot be written.
    """
    model = load(source)
    if not model.class_names:
        raise UserError(f"{model.path} was trained without labels; only a labelled data set can be expanded.")
    if count < 1 or repeats < 0:
        raise UserError(f"--count {count}, --repeats {repeats}: at least 1 picture a class and 0 repeats are needed.")
    place = Path(out)
    if not place.suffix and not place.name.endswith("ubyte"):
        place = place / "train-images-idx3-ubyte.gz" if model.spec.channels == 1 else place
    saving.check(place, model.spec, force)
    if message := sources.reading(source, data):
        yield Doing(message, 0.0, stays=True)
    real = sources.trained_on(model, source, data)
    if real.class_names != model.class_names:
        raise UserError(f"{real.name} has other classes than {model.path} draws: {', '.join(model.class_names)}.")
    yield Doing("looking at the real images", 0.0)
    extractor = extractors.load("auto", model.spec)
    seen = reference.ReferenceFeatures(real, extractor, seed).reference(1, "held-out", 1).seen
    portions, counts = [], {"copies": 0, "rejected": 0}
    total = len(model.class_names)
    for number, name in enumerate(model.class_names):
        yield Doing(f"drawing {count:,} of class {name}", (0.1 + 0.9 * number / total) * 0.5)
        portions += _draw(model, extractor, seen, number, count, seed, counts)
    made = Split(torch.cat([p.images for p in portions]), torch.cat([p.labels for p in portions]))
    if not len(made.images):
        raise UserError(
            f"None of the drawings could be kept: {counts['copies']:,} are near copies of training images, and the "
            f"detector rejects {counts['rejected']:,}. Train longer. How good it is now: "
            f"{command('ganvas', 'evaluate', source)}"
        )
    for _ in saving.save(place, portions, len(made.images), model.spec, model.class_names, force):
        pass
    assert made.labels is not None
    of_class = torch.bincount(made.labels, minlength=total)
    short = tuple(f"{model.class_names[i]} ({int(n):,})" for i, n in enumerate(of_class) if n < count)
    renamed = saving.renamed(place, model.spec, model.class_names)
    yield Expanded(place, len(made.images), counts["copies"], counts["rejected"], short, renamed)
    if repeats:
        yield from _lessons(real.train, real.held_out, made, total, seed, repeats)


def _draw(
    model: Model, extractor: extractors.Extractor, seen: Seen, label: int, count: int, seed: int, counts: dict[str, int]
) -> Iterator[Portion]:
    """`count` pictures of a class without near copies and rejects, or those among `TRIES` times as many candidates."""
    limits = copies.limit(seen.held_out_raw), copies.limit(seen.held_out_features)
    kept = 0
    for start in range(0, TRIES * count, PORTION):
        numbers = [seeds.key(seed, "expand", label, start + i) for i in range(PORTION)]
        pictures = model.pictures(numbers, label)
        near = in_pixels(pictures, seen.samples).distance <= limits[0]
        near |= copies.nearest(extractor.extract(pictures)[0], seen.features).distance <= limits[1]
        rejected = torch.zeros(PORTION, dtype=torch.bool)
        if model.detector is not None:
            rejected = torch.tensor([v.kind == "no" for v in model.detect(pictures, ALARM)])
        good = (~near & ~rejected).nonzero().flatten()[: count - kept]
        counts["copies"] += int(near.sum())
        counts["rejected"] += int((rejected & ~near).sum())
        kept += len(good)
        yield Portion(pictures[good], torch.full((len(good),), label), [numbers[i] for i in good.tolist()])
        if kept >= count:
            return


def _lessons(
    train: Split, held_out: Split, made: Split, classes: int, seed: int, repeats: int
) -> Iterator[Doing | Lesson]:
    sizes = [n for n in SIZES if n < len(train.images)] + [len(train.images)]
    jobs, done = (2 * len(sizes) + 1) * repeats, 0

    def doing(text: str) -> Doing:
        return Doing(text, 0.5 + 0.5 * done / jobs)

    synthetic = []
    for r in range(repeats):
        yield doing("a classifier learns from the new pictures")
        synthetic.append(_accuracy([made], held_out, classes, seeds.key(seed, "alone", r)))
        done += 1
    for size in sizes:
        accuracies: dict[str, list[float]] = {"real": [], "both": []}
        for r in range(repeats):
            some = _stratified(train, size, seeds.generator(seed, "lesson", size, r))
            for name, parts in (("real", [some]), ("both", [some, made])):
                yield doing(f"a classifier learns from {size:,} real images{' and the new ones' * (name == 'both')}")
                accuracies[name].append(_accuracy(parts, held_out, classes, seeds.key(seed, "classifier", size, r)))
                done += 1
        yield Lesson(size, tuple(accuracies["real"]), tuple(accuracies["both"]), tuple(synthetic))


def _stratified(split: Split, size: int, random: torch.Generator) -> Split:
    """`size` images, with each class's share as near as possible to its share of the data."""
    assert split.labels is not None
    order = torch.randperm(len(split.images), generator=random)
    labels = split.labels[order]
    rank = torch.empty(len(order), dtype=torch.double)  # each image's place within its class, from 0 to 1
    for c in labels.unique():
        of_class = labels == c
        rank[of_class] = (torch.arange(int(of_class.sum())) + 0.5).double() / int(of_class.sum())
    chosen = order[rank.argsort(stable=True)[:size]]
    return Split(split.images[chosen], split.labels[chosen])


class _Classifier(nn.Module):
    """Three convolutions with batch norm, average pooling to 3 x 3, and a linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside, stride in (channels, 24, 2), (24, 48, 2), (48, 64, 1):
            layers += [nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(0.2))
        self.head = nn.Linear(9 * 64, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


def _accuracy(parts: Sequence[Split], held_out: Split, classes: int, seed: int) -> float:
    """A fresh classifier's accuracy on held-out images; with two parts, at least half of each batch is the first."""
    counts = [len(part.images) for part in parts]
    steps = min(MOST_STEPS, max(LEAST_STEPS, PASSES * sum(counts) // BATCH))
    first = BATCH if len(parts) == 1 else round(BATCH * max(0.5, counts[0] / sum(counts)))
    shares = [first, BATCH - first]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _Classifier(parts[0].images.shape[1], classes).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = optimizers.AdamW(network.parameters(), RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.2)
        for _ in range(steps):
            index = [torch.randint(n, (share,)) for n, share in zip(counts, shares, strict=False)]
            images = torch.cat([part.images[i] for part, i in zip(parts, index, strict=True)])
            labels = torch.cat(
                [part.labels[i] for part, i in zip(parts, index, strict=True) if part.labels is not None]
            )
            loss = F.cross_entropy(network(im.to_float(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            guesses = torch.cat([network(im.to_float(x)).argmax(1) for x in held_out.images.split(500)])
    assert held_out.labels is not None
    return float((guesses == held_out.labels).double().mean())


def _and(items: Sequence[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
