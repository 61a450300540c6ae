"""Sounds of a folder or an archive, converted once and drawn from without being loaded."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.core.progress import last
from ganvas.images.data.config import DataConfig as ImageConfig
from ganvas.sounds import fit, pack
from ganvas.sounds.data import DataConfig, SoundData
from ganvas.sounds.decode import read
from ganvas.sources import journal

RATE = 8_000


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tone(number: int, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    """A sound that no other number has."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 + 7 * number) * time)).astype(np.float32)


def encoded(wave: np.ndarray, rate: int = RATE, kind: str = "WAV", coding: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=kind, subtype=coding)
    return out.getvalue()


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tones(folder: Path, count: int = 30, seconds: float = 0.5, names: str = "{:03}.wav") -> Path:
    for i in range(count):
        put(folder, names.format(i), encoded(tone(i, seconds)))
    return folder


def load(source: Path, **settings: object) -> SoundData:
    return last(DataConfig(str(source), **settings).loading())  # pyright: ignore[reportArgumentType]


def count(data: SoundData) -> int:
    return len(data.train.samples) + len(data.held_out.samples)


def note(data: SoundData, word: str) -> str:
    return next(text for text in data.notes if word in text)


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for start, name in enumerate(("10", "9", "zero")):
        for i in range(12):
            put(tmp_path / "s" / name, f"{i:03}.wav", encoded(tone(12 * start + i)))
    data = load(tmp_path / "s")
    assert data.class_names == ("9", "10", "zero")
    assert data.spec.classes == 3
    assert (data.spec.rate, data.spec.window, data.spec.hop, data.spec.bands) == (8_000, 448, 112, 96)
    assert data.spec.samples == 4_480  # 0.5 s, rounded up to 8 hops
    assert isinstance(data.train.samples, Stored)
    assert data.train.samples[:3].dtype == data.train.samples.dtype == torch.int16
    assert count(data) == 36
    assert len(data.held_out.samples) >= 1
    labels = data.train.labels
    assert labels is not None
    assert labels.dtype == torch.int64
    assert {*labels.tolist()} == {0, 1, 2}
    spectra = data.decode(data.train.samples[torch.arange(5)])
    assert spectra.shape == (5, 1, 96, data.spec.frames)
    assert spectra.min() == -1
    assert -0.3 < spectra.max() <= 1
    assert data.facts() == {"sounds": {"mixed_down": 0, "resampled": 0, "cut": 0, "left_out": 0}}
    assert data.notes == ()
    preview = data.examples()
    assert len(preview.pictures) == 24
    assert preview.waves.shape == (3, 4_480)
    unlabelled = load(tmp_path / "s", labels=False)
    assert unlabelled.class_names == ()
    assert unlabelled.train.labels is None
    assert unlabelled.fingerprint != data.fingerprint
    assert len(unlabelled.examples().pictures) == 64


def test_every_wave_is_the_file_by_the_rule(tmp_path: Path) -> None:
    data = load(tones(tmp_path / "s", 40))
    stored = {wave.numpy().tobytes() for split in (data.train, data.held_out) for wave in split.samples[:]}
    for path in (tmp_path / "s").iterdir():
        sound = read(path.read_bytes())
        assert fit.fitted(sound.wave, sound.rate, RATE, data.spec.samples).tobytes() in stored
    assert len(stored) == 40


def test_formats_rates_and_channels_together(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 20)
    put(place, "eight.wav", encoded(tone(50), coding="PCM_U8"))
    put(place, "stereo.wav", encoded(np.stack([tone(51), 0.5 * tone(52)], 1)))
    put(place, "x.flac", encoded(tone(53), kind="FLAC"))
    put(place, "x.ogg", encoded(tone(54), kind="OGG", coding="VORBIS"))
    put(place, "x.mp3", encoded(tone(55, rate=16_000), 16_000, "MP3", "MPEG_LAYER_III"))
    put(place, "x.aiff", encoded(tone(56), kind="AIFF"))
    put(place, "high.wav", encoded(tone(57, rate=96_000), 96_000))
    put(place, "low.wav", encoded(tone(58, rate=4_000), 4_000))
    data = load(place)
    assert count(data) == 28
    assert data.spec.rate == 8_000
    assert note(data, "Mixed") == "Mixed down to one channel: 1 of 28 sounds."
    shown = note(data, "Resampled")
    assert all(text in shown for text in ("8,000 samples", "1 of 96,000", "1 of 16,000", "1 of 4,000"))
    assert "1 of 28" in note(data, "lower rate")
    assert not any("could not" in text for text in data.notes)
    counts = dict(data.counts)
    assert (counts["mixed_down"], counts["resampled"], counts["left_out"]) == (1, 3, 0)


