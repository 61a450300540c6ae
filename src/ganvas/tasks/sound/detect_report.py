"""What the detector of a model of sounds learns from when the training ends, and how good it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.samples import Split
from ganvas.core.text import one_line
from ganvas.sounds.codec import levelled
from ganvas.sounds.fit import FULL
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import detect
from ganvas.training.batches import Batches

MOST = 2_000  # held-out sounds that say what is usual
EACH = 8  # training sounds of each class that are used, at least, if there are so many
SHOWN = 200  # sounds of each kind in a report
ALARM = 0.05
FASTER = 1.5  # times the rate at which sounds are played wrongly
SMOOTH = 0.025  # seconds over which the loudness of a sound is taken


@dataclass(frozen=True)
class Row:
    """How the detector does on sounds of one kind: AUROC against real sounds, and the share that it calls 'yes'."""

    name: str
    count: int
    auroc: float
    passed: float


@dataclass(frozen=True)
class Labels:
    """How it does on held-out sounds with a wrong class, drawn at random.

    `false_alarm`: of right labels called wrong. `found`: of wrong ones. `named`: of those found, with the right class.
    """

    count: int
    auroc: float
    false_alarm: float
    found: float
    named: float


@dataclass(frozen=True)
class Report:
    """How good a detector is on held-out sounds: each half of them judged by what the other half says is usual."""

    alarm: float
    false_alarm: float
    real: int
    rows: tuple[Row, ...]
    labels: Labels | None = None

    @classmethod
    def of(cls, card: dict[str, Any]) -> Report | None:
        """The report in a model's card; None: it has none.

        Raises:
            UserError: it is damaged.
        """
        values = card.get("detector")
        if values is None:
            return None
        try:
            rows = tuple(_typed(Row, row) for row in values["rows"])
            labels = None if values.get("labels") is None else _typed(Labels, values["labels"])
            return cls(float(values["alarm"]), float(values["false_alarm"]), int(values["real"]), rows, labels)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError("the report on its detector is damaged.") from error


def _typed(kind: type[Any], values: dict[str, Any]) -> Any:
    made: dict[str, Any] = {"str": lambda x: one_line(str(x)[:60]), "int": int, "float": float}
    return kind(**{field.name: made[str(field.type)](values[field.name]) for field in dataclasses.fields(kind)})


def learn(
    discriminator: nn.Module, generator: nn.Module, latent_dim: int, batches: Batches, most: int
) -> Iterator[tuple[detect.Detector, Report] | None]:
    """Learn what is usual, and measure how good the detector is; the result comes last, None before.

    Args:
        discriminator, generator: in evaluation mode.
        most: training sounds that are used, at most.
    """
    data, spec, seed = batches.data, batches.data.spec, batches.seed
    described: list[Tensor] = []
    chosen: list[Tensor | None] = []
    for split, count, name in ((data.train, most, "seen"), (data.held_out, MOST, "held out")):
        order = torch.randperm(len(split.samples), generator=seeds.generator(seed, "detector", name))
        if name == "seen" and split.labels is not None:  # held-out ones stay as frequent as they are
            order = of_each_class(order, split.labels)
        order = order[:count]
        parts = []
        for index in order.split(detect.PORTION):
            parts.append(detect.describe(discriminator, data.decode(split.samples[index])))
            yield None
        described.append(torch.cat(parts))
        chosen.append(None if split.labels is None else split.labels[order])
    (train, held_out), (labels, held_labels) = described, chosen
    detector = detect.fit(train, labels, spec.classes, held_out, held_labels)
    kinds = []
    for name, waves in others(data.held_out, spec, seed):
        pictures = spec.codec.encode(waves)
        kinds.append((name, detect.describe(discriminator, pictures)))
        yield None
    waves = drawn(generator, spec, latent_dim, seed)
    kinds.append(("sounds of its own", detect.describe(discriminator, spec.codec.encode(waves))))
    result = report(detector, held_out, held_labels, kinds, seed)
    device = next(discriminator.parameters()).device
    yield detector.to(device), result


def of_each_class(order: Tensor, labels: Tensor) -> Tensor:
    """An order of sounds, int64 [N], with EACH of each class first, so that none is missing in a part of it."""
    classes = labels[order]
    sorted_ = classes.argsort(stable=True)
    starts = torch.searchsorted(classes[sorted_], classes[sorted_])
    place = torch.empty_like(order)
    place[sorted_] = torch.arange(len(order)) - starts  # the how-manyeth of its class each is
    return order[place.clamp_max(EACH).argsort(stable=True)]


@torch.no_grad()
def drawn(generator: nn.Module, spec: SoundSpec, latent_dim: int, seed: int) -> Tensor:
    """SHOWN sounds of the generator as users get them, waves float [n, samples], the classes in turn."""
    device = next(generator.parameters()).device
    z = seeds.latents((seeds.key(seed, "detector", i) for i in range(SHOWN)), latent_dim)
    labels = torch.arange(SHOWN) % spec.classes if spec.classes else None
    parts = []
    for index in torch.arange(SHOWN).split(detect.PORTION // 2):
        pictures = generator(z[index].to(device), None if labels is None else labels[index].to(device)).float()
        parts.append(spec.codec.sounds(pictures).cpu())
    return torch.cat(parts).nan_to_num()


def others(split: Split, spec: SoundSpec, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Sounds that are not of the kind, by name: noise, and changed held-out sounds, waves float [n, samples]."""
    random = seeds.generator(seed, "detector's others")
    order = torch.randperm(len(split.samples), generator=random)[:SHOWN]
    waves = split.samples[order].float() / FULL
    noise = torch.randn(waves.shape, generator=random)
    yield "noise", levelled(noise)
    yield "noise as loud as sounds are, moment by moment", levelled(noise * loudness(waves, spec.rate))
    changes: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
        ("sounds played backwards", backwards),
        (f"sounds played {FASTER:g} times as fast", lambda x: played(x, FASTER)),
        (f"sounds played {FASTER:g} times as slowly", lambda x: played(x, 1 / FASTER)),
    )
    for name, change in changes:
        yield name, levelled(change(waves))


