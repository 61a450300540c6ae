"""The parts of the figures of sounds, on tones and bursts of noise whose figures are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.core.progress import last
from ganvas.sounds import pitch as pitches
from ganvas.tasks.sound.evaluate import classifier, faults, nearness
from ganvas.tasks.sound.evaluate.mel import Mel, bank, envelope
from ganvas.tasks.sound.evaluate.timbre import NUMBERS, timbre

RATE, SAMPLES = 8_000, 4_096


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(hertz: float, samples: int = SAMPLES, rate: int = RATE, harmonics: int = 5) -> Tensor:
    """A tone with harmonics, [1, samples], peak 0.9."""
    t = torch.arange(samples) / rate
    wave = sum(torch.sin(math.tau * hertz * k * t + k * k) / k for k in range(1, harmonics + 1))
    assert isinstance(wave, Tensor)
    return 0.9 * (wave / wave.abs().max())[None]


def word(hertz: float = 120.0, start: int = 0, length: int = 2_400, samples: int = SAMPLES) -> Tensor:
    """A tone that swells and fades, and silence after it, [1, samples]."""
    out = torch.zeros(1, samples)
    out[:, start : start + length] = tone(hertz, length) * torch.hann_window(length)
    return out


def noise(count: int, level: float, samples: int = SAMPLES, seed: int = 0) -> Tensor:
    return level * torch.randn(count, samples, generator=random(seed))


def test_mel_bands_are_at_their_frequency_and_level() -> None:
    mel = Mel(RATE, 40, 0.016)
    filters = bank(RATE, mel.window, 40)
    torch.testing.assert_close(filters.sum(1), torch.ones(40))
    for hertz in (300.0, 1_000.0, 2_500.0):
        t = torch.arange(SAMPLES) / RATE
        picture = mel(torch.sin(math.tau * hertz * t)[None])[0, :, 10]
        at = int(hertz / RATE * mel.window + 0.5)
        assert picture.argmax() == filters[:, at].argmax()
        assert -20 < picture.max() < 1
    assert float(mel(torch.zeros(1, SAMPLES)).max()) == -100


def test_int16_and_float_give_the_same_picture() -> None:
    wave = (word() * 32_767).round().to(torch.int16)
    torch.testing.assert_close(Mel(RATE, 40, 0.016)(wave), Mel(RATE, 40, 0.016)(wave.float() / 32_767))


def test_envelope_is_the_level_of_pieces() -> None:
    assert envelope(torch.full((1, 330), 0.5), RATE).shape == (1, 3)
    torch.testing.assert_close(envelope(torch.full((1, 320), 0.5), RATE), torch.full((1, 2), 0.5))


@pytest.mark.parametrize("hertz", [82.0, 120.0, 233.1, 390.0])
def test_a_tone_has_its_pitch(hertz: float) -> None:
    found = pitches.pitch(tone(hertz), RATE)
    assert bool(found.clear.all())
    assert float(found.of_sounds) == pytest.approx(hertz, rel=0.005)


@pytest.mark.parametrize("hertz", [55.0, 440.0, 1_760.0, 2_093.0])
def test_notes_have_a_wider_span(hertz: float) -> None:
    found = pitches.pitch(tone(hertz, 8_192, 16_000, 3), 16_000, pitches.NOTES)
    assert float(found.of_sounds) == pytest.approx(hertz, rel=0.01)


def test_the_span_follows_the_sounds() -> None:
    def tones(*hertz: float) -> torch.Tensor:
        return torch.cat([tone(x, 4_096, 16_000) for x in hertz])

    voices = tones(80, 110, 150, 200, 240, 280, 310, 350, 380)
    assert pitches.span_of(voices, 16_000) == pitches.VOICE
    assert pitches.span_of(torch.cat([voices, tones(900)]), 16_000) == pitches.VOICE  # a tenth: a mistake
    assert pitches.span_of(torch.cat([voices, tones(900, 60)]), 16_000) == pitches.NOTES
    assert pitches.span_of(noise(8, 0.2), RATE) == pitches.VOICE


def test_noise_and_silence_have_no_pitch() -> None:
    waves = torch.cat([noise(4, 0.2), torch.zeros(1, SAMPLES)])
    found = pitches.pitch(waves, RATE)
    assert float(found.share.max()) < 0.05
    assert not found.active[-1].any()
    assert bool(found.of_sounds[-1].isnan())
    assert math.isnan(pitches.apart(pitches.pitch(waves[-1:], RATE), found))


def test_pitches_an_octave_apart_are_twelve_semitones_apart() -> None:
    low, high = pitches.pitch(tone(110), RATE), pitches.pitch(tone(220), RATE)
    assert pitches.apart(low, high) == pytest.approx(12, abs=0.1)
    assert pitches.apart(low, low) == 0


def test_silence_is_found() -> None:
    waves = torch.cat([torch.zeros(1, SAMPLES), noise(1, 1e-4), word()])
    assert faults.silent(waves, RATE).tolist() == [True, True, False]
    assert not faults.hum(waves, RATE)[0]
    assert not faults.clipped(waves).any()


def test_a_hum_or_a_hiss_goes_on_throughout() -> None:
    hum, hiss = 0.02 * tone(1_000, harmonics=1), noise(1, 0.05)
    waves = torch.cat([word(), word() + hum, word() + hiss, hum, noise(1, 0.2)])
    assert faults.hum(waves, RATE).tolist() == [False, True, True, True, True]


def test_clipping_makes_flat_tops() -> None:
    soft = word()
    waves = torch.cat([soft, (3 * soft).clamp(-0.9, 0.9), 2 * soft, tone(60, harmonics=1)])
    assert faults.clipped(waves).tolist() == [False, True, True, False]


def test_a_click_stands_out_of_its_neighbourhood() -> None:
    clicking, beginning, noisy = word(), torch.zeros(1, SAMPLES), noise(1, 0.2)
    clicking[0, 500] += 0.4
    clicking[0, 3_000] += 0.4
    beginning[:, 1_000:1_800] = noise(1, 0.3, 800) * torch.linspace(1, 0, 800)
    in_hiss = noise(1, 0.01)
    in_hiss[0, 2_000] += 0.4  # some ten times the largest jump of the hiss
    waves = torch.cat([word(), clicking, beginning, noisy, in_hiss])
    assert faults.clicks(waves, RATE).tolist() == [0, 2, 0, 0, 1]


def test_the_tail_is_what_follows_the_end() -> None:
    waves = torch.cat([word(), word() + noise(1, 0.0009), tone(100), torch.zeros(1, SAMPLES)])
    levels = faults.tail(waves, RATE)
    peak = 20 * math.log10(float(waves[1].abs().max()))
    assert float(levels[0]) == -120
    assert float(levels[1]) == pytest.approx(20 * math.log10(0.0009) - peak, abs=1)
    assert levels[2:].isnan().all()


def test_timbre_tells_hiss_and_length_but_not_when() -> None:
    waves = torch.cat([word(), word(start=1_000), word() + noise(1, 0.02), word(length=1_200)])
    numbers = timbre(waves, RATE)
    assert numbers.shape == (4, NUMBERS)
    away = (numbers - numbers[0]).norm(dim=1)
    assert away[1] < 0.3 * away[2]
    assert numbers[3, -1] < 0.7 * numbers[0, -1]
    assert bool(timbre(torch.zeros(1, SAMPLES), RATE).isfinite().all())


def test_a_copy_is_near_though_shifted_and_softer() -> None:
    train = torch.cat([word(90 + 10 * i, start=40 * i) for i in range(12)])
    copied = 0.5 * train[7:8].roll(256, 1)
    other = word(333, start=300, length=1_500)
    seen = nearness.pictures(train, RATE)
    found = nearness.nearest(nearness.pictures(torch.cat([copied, other, train[3:4]]), RATE), seen)
    assert found.index[0] == 7
    assert found.index[2] == 3
    assert float(found.distance[2]) < 1e-3
    assert found.distance[0] < 0.3 * found.distance[1]
    assert float(nearness.pictures(torch.zeros(1, SAMPLES), RATE).max()) == 0


def kinds(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Low words, high words and bursts of noise; a third each."""
    source, waves = random(seed), []
    for i in range(count):
        start, pitch = int(torch.randint(900, (), generator=source)), float(torch.rand((), generator=source))
        burst = noise(1, 0.3, seed=seed * 1_000 + i) * torch.hann_window(SAMPLES)
        waves.append((word(90 + 50 * pitch, start), word(250 + 90 * pitch, start), burst)[i % 3])
    return torch.cat(waves), torch.arange(count) % 3