def test_the_rate_is_that_of_most_files_and_no_higher_than_sixteen_thousand(tmp_path: Path) -> None:
    for i in range(6):
        put(tmp_path / "s", f"{i}.wav", encoded(tone(i, 0.2, 44_100), 44_100))
    put(tmp_path / "s", "7.wav", encoded(tone(8, 0.2), RATE))
    data = load(tmp_path / "s")
    assert (data.spec.rate, data.spec.window, data.spec.samples) == (16_000, 896, 3_584)
    higher = load(tmp_path / "s", rate=44_100, bands=128, window=2_048)
    assert (higher.spec.rate, higher.spec.window, higher.spec.bands) == (44_100, 2_048, 128)
    assert higher.fingerprint != data.fingerprint


def test_of_a_few_sounds_the_longest_is_kept_whole(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 3, 0.2)
    put(place, "x.wav", encoded(tone(9, 0.9)))
    data = load(place)
    assert data.spec.seconds >= 0.9
    assert not any("Cut" in text for text in data.notes)


def test_longer_sounds_are_cut_and_said(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 60, 0.3)
    put(place, "long.wav", encoded(tone(90, 3.0)))
    data = load(place)
    assert data.spec.samples == 2_688  # as most are: one long recording does not make all others long
    assert "1 of 61 sounds; the longest has 3.00 s (use seconds=N to keep more, up to 4)" in note(data, "Cut at 0.34 s")
    whole = load(place, seconds=3)
    assert whole.spec.samples == 27 * 896
    assert not any("Cut" in text for text in whole.notes)
    put(place, "longer.wav", encoded(tone(91, 5.5)))
    data = load(place, seconds=4)
    assert data.spec.seconds >= 4
    assert "(4 s are the most)" in note(data, "Cut at")


