"""The pitch of sounds, by normalised autocorrelation: a hoarse or whispered sound has none.

A frame of 50 ms is compared with itself some samples later; the share of its energy that agrees is 1 for a perfectly
periodic sound and near 0 for noise. The first peak that is nearly as high as the highest gives the period, so that a
multiple of it is not taken for it. Source: the normalisation of Boersma 1993, by the energy of both parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

FRAME, HOP = 0.05, 0.015  # seconds
VOICE = 70.0, 400.0  # Hz, of a speaking voice
NOTES = 50.0, 2_200.0  # Hz, of an instrument: G1 to C7
OUTSIDE, PROBED = 0.1, 200  # share of sounds whose pitch no voice has, from which they are notes; sounds looked at
CLEAR = 0.6  # agreement from which on the pitch is clear
NEARLY = 0.85  # of the highest peak: the first one from there on counts
MOVING, OFTEN = 0.12, 0.5  # semitones from one clear frame to the next, and share of clear frames, of a voice
ACTIVE = 25.0  # dB below the loudest frame
PORTION = 3_000_000  # agreements that are in memory at a time


@dataclass(frozen=True)
class Pitch:
    """Of each frame, each [N, frames]: how periodic it is (0 to 1), its pitch in Hz, and whether it sounds at all."""

    agreement: Tensor
    hertz: Tensor
    active: Tensor

    @property
    def clear(self) -> Tensor:
        """The active frames that have a clear pitch, bool [N, frames]."""
        return self.active & (self.agreement >= CLEAR)

    @property
    def share(self) -> Tensor:
        """The share of each sound's active frames that have one, [N]; 0 for silence."""
        return self.clear.sum(1) / self.active.sum(1).clamp_min(1)

    @property
    def of_sounds(self) -> Tensor:
        """The median pitch of each sound's clear frames in Hz, [N]; NaN where there are none."""
        return torch.where(self.clear, self.hertz, torch.nan).nanmedian(1).values


def pitch(waves: Tensor, rate: int, span: tuple[float, float] = VOICE) -> Pitch:
    """The pitch of waves float [N, samples].

    Args:
        span: the lowest and the highest pitch that are looked for, in Hz.
    """
    size, hop = round(FRAME * rate), max(1, round(HOP * rate))
    waves = F.pad(waves, (0, max(0, size - waves.shape[1])))
    frames = 1 + (waves.shape[1] - size) // hop
    lags = _lags(rate, size, span)
    parts = []
    for part in waves.split(max(1, PORTION // (frames * (len(lags) + size)))):
        parts.append(_of(part.unfold(1, size, hop), lags, rate))
    agreement, hertz, energy = (torch.cat(kind) for kind in zip(*parts, strict=True))
    loudest = energy.amax(1, keepdim=True)
    return Pitch(agreement, hertz, (energy > loudest * 10 ** (-ACTIVE / 10)) & (loudest > 1e-9))


def span_of(waves: Tensor, rate: int) -> tuple[float, float]:
    """The span that holds the pitches of sounds like these: VOICE or NOTES.

    Args:
        waves: real sounds, float [N, samples]; the first PROBED are looked at.
    """
    found = pitch(waves[:PROBED], rate, NOTES)
    hertz = found.of_sounds[found.share > 0.5]
    return NOTES if ((hertz < VOICE[0]) | (hertz > VOICE[1])).sum() > OUTSIDE * len(hertz) else VOICE


def moves(waves: Tensor, rate: int) -> bool:
    """Have these sounds a pitch that moves, as voices have, and not one that stays, as notes, or none, as most hits?

    Args:
        waves: sounds, float [N, samples].
    """
    found = pitch(waves, rate, NOTES)
    clear = found.clear[:, 1:] & found.clear[:, :-1]
    steps = torch.where(clear, found.hertz.log2().diff(dim=1).abs() * 12, torch.nan).nanmedian(1).values
    steps = steps[steps.isfinite()]
    return len(steps) > 0 and bool(steps.median() > MOVING) and bool(found.share.median() > OFTEN)


def _lags(rate: int, size: int, span: tuple[float, float]) -> Tensor:
    """The periods in samples that are tried, and one more at either end, so that each has neighbours."""
    low, high = max(2, int(rate / span[1])), min(int(rate / span[0]) + 1, size - 2)
    return torch.arange(low - 1, max(low, high) + 2)


def _of(frames: Tensor, lags: Tensor, rate: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames [N, T, size] -> agreement, pitch in Hz and energy, each [N, T]."""
    size = frames.shape[2]
    frames = frames - frames.mean(2, keepdim=True)
    spectrum = torch.fft.rfft(frames, 2 ** (2 * size - 1).bit_length()).abs().square()
    together = torch.fft.irfft(spectrum)[..., lags]
    energy = F.pad(frames.square(), (1, 0)).cumsum(2)
    total = energy[..., -1:]
    first, second = energy[..., size - lags], total - energy[..., lags]
    r = together / (first.clamp_min(0) * second.clamp_min(0)).sqrt().clamp_min(1e-9)
    inner = r[..., 1:-1]
    peaks = torch.where((inner >= r[..., :-2]) & (inner > r[..., 2:]), inner, 0.0).clamp(0, 1)
    best = peaks.amax(2, keepdim=True)
    at = (peaks >= NEARLY * best).to(torch.uint8).argmax(2, keepdim=True)  # the first of them
    before, here, after = (r.gather(2, at + k) for k in range(3))
    bend = (before - 2 * here + after).clamp_max(-1e-6)
    period = lags[1:-1][at] + (0.5 * (before - after) / bend).clamp(-0.5, 0.5)  # the top of a parabola
    return best[..., 0], rate / period[..., 0], total[..., 0] / size


def apart(drawn: Pitch, real: Pitch) -> float:
    """How far the pitches of clear frames are apart on average, in semitones: the Wasserstein distance.

    NaN where one side has no clear frame.
    """
    at = torch.linspace(0.005, 0.995, 100)
    sides = []
    for side in (drawn, real):
        hertz = side.hertz[side.clear]
        if not len(hertz):
            return float("nan")
        ordered = hertz.sort().values
        sides.append(12 * ordered[(at * (len(ordered) - 1)).round().long()].log2())
    return float((sides[0] - sides[1]).abs().mean())
