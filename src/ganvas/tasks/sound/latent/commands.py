"""The latent space of sounds on the command line: `ganvas walk`, `invert` and `write`; no torch is imported here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.core.asked import Class, classes_of, parse_classes, seed_list, unused
from ganvas.core.console import Force, skipped, verb
from ganvas.core.errors import UserError
from ganvas.core.files import check_free
from ganvas.core.terminal import say
from ganvas.core.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from ganvas.sounds.files import Fitted
    from ganvas.tasks.sound.latent.invert import InvertedSounds
    from ganvas.tasks.sound.model import SoundModel

MOST = 500  # sounds of a walk
SLOWEST = 10.0  # seconds from one sound to the next
ACROSS = 16  # spectrograms in a row at most
BESIDE, APART = 0.25, 0.8  # seconds from a recording to the found sound, and to the next recording


@verb(
    "sound",
    help="Walk smoothly from picture to picture or from sound to sound; or show a training of pictures grow.",
    instead={
        "--frames": "say --steps NUMBER",
        "--rate": "say --every SECONDS",
        "--time-lapse": "the strips in the run's samples/ let you hear a training: leave it out",
    },
)
def walk(
    model: Path,
    *recordings: Path,
    seeds: str | None = None,
    class_: Class = None,
    steps: int = 8,
    every: float | None = None,
    loop: bool = False,
    truncation: float | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Walk smoothly from sound to sound, between seeds, classes or your own recordings: a sound that morphs.

    The sounds of all steps are played in a beat, without the silence around each: one has ended when the next
    begins. A sheet of their spectrograms is written next to them, one row per stop.

    Parameters
    ----------
    model
        A run's folder or a model file.
    recordings
        Two or more sound files to walk between; each is first inverted, as by `ganvas invert`.
    seeds
        The seeds to pass through, such as 7,1,12. Default: 0-3.
    class_
        The classes to pass through, comma-separated. Default: all classes in turn, one for each seed.
    steps
        Sounds from one stop to the next.
    every
        Seconds from the start of one sound to the start of the next. Default: the length of the longest plus a short
        pause; with less, sounds overlap.
    loop
        Loop back to the start.
    truncation
        Limit of the latent numbers (1 to 2 is usual): lower is more typical but less varied.
    out
        NAME.wav, NAME.flac or NAME.ogg; the sheet is NAME.png. Default: walk.wav, or walk-2.wav and so on.
    force
        Overwrite existing files.
    """
    from ganvas.tasks.sound.model import load

    if recordings:
        unused("between recordings", seeds=seeds, truncation=truncation)
    if every is not None and not 0.01 <= every <= SLOWEST:
        raise UserError(f"--every {every:g}: from 0.01 to {SLOWEST:g} seconds are allowed.")
    sound, sheet = _both_at(out, "walk.wav", force)
    loaded = load(model)
    waves, count, broken = _walked(loaded, recordings, seeds, class_, steps, loop, truncation)
    every = _save_beat(sound, loaded, waves, every)
    _save_sheet(sheet, loaded, waves, min(steps, ACROSS))
    say(f"Drew {len(waves):,} sounds of {model}, one every {every:.2f} s: {sound}. Their spectrograms: {sheet}")
    return skipped(broken, count)


def _walked(
    model: SoundModel,
    recordings: Sequence[Path],
    seeds: str | None,
    class_: str | None,
    steps: int,
    loop: bool,
    truncation: float | None,
) -> tuple[list[np.ndarray], int, list[str]]:
    """The waves of a walk, float [samples] each, the number of its stops, and a sentence for each unreadable file.

    Raises:
        UserError: the walk is too long, or as `latent.walk`.
    """
    from ganvas.core import latent
    from ganvas.tasks.sound.latent import walk as walks

    broken = list[str]()
    if recordings:
        inverted, _, broken = _invert_files(model, recordings, class_)
        drawn, count = walks.between(model, inverted.latents, inverted.labels, steps, loop), len(inverted.latents)
    else:
        numbers, classes = seed_list(seeds or "0-3"), None if class_ is None else parse_classes(model, class_)
        count = max(len(numbers), len(classes or ()))
        _check_count(count, steps)
        drawn = walks.walk(model, numbers, classes, steps, loop, truncation)
    _check_count(count, steps)
    return _collected(drawn, len(latent.positions(count, steps, loop))), count, broken


def _save_beat(path: Path, model: SoundModel, waves: Sequence[np.ndarray], every: float | None) -> float:
    """Write waves float [samples] in a beat, without the silence around each; returns its seconds.

    Raises:
        UserError: there is nothing to be heard.
    """
    from ganvas.sounds import files, joins

    rate = model.spec.rate
    bare = [joins.bare(wave, rate) for wave in waves]
    if not any(map(len, bare)):
        raise UserError(f"{model.path} draws silence only: no sound of this walk can be heard.")
    every = every or joins.beat(bare, rate)
    files.save(path, joins.in_beat(bare, rate, every), rate)
    return every


