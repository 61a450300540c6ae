"""The figures of drawn sounds: a function and a line of METRICS each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ganvas.core.errors import unknown
from ganvas.metrics import distances, enough
from ganvas.sounds import pitch as pitches
from ganvas.tasks.sound.evaluate.sides import SAID, TIMBRE, Sides, Sounds

CLASS_LEAST = 5  # sounds of a class on both sides, for the spread within it
LEAST_SCALE = 0.3  # of the usual standard deviation, at least, that a feature is scaled by
ENDLESS = "nothing follows the end of any drawn sound"
VOICELESS = "no frame of the drawn sounds has a clear pitch"
Function = Callable[[Sides, Sounds], float]


@dataclass(frozen=True)
class Metric:
    """A function of some sounds and the held-out ones, and how it is shown.

    floor: which real sounds it is compared with: 'train', as many training sounds compared with the held-out ones; or
    'held', the held-out sounds themselves, where the classifier, which has memorised the training sounds, would favour
    those, or where nothing is compared with them.
    """

    title: str
    better: str  # 'lower', 'higher', or 'near' (to the floor)
    function: Function
    floor: str = "held"
    kind: str = ""  # of the features that it needs: SAID, TIMBRE
    least: int = 1  # sounds that differ from each other, on each side
    share: bool = False
    undefined: str = "no finite number came out"  # why there is no value, where there is none

    @property
    def of_sounds(self) -> bool:
        """Is it a share of the sounds? Then its standard error is known."""
        return self.share and self.function not in (worst_class, clear_pitch)

    def missing(self, sides: Sides) -> str:
        """Why it cannot be measured, as a clause; empty where it can."""
        if self.kind == SAID and not sides.class_names:
            return "the sounds have no classes"
        if self.function is near_copies and (lack := sides.no_copies()):
            return lack
        everyone = [(sides.held, "held-out sounds"), *((s, "training sounds") for s in sides.blocks)]
        everyone += [(s, "drawn sounds") for s in sides.drawn]
        for sounds, what in everyone:
            if sounds.labels is None and self.function in (class_accuracy, worst_class):
                return f"the {what} were not requested by class"
            if lack := enough.too_few(sounds.waves, self.least, what):
                return lack
            if self.kind and self.least > 1:
                share = enough.variance(sounds.features(self.kind)) / enough.variance(sides.held.features(self.kind))
                if not share >= enough.SPREAD:
                    return f"the {what} are nearly all the same: they vary {share:.2%} as much as held-out ones"
        return ""


def class_accuracy(sides: Sides, sounds: Sounds) -> float:
    return _share(sounds.right())


def worst_class(sides: Sides, sounds: Sounds) -> float:
    return min(accuracies(sides, sounds).values(), default=math.nan)


def accuracies(sides: Sides, sounds: Sounds) -> dict[int, float]:
    """The share of each class's sounds that are taken for it, of the classes that there are."""
    assert sounds.labels is not None
    right = sounds.right()
    return {c: _share(right[sounds.labels == c]) for c in sounds.labels.unique().tolist()}


def classifier_score(sides: Sides, sounds: Sounds) -> float:
    """exp of the mean KL divergence of a sound's class probabilities from all sounds' (Salimans et al. 2016)."""
    each = sounds.said[1].double().log_softmax(1)
    return float((each.exp() * (each - each.exp().mean(0).log())).sum(1).mean().exp())


def frechet(kind: str) -> Function:
    return lambda sides, sounds: distances.frechet(sides.held.features(kind), sounds.features(kind))


def kernel(kind: str) -> Function:
    """Of features scaled to vary by 1 each among held-out sounds: else a few would outweigh all."""

    def distance(sides: Sides, sounds: Sounds) -> float:
        real = sides.held.features(kind)
        mean, scale = real.mean(0), real.std(0)
        scale = scale.maximum(LEAST_SCALE * scale.square().mean().sqrt())
        return distances.kernel((real - mean) / scale, (sounds.features(kind) - mean) / scale)[0]

    return distance


def near(kind: str, what: str) -> Function:
    return lambda sides, sounds: getattr(sides.neighbourhood(kind, sounds), what)


