"""Sounds written to files, and the user's recordings read from them."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ganvas.core.errors import UserError
from ganvas.sounds import decode, files

RATE = 8_000


def tone(seconds: float = 1, rate: int = RATE, hertz: float = 440) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_a_wav_file_is_read_by_another_reader() -> None:
    sound = np.concatenate([tone(), [1.5, -1.5, 0]])
    with wave.open(io.BytesIO(files.encoded(sound, RATE))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        samples = np.frombuffer(file.readframes(100_000), "<i2")
    np.testing.assert_allclose(samples[:RATE], tone() * 32_767, atol=0.51)
    assert samples[RATE:].tolist() == [32_767, -32_767, 0]


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".WAV"])
@pytest.mark.parametrize("rate", [4_000, 16_000, 44_100])
def test_what_is_written_is_read(suffix: str, rate: int) -> None:
    sound = tone(1, rate)
    data = files.encoded(sound, rate, suffix)
    back = decode.read(data)
    assert (back.rate, len(back.wave)) == (rate, rate)
    assert np.abs(back.wave - sound).max() < (0.05 if suffix == ".ogg" else 1 / 32_000)
    assert files.encoded(sound, rate, suffix) == data


def slow_checksum(page: bytes) -> int:
    """Ogg's CRC, bit by bit."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 1 << 31 else value << 1) & 0xFFFFFFFF
    return value


def test_pages_of_ogg_files_have_right_checksums() -> None:
    data = files.encoded(tone(3), RATE, ".ogg")
    out = io.BytesIO()
    soundfile.write(out, tone(3), RATE, format="OGG", subtype="VORBIS")
    assert len(data) == len(out.getvalue())
    place = pages = 0
    while place < len(data):
        end = place + 27 + data[place + 26] + sum(data[place + 27 : place + 27 + data[place + 26]])
        page = bytearray(data[place:end])
        assert page[14:18] == b"\1\0\0\0"
        stated, page[22:26] = struct.unpack("<I", page[22:26])[0], bytes(4)
        assert stated == slow_checksum(bytes(page))
        place, pages = end, pages + 1
    assert pages >= 3


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'\.mp3' is not a format"):
        files.encoded(tone(), RATE, ".mp3")
    with pytest.raises(UserError, match=r"Choose --out NAME\.wav"):
        files.sound_at(tmp_path / "a.mp3", "sound.wav", False)
    (tmp_path / "a.wav").write_bytes(b"mine")
    with pytest.raises(UserError, match="already exists"):
        files.sound_at(tmp_path / "a.wav", "sound.wav", False)
    assert files.sound_at(tmp_path / "a.wav", "sound.wav", True) == tmp_path / "a.wav"
    assert files.sound_at(None, str(tmp_path / "a.wav"), False) == tmp_path / "a-2.wav"
    assert (tmp_path / "a.wav").read_bytes() == b"mine"


def test_a_rate_that_a_format_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"700,000 samples a second cannot be written as \.flac"):
        files.save(tmp_path / "a.flac", tone(), 700_000)
    assert not list(tmp_path.iterdir())


def test_saving_makes_folders(tmp_path: Path) -> None:
    files.save(tmp_path / "new" / "a.flac", tone(), RATE)
    assert soundfile.info(tmp_path / "new" / "a.flac").frames == RATE


def test_a_strip_has_gaps_between_sounds_only() -> None:
    one, two = np.ones(100, np.float32), np.full(50, 0.5)
    out = files.strip([one, two], 1_000, gap=0.02)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, np.concatenate([one, np.zeros(20), two]).astype(np.float32))
    assert len(files.strip([], 1_000)) == 0


def test_a_recording_becomes_what_a_model_needs(tmp_path: Path) -> None:
    place = tmp_path / "mine.wav"
    stereo = np.concatenate([np.zeros(44_100), tone(3, 44_100), np.zeros(44_100)])
    soundfile.write(place, np.stack([stereo, stereo], 1), 44_100, subtype="PCM_24")
    fitted = files.recording(place, RATE, 8_192)
    assert fitted.wave.dtype == np.float32
    assert fitted.wave.shape == (8_192,)
    assert np.abs(fitted.wave).max() == pytest.approx(0.9, abs=1e-4)
    assert fitted.changes == "2 channels to 1, 44.1 to 8 kHz, 3.05 s cut to 1.02 s"
    files.save(place, tone(0.5), RATE)
    assert files.recording(place, RATE, 8_192).changes == ""


def test_recordings_of_a_folder(tmp_path: Path) -> None:
    files.save(tmp_path / "b" / "two.flac", tone(0.2), RATE)
    files.save(tmp_path / "one.wav", tone(0.3), RATE)
    files.save(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    files.save(tmp_path / ".hidden.wav", tone(), RATE)
    (tmp_path / "film.mp3").write_bytes(b"\0\0\0\x20ftypisom" + bytes(50))
    (tmp_path / "notes.txt").write_text("no sound")
    found, broken, _ = files.recordings([tmp_path, tmp_path / "one.wav"], RATE, 8_192)
    assert [f.path.name for f in found] == ["two.flac", "one.wav"]
    assert len(broken) == 2
    assert all(str(tmp_path) in sentence and sentence.endswith(".") for sentence in broken)
    assert "MP4" in broken[0]
    assert "silent" in broken[1]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sounds"):
        files.gather([tmp_path])
    with pytest.raises(UserError, match="There is no file"):
        files.gather([tmp_path / "nowhere.wav"])
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.wav cannot be used as a sound: it is empty"):
        files.recordings([tmp_path], RATE, 8_192)
