"""Decoding: a sound file of any format as one channel of floats, read within limits."""

from __future__ import annotations

import codecs
import functools
import importlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ganvas.core.errors import UserError, first_line
from ganvas.sounds import mp3

SUFFIXES = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".sph"}
MINUTES = 10  # of a file at most
MOST = MINUTES * 60 * 96_000  # samples of a channel at most, whatever the rate
RATES = 1_000, 384_000  # samples a second: the lowest and the highest that are read
CHANNELS = 32  # at most
BYTES = 500_000_000  # of a file, or of a member of an archive, at most
UNKNOWN = 1 << 40  # samples: a FLAC file that was written as a stream states no length, and gets a larger one
HUGE = 1e9  # times full scale: beyond it, a float is not a sample
BLOCK = 1 << 18  # values, of all channels, that are decoded at a time
SLACK = 64  # bytes by which the length that a header states may be wrong: some programs count the header
STREAMED = (0x7FFFFFFF, 0xFFFFFFFF)  # lengths that programs state that do not know yet how much follows
MP3_SLACK = 0.02, 2_304  # of the samples that an MP3 file states, and samples, that may be missing: it is cut in frames

FORMATS = {"WAV": "WAV", "WAVEX": "WAV", "OGG": "Ogg", "MP3": "MP3", "AU": "AU", "NIST": "NIST SPHERE"}
CODINGS = {"PCM_S8": "8 bits", "PCM_U8": "8 bits", "PCM_16": "16 bits", "PCM_24": "24 bits", "PCM_32": "32 bits"}
CODINGS |= {"FLOAT": "floats", "DOUBLE": "long floats", "ULAW": "mu-law", "ALAW": "A-law", "MPEG_LAYER_III": ""}
OTHERS = [  # what files that are not sounds begin with (after so many bytes), and what they are
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (8, b"AVI ", "an AVI video"),
    (4, b"ftypM4A", "an M4A file (AAC), which is not supported: convert it to WAV or FLAC"),
    (4, b"ftyp", "an MP4 video or picture"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file (WMA, WMV), which is not supported: convert it to WAV or FLAC"),
    (0, b"FLV", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG video"),
    (0, b"#!AMR", "an AMR recording, which is not supported: convert it to WAV or FLAC"),
    (0, b"RF64", "an RF64 file, which is not supported: convert it to WAV or FLAC"),
    (0, b"riff.\x91\xcf\x11", "a Wave64 file, which is not supported: convert it to WAV or FLAC"),
    (0, b"wvpk", "a WavPack file, which is not supported: convert it to WAV or FLAC"),
    (0, b"caff", "a CAF file, which is not supported: convert it to WAV or FLAC"),
    (0, b"MThd", "a MIDI file: notes, not sound"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\x03\x04", "a zip archive: unpack it"),
    (0, b"\x1f\x8b", "a gzip archive: unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (0, b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself with git lfs pull"),
    (0, b"<", "a page or text"),
]


class Unreadable(UserError):
    """A file that is damaged, no sound, or beyond the limits; the message says why, and begins with 'it'."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded file: `wave` float32 [n], the mean of its channels, full scale -1 to 1 (floats may exceed it)."""

    wave: np.ndarray
    rate: int  # samples a second
    channels: int  # in the file
    format: str  # 'WAV', 'FLAC', 'Ogg' ...
    coding: str  # how samples are coded: '16 bits', 'floats', 'VORBIS' ...

    @property
    def seconds(self) -> float:
        return len(self.wave) / self.rate

    def words(self) -> str:
        """What the file is, for people: 'WAV, 16 bits, 2 channels, 44.1 kHz'."""
        channels = f"{self.channels} channels" if self.channels > 1 else "1 channel"
        parts = (self.format, self.coding, channels, f"{self.rate / 1000:g} kHz")
        return ", ".join(part for part in parts if part)


def library(name: str = "soundfile") -> ModuleType:
    """soundfile or soxr.

    Raises:
        UserError: it is not installed, or its own library does not load.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise UserError(f"Sounds need {name} ({first_line(error)}): pip install 'ganvas[sound]'") from error


def read(data: bytes, each: Callable[[np.ndarray], object] | None = None, seconds: float = 60.0 * MINUTES) -> Sound:
    """Decode the bytes of a sound file: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU or NIST SPHERE.

    What the header states about the length is not relied on: blocks are read up to the limits.

    Args:
        each: is called with each block before it is mixed down, float32 [n, channels].
        seconds: of a file at most, up to 10 minutes.

    Raises:
        Unreadable: it is not such a file, is damaged or cut off, holds no samples or some that are not numbers, or is
            beyond the limits.
        UserError: soundfile is not installed.
    """
    _check_kind(data)
    _check_length(data)
    if data[:3] == b"ID3" or _is_mp3(data):
        data = mp3.counted(data)
    opened = _forward()
    try:
        with opened(_Bytes(data)) as file:
            _check_shape(file)
            blocks = _blocks(file, each, seconds)
            stated, kind = file.frames, str(file.format)
            rate, channels, coding = file.samplerate, file.channels, str(file.subtype)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # soundfile raises RuntimeError, TypeError, ValueError ...
        raise Unreadable(f"it is damaged ({_reason(error)})") from error
    wave = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(wave):
        raise Unreadable("it holds no samples" + " or is cut off" * (kind == "OGG"))
    share, more = MP3_SLACK if kind == "MP3" else (0.0, 0)
    if len(wave) < stated * (1 - share) - more and stated < UNKNOWN:
        raise Unreadable(f"it is cut off: its header states {stated:,} samples, and {len(wave):,} are there")
    return Sound(wave, rate, channels, FORMATS.get(kind, kind), CODINGS.get(coding, coding))


class _Bytes(io.BytesIO):
    """The bytes of a file; a damaged one is asked for places before its beginning, which would print a traceback."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


@functools.cache
def _forward() -> type[Any]:
    """soundfile's reader, but from the beginning to the end only.

    Where it can seek, it goes to the place after each block that it has read, which fails in files that were written as
    streams.
    """

    class Forward(library().SoundFile):
        def seekable(self) -> bool:
            return False

    return Forward


def _reason(error: Exception) -> str:
    """What libsndfile says, without the object's address and full stop."""
    text = first_line(error)
    return (text.partition(">: ")[2] or text).removeprefix("Error : ").rstrip(".")


def _check_shape(file: Any) -> None:
    """Refuse a header that states more than is read."""
    if not RATES[0] <= file.samplerate <= RATES[1]:
        raise Unreadable(f"it has {file.samplerate:,} samples a second; {RATES[0]:,} to {RATES[1]:,} are supported")
    if file.channels > CHANNELS:
        raise Unreadable(f"it has {file.channels:,} channels; {CHANNELS} are read at most")


def _blocks(file: Any, each: Callable[[np.ndarray], object] | None, seconds: float) -> list[np.ndarray]:
    """All samples, float32 [n] each, the mean of the channels."""
    most = min(round(min(seconds, 60 * MINUTES) * file.samplerate), MOST)
    frames = max(1, min(BLOCK // file.channels, max(file.frames + 1, BLOCK // 256)))  # no larger than is needed
    blocks: list[np.ndarray] = []
    seen = 0
    while True:
        block = file.read(frames, dtype="float32", always_2d=True)
        seen += len(block)
        if seen > most:
            long = f"{seconds:g} seconds" if seconds < 60 * MINUTES else f"{MINUTES} minutes"
            limit = long if most < MOST else f"{most:,} samples"
            raise Unreadable(f"it is longer than {limit}, the most that is read: cut it into sounds")
        if not (np.abs(block) < HUGE).all():  # false for NaN as well
            raise Unreadable(f"it holds samples that are not valid: NaN, infinite, or beyond {HUGE:g} times full scale")
        if each is not None:
            each(block)
        mixed = block[:, 0] if file.channels == 1 else block.mean(1, dtype=np.float64).astype(np.float32)
        blocks.append(mixed)
        if len(block) < frames:
            return blocks


def _check_kind(data: bytes) -> None:
    """Only formats that are meant to be read reach the decoder."""
    if not data:
        raise Unreadable("it is empty")
    if len(data) < 12 and data[:4] in (b"RIFF", b"RIFX", b"FORM", b"fLaC", b"OggS", b".snd"):
        raise Unreadable(f"it is cut off: it has {len(data)} bytes")
    if data[:4] in (b"RIFF", b"RIFX") and data[8:12] == b"WAVE":
        return
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return
    if data[:4] in (b"fLaC", b".snd") or data[:3] == b"ID3" or data[:7] == b"NIST_1A":
        return
    if data[:4] == b"OggS":
        if b"theora" in data[:128]:
            raise Unreadable("it is not a sound but an Ogg video")
        return
    if _is_mp3(data) and not _is_text(data[:200]):  # a text in UTF-16 begins as a frame of layer 1 does
        return
    for start, magic, words in OTHERS:
        if data[start : start + len(magic)] == magic:
            raise Unreadable(f"it is {words}" if "," in words or ":" in words else f"it is not a sound but {words}")
    if not data.strip(b"\0"):
        raise Unreadable("it is not a sound: it holds only zeros")
    text = _is_text(data[:200])
    raise Unreadable("it is not a sound but a text" if text else "it is not a sound, or its format is not supported")


def _is_text(data: bytes) -> bool:
    """Are these bytes the beginning of a text in UTF-8 or UTF-16, whose last letter may be cut off?"""
    encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return all(letter in "\t\n\r\ufeff" or letter.isprintable() for letter in text)


def _is_mp3(data: bytes) -> bool:
    """Does it begin with the head of a frame of MPEG audio? AAC has the same 11 bits, and layer 0."""
    return len(data) > 3 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and bool(data[1] & 6) and data[2] < 0xF0


def _check_length(data: bytes) -> None:
    """Refuse files whose header states more bytes of sound than follow: libsndfile takes what is there."""
    stated, there = STREAMED[-1], 0
    if data[:4] == b".snd" and len(data) >= 12:
        start, stated = struct.unpack_from(">II", data, 4)
        there = max(0, len(data) - start)
    elif data[:4] in (b"RIFF", b"RIFX", b"FORM"):
        order, place = "<" if data[:4] == b"RIFF" else ">", 12
        while place + 8 <= len(data):
            (size,) = struct.unpack_from(order + "I", data, place + 4)
            if data[place : place + 4] in (b"data", b"SSND"):
                stated, there = size, len(data) - place - 8
                break
            place += 8 + size + size % 2
    if stated == 0 and there > SLACK:
        raise Unreadable(f"its header states no samples, and {there:,} bytes follow: the recording was not finished")
    if stated not in STREAMED and stated > there + SLACK:
        raise Unreadable(f"it is cut off: its header states {stated:,} bytes of sound, and {there:,} are there")