@verb("sound", help="Find the pictures or sounds closest to yours that the generator can draw.")
def invert(model: Path, *recordings: Path, class_: Class = None, out: Path | None = None, force: Force = False) -> int:
    """Find the sounds closest to your recordings that the generator can draw.

    The difference is given in dB: of the levels of frequency bands, where either sound is heard.

    Parameters
    ----------
    model
        A run's folder or a model file.
    recordings
        Sound files, or folders of them; they are converted to the model's rate and length, as training sounds are.
    class_
        Their class. By default all classes are tried.
    out
        NAME.wav, NAME.flac or NAME.ogg: each recording and then the sound found for it; NAME.png is a sheet of
        their spectrograms, in pairs. Default: inverted.wav, or inverted-2.wav and so on.
    force
        Overwrite existing files.
    """
    import torch

    from ganvas.sounds import files, joins
    from ganvas.tasks.sound.model import load

    if not recordings:
        raise UserError("Name one recording or more to invert: ganvas invert MODEL RECORDING...")
    sound, sheet = _both_at(out, "inverted.wav", force)
    loaded = load(model)
    inverted, fitted, broken = _invert_files(loaded, recordings, class_)
    rate, parts = loaded.spec.rate, list["np.ndarray | float"]()
    for recording, found in zip(fitted, inverted.waves.numpy(), strict=True):
        parts += [*([APART] if parts else []), joins.bare(recording.wave, rate), joins.bare(found, rate)]
    files.save(sound, joins.with_pauses(parts, rate, BESIDE), rate)
    waves = torch.stack([torch.from_numpy(recording.wave) for recording in fitted])
    pairs = torch.stack([waves, inverted.waves], 1).flatten(0, 1).numpy()
    _save_sheet(sheet, loaded, [*pairs], 2 * max(1, min(ACROSS // 2, round(len(fitted) ** 0.5))))
    for i, recording in enumerate(fitted):
        label = "" if inverted.labels is None else one_line(loaded.class_names[int(inverted.labels[i])])
        of_class = "" if inverted.labels is None else f" of class {label}"
        say(
            f"{one_line(recording.path)}: the nearest sound{of_class} is {float(inverted.distance[i]):.1f} dB away "
            f"(one drawn at random: {float(inverted.usual[i]):.1f} dB)"
        )
    say(f"Each recording and then the found sound: {sound}. Their spectrograms, in pairs: {sheet}")
    return skipped(broken, len(fitted))


@verb("sound", help="Write a text, or speak it: each character a new drawing, or sound, of the class of that name.")
def write(
    model: Path,
    text: str,
    *,
    seed: int = 0,
    truncation: float | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Speak a text, each class in it a new sound: "2026" for a model of spoken digits, "kick hat kick hat" for drums.

    The silence around each sound is cut off; sounds follow each other closely, and spaces and marks are pauses.

    Parameters
    ----------
    model
        A run's folder or a model file.
    text
        The names of the model's classes in sequence; spaces and the marks - . : / , + may be between them. A
        digit also means the class of its English name: 7 for seven.
    seed
        Another seed gives other voices.
    truncation
        Limit of the latent numbers (1 to 2 is usual): lower is more typical but less varied.
    out
        NAME.wav, NAME.flac or NAME.ogg. Default: written.wav, or written-2.wav and so on.
    force
        Overwrite existing files.
    """
    from ganvas.sounds import files
    from ganvas.tasks.sound.latent.write import write
    from ganvas.tasks.sound.model import load

    out = files.sound_at(out, "written.wav", force)
    loaded = load(model)
    wave = write(loaded, text, seed, truncation).numpy()
    files.save(out, wave, loaded.spec.rate)
    say(f"Spoke '{one_line(text)}' with {model}, {len(wave) / loaded.spec.rate:.1f} s: {out}")
    return 0


def _both_at(out: Path | None, usual: str, force: bool) -> tuple[Path, Path]:
    """The paths of a sound and of the sheet next to it: --out, or else the usual name with the first free number.

    Raises:
        UserError: --out is not a sound file, or one of them exists already.
    """
    from ganvas.sounds import files

    if out is None:
        number, sound = 1, Path(usual)
        while os.path.lexists(sound) or os.path.lexists(sound.with_suffix(".png")):
            number += 1
            sound = Path(usual).with_stem(f"{Path(usual).stem}-{number}")
        return sound, sound.with_suffix(".png")
    sound = files.sound_at(out, usual, force)
    check_free(sound.with_suffix(".png"), force=force)
    return sound, sound.with_suffix(".png")


def _check_count(stations: int, steps: int) -> None:
    """Raise a UserError where a walk is too long."""
    if stations * steps > MOST:
        raise UserError(f"{stations} stops with --steps {steps} are {stations * steps:,} sounds: {MOST} at most.")


def _collected(waves: Iterator[Tensor], total: int) -> list[np.ndarray]:
    """All waves, float [samples] each, with a progress bar."""
    from ganvas.core.bars import counted

    found: list[np.ndarray] = []

    def steps() -> Iterator[int]:
        for wave in waves:
            found.append(wave.numpy())
            yield len(found)

    counted(steps(), total, "drawing")
    return found


def _save_sheet(path: Path, model: SoundModel, waves: Sequence[np.ndarray], columns: int) -> None:
    """Write the spectrograms of waves float [samples] as a PNG."""
    import numpy as np
    import torch

    from ganvas.core.files import make_folder, write_whole
    from ganvas.sounds import sheets

    make_folder(path.parent)
    write_whole(path, sheets.png(model.spec.codec.encode(torch.from_numpy(np.stack(waves))), columns))


def _invert_files(
    model: SoundModel, places: Sequence[Path], class_: str | None
) -> tuple[InvertedSounds, Sequence[Fitted], list[str]]:
    """The user's recordings inverted, as they were converted for the model, and a sentence for each unreadable file."""
    import torch

    from ganvas.sounds import files
    from ganvas.tasks.sound.latent.invert import invert

    fitted, broken, notes = files.recordings(places, model.spec.rate, model.spec.samples, labelled=False)
    for note in notes:
        say(one_line(note), error=True)
    for recording in fitted:
        if recording.changes:
            say(f"{one_line(recording.path)}: {recording.changes}")
    waves = torch.stack([torch.from_numpy(recording.wave) for recording in fitted])
    return invert(model, waves, classes_of(model, class_, len(fitted))), fitted, broken