def test_what_cannot_be_used_is_left_out_by_name_and_reason(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 20)
    put(place, "empty.wav", b"")
    put(place, "video.mp3", b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    put(place, "numbers.wav", encoded(np.full(4_000, np.nan, np.float32), coding="FLOAT"))
    put(place, "cut.wav", encoded(tone(40))[:3_000])
    put(place, "silent.wav", encoded(np.zeros(4_000, np.float32)))
    put(place, "words.txt", b"hello")
    put(place, "phone.m4a", b"")
    data = load(place)
    assert count(data) == 20
    assert note(data, "Silent") == "Silent and left out: 1 of 25 sounds (silent.wav)."
    broken = note(data, "could not be read")
    assert broken.startswith("4 of 25 sounds could not be read and are left out: cut.wav (it is cut off")
    assert all(text in broken for text in ("empty.wav (it is empty)", "video.mp3 (it is", "NaN"))
    assert "1 .m4a" in note(data, "ffmpeg -i SOUND sound.wav")
    assert data.facts()["sounds"]["left_out"] == 5


def test_test_folders_are_held_out(tmp_path: Path) -> None:
    for split, start, many in (("train", 0, 20), ("test", 50, 6)):
        for i in range(many):
            put(tmp_path / "s", f"{split}/{'ab'[i % 2]}/{i}.wav", encoded(tone(start + i)))
    data = load(tmp_path / "s")
    assert (len(data.train.samples), len(data.held_out.samples)) == (20, 6)
    assert data.class_names == ("a", "b")
    shutil.move(tmp_path / "s" / "test" / "a", tmp_path / "s" / "test" / "c")
    with pytest.raises(UserError, match="the test sounds have the class 'c', which the training sounds do not have"):
        load(tmp_path / "s")


def test_a_held_out_folder_is_a_split_and_no_class(tmp_path: Path) -> None:
    for split, start in (("train", 0), ("held", 50)):
        for i in range(10):
            put(tmp_path / "s", f"{split}/{'ab'[i % 2]}/{i}.wav", encoded(tone(start + i)))
    data = load(tmp_path / "s")
    assert data.class_names == ("a", "b")
    assert len(data.held_out.samples) == 10


def test_an_archive_gives_the_same_sounds_as_its_folder(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 20, names="{:03}/x.wav")
    folder = load(place, labels=False)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as file:
        for path in sorted(place.rglob("*.wav")):
            file.write(path, path.relative_to(place))
    archive = load(tmp_path / "s.zip", labels=False)
    assert archive.fingerprint == folder.fingerprint
    assert torch.equal(archive.train.samples[:], folder.train.samples[:])


def test_classes_in_a_table(tmp_path: Path) -> None:
    place = tones(tmp_path / "s", 20)
    lines = "".join(f"{i:03}.wav,{'high' if i > 9 else 'low'}\n" for i in range(20))
    (place / "metadata.csv").write_text("audio,class\n" + lines)
    assert load(place).class_names == ("high", "low")


def test_a_class_with_a_single_sound_is_learned_and_said(tmp_path: Path) -> None:
    """Whatever its content is: some of these would be held out by it."""
    for i in range(20):
        place = tmp_path / str(i)
        for j in range(8):
            put(place, f"many/{j}.wav", encoded(tone(j, 0.1)))
        put(place, "one/x.wav", encoded(tone(100 + i, 0.1)))
        data = load(place)
        assert data.train.labels is not None
        assert data.held_out.labels is not None
        assert (data.train.labels == 1).sum() == 1
        assert not (data.held_out.labels == 1).any()
        assert len(data.held_out.labels) >= 1
        assert note(data, "single sound").endswith("of which none is held out: one.")


def test_too_few_are_refused(tmp_path: Path) -> None:
    for i in range(2):
        put(tmp_path / "two", f"{i}/x.wav", encoded(tone(i)))
    with pytest.raises(UserError, match="no class has two different sounds"):
        load(tmp_path / "two")
    assert count(load(tmp_path / "two", labels=False)) == 2
    put(tmp_path / "one", "x.wav", encoded(tone(1)))
    with pytest.raises(UserError, match=r"one holds a single sound\. Training needs more"):
        load(tmp_path / "one")
    put(tmp_path / "one", "y.wav", b"nothing")
    with pytest.raises(UserError, match=r"only one usable sound.* Not usable: y.wav \(it is not a sound"):
        load(tmp_path / "one")
    put(tmp_path / "one", "x.wav", b"")
    with pytest.raises(UserError, match=r"None of the 2 sounds of .* can be used. The first: x.wav \(it is empty"):
        load(tmp_path / "one")
    put(tmp_path / "same", "x.wav", encoded(tone(1)))
    put(tmp_path / "same", "y.wav", encoded(tone(1)))
    with pytest.raises(UserError, match="all 2 sounds are the same"):
        load(tmp_path / "same")
    put(tmp_path / "quiet", "a/x.wav", encoded(tone(1)))
    put(tmp_path / "quiet", "a/y.wav", encoded(tone(2)))
    put(tmp_path / "quiet", "b/x.wav", encoded(0 * tone(2)))
    with pytest.raises(UserError, match="no sound of the class 'b' can be used for training"):
        load(tmp_path / "quiet")


def test_places_and_settings_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="Name the sounds"):
        last(DataConfig("").loading())
    put(tmp_path, "x.wav", encoded(tone(1)))
    with pytest.raises(UserError, match=r"x.wav is a single sound; --data needs a folder or an archive \(.zip"):
        load(tmp_path / "x.wav")
    put(tmp_path / "p", "x.txt", b"hello")
    with pytest.raises(UserError, match=r"p holds no sounds: it has 1 \.txt\. Sounds end in \.aif"):
        load(tmp_path / "p")
    for settings, words in (
        ({"rate": 100}, "rate=100: at least 4,000 samples a second are needed"),
        ({"window": 500}, "window=500: use a multiple of 8"),
        ({"bands": 8}, "bands=8: at least 16 are needed"),
    ):
        with pytest.raises(UserError, match=words):
            load(tmp_path, **settings)


