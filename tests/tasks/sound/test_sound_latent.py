"""Walks, inversion and spoken texts of sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_sounds
import torch
from command import ganvas
from PIL import Image

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.sounds import decode, files, joins
from ganvas.sounds.sheets import HIGH, WIDE
from ganvas.tasks.sound.latent import invert as inversion
from ganvas.tasks.sound.latent import write as speech
from ganvas.tasks.sound.model import SoundModel

RATE = small_sounds.SPEC.rate
NAMES = ("one", "two", "kick")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SoundModel:
    return small_sounds.model(tmp_path_factory.mktemp("sounds"), *NAMES)


@pytest.fixture(scope="module")
def place(model: SoundModel) -> str:
    return str(model.path)


def test_sounds_one_after_another_keep_their_places() -> None:
    click = np.full(100, 0.5, np.float32)
    assert joins.beat([click, click[:50]], RATE) == pytest.approx(100 / RATE + joins.PAUSE)
    beat = joins.in_beat([click, click[:0], click], RATE, 0.1)
    assert len(beat) == 2 * 400 + 100
    assert np.flatnonzero(beat).tolist() == [*range(100), *range(800, 900)]
    both = joins.in_beat([click, click, click], RATE, 0.0125)  # each begins in the middle of the one before
    assert both.max() == pytest.approx(0.9)
    assert both[0] == pytest.approx(0.45)
    paused = joins.with_pauses([click, click, 0.05, click], RATE, 0.025)
    assert np.flatnonzero(paused).tolist() == [*range(100), *range(200, 300), *range(500, 600)]
    assert len(joins.in_beat([], RATE, 1)) == len(joins.with_pauses([], RATE, 1)) == 0


def test_a_bare_sound_has_no_silence_around_it() -> None:
    wave = np.zeros(RATE, np.float32)
    wave[1_000:1_800] = np.sin(np.arange(800))
    bare = joins.bare(wave, RATE)
    assert 800 <= len(bare) <= 800 + 0.06 * RATE
    assert np.abs(bare).max() == pytest.approx(0.9, abs=1e-3)
    assert bare[0] == bare[-1] == 0
    assert len(joins.bare(wave * 0, RATE)) == 0


# -------------------- walks


def test_a_walk_passes_through_its_seeds_and_classes(model: SoundModel) -> None:
    waves = list(model.walk([3, 5, 9], steps=3))
    assert len(waves) == 7
    assert len(list(model.walk([3, 5, 9], steps=3, loop=True))) == 9
    for step, seed, kind in ((0, 3, 0), (3, 5, 1), (6, 9, 2)):
        torch.testing.assert_close(waves[step], model.sample(1, kind, seed)[0], atol=1e-3, rtol=0)
    one = list(model.walk([3, 5], ["kick"], steps=1))
    torch.testing.assert_close(one[1], model.sample(1, "kick", 5)[0], atol=1e-3, rtol=0)


def test_a_walk_takes_small_steps(model: SoundModel) -> None:
    shown = model.spec.codec.encode(torch.stack(list(model.walk([3, 4], ["one", "two"], steps=10))))
    steps = (shown[1:] - shown[:-1]).abs().flatten(1).mean(1)
    assert steps.max() < 0.5 * (shown[-1] - shown[0]).abs().mean()


def test_walks_that_go_nowhere(model: SoundModel) -> None:
    with pytest.raises(UserError, match="at least two sounds"):
        model.walk([3])
    with pytest.raises(UserError, match="at least two sounds"):
        model.walk([], ["one", "two"])
    with pytest.raises(UserError, match="at least 1"):
        model.walk([3, 4], steps=0)
    with pytest.raises(UserError, match="no class"):
        model.walk([3, 4], ["seven"])
    with pytest.raises(UserError, match="above 0"):
        model.walk([3, 4], truncation=0)


def test_the_command_walks(place: str, tmp_path: Path) -> None:
    done = ganvas("walk", place, "--seeds", "0-2", "--steps", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Drew 5 sounds" in done.stdout
    again = ganvas("walk", place, "--seeds", "0-2", "--steps", "2", "--every", "0.5", "--out", "b.flac", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.flac", "b.png", "walk.png", "walk.wav"]
    with Image.open(tmp_path / "walk.png") as sheet:
        assert sheet.size == (2 * WIDE, 3 * HIGH)
    sound = decode.read((tmp_path / "b.flac").read_bytes())
    assert sound.rate == RATE
    assert 4 * 0.5 * RATE < len(sound.wave) <= 4 * 0.5 * RATE + small_sounds.SPEC.samples
    ganvas("walk", place, "--seeds", "0-2", "--steps", "2", cwd=tmp_path)
    assert (tmp_path / "walk-2.wav").read_bytes() == (tmp_path / "walk.wav").read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("walk", "--frames", "3"), "say --steps NUMBER"),
        (("walk", "--rate", "3"), "say --every SECONDS"),
        (("walk", "--every", "0"), "--every 0: from 0.01 to 10 seconds"),
        (("walk", "--steps", "1000"), "4,000 sounds: 500 at most"),
        (("walk", "--out", "x.webp"), "sounds are written as .wav"),
        (("invert",), "Name one recording or more"),
        (("invert", "none.wav"), "There is no file or folder none.wav"),
        (("write", "seven"), "This model cannot write 's'"),
        (("write", "one", "--out", "x.png"), "sounds are written as .wav"),
    ],
)
def test_commands_that_are_refused(words: tuple[str, ...], sentence: str, place: str, tmp_path: Path) -> None:
    done = ganvas(words[0], place, *words[1:], cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_the_sheet_is_not_overwritten_either(place: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("mine")
    done = ganvas("walk", place, "--out", "x.wav", cwd=tmp_path)
    assert done.returncode == 2
    assert "x.png" in done.stderr
    assert (tmp_path / "x.png").read_text() == "mine"


# -------------------- inversion


def test_the_distance_is_in_decibels_of_what_is_heard() -> None:
    wanted = torch.full((1, 1, 4, 4), -0.9)
    wanted[..., 0] = 0.5
    drawn = wanted.clone()
    drawn[..., 0] -= 5 / inversion.DECIBELS
    assert float(inversion.decibels(drawn, wanted)) == pytest.approx(5)
    drawn[..., 1:] = -1  # as the wanted -0.9, it is more than 60 dB below the loudest: neither is heard
    assert float(inversion.decibels(drawn, wanted)) == pytest.approx(5)
    drawn[..., 1] = 0.5 - 50 / inversion.DECIBELS  # 10 dB above that
    assert float(inversion.decibels(drawn, wanted)) == pytest.approx((25 / 2 + 100 / 2) ** 0.5)
    assert float(inversion.decibels(wanted, wanted)) == 0
    assert float(inversion.error(wanted, wanted)) == 0
    deaf = wanted.clone().requires_grad_(True)
    louder = torch.full_like(wanted, 0.4)
    inversion.error(deaf, louder).sum().backward()
    assert deaf.grad is not None
    assert (deaf.grad[..., 1:] < 0).all()  # what is too soft to be heard still learns to be louder


def test_inversion_comes_nearer(model: SoundModel) -> None:
    waves = model.sample(3, classes=[0, 1, 2], seed=50)
    start, found = (model.invert(waves, [0, 1, 2], steps=steps) for steps in (0, 60))
    assert (found.distance < start.distance).all()
    assert (found.distance < 0.9 * found.usual).all()
    torch.testing.assert_close(model.pictures(found.latents, found.labels), found.pictures, atol=1e-4, rtol=0)
    assert found.waves.shape == waves.shape
    assert float(found.waves.abs().max()) == pytest.approx(0.9)
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 2]


def test_what_cannot_be_inverted(model: SoundModel) -> None:
    waves = model.sample(2)
    with pytest.raises(UserError, match=r"shape \[2, 100\]; \[n, 2048\] is needed"):
        model.invert(waves[:, :100])
    with pytest.raises(UserError, match="no class"):
        model.invert(waves, "seven")
    waves[0, 0] = float("nan")
    with pytest.raises(UserError, match="not numbers"):
        model.invert(waves)


def test_the_command_inverts(model: SoundModel, place: str, tmp_path: Path) -> None:
    files.save(tmp_path / "mine.wav", model.sample(1, seed=50)[0].numpy(), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    done = ganvas("invert", place, "mine.wav", "broken.wav", "--class", "two", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "broken.wav" in done.stderr
    assert "mine.wav: the nearest sound of class two is" in done.stdout
    assert "dB away" in done.stdout
    with Image.open(tmp_path / "inverted.png") as sheet:
        assert sheet.size == (2 * WIDE, HIGH)
    sound = decode.read((tmp_path / "inverted.wav").read_bytes())
    assert len(sound.wave) > 0.25 * RATE + small_sounds.SPEC.samples / 2


def test_a_walk_between_recordings(model: SoundModel, place: str, tmp_path: Path) -> None:
    for seed in (50, 51):
        files.save(tmp_path / f"{seed}.wav", model.sample(1, seed=seed)[0].numpy(), RATE)
    done = ganvas("walk", place, "50.wav", "51.wav", "--steps", "2", "--out", "w.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Drew 3 sounds" in done.stdout


# -------------------- texts


def test_a_text_has_its_sounds_in_order(model: SoundModel) -> None:
    numbers = [seeds.key(0, "write", i) for i in range(3)]
    drawn = [joins.bare(w.numpy(), RATE) for w in model.draw_waves(numbers, ["two", "one", "kick"])]
    wave = model.write("2one kick").numpy()
    assert len(wave) == sum(map(len, drawn)) + round(speech.GAP * RATE) + round(speech.PAUSES[" "] * RATE)
    np.testing.assert_allclose(wave[: len(drawn[0])], drawn[0], atol=1e-3)
    np.testing.assert_allclose(wave[-len(drawn[2]) :], drawn[2], atol=1e-3)
    assert not np.array_equal(drawn[0], joins.bare(model.write("two", seed=1).numpy(), RATE))


def test_names_and_digits_in_a_text(model: SoundModel) -> None:
    assert [tuple(part) for part in model.parts("12, kick")] == [
        ("one", True),
        ("two", True),
        (",", False),
        (" ", False),
        ("kick", True),
    ]
    with pytest.raises(UserError, match="cannot write '3'"):
        model.parts("123")
    with pytest.raises(UserError, match="nothing to write in ' - '"):
        model.write(" - ")
    with pytest.raises(UserError, match="501 sounds: 500 at most"):
        model.write("1" * 501)


def test_a_silent_sound_is_not_left_out_of_a_text(tmp_path: Path) -> None:
    silent = small_sounds.model(tmp_path, "one")
    silent.generator.load_state_dict({k: v * 0 - 3.0 * (k == "mean") for k, v in silent.generator.state_dict().items()})
    with pytest.raises(UserError, match="drawn for one is silent"):
        silent.write("1")


def test_the_command_speaks(place: str, tmp_path: Path) -> None:
    for form in ("wav", "ogg"):
        done = ganvas("write", place, "12 kick", "--out", f"x.{form}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Spoke '12 kick'" in done.stdout
    assert decode.read((tmp_path / "x.wav").read_bytes()).rate == RATE


def test_without_classes(tmp_path: Path) -> None:
    bare = small_sounds.model(tmp_path)
    assert len(list(bare.walk([1, 2], steps=2))) == 3
    assert bare.invert(bare.sample(1), steps=4).labels is None
    with pytest.raises(UserError, match="trained without labels"):
        bare.write("1")