def loudness(waves: Tensor, rate: int) -> Tensor:
    """The mean of |x| around each sample of waves [B, samples], [B, samples]."""
    half = round(rate * SMOOTH / 2)
    return F.avg_pool1d(waves.abs()[:, None], 2 * half + 1, 1, half)[:, 0]


def backwards(waves: Tensor) -> Tensor:
    """Waves [B, samples] played backwards; the silence that fills them up stays at the end."""
    out = torch.zeros_like(waves)
    for i, wave in enumerate(waves):
        heard = wave.nonzero()
        length = int(heard.max()) + 1 if len(heard) else 0
        out[i, :length] = wave[:length].flip(0)
    return out


def played(waves: Tensor, faster: float) -> Tensor:
    """Waves [B, samples] played so much faster, and higher; cut or filled up with silence to the same length."""
    samples = waves.shape[1]
    length = 2 * round(samples / faster / 2)
    spectrum = torch.fft.rfft(waves)
    bins = length // 2 + 1
    spectrum = spectrum[:, :bins] if bins <= spectrum.shape[1] else F.pad(spectrum, (0, bins - spectrum.shape[1]))
    out = torch.fft.irfft(spectrum, n=length) * (length / samples)
    return F.pad(out, (0, samples - length)) if length < samples else out[:, :samples]


def auroc(real: Tensor, other: Tensor) -> float:
    """Share of the pairs in which the other sound is odder; a tie counts half (Mann and Whitney 1947)."""
    order = real.sort().values
    below, up_to = (torch.searchsorted(order, other.contiguous(), right=right) for right in (False, True))
    return float((below + up_to).double().mean() / (2 * len(real)))


def report(
    detector: detect.Detector, held_out: Tensor, labels: Tensor | None, kinds: list[tuple[str, Tensor]], seed: int
) -> Report:
    """Measure a detector on descriptions of held-out sounds [n, width], and of other kinds by name."""
    distances = detector.distances(held_out)
    odd = distances.amin(1)
    random = seeds.generator(seed, "detector's halves")
    halves = torch.randperm(len(odd), generator=random).tensor_split(2)
    rows = []
    for name, numbers in kinds:
        other = detector.distances(numbers).amin(1)
        passed = (detect.p_values(other, detector.oddities) > ALARM).double().mean()
        rows.append(Row(name, len(other), auroc(odd, other), float(passed)))
    named = None
    if len(detector.misfits) and labels is not None:
        named = _labels(detector, distances, labels, halves, random)
    return Report(ALARM, _alarms(odd, halves), len(odd), tuple(rows), named)


def _alarms(scores: Tensor, halves: tuple[Tensor, ...], least: float = -float("inf")) -> float:
    """The share of sounds that are called, each half of them by the other half's scores.

    Args:
        least: what a score has to exceed as well.
    """
    both = ((scores[a], scores[b]) for a, b in (halves, halves[::-1]))
    called = torch.cat([(detect.p_values(x, known) <= ALARM) & (x > least) for x, known in both])
    return float(called.double().mean())


def _labels(
    detector: detect.Detector, distances: Tensor, labels: Tensor, halves: tuple[Tensor, ...], random: torch.Generator
) -> Labels:
    classes = distances.shape[1]
    wrong = (labels + torch.randint(1, classes, labels.shape, generator=random)) % classes
    right, misfits = detector.misfit(distances, labels), detector.misfit(distances, wrong)
    found = (detect.p_values(misfits, detector.misfits) <= ALARM) & (misfits > 0)
    named = (distances.argmin(1) == labels)[found].double().mean() if found.any() else torch.zeros(())
    alarms = _alarms(right, halves, 0.0)
    return Labels(len(labels), auroc(right, misfits), alarms, float(found.double().mean()), float(named))
