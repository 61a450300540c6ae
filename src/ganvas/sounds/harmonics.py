"""The harmonics of a sound as a pitch and a depth, apart from the rest of its spectrum.

A voice that is never the same twice has its harmonics in other bands each time, and a network that learns spectra blurs
them. `Harmonics.part` finds, for each moment, the pitch whose harmonics fit the spectrum best, and takes their pattern
out of the spectrum as far as it is there; `Harmonics.join` puts it back. A wrong pitch does no harm: what is not there
is not taken out. It is the cepstrum's idea (Noll 1967), for bands that are not evenly spaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.sounds.codec import FLOOR, mel_bank

if TYPE_CHECKING:
    from ganvas.sounds.spec import SoundSpec

LOWEST, OCTAVES = 65.0, 3  # Hz, and from there on: C2 to C5, where a voice speaks
STEPS = 96  # patterns an octave
KNOTS = 6  # places, evenly spaced over the bands, at which the depth is given
MOST = 2.0  # times a pattern: the largest depth
STRONG = 1.5  # times as deep as a ripple that is nothing but the pattern: what is left must not bring it back
DEEP = 30 / -FLOOR * 2  # of a pattern, at most: 30 dB
WIDE = 25  # bands over which a spectrum is smoothed
HEARD = 60 / -FLOOR * 2  # below the loudest band of a moment, softer ones are not compared
SILENT = 10 / -FLOOR * 2 - 1  # a moment that is never louder has no harmonics
LEAST = 0.02  # squared ripple of a pattern around a knot: with less there are no harmonics to be seen
COARSE, REACH, JUMP = 4, 3, 0.6  # patterns in one step of a path; steps from moment to moment; cost of a larger one
HORIZON = 6  # moments before and after one that its pitch has to suit
CERTAIN = 0.02  # ripple from which a pitch counts by itself, without those around it


class Tables(NamedTuple):
    """Patterns of harmonics float [pitches, bands], the same with length 1, the same so that bands around are as loud
    with them as without, and each knot's share of each band.
    """

    patterns: Tensor
    units: Tensor
    added: Tensor
    shares: Tensor


class Harmonics:
    """Takes harmonics out of spectrograms and puts them back, for one shape of sounds."""

    def __init__(self, spec: SoundSpec) -> None:
        self.rate, self.size, self.bands = spec.rate, spec.window, spec.bands
        self.rows = spec.bands + 1 + KNOTS
        self._tables: dict[torch.device, Tables] = {}

    def tables(self, device: torch.device) -> Tables:
        """The tables on a device, made once."""
        if device not in self._tables:
            with torch.inference_mode(False):  # gradients go through them
                patterns = patterns_of(self.rate, self.size, self.bands)
                places = torch.arange(self.bands) * (KNOTS - 1) / (self.bands - 1)
                shares = (1 - (places - torch.arange(KNOTS)[:, None]).abs()).clamp_min(0)
                units = patterns / patterns.norm(dim=1, keepdim=True)
                power = smoothed(10 ** (patterns * (-FLOOR / 20)))
                added = patterns - power.log10() * (20 / -FLOOR)
                self._tables[device] = Tables(*(x.to(device) for x in (patterns, units, added, shares)))
        return self._tables[device]

    def part(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] in [-1, 1] -> rows [B, 1, bands + 1 + KNOTS, frames].

        The bands without harmonics, then the pitch (-1: LOWEST, 1: OCTAVES higher), then the depth at each knot (-1: no
        harmonics, 1: MOST times the pattern).
        """
        with torch.autocast(pictures.device.type, enabled=False):
            tables, x = self.tables(pictures.device), pictures[:, 0].float().transpose(1, 2)
            loudest = x.amax(2, keepdim=True)
            ripple = x.maximum(loudest - HEARD)
            ripple = ripple - smoothed(ripple)
            at = path(ripple @ tables.units.T)
            depth, power = self._depth(ripple, tables.patterns[at], tables)
            pitch = carried(at / (OCTAVES * STEPS / 2) - 1, (depth * power).sum(2))
            depth, _ = self._depth(ripple, between(tables.patterns, pitch), tables)
            depth = depth * (loudest > SILENT)
            rest = (x - (depth @ tables.shares) * between(tables.added, pitch)).clamp_min(-1)
            return torch.cat([rest, pitch[..., None], depth / (MOST / 2) - 1], 2).transpose(1, 2)[:, None]

    def join(self, rows: Tensor) -> Tensor:
        """Rows [B, 1, bands + 1 + KNOTS, frames], as `part` makes them -> spectrograms [B, 1, bands, frames]."""
        with torch.autocast(rows.device.type, enabled=False):
            tables, x = self.tables(rows.device), rows[:, 0].float().transpose(1, 2)
            rest, pitch, depth = x.split([self.bands, 1, KNOTS], 2)
            pattern = between(tables.added, pitch[..., 0].clamp(-1, 1))
            x = rest + (((depth.clamp(-1, 1) + 1) * (MOST / 2)) @ tables.shares) * pattern
            return x.clamp(-1, 1).transpose(1, 2)[:, None]

    def _depth(self, ripple: Tensor, pattern: Tensor, tables: Tables) -> tuple[Tensor, Tensor]:
        """How deep a pattern is in a ripple, and the pattern's power, around each knot: [B, frames, KNOTS] each.

        The ratio of their sizes, as far as they agree.
        """
        both, power, own = (x @ tables.shares.T for x in (ripple * pattern, pattern.square(), ripple.square()))
        ratio = (own / (power + LEAST)).sqrt()
        agreement = (both / ((power + LEAST) * (own + LEAST)).sqrt()).clamp(0, 1)
        return (STRONG * ratio * agreement.square() * (3 - 2 * agreement)).clamp_max(MOST), power