def test_what_looks_like_sounds(tmp_path: Path) -> None:
    tones(tmp_path / "s", 2, names="a/{}.wav")
    put(tmp_path / "p", "x.png", b"")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as file:
        file.writestr("a/x.FLAC", b"")
    put(tmp_path, "x.zip", b"broken")
    assert DataConfig.takes(str(tmp_path / "s"))
    assert DataConfig.takes(str(tmp_path / "s.zip"))
    assert not any(DataConfig.takes(str(tmp_path / name)) for name in ("p", "x.zip", "nowhere"))
    assert not any(DataConfig.takes(name) for name in ("", "mnist", "\0"))
    assert not ImageConfig.takes(str(tmp_path / "s"))
    assert DataConfig(str(tmp_path / "s.zip")).bare_name() == "s"


def test_it_is_made_once_and_anew_where_it_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tones(tmp_path / "s", 40)
    first = load(place)
    (packed,) = (tmp_path / "cache" / "ganvas" / "packs").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(pack, "_read", None)
        again = load(place)
    assert (again.fingerprint, again.notes, again.spec) == (first.fingerprint, first.notes, first.spec)
    waves = first.train.samples[:]
    with open(packed / "waves-000.bin", "r+b") as file:
        file.truncate(100)
    mended = load(place)
    assert torch.equal(mended.train.samples[:], waves)
    assert "What the cache held of these sounds could not be used and is made again" in mended.notes[-1]
    with open(packed / "waves-000.bin", "r+b") as file:
        file.seek(5_000)
        file.write(b"xx")
    mended = load(place)
    assert "the waves of sound 1 of 40 were changed" in mended.notes[-1]
    put(place, "new.wav", encoded(tone(99)))
    assert count(load(place)) == 41


def test_an_interrupted_packing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, whole = tones(tmp_path / "s", 100, 0.1), tmp_path / "cache" / "ganvas" / "packs"
    expected = load(place)
    shutil.rmtree(whole)
    steps = DataConfig(str(place)).loading()
    for step in steps:
        if step.text == pack.FORM.text and step.done >= 2 * journal.CHUNK:
            break
    steps.close()
    (work,) = whole.glob("*.part")
    lines = (work / "journal.jsonl").read_text().splitlines()
    assert len(lines) >= 3
    (work / "journal.jsonl").write_text("\n".join([*lines[:2], lines[2].replace('"seen"', '"sees"'), ""]))
    converted: list[range] = []
    real = pack._converted
    monkeypatch.setattr(
        pack, "_converted", lambda numbers, *rest, **more: (converted.append(numbers), real(numbers, *rest, **more))[1]
    )
    again = load(place)
    assert sorted(n.start for n in converted) == [32, 64, 96]  # the first is taken over, the damaged line is not
    assert again.fingerprint == expected.fingerprint
    assert torch.equal(again.train.samples[:], expected.train.samples[:])


def test_waves_are_spread_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(tones(tmp_path / "s", 80, 0.1))
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(journal, "SHARD", 32 * 2 * expected.spec.samples)
    data = load(tmp_path / "s")
    assert len([*(tmp_path / "cache").rglob("waves-*.bin")]) == 3
    rows = torch.arange(len(data.train.samples)).flip(0)
    assert torch.equal(data.train.samples[rows], expected.train.samples[rows])


def test_a_missing_library_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(pack.decode.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install 'ganvas\[sound\]'"):
        load(tones(tmp_path / "s", 3))
    assert not [*tmp_path.rglob("pack.json")]


def test_voices_are_told_from_notes_and_hits(tmp_path: Path) -> None:
    random, time = np.random.default_rng(0), np.arange(RATE // 2) / RATE
    for i in range(30):
        noise = random.uniform(-0.4, 0.4, RATE // 2) * np.exp(-time / 0.01)
        hertz = (110 + 3 * i) * 2 ** (0.3 * np.sin(4 * np.pi * time))  # up and down by 3.6 semitones
        voice = sum(0.2 / k * np.sin(2 * np.pi * k * np.cumsum(hertz) / RATE) for k in range(1, 8))
        for name, wave in (("hits", noise), ("voices", voice)):
            put(tmp_path / name, f"{i:03}.wav", encoded(np.asarray(wave, np.float32)))
    assert load(tmp_path / "voices").spec.voiced
    assert not load(tmp_path / "hits").spec.voiced
    assert not load(tones(tmp_path / "notes")).spec.voiced
