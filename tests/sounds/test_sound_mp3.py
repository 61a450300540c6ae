"""MP3 files that do not say how long they are."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from ganvas.sounds import decode, mp3

SECONDS = 4
DELAY = 3_000  # samples at most that a coder puts before and after a sound


def made(rate: int, kinds: str, channels: int = 1) -> bytes:
    """A file of a variable bit rate with a count: a second a letter, of noise (n) or silence (s)."""
    random = np.random.default_rng(0)
    wave = np.concatenate([0.3 * random.uniform(-1, 1, rate) if kind == "n" else np.zeros(rate) for kind in kinds])
    out = io.BytesIO()
    wave = np.stack([wave] * channels, 1)
    soundfile.write(out, wave, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.3)
    return out.getvalue()


def without_count(data: bytes) -> bytes:
    """The same without its first frame, which holds the count and no sound."""
    first = mp3.head(data, 0)
    assert first is not None
    assert data[first.tag : first.tag + 4] in (b"Xing", b"Info")
    return data[first.size :]


@pytest.mark.parametrize("rate", [44_100, 22_050, 8_000])
@pytest.mark.parametrize("kinds", ["nnns", "sssn"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_variable_rate_without_a_count_is_read_whole(rate: int, kinds: str, channels: int) -> None:
    data = made(rate, kinds, channels)
    bare = without_count(data)
    stated = soundfile.info(io.BytesIO(bare)).frames
    assert not 0.9 < stated / (SECONDS * rate) < 1.1  # what the decoder takes it for
    whole, read = decode.read(data).wave, decode.read(bare).wave
    assert len(whole) == SECONDS * rate
    assert len(whole) <= len(read) <= len(whole) + DELAY
    seconds = [np.square(read[i * rate + DELAY // 2 : (i + 1) * rate - DELAY // 2]).mean() > 1e-3 for i in range(4)]
    assert seconds == [kind == "n" for kind in kinds]


def test_files_that_state_their_count_stay_as_they_are() -> None:
    data = made(16_000, "ns")
    assert mp3.counted(data) is data
    tagged = b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + data
    assert mp3.counted(tagged) is tagged
    noise = b"\xff\xfb\x90\x00" + bytes(range(256)) * 4  # begins like a frame
    assert mp3.counted(noise) is noise
    for end in range(12):
        mp3.counted(data[:end])


def test_tags_rubbish_and_other_statements_are_no_sound() -> None:
    bare = without_count(made(16_000, "nns"))
    expected = len(decode.read(bare).wave)
    first = mp3.head(bare, 0)
    assert first is not None
    before = b"ID3\x04\0\0\0\0\x02\x00" + bytes(256)
    after = b"TAG" + bytes(125)
    stated = bare[:4] + bytes(32) + b"VBRI" + bytes(first.size - 40)
    for data in (before + bare, bare + after, before + stated + bare + after):
        assert len(decode.read(data).wave) == expected
    second = first.size
    holes = bare[:second] + bytes(500) + b"\xff\xff\xfb" + bare[second:]
    assert mp3.counted(holes).index(bare[:second]) == mp3.counted(bare).index(bare[:second])
    assert mp3.counted(holes)[:second] == mp3.counted(bare)[:second]  # the same count


def test_a_hostile_file_costs_no_time() -> None:
    bare = without_count(made(16_000, "ns"))
    first = mp3.head(bare, 0)
    assert first is not None
    pair = bare[:4] + bytes(first.size - 4)
    counted = mp3.counted((2 * pair + b"\xff" * 5_000) * 400)  # two frames, and a search for the next, again and again
    mark = counted.index(b"Xing")
    frames = int.from_bytes(counted[mark + 8 : mark + 12], "big")
    assert 20 <= frames <= 2 + 2 * mp3.SEARCHED // 5_000
    many = mp3.counted(pair * (mp3.MOST * 30))
    assert int.from_bytes(many[mark + 8 : mark + 12], "big") == mp3.MOST * first.rate // first.samples
