"""The features of real images: computed once for a data set and an extractor, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganvas.core import cache, checkpoint, seeds
from ganvas.core.errors import UserError
from ganvas.core.files import cache_folder, make_folder
from ganvas.core.progress import last
from ganvas.images.data import ImageData, Split
from ganvas.images.features.extractors import Extractor, is_fid
from ganvas.metrics import Pair, Seen, Side, copies
from ganvas.metrics.figures import VERSION
from ganvas.tasks.generate.copies import SIDE, in_pixels
from ganvas.tasks.generate.evaluate.metrics import METRICS, RAW

MOST = 60_000  # images of a split that are used at most; near copies are searched among these training images
BYTES = 800_000_000  # of a split's pixels that are used at most
Made = TypeVar("Made")
RECOGNISED = 0.8  # accuracy on the real images that a classifier needs to be used on generated ones


@dataclass
class Reference:
    """`real`: the images to compare with; `blocks`: other real images, as many in each; `seen`: training images.

    `floors` has the blocks' values for each metric that was needed so far.
    """

    real: Side
    blocks: list[Side]
    seen: Seen
    class_names: tuple[str, ...]
    seed: int
    inception: bool = False
    floors: dict[str, list[float]] = field(default_factory=dict)

    def floor(self, name: str) -> list[float]:
        """The values of a metric between real images and each block of other real images."""
        if name not in self.floors:
            metric, values = METRICS[name], []
            for pair in self.pairs[: 1 if metric.once else None]:
                value = metric.function(pair)
                values.append(value[0] if isinstance(value, tuple) else value)
            self.floors[name] = values
        return self.floors[name]

    @cached_property
    def pairs(self) -> list[Pair]:
        """The real images paired with each block of other real images."""
        return [self.pair(block, other_is_real=True) for block in self.blocks]

    def pair(self, other: Side, other_is_real: bool = False) -> Pair:
        return Pair(self.real, other, self.seen, self.class_names, other_is_real, self.seed, self.inception)


class ReferenceFeatures:
    """The features of both splits of a data set, in an order that the seed gives."""

    def __init__(self, data: ImageData, extractor: Extractor, seed: int, wait: bool = True) -> None:
        """Read them from the cache, or extract them (a minute for MNIST on two cores).

        Args:
            wait: False: what is not in the cache is `missing`, and `extracting` makes it.
        """
        protocol = VERSION, MOST, BYTES, SIDE, extractor.name, extractor.mark, seed
        content = data.fingerprint, data.class_names, tuple(data.train.images.shape), tuple(data.held_out.images.shape)
        digest = hashlib.sha256(repr((*protocol, *content)).encode()).hexdigest()
        self.path = cache_folder() / f"reference-{digest[:20]}.safetensors"
        self.class_names, self.seed, self.inception = data.class_names, seed, is_fid(extractor.name)
        splits = {"train": data.train, "held": data.held_out}
        self.splits = {name: _shuffled(split, seed, name) for name, split in splits.items()}
        self.extractor = extractor
        self.tensors, self.card = _read(self.path)
        cache.used(self.path)
        self.missing = 0 if self._fits(self.tensors, self.card, len(extractor.classes)) else self.count
        if wait:
            last(self.extracting())
        self.saved = json.dumps(self.card)

    @property
    def count(self) -> int:
        """The real images of both splits."""
        return sum(len(split.images) for split in self.splits.values())

    @cached_property
    def knows_classes(self) -> bool:
        return self.extractor.classes == self.class_names and self._recognises()

    def extracting(self) -> Generator[int, None, None]:
        """Make what is missing, and write it into the cache; yields how many of the images are done."""
        if not self.missing:
            return
        self.tensors = yield from self._extract()
        self.card, self.missing = {"floors": {}}, 0
        self.saved = json.dumps(self.card)
        self._write(self.tensors, self.card)

    def _extract(self) -> Generator[int, None, dict[str, Tensor]]:
        tensors: dict[str, Tensor] = {}
        before = 0
        for name, split in self.splits.items():
            steps = _from(before, self.extractor.extracting(split.images))
            tensors[f"{name}.features"], opinions = yield from steps
            if opinions is not None:
                tensors[f"{name}.opinions"] = opinions
            before += len(split.images)
        by_features, angle = copies.nearest_by_features(tensors["held.features"], tensors["train.features"])
        by_pixels = in_pixels(self.splits["held"].images, self.splits["train"].images)
        for name, result in (("pixels", by_pixels), ("features", by_features)):
            tensors |= {f"{name}.distance": result.distance, f"{name}.index": result.index}
        tensors["angle"] = torch.tensor(angle, dtype=torch.float64)
        return tensors

    def _fits(self, tensors: dict[str, Tensor], card: dict[str, Any], classes: int) -> bool:
        """Is this what `_extract` returns for these images? An intact file may still be from another version."""
        width = tensors["train.features"].shape[1:] if "train.features" in tensors else ()
        train, held = (len(self.splits[name].images) for name in ("train", "held"))
        shapes: dict[str, tuple[int, ...]] = {"angle": ()}
        for name, count in (("train", train), ("held", held)):
            shapes[f"{name}.features"] = (count, *width)
            if classes:
                shapes[f"{name}.opinions"] = (count, classes)
        for name in ("pixels", "features"):
            shapes |= {f"{name}.distance": (held,), f"{name}.index": (held,)}
        indices = {name for name in shapes if name.endswith(".index")}
        return (
            len(width) == 1
            and {name: tuple(x.shape) for name, x in tensors.items()} == shapes
            and all((x.dtype == torch.int64) if n in indices else x.is_floating_point() for n, x in tensors.items())
            and all(int(tensors[n].min()) >= 0 and int(tensors[n].max()) < train for n in indices)
            and _are_floors(card.get("floors"))
        )

    def _recognises(self) -> bool:
        """Does the classifier know these images? Their classes may have the same names and still be others."""
        opinions, labels = self.tensors.get("held.opinions"), self.splits["held"].labels
        return (
            opinions is not None
            and labels is not None
            and bool((opinions.argmax(1) == labels).float().mean() >= RECOGNISED)
        )

    def _write(self, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
        """Store the features in the cache; nothing happens if the cache cannot be written."""
        try:
            make_folder(self.path.parent)
            checkpoint.save(self.path, tensors, card)
            cache.trim(self.path)
        except UserError:
            return

    def side(self, name: str, start: int, stop: int) -> Side:
        """The images `start` to `stop` of a split, 'train' or 'held'."""
        split = self.splits[name]
        opinions = self.tensors.get(f"{name}.opinions") if self.knows_classes else None
        return Side(
            split.images[start:stop],
            self.tensors[f"{name}.features"][start:stop],
            None if opinions is None else opinions[start:stop],
            None if split.labels is None else split.labels[start:stop],
            RAW,
        )

    def reference(self, count: int, split: str, repeats: int) -> Reference:
        """`count` images of `split` ('held-out' or 'train'), and up to `repeats` blocks of the other split."""
        main, rest = ("held", "train") if split == "held-out" else ("train", "held")
        total = len(self.splits[rest].images)
        starts = range(0, min(total - count, (repeats - 1) * count) + 1, count) if total >= count else [0]
        blocks = [self.side(rest, start, min(start + count, total)) for start in starts]
        by_pixels, by_features = (
            copies.Nearest(self.tensors[f"{name}.distance"], self.tensors[f"{name}.index"])
            for name in ("pixels", "features")
        )
        features = self.tensors["train.features"]
        seen = Seen(self.splits["train"].images, features, by_pixels, by_features, float(self.tensors["angle"]))
        floors = self.card["floors"].setdefault(f"{count} {split} {repeats}", {})
        real = self.side(main, 0, count)
        return Reference(real, blocks, seen, self.class_names, self.seed, self.inception, floors)

    def save(self) -> None:
        """Store the floors that were computed since the file was read."""
        if json.dumps(self.card) != self.saved:
            self._write(self.tensors, self.card)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the card of a cached file; both empty if there is none or it is damaged."""
    try:
        return checkpoint.load(path) if path.is_file() else ({}, {})
    except (UserError, ValueError, KeyError, AttributeError, TypeError, RecursionError):  # not a card
        return {}, {}


def _are_floors(entry: object) -> bool:
    """Is this a card's entry of floors: by protocol and metric, lists of values?"""
    return isinstance(entry, dict) and all(
        isinstance(values, dict)
        and all(isinstance(v, list) and v and all(isinstance(x, float) for x in v) for v in values.values())
        for values in entry.values()
    )


def _from(before: int, steps: Generator[int, None, Made]) -> Generator[int, None, Made]:
    """The same steps, counted from `before` on."""
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            return end.value
        yield before + done


def _shuffled(split: Split, seed: int, name: str) -> Split:
    """At most MOST images and BYTES of a split, in random order (MNIST is ordered by writer)."""
    most = min(MOST, BYTES // math.prod(split.images.shape[1:]))
    index = torch.randperm(len(split.images), generator=seeds.generator(seed, "reference", name))[:most]
    return Split(split.images[index], None if split.labels is None else split.labels[index])
