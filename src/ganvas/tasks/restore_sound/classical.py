"""Classical methods against noise in sounds, which a trained restorer has to beat.

Each estimates how strong the noise is at each frequency from the softest moments of the recording, and gives a gain for
each moment and frequency, as the network does. All work on real and imaginary parts of `network.spectra`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.tasks.restore_sound import network

TINY = 1e-12
RISEN = 1e3  # highest ratio of a moment's power to the noise's that the rule of Ephraim and Malah looks at
SMOOTH = 5  # spectra over which power is averaged before the softest moments are looked for


def noise_in(power: Tensor, share: float) -> Tensor:
    """How strong the noise is at each frequency, [B, bins, 1]: the power that the softest `share` of the moments has.

    Args:
        power: [B, bins, frames].
    """
    smooth = torch.nn.functional.avg_pool1d(power, SMOOTH, 1, SMOOTH // 2, count_include_pad=False)
    return smooth.quantile(share, 2, keepdim=True).clamp_min(TINY)


@torch.no_grad()
def subtraction(
    waves: Tensor, size: int, share: float, over: float, least: float, known: Tensor | None = None
) -> Tensor:
    """Spectral subtraction: the noise's power is taken from that of each moment.

    Source: Boll 1979; Berouti et al. 1979.

    Args:
        waves: noisy ones, float [B, n].
        size: samples of the window.
        share: of the moments, the softest, whose power is the noise's.
        over: how many times the noise is taken away.
        least: the least gain.
        known: the noise itself, float [B, n], where the method is told it; its mean spectrum is then used.
    """
    parts = network.spectra(waves, size)
    power = network.magnitudes(parts).square()
    noise = _mean_power(known, size) if known is not None else noise_in(power, share)
    gains = (1 - over * noise / power.clamp_min(TINY)).clamp_min(0).sqrt().clamp_min(least)
    return network.waves_of(parts * gains.repeat(1, 2, 1), size, waves.shape[1])


@torch.no_grad()
def wiener(waves: Tensor, size: int, share: float, over: float, memory: float, known: Tensor | None = None) -> Tensor:
    """The Wiener gain, with an SNR that follows the last moment's result. Source: Scalart and Filho 1996, after
    Ephraim and Malah 1984 ("decision-directed").

    Args:
        waves, size, share, over, known: as for `subtraction`.
        memory: weight of the last moment's result, 0 to 1.
    """
    parts = network.spectra(waves, size)
    power = network.magnitudes(parts).square()
    noise = (_mean_power(known, size) if known is not None else noise_in(power, share)) * over
    risen = (power / noise.clamp_min(TINY)).clamp_max(RISEN)
    before, gains = torch.zeros_like(risen[:, :, 0]), []
    for now in risen.unbind(2):
        ratio = memory * before + (1 - memory) * (now - 1).clamp_min(0)
        gains.append((ratio / (1 + ratio)).clamp_min(0.03))
        before = gains[-1].square() * now
    return network.waves_of(parts * torch.stack(gains, 2).repeat(1, 2, 1), size, waves.shape[1])


def _mean_power(noise: Tensor, size: int) -> Tensor:
    return network.magnitudes(network.spectra(noise, size)).square().mean(2, keepdim=True)


class Setting(NamedTuple):
    """A method with its settings: `apply` takes noisy waves [B, n], the window's samples and, if it may, the noise.

    `told`: its name where it is given the noise.
    """

    name: str
    told: str
    apply: Callable[..., Tensor]


SHARES, OVER = (0.05, 0.1, 0.2, 0.35), (1.0, 1.5, 2.5, 4.0)

# Settings of each method around the best ones; the best result counts.
METHODS: dict[str, list[Setting]] = {
    "spectral subtraction": [
        Setting(
            f"spectral subtraction, softest {s:.0%}, {o:g} times, at least {f:g}",
            f"spectral subtraction, given the noise, {o:g} times, at least {f:g}",
            partial(subtraction, share=s, over=o, least=f),
        )
        for s, o, f in product(SHARES, OVER, (0.03, 0.1))
    ],
    "Wiener": [
        Setting(
            f"Wiener, softest {s:.0%}, {o:g} times, memory {m:g}",
            f"Wiener, given the noise, {o:g} times, memory {m:g}",
            partial(wiener, share=s, over=o, memory=m),
        )
        for s, o, m in product(SHARES, OVER, (0.9, 0.98))
    ],
}