def test_the_classifier_learns_and_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "LEAST_STEPS", 25)
    monkeypatch.setattr(classifier, "ROUNDS", 1)
    waves, labels = kinds(60, 1)
    before = torch.random.get_rng_state()
    networks = [last(classifier.learn(waves, labels, RATE, 3, seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), before)
    features, logits = networks[0].look(kinds(30, 2)[0])
    assert (logits.argmax(1) == kinds(30, 2)[1]).float().mean() > 0.9
    assert features.shape == (30, classifier.FEATURES)
    again, other = (networks[i].look(kinds(30, 2)[0])[1] for i in (1, 2))
    assert torch.equal(logits, again)
    assert not torch.equal(logits, other)


def test_varied_pictures_stay_pictures() -> None:
    pictures = Mel(RATE, 40, 0.016)(kinds(8, 3)[0])
    varied = classifier.vary(pictures, random())
    assert varied.shape == pictures.shape
    assert bool(varied.isfinite().all())
    assert all(not torch.equal(a, b) for a, b in zip(varied, pictures, strict=True))
    assert torch.equal(varied, classifier.vary(pictures, random()))


def test_long_sounds_cost_no_more() -> None:
    network = classifier.Classifier(16_000, 64_000, 3)
    assert network.mel(torch.zeros(1, 64_000)).shape[2] <= classifier.MOST_FRAMES + 1
