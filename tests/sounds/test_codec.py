"""Waves to spectrograms and back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.sounds import codec, fit
from ganvas.sounds.spec import RATES, SoundSpec


def tone(spec: SoundSpec, hertz: float, level: float = 0.5) -> Tensor:
    return level * torch.sin(2 * math.pi * hertz * torch.arange(spec.samples) / spec.rate)


def loudest(wave: Tensor, spec: SoundSpec) -> float:
    """The frequency of the strongest part of the middle of a wave."""
    middle = wave[spec.samples // 4 : 3 * spec.samples // 4]
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs()
    return float(spectrum.argmax()) * spec.rate / len(middle)


@pytest.fixture(scope="module")
def spec() -> SoundSpec:
    return SoundSpec.of(8_000, 6_000)


def test_a_spectrogram_has_the_shape_and_the_range_that_the_spec_says(spec: SoundSpec) -> None:
    pictures = spec.codec.encode(torch.randn(3, spec.samples).clamp(-1, 1))
    assert pictures.shape == spec.zeros(3).shape
    assert float(pictures.min()) >= -1
    assert float(pictures.max()) <= 1


def test_silence_is_the_floor_and_decodes_to_nothing(spec: SoundSpec) -> None:
    pictures = spec.codec.encode(torch.zeros(1, spec.samples))
    assert torch.equal(pictures, -torch.ones_like(pictures))
    assert float(spec.codec.decode(pictures).abs().max()) < 1e-5


def test_spectra_are_undone_by_waves(spec: SoundSpec) -> None:
    waves = torch.randn(2, spec.samples)
    assert torch.allclose(spec.codec.waves(spec.codec.spectra(waves)), waves, atol=1e-5)


@pytest.mark.parametrize("hertz", [110.0, 440.0, 1_500.0])
def test_a_tone_keeps_its_pitch_and_its_level(spec: SoundSpec, hertz: float) -> None:
    wave = spec.codec.decode(spec.codec.encode(tone(spec, hertz)[None]))[0]
    assert loudest(wave, spec) == pytest.approx(hertz, abs=spec.rate / spec.window / 2)
    middle = wave[spec.samples // 4 : 3 * spec.samples // 4]
    assert 20 * math.log10(float(middle.square().mean().sqrt()) / (0.5 / math.sqrt(2))) == pytest.approx(0, abs=1)


def test_what_is_decoded_has_the_spectrogram_that_was_asked_for(spec: SoundSpec) -> None:
    harmonics = sum((tone(spec, 140.0 * i, 0.3 / i) for i in range(1, 12)), torch.zeros(spec.samples))
    wave = harmonics * torch.linspace(0, 1, spec.samples).sqrt()
    pictures = spec.codec.encode(wave[None])
    again = spec.codec.encode(spec.codec.decode(pictures))
    loud = pictures > 0  # within 45 dB of the full scale
    assert float((again - pictures)[loud].abs().mean()) * -codec.FLOOR / 2 < 1.5  # dB


def test_a_sound_is_the_same_alone_and_among_others(spec: SoundSpec) -> None:
    pictures = spec.codec.encode(torch.stack([tone(spec, f) for f in (200.0, 330.0, 700.0)]))
    together, alone = spec.codec.decode(pictures), spec.codec.decode(pictures[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-3)


def test_every_band_hears_something_and_weighs_one() -> None:
    for rate, size, bands in ((8_000, 448, 96), (48_000, 2_560, 256), (4_000, 64, 16)):
        bank = codec.mel_bank(rate, size, bands)
        assert bank.shape == (bands, size // 2 + 1)
        assert torch.allclose(bank.sum(1), torch.ones(bands))


def test_drawn_sounds_are_as_loud_as_real_ones_and_silence_stays_silent() -> None:
    waves = torch.stack([torch.full((100,), 0.2), torch.zeros(100), torch.full((100,), 1.0)])
    assert codec.levelled(waves).abs().amax(1).tolist() == pytest.approx([codec.PEAK, 0, codec.PEAK])


def test_what_is_decoded_begins_and_ends_as_the_rule_for_sounds_has_it(spec: SoundSpec) -> None:
    word = torch.zeros(1, spec.samples)
    word[:, : spec.samples // 2] = tone(spec, 330.0)[: spec.samples // 2]
    fitted = torch.from_numpy(fit.fitted(word[0].numpy(), spec.rate, spec.rate, spec.samples)).float()[None] / fit.FULL
    again = spec.codec.sounds(spec.codec.encode(fitted))
    end, ends = (int(x[0].nonzero().max()) for x in (fitted, again))
    assert abs(ends - end) <= 0.02 * spec.rate
    assert int(spec.codec.decode(spec.codec.encode(fitted))[0].nonzero().max()) > end + 0.02 * spec.rate  # without it


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_the_usual_shape_fits_every_rate(rate: int) -> None:
    spec = SoundSpec.of(rate, rate // 2)
    assert SoundSpec.from_dict(spec.to_dict()) == spec
    assert spec.samples >= rate // 2
    assert spec.frames % 8 == spec.bands % 16 == 0
    assert spec.window / rate == pytest.approx(0.056, rel=0.15)
    assert RATES[0] <= rate <= RATES[1]


def test_a_shape_of_broken_windows_is_refused() -> None:
    with pytest.raises(UserError, match="whole windows"):
        SoundSpec.from_dict({"rate": 8_000, "samples": 6_001, "window": 448, "bands": 96, "classes": 0})
