"""The noise that is added to clean sounds, and that a restorer learns to remove.

Its names and strengths are in `noises`. A sound's noise follows from its own
row of random numbers alone, whatever else is in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core.devices import upload
from ganvas.tasks.restore_sound.noises import Step

SOUNDS = 1e-3  # of the loudest sample: what is softer for a while is a pause, which no SNR counts
LEAST = 1e-4  # root mean square: a softer sound is taken to be as loud
PINK = -3.0  # dB an octave: as much power in each
TILTS = -10.0, 2.0  # dB an octave, of noise of any colour
KNOTS, BUMPS = 12, 5.0  # places between 0 and half the rate where its spectrum departs from a line; by how many dB
MAINS = 50.0, 60.0  # Hz, of the hum of the mains
TONES = 20  # of a hum: the mains' frequency and its multiples


def added(steps: tuple[Step, ...], waves: Tensor, rate: int, numbers: Tensor, loud: Tensor | None = None) -> Tensor:
    """Waves with noise, float [B, n]; their peaks may be above 1.

    Args:
        waves: clean ones, float [B, n].
        rate: samples a second.
        numbers: [B, 2], uniform in [0, 1): each row decides the noise of its sound.
        loud: how loud the sounds are to which the SNR refers, [B, 1]; None: these.
    """
    key = (numbers.double() * 2**16).long()  # PyTorch's generator takes 32 bits; a float holds only 24
    seeds = (key[:, 0] * 2**16 + key[:, 1]).tolist()
    total = upload(torch.stack([_of_one(steps, waves.shape[1], rate, seed) for seed in seeds]), waves.device)
    return waves + total * (loudness(waves) if loud is None else loud)


def _of_one(steps: tuple[Step, ...], count: int, rate: int, seed: int) -> Tensor:
    """The noise of one sound whose loudness is 1, float [n]."""
    random, total = torch.Generator().manual_seed(seed), torch.zeros(count)
    for step in steps:
        ratio = step.low + (step.high - step.low) * float(torch.rand(1, generator=random))
        total += even(KINDS[step.name](count, rate, random)) * 10 ** (-ratio / 20)
    return total


def loudness(waves: Tensor) -> Tensor:
    """The root mean square of waves float [B, n] where they sound, without their pauses, [B, 1]."""
    peak = waves.abs().amax(1, keepdim=True)
    near = F.max_pool1d(F.pad(waves.abs()[:, None], (80, 80)), 161, 1)[:, 0]  # some 10 ms to either side
    sounding = (near > SOUNDS * peak).to(waves.dtype)
    power = (waves.square() * sounding).sum(1, keepdim=True) / sounding.sum(1, keepdim=True).clamp_min(1)
    return power.sqrt().clamp_min(LEAST)


def even(wave: Tensor) -> Tensor:
    """A wave float [n] with a root mean square of 1; silence stays silence."""
    return wave / wave.square().mean().sqrt().clamp_min(1e-9)


def white(count: int, rate: int, random: torch.Generator) -> Tensor:
    """As much power at each frequency."""
    return torch.randn(count, generator=random)


def pink(count: int, rate: int, random: torch.Generator) -> Tensor:
    """As much power in each octave."""
    return _coloured(count, rate, random, lambda hertz: PINK * torch.log2(hertz / 1000))


def coloured(count: int, rate: int, random: torch.Generator) -> Tensor:
    """Steady noise of any colour (a fan, rain, tape, a room); a quarter of the time with a hum, a tenth only that.

    Its spectrum falls or rises by so many dB an octave, and in most departs from that by smooth bumps.
    """
    chance = torch.rand(3, generator=random).tolist()
    tilt = TILTS[0] + (TILTS[1] - TILTS[0]) * chance[0]
    bumps = torch.randn(1, 1, KNOTS, generator=random) * BUMPS * (chance[1] < 0.7)

    def level(hertz: Tensor) -> Tensor:
        smooth = F.interpolate(bumps, size=len(hertz), mode="linear", align_corners=True)[0, 0]
        return tilt * torch.log2(hertz / 1000).clamp(-3, 2) + smooth

    if chance[2] < 0.1:
        return hum(count, rate, random)
    noise = _coloured(count, rate, random, level)
    return even(noise) + even(hum(count, rate, random)) if chance[2] < 0.35 else noise


def hum(count: int, rate: int, random: torch.Generator) -> Tensor:
    """The mains' frequency and its multiples, up to half the rate."""
    chance = torch.rand(2, generator=random)
    base = MAINS[int(chance[0] < 0.5)] * (1 + 0.01 * float(torch.randn(1, generator=random)))
    number = torch.arange(1, TONES + 1)[:, None]
    number = number[number * base < rate / 2][:, None]
    strong = torch.rand(len(number), 1, generator=random) * number ** -(0.5 + 1.5 * chance[1])
    phase = torch.rand(len(number), 1, generator=random)
    return (strong * torch.sin(2 * math.pi * (base / rate * number * torch.arange(count) + phase))).sum(0)


def _coloured(count: int, rate: int, random: torch.Generator, level: Callable[[Tensor], Tensor]) -> Tensor:
    """White noise whose spectrum is shaped by `level`, from Hz to dB, both [n]."""
    hertz = torch.fft.rfftfreq(count, 1 / rate).clamp_min(20.0)
    return torch.fft.irfft(torch.fft.rfft(white(count, rate, random)) * 10 ** (level(hertz) / 20), n=count)


KINDS: dict[str, Callable[[int, int, torch.Generator], Tensor]] = {
    "noise": coloured,
    "white": white,
    "pink": pink,
    "hum": hum,
}


def placed(waves: Tensor, piece: int, chance: Tensor) -> Tensor:
    """A piece of each of waves float [B, n], with pauses before, after and without a sound: [B, min(n, piece)].

    Longer sounds are cut anywhere, so that a piece may begin before a sound or end after it. Of others half are moved
    to earlier or later by up to half their length, even out of sight.

    Args:
        piece: samples.
        chance: [B, 2], uniform in [0, 1).
    """
    count = waves.shape[1]
    if count > piece:
        start = (chance[:, 1] * (count - piece / 2) - piece / 4).long()
    else:
        start = -((chance[:, 1] - 0.5) * count).long() * (chance[:, 0] < 0.5)
    source = torch.arange(min(count, piece), device=waves.device) + upload(start, waves.device)[:, None]
    inside = (source >= 0) & (source < count)
    return waves.gather(1, source.clamp(0, count - 1)) * inside
