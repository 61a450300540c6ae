"""Which sounds are unlike those of a training, and which have a label that is not theirs.

A sound is described by the discriminator's features and by plain statistics of its spectrogram. Its oddity is the
Mahalanobis distance from the nearest class, all classes with one shrunk covariance (Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples"). The statistics are there because a network knows only what it
has met, and may accept other types of sounds as usual (Kirichenko et al. 2020, "Why normalizing flows fail to
detect out-of-distribution data"). How odd is odd is learned from held-out sounds: p-values are ranks among theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core.text import one_line

LEAST = 20  # held-out sounds that a detector needs: with 19, it could just promise 5% false alarms
SHRINK = 0.2  # share of the mean variance in the covariance
SMALLEST = 1e-3  # standard deviation that a number has at least
GRID = 12, 8  # parts of the bands and of the moments of which the mean level is taken
BANDS = 16  # parts of the bands whose spread, movement and loudest moment are taken
STEPS = 8, 4  # parts of the bands and of the moments in which neighbouring bands are compared
STATISTICS = GRID[0] * GRID[1] + 3 * BANDS + STEPS[0] * STEPS[1]  # numbers that `statistics` gives of a sound
PORTION = 128  # sounds that are looked at together
YES, NO, OTHER = "yes", "no", "another class"


@dataclass(frozen=True)
class Verdict:
    """Whether a sound is of the kind that was trained on.

    `p`: the share of such sounds that are at least as odd. `kind`: 'yes', 'no', or 'another class' where it is of the
    usual but not of the class that it was labelled as. `like`: the class that suits it best, '' without classes.
    `given`: its label, '' if none. `p_class`: the share of sounds with a right label that suit
    it at most as well; None without one. `oddity`: its squared distance from the nearest class;
    `distances`: from each class, in the model's order; about 1 for sounds of the training.
    """

    p: float
    kind: str
    like: str = ""
    given: str = ""
    p_class: float | None = None
    oddity: float = 0.0
    distances: tuple[float, ...] = ()


class Detector(nn.Module):
    """What is usual: the classes' centres, how sounds spread around them, and how odd held-out ones are."""

    def __init__(self, width: int, classes: int, known: int, labelled: int) -> None:
        """
        Args:
            width: numbers that describe a sound.
            classes: centres, 1 without classes.
            known: held-out sounds whose oddity is stored.
            labelled: those of them whose label is known.
        """
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))
        self.whiten = nn.Buffer(torch.eye(width))
        self.centres = nn.Buffer(torch.zeros(classes, width))
        self.oddities = nn.Buffer(torch.zeros(known))
        self.misfits = nn.Buffer(torch.zeros(labelled))

    @classmethod
    def for_tensors(cls, tensors: dict[str, Tensor]) -> Detector:
        """A new one of the size of the detector in a model file."""
        width, classes = len(tensors["detector.whiten"]), len(tensors["detector.centres"])
        return cls(width, classes, *(len(tensors[f"detector.{name}"]) for name in ("oddities", "misfits")))

    def distances(self, numbers: Tensor) -> Tensor:
        """Descriptions [B, width] -> squared distances from the classes' centres [B, classes]; real ones: about 1."""
        x = ((numbers - self.mean) / self.scale) @ self.whiten
        return torch.cdist(x, self.centres, compute_mode="donot_use_mm_for_euclid_dist").square() / x.shape[1]

    def misfit(self, distances: Tensor, labels: Tensor) -> Tensor:
        """How much farther a sound is from its class than from the nearest other one, [B]; above 0: that suits better.

        Args:
            distances: [B, classes], of two classes at least.
            labels: int64 [B].
        """
        own = distances.gather(1, labels[:, None])
        others = distances.scatter(1, labels[:, None], float("inf")).amin(1)
        return own[:, 0] - others

    @property
    def count(self) -> int:
        """Held-out sounds that p-values are ranks among."""
        return len(self.oddities)

    def judge(self, numbers: Tensor, labels: Tensor | None, names: tuple[str, ...], alarm: float) -> list[Verdict]:
        """Verdicts on descriptions [B, width].

        Args:
            labels: int64 [B], -1 where there is none; None: no labels.
            names: of the classes.
            alarm: the share of sounds of the kind that may be called 'no', and of right labels that may be called
                wrong.
        """
        distances = self.distances(numbers)
        odd, nearest = distances.min(1)
        shares = p_values(odd, self.oddities).tolist()
        like = [names[i] for i in nearest.tolist()] if names else [""] * len(shares)
        apart = [tuple(row) for row in distances.tolist()]
        verdicts = [
            Verdict(p, NO if p <= alarm else YES, name, oddity=min(far), distances=far)
            for p, name, far in zip(shares, like, apart, strict=True)
        ]
        if labels is None or not len(self.misfits):
            return verdicts
        misfits = self.misfit(distances, labels.clamp_min(0))
        of_class, worse = p_values(misfits, self.misfits).tolist(), (misfits > 0).tolist()
        for i, label in enumerate(labels.tolist()):
            if label >= 0:
                wrong = verdicts[i].kind == YES and of_class[i] <= alarm and worse[i]
                kind = OTHER if wrong else verdicts[i].kind
                verdicts[i] = replace(verdicts[i], kind=kind, given=names[label], p_class=of_class[i])
        return verdicts