def between(patterns: Tensor, pitch: Tensor) -> Tensor:
    """The patterns of pitches [B, frames] from -1 to 1: [B, frames, bands]."""
    at = (pitch + 1) * (OCTAVES * STEPS / 2)
    low = at.detach().nan_to_num().floor().clamp_max(OCTAVES * STEPS - 1).long()
    return torch.lerp(patterns[low], patterns[low + 1], (at - low)[..., None])


def patterns_of(rate: int, size: int, bands: int) -> Tensor:
    """What equally strong harmonics of each pitch add to a smooth spectrum, in levels: [pitches, bands].

    A Hann window's transform around the two harmonics next to each bin, through the bands.
    """
    width, bank = rate / size, mel_bank(rate, size, bands).double()
    hertz = torch.arange(size // 2 + 1, dtype=torch.float64) * width
    pitch = LOWEST * 2 ** (torch.arange(OCTAVES * STEPS + 1, dtype=torch.float64)[:, None] / STEPS)
    below = (hertz / pitch).floor()  # the number of the nearest harmonic below; 0 is none
    power = (
        lobe((hertz - below * pitch) / width).square() * (below > 0)
        + lobe((hertz - (below + 1) * pitch) / width).square()
    )
    level = (power @ bank.T).clamp_min(1e-9).log10() * (20 / -FLOOR)
    level = (level - smoothed(level)).clamp(-DEEP, DEEP)
    return (level - smoothed(level)).float()


def lobe(bins: Tensor) -> Tensor:
    """The transform of a Hann window, so many bins from its middle; 1 there."""
    return torch.sinc(bins) + 0.5 * torch.sinc(bins - 1) + 0.5 * torch.sinc(bins + 1)


def smoothed(x: Tensor) -> Tensor:
    """Averages over WIDE bands, under a Hann window: [..., bands] -> the same shape."""
    window = torch.hann_window(WIDE + 2, periodic=False, device=x.device, dtype=x.dtype)[1:-1]
    flat = torch.cat([x.reshape(-1, 1, x.shape[-1]), torch.ones_like(x[..., :1, :]).reshape(-1, 1, x.shape[-1])[:1]])
    sums = F.conv1d(flat, window[None, None], padding=WIDE // 2)
    return (sums[:-1] / sums[-1:]).reshape(x.shape)


def path(score: Tensor) -> Tensor:
    """The pitch of each moment that fits the sound and the pitches around it: int64 [B, frames].

    Args:
        score: how well each pitch fits each moment, [B, frames, pitches].
    """
    rough = F.max_pool1d(score, COARSE, COARSE, ceil_mode=True)

    def along(seen: slice, ends: tuple[int, int]) -> Tensor:
        total = rough
        for _ in range(HORIZON):
            near = F.max_pool1d(total, 2 * REACH + 1, 1, REACH)
            best = torch.maximum(near, total.amax(2, keepdim=True) - JUMP)
            total = rough + F.pad(best[:, seen], (0, 0, *ends))
        return total

    both = along(slice(None, -1), (1, 0)) + along(slice(1, None), (0, 1)) - rough
    around = torch.arange(-1, COARSE + 1, device=score.device)
    at = (both.argmax(2, keepdim=True) * COARSE + around).clamp(0, score.shape[2] - 1)
    return at.gather(2, score.gather(2, at).argmax(2, keepdim=True))[..., 0]


def carried(pitch: Tensor, ripple: Tensor) -> Tensor:
    """Pitches [B, frames] where there are harmonics, and an average of those around where there are none.

    Args:
        ripple: how strong the harmonics are, [B, frames].
    """
    places = torch.arange(pitch.shape[1], device=pitch.device, dtype=pitch.dtype)
    near = 1 / (1 + (places[:, None] - places).square()).square()
    weight = ripple.square() + 1e-12
    return torch.lerp((pitch * weight) @ near / (weight @ near), pitch, weight / (weight + CERTAIN))
