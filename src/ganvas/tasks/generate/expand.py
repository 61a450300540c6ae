"""`ganvas expand`: enlarge a labelled data set with generated pictures, and find out whether that helps.

Near copies of training images and pictures that the detector rejects are dropped. Whether the rest is useful is then
tried: the same small classifier learns from real images, from generated ones and from both, and is tested on held-out
images. The pictures are said to help only if the mean gain exceeds its own spread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import optimizers
from ganvas.core.errors import UserError
from ganvas.core.progress import Doing
from ganvas.core.text import command
from ganvas.images import tensors as im
from ganvas.images.data import Split
from ganvas.images.features import extractors
from ganvas.metrics import Seen, copies, lessons
from ganvas.metrics.candidates import ALARM, Candidates, Expanded
from ganvas.metrics.lessons import Lesson
from ganvas.tasks.generate import save as saving
from ganvas.tasks.generate.copies import in_pixels
from ganvas.tasks.generate.evaluate import reference
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model, load

BATCH, RATE = 64, 2e-3
PASSES, LEAST_STEPS, MOST_STEPS = 10, 250, 1_000  # of a classifier: ten passes over its images, within these limits


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
    candidates, portions = _candidates(model, extractor, seen, seed), []
    total = len(model.class_names)
    for number, name in enumerate(model.class_names):
        yield Doing(f"drawing {count:,} of class {name}", (0.1 + 0.9 * number / total) * 0.5)
        portions += candidates.of_class(number, count)
    candidates.check("images", command("ganvas", "evaluate", source))
    made = Split(torch.cat([p.samples for p in portions]), torch.cat([p.labels for p in portions]))
    for _ in saving.save(place, portions, len(made.images), model.spec, model.class_names, force):
        pass
    renamed = saving.renamed(place, model.spec, model.class_names)
    yield candidates.written(place, model.class_names, count, renamed)
    if repeats:
        yield from _lessons(real.train, real.held_out, made, total, seed, repeats)


def _candidates(model: Model, extractor: extractors.Extractor, seen: Seen, seed: int) -> Candidates:
    limits = copies.limit(seen.held_out_raw), copies.limit(seen.held_out_features)

    def near(pictures: Tensor) -> Tensor:
        found = in_pixels(pictures, seen.samples).distance <= limits[0]
        return found | (copies.nearest(extractor.extract(pictures)[0], seen.features).distance <= limits[1])

    def rejected(pictures: Tensor, label: int) -> Tensor:
        if model.detector is None:
            return torch.zeros(len(pictures), dtype=torch.bool)
        return torch.tensor([v.kind == "no" for v in model.detect(pictures, ALARM)])

    return Candidates(model.pictures, near, rejected, seed)


def _lessons(
    train: Split, held_out: Split, made: Split, classes: int, seed: int, repeats: int
) -> Iterator[Doing | Lesson]:
    assert train.labels is not None
    labels = train.labels

    def learn(real: Tensor | None, drawn: bool, seed: int) -> float:
        parts = [] if real is None else [Split(train.images[real], labels[real])]
        return _accuracy([*parts, *[made] * drawn], held_out, classes, seed)

    for event in lessons.lessons(labels, learn, seed, repeats, "pictures", "images"):
        yield Doing(event.text, 0.5 + 0.5 * event.share) if isinstance(event, Doing) else event


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
    first = BATCH if len(parts) == 1 else round(BATCH * lessons.share_of_real(*counts))
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