def p_values(scores: Tensor, known: Tensor) -> Tensor:
    """The rank of each score among those known, as a share: (1 + how many are as high) / (1 + all), float64 [B].

    Of new scores from where the known ones come, at most a share `a` gets a p-value of `a` or less, whatever their
    distribution (Vovk et al. 2005, conformal prediction).
    """
    above = len(known) - torch.searchsorted(known.sort().values, scores.contiguous())
    return (1 + above.double()) / (1 + len(known))


def statistics(pictures: Tensor) -> Tensor:
    """Spectrograms [B, 1, bands, frames] -> float [B, STATISTICS], whatever their shape.

    The mean level of a grid; of each part of the bands how much it spreads and moves along time and its loudest moment;
    and how unlike neighbouring bands are (harmonics).
    """
    level = F.adaptive_avg_pool2d(pictures, (BANDS, pictures.shape[3]))[:, 0]
    moved = (level[:, :, 1:] - level[:, :, :-1]).abs().mean(2)
    steps = F.adaptive_avg_pool2d((pictures[:, :, 1:] - pictures[:, :, :-1]).abs(), STEPS)
    grid = F.adaptive_avg_pool2d(pictures, GRID)
    return torch.cat([grid.flatten(1), level.std(2), moved, level.amax(2), steps.flatten(1)], 1)


@torch.no_grad()
def describe(discriminator: nn.Module, pictures: Tensor) -> Tensor:
    """Spectrograms [B, 1, bands, frames] -> the discriminator's features and the statistics, [B, width] on the CPU."""
    device = next(discriminator.parameters()).device
    rows = []
    for part in pictures.split(PORTION):
        x = part.to(device)
        rows.append(torch.cat([discriminator.features(x)[-1], statistics(x)], 1).float().cpu())  # pyright: ignore[reportCallIssue]
    return torch.cat(rows)


def fit(numbers: Tensor, labels: Tensor | None, classes: int, held_out: Tensor, held_labels: Tensor | None) -> Detector:
    """Learn what is usual.

    Args:
        numbers: descriptions of training sounds [N, width], with labels int64 [N] or None.
        classes: how many; 0: unlabelled.
        held_out: descriptions of held-out sounds [M, width], which say how odd a sound of the kind may be.
    """
    labelled = len(held_out) if classes > 1 and held_labels is not None else 0
    detector = Detector(numbers.shape[1], max(1, classes), len(held_out), labelled)
    detector.mean.copy_(numbers.mean(0))
    detector.scale.copy_(numbers.std(0).clamp_min(SMALLEST))
    x = (numbers - detector.mean) / detector.scale
    chosen = torch.zeros(len(x), dtype=torch.int64) if labels is None else labels
    sums = torch.zeros(max(1, classes), x.shape[1]).index_add(0, chosen, x)
    centres = sums / torch.bincount(chosen, minlength=len(sums)).clamp_min(1)[:, None]
    rest = (x - centres[chosen]).double()
    covariance = rest.T @ rest / len(rest)
    mean = covariance.diagonal().mean().clamp_min(1e-6)
    covariance = (1 - SHRINK) * covariance + SHRINK * mean * torch.eye(len(covariance))
    values, vectors = torch.linalg.eigh(covariance)
    detector.whiten.copy_((vectors * values.clamp_min(1e-9).rsqrt()).float())
    detector.centres.copy_(centres @ detector.whiten)
    distances = detector.distances(held_out)
    detector.oddities.copy_(distances.amin(1).sort().values)
    if labelled:
        assert held_labels is not None
        detector.misfits.copy_(detector.misfit(distances, held_labels).sort().values)
    return detector.eval().requires_grad_(False)


def smallest_alarm(known: int) -> float:
    """The smallest share of false alarms that can be promised where so many held-out sounds say what is usual."""
    return 1 / (known + 1)


def compared(count: int) -> str:
    """With what a recording is compared, in words: how odd it can be called, and what may mislead."""
    return (
        f"A recording is compared with {count:,} held-out sounds: none can be called odder than 1 of "
        f"{count + 1:,}. Other voices, rooms or microphones may sound odd to it although they are of the same type."
    )


def why_none(held_out: int, most: int) -> str:
    """Why a training with so many held-out sounds and `detect=most` ends without a detector; '': it has one."""
    if not most:
        return "it was switched off for this training (detect=0)"
    if held_out >= LEAST:
        return ""
    return f"{held_out:,} held-out sounds, {LEAST} needed; train on more sounds (about a tenth of a folder is held out)"


def why_none_in(card: dict[str, Any]) -> str:
    """Why the model with this card has no detector, as far as the card says."""
    reason, task = card.get("no_detector"), card.get("task")
    if isinstance(reason, str) and reason:
        return one_line(reason[:300])
    if not card.get("finished"):
        return "it is trained when a training ends; finish it: ganvas resume RUN"
    if isinstance(task, dict) and task.get("detect") == 0:
        return why_none(0, 0)
    return f"its training ended without one; train again, with {LEAST} held-out sounds or more"
