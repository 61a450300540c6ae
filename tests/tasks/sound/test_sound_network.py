"""The pair of networks for sounds, and what the discriminator hears."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ganvas.sounds import augment
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound import faults, network
from ganvas.tasks.sound.export import Waves

SMALL = network.Config(latent_dim=8, width=16, d_width=8, features=16)


@pytest.mark.parametrize(
    "spec",
    [
        SoundSpec.of(8_000, 6_000, 10),
        SoundSpec.of(16_000, 64_000),
        SoundSpec.of(44_100, 20_000, 3),
        SoundSpec.of(8_000, 100, 2),
        SoundSpec(8_000, 6_720, 448, 90, 2),  # 60 moments: they cannot be halved down to 8
    ],
)
def test_both_networks_fit_sounds_of_any_length(spec: SoundSpec) -> None:
    generator, discriminator = network.Generator(spec, SMALL), network.Discriminator(spec, SMALL)
    labels = torch.arange(3) % spec.classes if spec.classes else None
    pictures = generator(torch.randn(3, 8), labels).detach()
    assert pictures.shape == spec.zeros(3).shape
    assert float(pictures.min()) >= -1 - 1e-6
    assert float(pictures.max()) <= 1
    assert discriminator(pictures, labels).shape == (3,)


def test_a_generator_begins_near_the_mean_spectrum() -> None:
    spec = SoundSpec.of(8_000, 6_000)
    generator = network.Generator(spec, SMALL)
    generator.mean.copy_(torch.linspace(-0.9, 0.5, len(generator.mean))[:, None])
    drawn = generator.rows(torch.randn(64, 8)).detach().mean((0, 1, 3))
    assert float((drawn - generator.mean[:, 0]).abs().mean()) < 0.2


@pytest.mark.parametrize(("setting", "voiced"), [("auto", True), ("auto", False), ("yes", False), ("no", True)])
def test_harmonics_are_drawn_apart_for_voices_or_where_a_setting_says_so(setting: str, voiced: bool) -> None:
    spec = SoundSpec.of(8_000, 6_000, voiced=voiced)
    config = dataclasses.replace(SMALL, harmonics=setting)
    generator, discriminator = network.Generator(spec, config), network.Discriminator(spec, config)
    rows = generator.rows(torch.randn(2, 8))
    apart = (setting == "yes") or (setting == "auto" and voiced)
    assert rows.shape[2] == (spec.harmonics.rows if apart else spec.bands)
    pictures = generator(torch.randn(2, 8)).detach()
    assert pictures.shape == spec.zeros(2).shape
    assert torch.equal(discriminator(pictures), discriminator(discriminator.apart(pictures)))


def test_between_two_classes_lies_a_mixture_of_both() -> None:
    spec = SoundSpec.of(8_000, 6_000, 2)
    generator, z = network.Generator(spec, SMALL).eval(), torch.randn(1, 8)
    by_number, by_weights = generator(z, torch.tensor([1])), generator(z, torch.tensor([[0.0, 1.0]]))
    assert torch.allclose(by_number, by_weights, atol=1e-5)
    assert not torch.allclose(generator(z, torch.tensor([[0.5, 0.5]])), by_number, atol=1e-3)


def test_disturbed_sounds_keep_their_silence_and_no_chance_changes_nothing() -> None:
    pictures = torch.rand(16, 1, 96, 56) * 2 - 1
    pictures[:, :, :, 40:] = -1
    chance = torch.rand(16, augment.CHANCES)
    assert torch.equal(augment.disturb(pictures, 0.0, chance, 96), pictures)
    changed = augment.disturb(pictures, 1.0, chance, 96)
    assert changed.shape == pictures.shape
    assert not torch.equal(changed, pictures)
    quiet = -torch.ones(16, 1, 96, 56)
    assert torch.equal(augment.disturb(quiet, 1.0, chance, 96), quiet)


def test_a_shift_brings_silence_in() -> None:
    moved = augment.shifted(torch.ones(2, 1, 4, 24), torch.tensor([1.0, -1.0]), 4)
    assert moved[0, 0, 0].tolist() == [-1] * 2 + [1] * 22
    assert moved[1, 0, 0].tolist() == [1] * 22 + [-1] * 2


def test_faults_are_told_apart() -> None:
    spec = SoundSpec.of(8_000, 6_000)
    random = torch.Generator().manual_seed(0)
    noise, time = torch.randn(8, spec.samples, generator=random), torch.arange(spec.samples) / spec.rate
    pitch = torch.linspace(120, 250, 8)[:, None] * (1 + time)
    word = torch.sin(8 * time).clamp_min(0)
    voice = torch.stack([torch.sin(6.28 * i * pitch * time) / i for i in range(1, 9)]).sum(0) * word / 3
    hum = torch.sin(6.28 * 100 * torch.arange(1, 9)[:, None] * time) / 2
    real, hiss, steady = (spec.codec.encode(w) for w in (voice, 0.1 * noise * word, hum))
    assert faults.shares(real, real) == {"silent": 0, "hum": 0, "hiss": 0}
    assert faults.shares(-torch.ones_like(real), real)["silent"] == 1
    assert faults.shares(steady, real)["hum"] == 1
    assert faults.shares(hiss, real)["hiss"] == 1
    assert "are silent" in faults.sentence({"silent": 0.5, "diversity": 1.0})
    assert "one sound for all seeds" in faults.sentence({"diversity": 0.05})
    assert faults.sentence({"silent": 0.0, "hum": 0.0, "hiss": 0.0, "diversity": 0.9}) == ""


def test_the_exported_transforms_are_those_of_the_codec() -> None:
    spec = SoundSpec.of(8_000, 6_000)
    waves, exported = torch.randn(2, spec.samples) / 4, Waves(spec.codec)
    spectra = spec.codec.spectra(waves)
    both = torch.cat([spectra.real, spectra.imag], 1)
    assert torch.allclose(exported.spectra(waves), both, atol=1e-5)
    assert torch.allclose(exported.waves(both), waves, atol=1e-4)
    pictures = spec.codec.encode(waves)
    again = spec.codec.encode(exported(pictures) * waves.abs().amax(1, keepdim=True) / 0.9)
    assert float((again - pictures).abs().mean()) < 0.06
