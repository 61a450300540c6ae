"""Sounds in files: drawn ones are written, the user's recordings are read."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganvas.core.errors import UserError, first_line
from ganvas.core.files import check_free, free, make_folder, write_whole
from ganvas.sounds import decode, fit
from ganvas.sounds.decode import Unreadable
from ganvas.sounds.kind import SOUNDS
from ganvas.sources import given
from ganvas.sources.given import Given

WRITTEN = (".wav", ".flac", ".ogg")  # what sounds are written as
GAP = 0.15  # seconds of silence between two sounds of a strip
PART = 1 << 16  # samples that are encoded at a time: libsndfile fails at minutes of Ogg in one piece
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # each byte with its bits in the other order


def sound_at(out: Path | None, usual: str, force: bool) -> Path:
    """The path for a sound that is written: --out, or else the usual name with the first free number.

    Raises:
        UserError: --out has another ending than .wav, .flac or .ogg, or exists already.
    """
    if out is None:
        return free(Path(usual))
    if out.suffix.lower() not in WRITTEN:
        raise UserError(f"{out}: sounds are written as {', '.join(WRITTEN)}. Choose --out NAME.wav.")
    check_free(out, force=force)
    return out


def save(path: Path, wave: np.ndarray, rate: int) -> None:
    """Write a wave float [n] or [n, channels] in -1 to 1 as WAV, FLAC or Ogg Vorbis, by the path's suffix.

    Raises:
        UserError: the suffix is another one, or it cannot be written.
    """
    content = encoded(wave, rate, path.suffix)
    make_folder(path.parent)
    write_whole(path, content)


def encoded(wave: np.ndarray, rate: int, suffix: str = ".wav") -> bytes:
    """The bytes of a file with this wave; what exceeds -1 to 1 is clipped. Same wave, same bytes.

    Args:
        wave: float [n], or [n, channels].
        suffix: '.wav' (16 bits; needs no library), '.flac' (16 bits, lossless), '.ogg' (Vorbis).

    Raises:
        UserError: the suffix is another one, Ogg has no such rate, or soundfile is needed and not installed.
    """
    kind = suffix.lower()
    if kind not in WRITTEN:
        raise UserError(f"'{suffix}' is not a format that sounds can be written in; these are: {', '.join(WRITTEN)}.")
    samples = to_int16(wave)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    if kind == ".wav":
        form = (1, channels, rate, 2 * channels * rate, 2 * channels, 16)
        head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + samples.nbytes, b"WAVE", b"fmt ", 16, *form)
        return head + struct.pack("<4sI", b"data", samples.nbytes) + samples.astype("<i2").tobytes()
    how = {"format": "FLAC", "subtype": "PCM_16"} if kind == ".flac" else {"format": "OGG", "subtype": "VORBIS"}
    out = io.BytesIO()
    try:
        with decode.library().SoundFile(out, "w", rate, channels, **how) as file:
            for start in range(0, len(samples), PART):
                file.write(samples[start : start + PART])
    except UserError:
        raise
    except Exception as error:  # soundfile raises many kinds
        raise UserError(
            f"A sound of {rate:,} samples a second cannot be written as {kind} ({first_line(error)}): choose .wav."
        ) from error
    return out.getvalue() if kind == ".flac" else _same_serial(out.getvalue())


def to_int16(wave: np.ndarray) -> np.ndarray:
    """Floats in -1 to 1 as int16, clipped; 32767 = 1.0. What is not a number, as from a network gone wrong, is 0."""
    return np.rint(np.clip(np.nan_to_num(np.asarray(wave, np.float32)), -1, 1) * fit.FULL).astype(np.int16)


def _same_serial(data: bytes) -> bytes:
    """An Ogg file whose stream has the number 1, and not one that was drawn from the clock (RFC 3533, section 6)."""
    pages, place = [], 0
    while data[place : place + 4] == b"OggS":
        lengths = data[place + 27 : place + 27 + data[place + 26]]
        end = place + 27 + len(lengths) + sum(lengths)
        page = bytearray(data[place:end])
        page[14:18], page[22:26] = struct.pack("<I", 1), bytes(4)
        page[22:26] = struct.pack("<I", _checksum(bytes(page)))
        pages.append(bytes(page))
        place = end
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32: zlib's polynomial with all bits in the other order, beginning with 0 and not inverted."""
    mirrored = zlib.crc32(page.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def strip(waves: Iterable[np.ndarray], rate: int, gap: float = GAP) -> np.ndarray:
    """Sounds one after another, with silence between them: float32 [n].

    Args:
        waves: float [samples] each.
        gap: seconds of silence.
    """
    silence = np.zeros(round(gap * rate), np.float32)
    parts = [part for wave in waves for part in (silence, np.asarray(wave, np.float32))][1:]
    return np.concatenate(parts) if parts else silence[:0]


class Fitted(NamedTuple):
    """A recording as a model needs it, float32 [samples], what had to be changed, and the names that may be its class
    (see `sources.given`)."""

    path: Path
    wave: np.ndarray
    changes: str
    names: tuple[str, ...] = ()


def recording(path: Path, rate: int, samples: int) -> Fitted:
    """The user's recording by the rule for every sound, and what was changed, in words ('': nothing).

    Raises:
        UserError: the file cannot be read as a sound, or is silent.
    """
    return _fitted(next(given.look([path], SOUNDS, archives=False).read()), rate, samples)


def _fitted(one: Given, rate: int, samples: int) -> Fitted:
    if isinstance(one.content, UserError):
        raise one.content
    try:
        wave, changes = fitted(decode.read(one.content), rate, samples)
    except (Unreadable, fit.Silent) as error:
        raise UserError(f"{one.path} cannot be used as a sound: {error}.") from error
    return Fitted(one.path, wave, changes, one.names)


def fitted(sound: decode.Sound, rate: int, samples: int) -> tuple[np.ndarray, str]:
    """A decoded file by the rule for every sound, float32 [samples], and what was changed, in words ('': nothing).

    Raises:
        fit.Silent: nothing is to be heard.
        UserError: soxr is needed and not installed.
    """
    wave = fit.prepared(sound.wave, sound.rate, rate)
    placed = fit.placed(wave, rate, samples)
    changes = [f"{sound.channels} channels to 1"] * (sound.channels > 1)
    changes += [f"{sound.rate / 1000:g} to {rate / 1000:g} kHz"] * (sound.rate != rate)
    changes += [f"{len(wave) / rate:.2f} s cut to {samples / rate:.2f} s"] * (len(wave) > samples)
    return placed.astype(np.float32) / fit.FULL, ", ".join(changes)


class Recordings(NamedTuple):
    """Recordings, a sentence for each file that is not a sound, and notes on what was skipped or guessed."""

    fitted: list[Fitted]
    broken: list[str]
    notes: list[str]


def recordings(places: Sequence[str | os.PathLike[str]], rate: int, samples: int, labelled: bool = True) -> Recordings:
    """All recordings of files, folders and archives, see `recording`.

    Args:
        labelled: look for their classes.

    Raises:
        UserError: there is no such file, a folder or archive without sounds, or nothing that can be read.
    """
    found = given.look(places, SOUNDS, labelled=labelled)
    fitted: list[Fitted] = []
    broken: list[str] = []
    for one in found.read():
        try:
            fitted.append(_fitted(one, rate, samples))
        except UserError as error:
            broken.append(str(error))
    if not fitted:
        raise UserError("\n".join(broken))
    return Recordings(fitted, broken, found.notes)


def gather(places: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The sound files at these paths and in these folders, each once, without hidden files.

    Raises:
        UserError: there is no such file, a folder has no sounds in it, or cannot be read.
    """
    return [*given.look(places, SOUNDS, archives=False, labelled=False).paths]
