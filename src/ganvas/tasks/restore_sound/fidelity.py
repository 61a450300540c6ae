"""How near restored sounds are to the clean ones. Float waves [B, n] -> a value for each, [B]."""

from __future__ import annotations

from torch import Tensor

from ganvas.tasks.restore_sound import network

MOST = 60.0  # dB: what is nearer is as good as equal
SOFTEST = -60.0  # dB below the loudest of all spectra of the clean sound: what is softer counts as that
TINY = 1e-12
POWER = 0.3  # of magnitudes, in the loss
WAVES = 0.05  # weight of the waves' error, in tens of dB
LITTLE = 1e-4  # of the loudest moment's power: an error at least as large counts
SOFT = 0.05  # root mean square; training sounds have a peak of 0.9 and are louder, where they are to be heard


def sdr(made: Tensor, clean: Tensor) -> Tensor:
    """The scale-invariant signal-to-distortion ratio in dB, at most MOST: how much stronger than all else the clean
    sound is in it, whatever its loudness. Source: Le Roux et al. 2019, "SDR, half-baked or well done?"
    """
    made, clean = (x.double() - x.double().mean(1, keepdim=True) for x in (made, clean))
    share = (made * clean).sum(1, keepdim=True) / clean.square().sum(1, keepdim=True).clamp_min(TINY)
    wanted, rest = (share * clean).square().sum(1), (made - share * clean).square().sum(1)
    return (10 * ((wanted + TINY) / (rest + TINY)).log10()).clamp_max(MOST).float()


def spectral_distance(made: Tensor, clean: Tensor, size: int) -> Tensor:
    """The log-spectral distance in dB: the root mean square difference of two spectra, mean over the moments at which
    the clean sound is to be heard. Source: Gray and Markel 1976.

    Args:
        size: samples of the window.
    """
    loud = network.loudest(clean, size).clamp_min(network.QUIET)
    levels = [10 * network.magnitudes(network.spectra(x / loud, size)).square().log10() for x in (made, clean)]
    floor = levels[1].amax((1, 2), keepdim=True) + SOFTEST
    heard = levels[1].amax(1) > floor[:, :, 0]
    one, other = (x.maximum(floor) for x in levels)
    apart = (one - other).square().mean(1).sqrt()
    return (apart * heard).sum(1) / heard.sum(1).clamp_min(1)


def loss(made: Tensor, clean: Tensor, size: int) -> Tensor:
    """How far restored waves are from the clean ones: a scalar that counts soft tones nearly as much as loud ones.

    Mean differences of magnitudes, and of spectra with their phases, both of the power 0.3 of the magnitudes, and the
    logarithm of the waves' error relative to the clean wave. A clean sound may be silent: it counts as SOFT at least.
    Source: Braun and Tashev 2020, "Data augmentation and loss normalization for deep noise suppression".
    """
    loud = network.loudest(clean, size).clamp_min(SOFT)
    made, clean = made / loud, clean / loud
    one, other = network.spectra(made, size), network.spectra(clean, size)
    strong, wanted = network.magnitudes(one), network.magnitudes(other)
    magnitude = (strong**POWER - wanted**POWER).abs().mean()
    turned = one * (strong ** (POWER - 1)).repeat(1, 2, 1) - other * (wanted ** (POWER - 1)).repeat(1, 2, 1)
    error, power = ((x.square().mean(1) + LITTLE).log10() for x in (made - clean, clean))
    return 0.7 * magnitude + 0.45 * turned.abs().mean() + WAVES * (error - power).mean()