def spread(kind: str) -> Function:
    """How far the sounds of a class are apart, relative to held-out ones: 1 is as widely; mean over the classes."""

    def ratio(sides: Sides, sounds: Sounds) -> float:
        ratios = spreads(sides, sounds, kind)
        return sum(ratios.values()) / len(ratios) if ratios else math.nan

    return ratio


def spreads(sides: Sides, sounds: Sounds, kind: str) -> dict[int, float]:
    """The same of each class that has CLASS_LEAST sounds on both sides; without classes of all sounds, as class 0."""

    def within(side: Sounds, label: int) -> Tensor:
        x = side.features(kind)
        return x if side.labels is None or sounds.labels is None else x[side.labels == label]

    found = {}
    for label in range(max(1, len(sides.class_names)) if sounds.labels is not None else 1):
        parts = within(sounds, label), within(sides.held, label)
        if min(map(len, parts)) >= CLASS_LEAST:
            own, real = (float(x.double().var(0).sum().sqrt()) for x in parts)
            if real > 0:
                found[label] = own / real
    return found


def faulty(what: str) -> Function:
    return lambda sides, sounds: _share(getattr(sounds, what))


def tail(quantile: float) -> Function:
    return lambda sides, sounds: float(sounds.tail.quantile(quantile)) if len(sounds.tail) else math.nan


def clear_pitch(sides: Sides, sounds: Sounds) -> float:
    """The share of all active frames that have a clear pitch."""
    return float(sounds.pitch.clear.sum() / sounds.pitch.active.sum().clamp_min(1))


def pitch_apart(sides: Sides, sounds: Sounds) -> float:
    return pitches.apart(sounds.pitch, sides.held.pitch)


def near_copies(sides: Sides, sounds: Sounds) -> float:
    return sides.copies(sounds)


def _share(which: Tensor) -> float:
    return float(which.double().mean()) if len(which) else math.nan


def _of_features(kind: str, prefix: str, of: str) -> dict[str, Metric]:
    def metric(title: str, better: str, function: Function, least: int = 20) -> Metric:
        return Metric(f"{title}, {of}", better, function, "train", kind, least)

    found = {
        "frechet": metric("Frechet distance", "lower", frechet(kind)),
        "kernel": metric("kernel distance x 1000", "lower", kernel(kind)),
        **{what: metric(what, "near", near(kind, what)) for what in ("precision", "recall", "density", "coverage")},
        "spread": metric("spread within a class", "near", spread(kind)),
    }
    return {prefix + name: one for name, one in found.items()}


METRICS: dict[str, Metric] = {
    "class-accuracy": Metric("recognised as requested", "higher", class_accuracy, kind=SAID, share=True),
    "worst-class": Metric("the same, worst class", "higher", worst_class, kind=SAID, share=True),
    "classifier-score": Metric("classifier score", "near", classifier_score, kind=SAID, least=20),
    **_of_features(SAID, "", "what is said"),
    **_of_features(TIMBRE, "timbre-", "timbre"),
    "near-copies": Metric("near copies", "lower", near_copies, least=1, share=True),
    "clear-pitch": Metric("frames with a clear pitch", "near", clear_pitch, share=True),
    "pitch-apart": Metric("pitch, semitones apart", "lower", pitch_apart, "train", undefined=VOICELESS),
    "silent": Metric("silent", "lower", faulty("silent"), "train", share=True),
    "hum": Metric("hum or hiss throughout", "lower", faulty("hum"), "train", share=True),
    "clipped": Metric("clipped", "lower", faulty("clipped"), "train", share=True),
    "clicks": Metric("with a click", "lower", faulty("clicks"), "train", share=True),
    "tail": Metric("tail after the end, dB", "lower", tail(0.5), undefined=ENDLESS),
    "tail-95": Metric("the same, 95% are below", "lower", tail(0.95), undefined=ENDLESS),
}


def choose(metrics: str | Sequence[str] | None) -> list[str]:
    """Names of METRICS for what --metrics says; all without it.

    Raises:
        UserError: a name that there is not.
    """
    if metrics is None or metrics == "all":
        return list(METRICS)
    wanted = [name.strip() for name in (metrics.split(",") if isinstance(metrics, str) else metrics)]
    for name in wanted:
        if name not in METRICS:
            raise unknown("metric", name, [*METRICS, "all"])
    return list(dict.fromkeys(wanted))
