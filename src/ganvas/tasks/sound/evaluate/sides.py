"""What is compared: drawn sounds, training sounds and held-out ones, with all that the figures need of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ganvas.metrics import neighbours
from ganvas.metrics.copies import Nearest
from ganvas.metrics.neighbours import Neighbourhood
from ganvas.sounds import pitch as pitches
from ganvas.sounds.pitch import Pitch
from ganvas.tasks.sound.evaluate import faults, nearness
from ganvas.tasks.sound.evaluate.classifier import Classifier
from ganvas.tasks.sound.evaluate.mel import floats
from ganvas.tasks.sound.evaluate.timbre import timbre

PORTION = 3_000_000  # samples at a time
SAID, TIMBRE = "said", "timbre"  # the two kinds of features
USUAL, FEW = 0.01, 0.05  # quantile of the held-out sounds' distances to training sounds below which there are copies
FEWEST = 20  # held-out sounds that it needs


@dataclass(frozen=True)
class Judge:
    """What features are made with; `span`: of the pitches that are looked for, in Hz."""

    rate: int
    classifier: Classifier | None = None  # None: the sounds have no classes
    span: tuple[float, float] = pitches.VOICE


@dataclass(frozen=True)
class Sounds:
    """Sounds of one side: waves int16 [N, samples]; labels int64 [N], the true class or the one that was asked for."""

    waves: Tensor
    labels: Tensor | None
    judge: Judge

    def __len__(self) -> int:
        return len(self.waves)

    def part(self, start: int, stop: int) -> Sounds:
        labels = None if self.labels is None else self.labels[start:stop]
        return Sounds(self.waves[start:stop], labels, self.judge)

    def each(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """What a function of waves float [n, samples] gives for all sounds, computed in portions."""
        size = max(1, PORTION // self.waves.shape[1])
        return torch.cat([function(floats(part)) for part in self.waves.split(size)])

    @cached_property
    def said(self) -> tuple[Tensor, Tensor]:
        """Features and logits of the classifier."""
        assert self.judge.classifier is not None
        return self.judge.classifier.look(self.waves)

    @cached_property
    def timbre(self) -> Tensor:
        return timbre(self.waves, self.judge.rate)

    def features(self, kind: str) -> Tensor:
        return self.said[0] if kind == SAID else self.timbre

    @cached_property
    def pitch(self) -> Pitch:
        size = max(1, PORTION // self.waves.shape[1])
        parts = [pitches.pitch(floats(x), self.judge.rate, self.judge.span) for x in self.waves.split(size)]
        return Pitch(*(torch.cat([getattr(p, n) for p in parts]) for n in ("agreement", "hertz", "active")))

    @cached_property
    def silent(self) -> Tensor:
        return self.each(lambda x: faults.silent(x, self.judge.rate))

    @cached_property
    def hum(self) -> Tensor:
        return self.each(lambda x: faults.hum(x, self.judge.rate))

    @cached_property
    def clipped(self) -> Tensor:
        return self.each(faults.clipped)

    @cached_property
    def clicks(self) -> Tensor:
        return self.each(lambda x: faults.clicks(x, self.judge.rate)) > 0

    @cached_property
    def tail(self) -> Tensor:
        """The levels in dB of what follows their end, of those sounds that something follows."""
        levels = self.each(lambda x: faults.tail(x, self.judge.rate))
        return levels[~levels.isnan()]

    @cached_property
    def pictures(self) -> Tensor:
        return nearness.pictures(self.waves, self.judge.rate)

    def right(self) -> Tensor:
        """Which sounds the classifier takes for their class, bool [N]."""
        return self.said[1].argmax(1) == self.labels


@dataclass
class Sides:
    """`drawn`: of each repeat; `blocks`: training sounds, as many in each; `held`: the reference; `seen`: training."""

    drawn: list[Sounds]
    blocks: list[Sounds]
    held: Sounds
    seen: Sounds
    class_names: tuple[str, ...]
    radii: dict[tuple[str, int], tuple[Tensor, Tensor]] = field(default_factory=dict)
    near: dict[tuple[str, int], Neighbourhood] = field(default_factory=dict)
    distances: dict[int, Nearest] = field(default_factory=dict)

    def neighbourhood(self, kind: str, sounds: Sounds) -> Neighbourhood:
        """Where these sounds are among the held-out ones."""
        place = kind, id(sounds)
        if place not in self.near:
            real, other = self.held.features(kind), sounds.features(kind)
            self.near[place] = neighbours.neighbourhood(
                real, other, self._radii(kind, self.held), self._radii(kind, sounds)[0]
            )
        return self.near[place]

    def _radii(self, kind: str, sounds: Sounds) -> tuple[Tensor, Tensor]:
        place = kind, id(sounds)
        if place not in self.radii:
            self.radii[place] = neighbours.radii(sounds.features(kind))
        return self.radii[place]

    def to_seen(self, sounds: Sounds) -> Nearest:
        """The training sound that is nearest to each of these."""
        if id(sounds) not in self.distances:
            self.distances[id(sounds)] = nearness.nearest(sounds.pictures, self.seen.pictures)
        return self.distances[id(sounds)]

    @property
    def quantile(self) -> float:
        """Of the held-out sounds' distances; a hundred are needed to know the hundredth part."""
        return USUAL if len(self.held) >= round(1 / USUAL) else FEW

    @cached_property
    def limit(self) -> float:
        """The distance to a training sound up to which a sound is a near copy."""
        return float(self.to_seen(self.held).distance.quantile(self.quantile))

    def copies(self, sounds: Sounds) -> float:
        """The share of near copies among these sounds."""
        return self.to_seen(sounds).share_below(self.limit)

    def no_copies(self) -> str:
        """Why copies cannot be told; empty where they can."""
        if len(self.held) < FEWEST:
            return f"it needs {FEWEST} held-out sounds, and there are {len(self.held)}"
        if not self.limit > 1e-3:
            return f"more than {self.quantile:.0%} of the held-out sounds are copies of training sounds themselves"
        return ""
