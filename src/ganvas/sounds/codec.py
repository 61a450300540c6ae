"""Waves to spectrograms and back: log magnitudes in mel bands, and phases found anew.

A spectrogram keeps how strong each band is at each moment and drops the phases. `decode` finds phases that suit: each
peak of a spectrum runs on with its own frequency, the bins around it keep its phase (Beauregard et al. 2015), and a
few rounds of the fast Griffin-Lim algorithm (Perraudin et al. 2013) make neighbouring windows agree.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.sounds.fit import AFTER, BEFORE, ENVELOPE, FADE_OUT, PEAK, TRIM

if TYPE_CHECKING:
    from ganvas.sounds.spec import SoundSpec

FLOOR = -90.0  # dB of a full-scale sine: silence, -1 in a spectrogram
SILENT = 1.0  # dB above the floor: what is weaker is decoded as nothing
ROUNDS = 12  # of Griffin-Lim
MOMENTUM = 0.99  # of its rounds; Perraudin et al. 2013, section 4
PORTION = 4  # sounds that are decoded at a time: more do not fit into a processor's cache
SOLVING = 3  # rounds that spread a band's power over its bins
LEAST = 1e-3  # a wave that is not as loud is left as it is


class Tables(NamedTuple):
    """What the transforms need, on one device.

    window [n]; bank [bands, n // 2 + 1], rows with sum 1; unbank, its pseudo-inverse; overlap: the windows' summed
    squares at each moment of a sound, without zeros.
    """

    window: Tensor
    bank: Tensor
    unbank: Tensor
    overlap: Tensor


class Codec:
    """Waves to spectrograms and back, for one shape of sounds."""

    def __init__(self, spec: SoundSpec) -> None:
        self.rate, self.samples, self.size, self.hop = spec.rate, spec.samples, spec.window, spec.hop
        self.bands, self.frames = spec.bands, spec.frames
        self.margin = (self.size - self.hop) // 2  # so that window t is centred on the middle of hop t
        self.scale = self.size / 4  # magnitude of a full-scale sine under a Hann window
        self._tables: dict[torch.device, Tables] = {}

    def tables(self, device: torch.device) -> Tables:
        """The tables on a device, made once."""
        if device not in self._tables:
            window = torch.hann_window(self.size, device=device)
            bank = mel_bank(self.rate, self.size, self.bands)
            squares = window.square()[None, :, None].expand(1, self.size, self.frames)
            overlap = self._overlap_add(squares).clamp_min(1e-3)
            self._tables[device] = Tables(window, bank.to(device), torch.linalg.pinv(bank).to(device), overlap)
        return self._tables[device]

    def encode(self, waves: Tensor) -> Tensor:
        """Waves float [B, samples] in [-1, 1] -> spectrograms [B, 1, bands, frames] in [-1, 1]."""
        power = self.tables(waves.device).bank @ self.spectra(waves).abs().square()
        decibels = 10 * torch.log10(power.clamp_min(10 ** (FLOOR / 10)))
        return (decibels.clamp_max(0) / -FLOOR * 2 + 1)[:, None]

    def decode(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] in [-1, 1] -> waves float [B, samples]; the same every time.

        Their peaks may be above 1; see `sounds`.
        """
        with torch.autocast(pictures.device.type, enabled=False):
            parts = [self._decode(part) for part in pictures.float().split(PORTION)]
        return torch.cat(parts) if parts else pictures.new_zeros(0, self.samples)

    def sounds(self, pictures: Tensor) -> Tensor:
        """As `decode`, by the rule for every sound (`fit`): nothing before and after it, its peak at PEAK."""
        return levelled(ended(self.decode(pictures), self.rate))

    def _decode(self, pictures: Tensor) -> Tensor:
        magnitudes = self.magnitudes(pictures)
        spectra = torch.polar(magnitudes, self.phases(magnitudes))
        before = spectra
        for round_ in range(ROUNDS):
            now = self.spectra(self.waves(spectra))
            ahead = torch.lerp(before, now, 1 + MOMENTUM) if round_ else now
            spectra, before = magnitudes * ahead.sgn(), now
        return self.waves(spectra)

    def spectra(self, waves: Tensor) -> Tensor:
        """Waves [B, samples] -> complex [B, size // 2 + 1, frames]; 1 is a full-scale sine."""
        waves = F.pad(waves, (self.margin, self.size - self.hop - self.margin))
        window = self.tables(waves.device).window
        return torch.stft(waves, self.size, self.hop, window=window, center=False, return_complex=True) / self.scale

    def waves(self, spectra: Tensor) -> Tensor:
        """The waves [B, samples] whose spectra come nearest to complex [B, size // 2 + 1, frames]."""
        tables = self.tables(spectra.device)
        pieces = torch.fft.irfft(spectra * self.scale, n=self.size, dim=1) * tables.window[:, None]
        return self._overlap_add(pieces) / tables.overlap

    def _overlap_add(self, pieces: Tensor) -> Tensor:
        """Windows [B, size, frames] added up where they belong -> [B, samples]."""
        length = (self.frames - 1) * self.hop + self.size
        whole = F.fold(pieces, (1, length), (1, self.size), stride=(1, self.hop))[:, 0, 0]
        return whole[:, self.margin : self.margin + self.samples]

    def magnitudes(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] -> magnitudes [B, size // 2 + 1, frames] that have these bands."""
        tables = self.tables(pictures.device)
        return spread_bands(pictures, tables.bank, tables.unbank)

    def phases(self, magnitudes: Tensor) -> Tensor:
        """First phases for magnitudes [B, bins, frames], in radians: each peak runs on with its own frequency.

        The frequency is that of a parabola through the peak and its neighbours. Source: Beauregard et al. 2015,
        "Single pass spectrogram inversion".
        """
        level, bins = magnitudes.clamp_min(1e-8).log(), magnitudes.shape[1]
        above = F.pad(level[:, 1:], (0, 0, 0, 1), value=-99.0)
        below = F.pad(level[:, :-1], (0, 0, 1, 0), value=-99.0)
        peaks = (level > above) & (level >= below)
        places = torch.arange(bins, device=level.device)[None, :, None]
        uphill = torch.where(peaks, places, torch.where(above > below, places + 1, places - 1).clamp(0, bins - 1))
        for _ in range(5):  # up to 32 bins from a peak
            uphill = uphill.gather(1, uphill)
        offset = (0.5 * (below - above) / (below - 2 * level + above).clamp_max(-1e-3)).clamp(-0.5, 0.5)
        frequency = (places + torch.where(peaks, offset, torch.zeros_like(offset))).gather(1, uphill)
        signs = math.pi * (places - uphill)  # around a peak the sign alternates from bin to bin
        random = torch.rand(1, bins, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
        phase, found = random.to(level.device).expand(len(level), -1), []
        for t in range(magnitudes.shape[2]):
            to, now = uphill[:, :, t], frequency[:, :, t]
            earlier = frequency[:, :, t - 1].gather(1, to) if t else now
            phase = phase.gather(1, to) + math.pi * self.hop / self.size * (now + earlier)
            found.append(phase + signs[:, :, t])
        return torch.stack(found, 2)


def spread_bands(pictures: Tensor, bank: Tensor, unbank: Tensor) -> Tensor:
    """Spectrograms [B, 1, bands, frames] -> magnitudes [B, bins, frames] that have these bands.

    The pseudo-inverse of the bank, made positive by the multiplicative rounds of Lee and Seung 2001. The tables are
    those of `Tables`.
    """
    decibels = (pictures[:, 0].clamp(-1, 1) - 1) / 2 * -FLOOR
    power = 10 ** (decibels / 10) * (decibels > FLOOR + SILENT)
    found = (unbank @ power).clamp_min(0) + 1e-12
    share = bank.sum(0)[:, None].clamp_min(1e-9)
    for _ in range(SOLVING):
        found = found * (bank.T @ (power / (bank @ found).clamp_min(1e-12))) / share
    return found.sqrt()


def mel_bank(rate: int, size: int, bands: int) -> Tensor:
    """Triangles over the bins of a spectrum, evenly spaced in mel, each with sum 1: float [bands, size // 2 + 1].

    A band is at least two bins wide: none is empty. Source: O'Shaughnessy 1987 (mel is proportional to
    ln(1 + f / 700)).
    """
    width = rate / size
    bins = torch.arange(size // 2 + 1, dtype=torch.float64) * width
    edges = 700 * torch.expm1(
        torch.linspace(0, 1127 * math.log1p(rate / 2 / 700), bands + 2, dtype=torch.float64) / 1127
    )
    middle = edges[1:-1, None]
    low, high = torch.minimum(edges[:-2, None], middle - width), torch.maximum(edges[2:, None], middle + width)
    bank = torch.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clamp_min(0)
    return (bank / bank.sum(1, keepdim=True)).float()


def ended(waves: Tensor, rate: int) -> Tensor:
    """Waves [B, samples] without what is softer, before and after the sound, than `fit.trimmed` leaves of one.

    Its windows reach over the ends of a sound: a decoded one would begin too soon and end too late.
    """
    half, places = max(1, round(rate * ENVELOPE / 2)), torch.arange(waves.shape[1], device=waves.device)
    sums = F.pad(waves.square(), (half + 1, half)).cumsum(1, dtype=torch.float64)  # a pooling takes 50 times as long
    power = sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]
    is_loud = power > power.amax(1, keepdim=True) * 10 ** (TRIM / 10)
    last = torch.where(is_loud, places, 0).amax(1, keepdim=True) + round(rate * AFTER)
    first = torch.where(is_loud, places, waves.shape[1]).amin(1, keepdim=True) - round(rate * BEFORE)
    fading = ((last - places) / max(1, round(rate * FADE_OUT))).clamp(0, 1)
    return waves * fading * (places >= first).to(waves.dtype)


def levelled(waves: Tensor) -> Tensor:
    """Waves [B, samples], each as loud as the sounds that are learned from: its peak is PEAK."""
    peak = waves.abs().amax(1, keepdim=True)
    return torch.where(peak > LEAST, waves * (PEAK / peak.clamp_min(LEAST)), waves)
