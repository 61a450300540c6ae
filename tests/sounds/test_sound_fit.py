"""The rule that every sound is brought to."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
import soundfile

from ganvas.sounds import fit
from ganvas.sounds.decode import read
from ganvas.sounds.fit import Silent, fitted, trimmed

RATE = 8_000


def tone(seconds: float, rate: int = RATE, hertz: float = 440, size: float = 0.5) -> np.ndarray:
    return (size * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.zeros(round(seconds * rate), np.float32)


def slow_trim(wave: np.ndarray, rate: int) -> tuple[int, int]:
    """The same rule with a loop: the first and the last sample that are kept."""
    half = rate // 100
    wave = (wave - wave.mean()).astype(np.float64)
    parts = [wave[max(0, i - half) : i + half + 1] for i in range(len(wave))]
    power = np.array([((part - part.mean()) ** 2).sum() for part in parts])
    loud = np.flatnonzero(power > power.max() * 1e-4)
    return max(0, loud[0] - round(rate * 0.01)), min(len(wave), loud[-1] + round(rate * 0.02))


def test_silence_around_a_sound_is_cut_off() -> None:
    wave = np.concatenate([silence(0.5), tone(0.3), silence(0.2), tone(0.1, size=0.1), silence(1)])
    start, end = slow_trim(wave, RATE)
    kept = trimmed(wave, RATE)
    np.testing.assert_allclose(kept, wave[start:end] - wave[start:end].mean(), atol=1e-6)
    assert 0.6 < len(kept) / RATE < 0.6 + 0.06


def test_soft_noise_is_silence_and_forty_decibels_are_the_border() -> None:
    noise = np.random.default_rng(0).normal(0, 1, RATE).astype(np.float32)
    loud = tone(0.2, size=1)
    assert len(trimmed(np.concatenate([noise * 0.001, loud, noise * 0.001]), RATE)) < 0.3 * RATE
    assert len(trimmed(np.concatenate([noise * 0.02, loud, noise * 0.02]), RATE)) > 2 * RATE


def test_a_constant_is_removed() -> None:
    wave = tone(0.5)
    np.testing.assert_allclose(trimmed(wave + 0.3, RATE), trimmed(wave, RATE), atol=1e-6)


def test_an_offset_in_a_part_of_a_file_is_no_sound() -> None:
    """Zeros around a recording with an offset: without their mean they are an offset themselves."""
    wave = np.concatenate([silence(1), tone(0.3) + 0.05, silence(1)])
    kept = trimmed(wave, RATE)
    assert 0.3 < len(kept) / RATE < 0.37
    assert abs(kept.mean()) < 1e-6


@pytest.mark.parametrize("size", [0.001, 1.0, 30.0])
def test_shape_peak_and_padding(size: float) -> None:
    out = fitted(np.concatenate([silence(0.2), tone(0.5, size=size)]), RATE, RATE, 8_192)
    assert out.dtype == np.int16
    assert out.shape == (8_192,)
    assert abs(int(np.abs(out).max()) - round(0.9 * 32_767)) <= 1
    assert out[0] == 0
    assert not out[int(0.55 * RATE) :].any()


def test_a_long_sound_is_cut_and_faded() -> None:
    out = fitted(tone(3), RATE, RATE, 8_192).astype(np.float64) / 32_767
    assert out[-1] == pytest.approx(0, abs=0.02)
    assert np.abs(out[-20:]).max() < 0.3  # the last 2.5 ms of 10 ms
    assert np.abs(out[:5]).max() < 0.3
    assert np.abs(out[25:-85]).max() == pytest.approx(0.9, abs=0.01)


def test_no_click_at_either_end() -> None:
    wave = np.concatenate([silence(0.1), np.full(800, 0.5, np.float32), -np.full(800, 0.5, np.float32), silence(0.1)])
    out = fitted(wave, RATE, RATE, 4_096).astype(np.float64) / 32_767
    ends = np.abs(np.diff(np.concatenate([[0.0], out, [0.0]])))
    assert ends[:15].max() < 0.1
    assert ends[-100:].max() < 0.1


def test_the_same_sound_at_another_rate_is_the_same() -> None:
    low = fitted(np.concatenate([silence(0.1), tone(0.5), silence(0.1)]), RATE, RATE, 8_192)
    for rate in (11_025, 44_100):
        wave = np.concatenate([silence(0.1, rate), tone(0.5, rate), silence(0.1, rate)])
        other = fitted(wave, rate, RATE, 8_192)
        best = max(np.corrcoef(low[100:4_000], other[100 + k : 4_000 + k])[0, 1] for k in range(-20, 21))
        assert best > 0.99


def test_what_is_above_half_the_rate_does_not_count() -> None:
    wave = np.concatenate([tone(0.5, 44_100, 15_000), tone(0.2, 44_100, 440), tone(0.5, 44_100, 15_000)])
    assert np.count_nonzero(fitted(wave, 44_100, RATE, 8_192)) < 0.25 * RATE


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(100), np.full(100, 0.7), tone(0.5, size=3e-4)])
def test_silent_sounds(wave: np.ndarray) -> None:
    with pytest.raises(Silent, match=r"^it "):
        fitted(wave.astype(np.float32), RATE, RATE, 8_192)
    assert fitted(tone(0.5, size=4e-4), RATE, RATE, 8_192).any()


def test_silent_at_this_rate() -> None:
    with pytest.raises(Silent):
        fitted(tone(0.5, 44_100, 15_000) * np.hanning(22_050).astype(np.float32), 44_100, RATE, 8_192)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 20, 100])
@pytest.mark.parametrize("rate", [1_000, 8_000, 384_000])
def test_tiny_sounds_are_right_or_silent(count: int, rate: int) -> None:
    wave = np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)
    try:
        out = fitted(wave, rate, RATE, 1_024)
    except Silent:
        return
    assert out.shape == (1_024,)
    assert np.abs(out).max() == 29_490


def test_the_wave_that_was_given_is_not_changed() -> None:
    wave = tone(0.5) + 0.1
    before = wave.copy()
    fitted(wave, RATE, RATE, 2_048)
    prepared = fit.prepared(wave, RATE, RATE)
    kept = prepared.copy()
    fit.placed(prepared, RATE, 2_048)
    np.testing.assert_array_equal(wave, before)
    np.testing.assert_array_equal(prepared, kept)


def test_a_thousand_files_a_second() -> None:
    out = io.BytesIO()
    soundfile.write(out, tone(0.5), RATE, format="WAV", subtype="PCM_16")
    data = out.getvalue()
    fitted(read(data).wave, RATE, RATE, 8_192)
    start = time.process_time()
    for _ in range(500):
        fitted(read(data).wave, RATE, RATE, 8_192)
    assert time.process_time() - start < 0.5
