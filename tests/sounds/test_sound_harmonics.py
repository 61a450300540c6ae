"""The harmonics of a sound, apart from the rest of its spectrum."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.sounds import augment
from ganvas.sounds.harmonics import KNOTS, LOWEST, OCTAVES, Harmonics
from ganvas.sounds.spec import SoundSpec

SPEC = SoundSpec.of(16_000, 8_000)
HARMONICS = Harmonics(SPEC)


def voiced(low: float, high: float) -> Tensor:
    """A wave [1, samples] with harmonics whose pitch goes from `low` to `high` Hz."""
    hertz = torch.linspace(low, high, SPEC.samples, dtype=torch.float64)
    phase = 2 * math.pi * (hertz / SPEC.rate).cumsum(0)
    return sum((0.3 / i * torch.sin(i * phase) for i in range(1, 15)), torch.zeros(SPEC.samples))[None].float()


def parted(waves: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The bands without harmonics, the pitch in Hz and the depth."""
    rest, pitch, depth = HARMONICS.part(SPEC.codec.encode(waves))[:, 0].split([SPEC.bands, 1, KNOTS], 1)
    return rest, LOWEST * 2 ** ((pitch[:, 0] + 1) / 2 * OCTAVES), depth


def ripple(pictures: Tensor) -> float:
    """How much the lower half of neighbouring bands differ, mean square."""
    return float(pictures[:, : SPEC.bands // 2].diff(dim=1).square().mean())


@pytest.mark.parametrize(("low", "high"), [(90.0, 90.0), (120.0, 160.0), (260.0, 220.0), (400.0, 400.0)])
def test_the_pitch_is_found_and_its_harmonics_are_taken_out(low: float, high: float) -> None:
    wave = voiced(low, high)
    rest, hertz, depth = parted(wave)
    wanted = torch.linspace(low, high, SPEC.frames)
    assert float((hertz[0] / wanted).log2().abs()[2:-2].max()) < 0.5 / 12  # half a semitone
    assert float(depth[0, 0].median()) > -0.5
    assert ripple(rest) < 0.4 * ripple(SPEC.codec.encode(wave)[:, 0])


def test_noise_has_no_harmonics_to_speak_of_and_silence_none() -> None:
    noise = 0.1 * torch.randn(1, SPEC.samples, generator=torch.Generator().manual_seed(0))
    assert float(parted(noise)[2].mean()) < float(parted(voiced(120, 160))[2][:, :3].mean()) - 0.4
    rest, _, depth = parted(torch.zeros(1, SPEC.samples))
    assert torch.equal(depth, -torch.ones_like(depth))
    assert torch.equal(rest, -torch.ones_like(rest))


@pytest.mark.parametrize("kind", ["voiced", "noise", "click"])
def test_nothing_is_lost_whatever_the_sound(kind: str) -> None:
    waves = {
        "voiced": voiced(110, 150),
        "noise": torch.randn(1, SPEC.samples, generator=torch.Generator().manual_seed(0)).clamp(-1, 1),
        "click": torch.nn.functional.pad(torch.ones(1, 1), (SPEC.samples // 2, SPEC.samples // 2 - 1)),
    }
    pictures = SPEC.codec.encode(waves[kind])
    again = HARMONICS.join(HARMONICS.part(pictures))
    assert again.shape == pictures.shape
    assert float((again - pictures).abs().mean()) < 2e-3
    assert float((again - pictures).abs()[pictures > -0.4].max()) < 1e-4  # what is within 63 dB of the full scale


def test_another_pitch_moves_the_harmonics_and_has_a_gradient() -> None:
    rows = HARMONICS.part(SPEC.codec.encode(voiced(120, 120)))
    rows[:, :, SPEC.bands] += 2 / OCTAVES / 12 * 4  # four semitones
    moved = HARMONICS.join(rows.requires_grad_())
    middle = slice(SPEC.frames // 4, -SPEC.frames // 4)
    hertz = LOWEST * 2 ** ((HARMONICS.part(moved.detach())[0, 0, SPEC.bands, middle] + 1) / 2 * OCTAVES)
    assert float((hertz / (120 * 2 ** (4 / 12))).log2().abs().max()) < 0.5 / 12
    moved[..., middle].square().sum().backward()
    assert rows.grad is not None
    assert float(rows.grad[:, :, SPEC.bands, middle].abs().min()) > 0


def test_pitches_of_soft_moments_are_carried_on() -> None:
    wave = voiced(150, 150)
    wave[:, SPEC.samples // 2 :] = 0
    hertz = parted(wave)[1][0]
    assert float((hertz / 150).log2().abs()[2:].max()) < 3 / 12


def test_disturbances_leave_pitch_and_depth_but_for_the_shift() -> None:
    rows = HARMONICS.part(SPEC.codec.encode(voiced(120, 160)))
    chance = torch.full((1, augment.CHANCES), 0.99)
    chance[:, 3] = 0.5  # no shift
    changed = augment.disturb(rows, 1.0, chance, SPEC.bands)
    assert torch.equal(changed[:, :, SPEC.bands :], rows[:, :, SPEC.bands :])
    assert not torch.allclose(changed[:, :, : SPEC.bands], rows[:, :, : SPEC.bands])
    chance[:, 3] = 0.99
    shifted = augment.disturb(rows, 1.0, chance, SPEC.bands)
    assert float(shifted[0, 0, SPEC.bands, 0]) == float(rows[0, 0, SPEC.bands, 0])
    assert float(shifted[0, 0, SPEC.bands, -1]) < float(rows[0, 0, SPEC.bands, -1])
