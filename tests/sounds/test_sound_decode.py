"""Sound files of every kind, good and bad."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import soundfile

from ganvas.sounds import decode
from ganvas.sounds.decode import Unreadable, read

RATE = 16_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")


def encoded(wave: np.ndarray = TONE, kind: str = "WAV", coding: str = "PCM_16", rate: int = RATE) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=kind, subtype=coding)
    return out.getvalue()


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


LOSSLESS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE")]
LOSSLESS += [("WAVEX", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("NIST", "PCM_16")]
LOSSY = [("WAV", "PCM_U8"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("OGG", "VORBIS"), ("OGG", "OPUS")]
LOSSY += [("MP3", "MPEG_LAYER_III")]


@pytest.mark.parametrize(("kind", "coding"), LOSSLESS)
def test_lossless_files_come_back(kind: str, coding: str) -> None:
    sound = read(encoded(kind=kind, coding=coding))
    assert sound.wave.dtype == np.float32
    assert (sound.rate, sound.channels, sound.seconds) == (RATE, 1, 1.0)
    np.testing.assert_allclose(sound.wave, TONE, atol=1 / 32_000)


@pytest.mark.parametrize(("kind", "coding"), LOSSY)
def test_lossy_files_come_back_about_the_same(kind: str, coding: str) -> None:
    sound = read(encoded(kind=kind, coding=coding))
    assert abs(len(sound.wave) - RATE) < 400  # ADPCM fills its last block
    assert correlation(sound.wave[:RATE], TONE[: len(sound.wave)]) > 0.99


def test_what_a_file_is_in_words() -> None:
    stereo = np.stack([TONE, TONE], 1)
    assert read(encoded(stereo, rate=44_100)).words() == "WAV, 16 bits, 2 channels, 44.1 kHz"
    assert read(encoded(kind="MP3", coding="MPEG_LAYER_III")).words() == "MP3, 1 channel, 16 kHz"


def test_channels_are_mixed_down_and_each_block_is_shown() -> None:
    stereo = np.stack([TONE, TONE * 0.5], 1)
    seen: list[np.ndarray] = []
    sound = read(encoded(stereo, coding="FLOAT"), seen.append)
    np.testing.assert_allclose(sound.wave, TONE * 0.75, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(seen), stereo)


def test_odd_rates_widths_and_channels_are_read() -> None:
    assert read(encoded(coding="PCM_U8", rate=96_000)).rate == 96_000
    assert read(encoded(np.zeros((10, 32)))).channels == 32
    assert len(read(encoded(TONE[:1])).wave) == 1


def test_a_file_of_many_blocks_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "BLOCK", 1_000)
    for kind, coding in (("WAV", "PCM_16"), ("FLAC", "PCM_16")):
        np.testing.assert_allclose(read(encoded(kind=kind, coding=coding)).wave, TONE, atol=1 / 32_000)


OTHERS = {
    "^it is empty$": b"",
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a JPEG picture": b"\xff\xd8\xff\xe0" + bytes(100),
    "an MP4 video": b"\0\0\0\x20ftypisom" + bytes(100),
    "M4A": b"\0\0\0\x20ftypM4A " + bytes(100),
    "a Matroska or WebM video": b"\x1aE\xdf\xa3" + bytes(100),
    "an AVI video": b"RIFF\x10\0\0\0AVI " + bytes(100),
    "an RF64 file": b"RF64\xff\xff\xff\xffWAVE" + bytes(100),
    "MIDI": b"MThd" + bytes(100),
    "a zip archive": b"PK\x03\x04" + bytes(100),
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a text": b"left,right\n1,2\n",
    "but a text": "Grüße aus Köln\n".encode() * 20,
    "sound but a text": "Grüße aus Köln\n".encode("utf-16") * 3,
    "only zeros": bytes(1_000),
    "its format is not supported": bytes(range(128, 256)),
}


@pytest.mark.parametrize("words", OTHERS)
def test_other_files_are_named(words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(OTHERS[words])


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "AU", "MP3", "OGG"])
def test_a_file_that_is_cut_off_is_refused(kind: str) -> None:
    data = encoded(np.tile(TONE, 3), kind, {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}.get(kind, "PCM_16"))
    shares = {"OGG": (0.05, 0.2), "MP3": (0.05, 0.5)}  # Ogg states no length, MP3 a rough one
    for share in shares.get(kind, (0.05, 0.5, 0.9)):
        with pytest.raises(Unreadable, match=r"cut off|damaged"):
            read(data[: int(len(data) * share)])


def test_headers_of_streams_are_read_and_lies_are_not_believed() -> None:
    data = bytearray(encoded())
    place = data.index(b"data") + 4
    data[place : place + 4] = b"\xff\xff\xff\xff"  # a program that wrote into a pipe
    assert len(read(bytes(data)).wave) == RATE
    data[place : place + 4] = bytes(4)
    with pytest.raises(Unreadable, match="not finished"):
        read(bytes(data))
    data[place : place + 4] = b"\0\0\0\x40"
    with pytest.raises(Unreadable, match="1,073,741,824 bytes of sound, and 32,000"):
        read(bytes(data))
    flac = bytearray(encoded(kind="FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)  # the length is not stated
    assert len(read(bytes(flac)).wave) == RATE
    flac[21] |= 1
    with pytest.raises(Unreadable, match="states 4,294,967,296 samples"):
        read(bytes(flac))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e20])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_no_numbers(value: float, channels: int) -> None:
    wave = np.zeros((100, channels), np.float32)
    wave[50, -1] = value
    with pytest.raises(Unreadable, match="NaN, infinite"):
        read(encoded(wave, coding="FLOAT"))


def test_limits() -> None:
    with pytest.raises(Unreadable, match="holds no samples"):
        read(encoded(np.zeros(0)))
    with pytest.raises(Unreadable, match="999 samples a second"):
        read(encoded(rate=999))
    with pytest.raises(Unreadable, match="400,000 samples a second"):
        read(encoded(rate=400_000))
    with pytest.raises(Unreadable, match="33 channels; 32"):
        read(encoded(np.zeros((10, 33))))
    assert read(encoded(np.zeros(600 * 2_000), "FLAC", rate=2_000)).seconds == 600
    with pytest.raises(Unreadable, match="longer than 10 minutes"):
        read(encoded(np.zeros(601 * 2_000), "FLAC", rate=2_000))


def test_no_more_than_the_limit_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST", 10_000)
    monkeypatch.setattr(decode, "BLOCK", 1_024)
    seen: list[int] = []
    with pytest.raises(Unreadable, match="longer than 10,000 samples"):
        read(encoded(np.zeros(200_000), "FLAC"), lambda block: seen.append(len(block)))
    assert sum(seen) <= 10_000


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from ganvas.core.errors import UserError

    monkeypatch.setitem(sys.modules, "soundfile", None)
    decode._forward.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'ganvas\[sound\]'"):
        read(encoded())
