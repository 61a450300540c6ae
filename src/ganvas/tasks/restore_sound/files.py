"""Restore sound files: each channel at the model's rate, written at the file's own."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ganvas.core import files
from ganvas.core.applied import Applied, Failed, check_places, places
from ganvas.core.errors import UserError
from ganvas.core.files import make_folder
from ganvas.core.progress import Doing
from ganvas.sounds import decode, fit
from ganvas.sounds import files as sound_files
from ganvas.tasks.restore_sound import model as restoring
from ganvas.tasks.restore_sound.model import SoundRestorer

CHANNELS = 2  # at most are restored one by one; more are mixed down


def restore(
    model: str | os.PathLike[str],
    sounds: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    form: str | None = None,
    force: bool = False,
) -> Iterator[Doing | Applied | Failed]:
    """Restore sound files into a folder, and yield progress and results; unreadable files are skipped.

    Args:
        model: a run's folder or a model file.
        sounds: files, or folders of them.
        out: the folder; files that are there are not overwritten.
        form: 'wav' or 'flac'; None: FLAC files stay FLAC, all others become WAV.
        force: overwrite files in `out`, though never the recordings themselves.

    Raises:
        UserError: a model of another task, a file that would be overwritten, or there are no sounds.
    """
    restorer = restoring.load(model)
    paths, folder = sound_files.gather(sounds), files.place(out)

    def suffix(path: Path) -> str:
        return f".{form}" if form else ".flac" if path.suffix.lower() == ".flac" else ".wav"

    def name(path: Path) -> str:
        return path.name if path.suffix.lower() == suffix(path) else path.with_suffix(suffix(path)).name

    targets = places(paths, folder, name, suffix, "recording")
    check_places(paths, [target for target, _ in targets.values()], force, "recordings")
    make_folder(folder)
    for i, (path, (target, note)) in enumerate(targets.items()):
        started = time.monotonic()
        yield Doing(path.name, i / len(targets))
        try:
            waves, rate, changes = yield from _mended(restorer, path, i, len(targets))
            sound_files.save(target, waves, rate)
        except UserError as error:
            yield Failed(str(error))
            continue
        yield Applied(target, time.monotonic() - started, (*([note] if note else []), *changes))


def _mended(
    restorer: SoundRestorer, path: Path, number: int, count: int
) -> Generator[Doing, None, tuple[np.ndarray, int, list[str]]]:
    """The restored sound of a file, float32 [n, channels], its rate, and what was changed besides the noise.

    Raises:
        UserError: it cannot be read.
    """
    waves, sound = _read(path)
    rate, ours = sound.rate, restorer.spec.rate
    changes = []
    if sound.channels > CHANNELS:
        changes.append(f"{path.name}: its {sound.channels} channels are mixed down to one.")
    if rate > ours:
        changes.append(
            f"{path.name}: the model works at {ours / 1000:g} kHz; it is written at its own {rate / 1000:g} kHz, and "
            f"nothing above {ours / 2000:g} kHz is left."
        )
    steps = restorer.restoring(torch.from_numpy(_at(waves, rate, ours)), True)
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            made = _at(end.value.numpy(), ours, rate)
            break
        yield Doing(path.name, (number + share) / count)
    made = np.pad(made, ((0, 0), (0, max(0, waves.shape[1] - made.shape[1]))))[:, : waves.shape[1]]
    peak = float(np.abs(made).max(initial=0))
    if peak > 1:
        made = made / np.float32(peak)
        changes.append(f"{path.name}: made softer by {20 * np.log10(peak):.1f} dB to avoid clipping.")
    return (made.T if len(made) > 1 else made[0]), rate, changes


def _read(path: Path) -> tuple[np.ndarray, decode.Sound]:
    """The channels of a file, float32 [channels, n], and what it is.

    Raises:
        UserError: it cannot be read as a sound.
    """
    blocks: list[np.ndarray] = []

    def keep(block: np.ndarray) -> None:
        if 1 < block.shape[1] <= CHANNELS:
            blocks.append(block.T.copy())

    try:
        sound = decode.read(files.read_bytes(path, decode.BYTES), keep)
    except decode.Unreadable as error:
        raise UserError(f"{path} cannot be restored: {error}.") from error
    return (np.concatenate(blocks, 1) if blocks else sound.wave[None]), sound


def _at(waves: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Waves float32 [channels, n] at another rate."""
    return waves if rate == to_rate else np.stack([fit.resampled(wave, rate, to_rate) for wave in waves])
