"""Single notes with pitch labels: a data set of them, and whether a model draws the pitch that it is asked for.

    python benchmarks/notes.py make notes.zip          # 24 pitches, 16 instruments, by fluidsynth
    ganvas train sound --data notes.zip --run runs/notes
    python benchmarks/notes.py judge runs/notes --data notes.zip

`make` needs the program fluidsynth and a soundfont of General MIDI (Debian: fluidsynth, fluid-soundfont-gm). `judge`
finds the pitch of a note by `ganvas.sounds.pitch`: the median over its clear frames of 50 ms of the first
high peak of the normalised autocorrelation, with a parabola through its top. It says how that does on held-out notes.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import shutil
import struct
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.sounds import pitch as pitches
from ganvas.sounds.data import DataConfig
from ganvas.sounds.fit import FULL, resampled
from ganvas.tasks.sound.model import load

NAMES = "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"
LOWEST, HIGHEST = 48, 71  # C3 to B4, as numbers of MIDI
PROGRAMS = {
    "piano": 0, "electric-piano": 4, "vibraphone": 11, "marimba": 12, "guitar": 24, "bass": 32, "violin": 40,
    "cello": 42, "harp": 46, "trumpet": 56, "horn": 60, "saxophone": 65, "oboe": 68, "clarinet": 71, "flute": 73,
    "ocarina": 79,
}  # fmt: skip
VELOCITIES, LENGTHS = (50, 80, 110), (400, 800)  # of a note; milliseconds from its beginning to its release
SLOT, KEPT = 1_600, 1_000  # milliseconds from one note to the next, and of each that are kept
RATE, RENDERED = 16_000, 44_100  # samples a second of the files, and of fluidsynth, which would alias at fewer
FONTS = "/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2"
RIGHT = 0.5  # semitones, at most, from the pitch that was asked for
KINDS = "right", "octave", "wrong", "none"  # octave: right but for octaves; none: it has no clear pitch


def name(note: int) -> str:
    """Of a number of MIDI: 60 is C4."""
    return f"{NAMES[note % 12]}{note // 12 - 1}"


def number(name: str) -> int:
    """The number of MIDI that has this name.

    Raises:
        SystemExit: it is the name of no note.
    """
    letter, octave = name.rstrip("0123456789"), name.lstrip("ABCDEFG#")
    if letter not in NAMES or not octave.isdigit():
        raise SystemExit(f"The class {name} is not a note, such as C#4.")
    return 12 * (int(octave) + 1) + NAMES.index(letter)


def midi(program: int, notes: list[tuple[int, int, int]]) -> bytes:
    """A file of MIDI: notes of one instrument, (number, velocity, milliseconds) each, SLOT after one another."""
    events = [(0, bytes((0xFF, 0x51, 3)) + (1_000_000).to_bytes(3, "big")), (0, bytes((0xC0, program)))]
    for i, (note, velocity, length) in enumerate(notes):
        events += [(i * SLOT, bytes((0x90, note, velocity))), (i * SLOT + length, bytes((0x80, note, 0)))]
    events.append((len(notes) * SLOT, bytes((0xFF, 0x2F, 0))))
    track, now = b"", 0
    for at, event in events:  # a quarter is a second and 1,000 ticks, so that a tick is a millisecond
        wait, now = at - now, at
        track += bytes(((wait >> 14 & 127 | 128), (wait >> 7 & 127 | 128), wait & 127)) + event
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1_000) + b"MTrk" + struct.pack(">I", len(track)) + track


def rendered(content: bytes, font: str) -> np.ndarray:
    """A file of MIDI as float32 [n, 2] at RENDERED samples a second, without reverb and chorus.

    Raises:
        SystemExit: fluidsynth is missing or failed.
    """
    if shutil.which("fluidsynth") is None:
        raise SystemExit("Notes are made with fluidsynth, which is not installed (Debian: apt install fluidsynth).")
    with tempfile.TemporaryDirectory() as folder:
        song, out = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        song.write_bytes(content)
        words = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RENDERED), "-F", str(out)]
        done = subprocess.run([*words, font, str(song)], capture_output=True, text=True)
        if done.returncode or not out.exists():
            raise SystemExit(f"fluidsynth failed: {done.stderr[-500:]}")
        return soundfile.read(out, dtype="float32", always_2d=True)[0]


def make(out: Path, font: str | None) -> int:
    """Write the notes into a zip archive, a folder a pitch; returns how many.

    Raises:
        SystemExit: there is no soundfont, or fluidsynth is missing or failed.
    """
    font = font or next((path for path in FONTS if Path(path).exists()), None)
    if font is None or not Path(font).exists():
        raise SystemExit("Notes need a soundfont (Debian: apt install fluid-soundfont-gm); name yours with --font.")
    notes = [(n, v, t) for n in range(LOWEST, HIGHEST + 1) for v in VELOCITIES for t in LENGTHS]
    written = 0
    with zipfile.ZipFile(out, "w") as archive:
        for instrument, program in PROGRAMS.items():
            wave = rendered(midi(program, notes), font).mean(1)
            for i, (note, velocity, length) in enumerate(notes):
                start = i * SLOT * RENDERED // 1_000
                sound = resampled(wave[start : start + KEPT * RENDERED // 1_000], RENDERED, RATE)
                file = io.BytesIO()
                soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
                archive.writestr(f"{name(note)}/{instrument}-{velocity}-{length}.wav", file.getvalue())
                written += 1
    return written


def verdicts(waves: Tensor, rate: int, asked: Tensor) -> list[str]:
    """One of KINDS for each of the waves float [N, samples]; `asked`: numbers of MIDI, [N]."""
    hertz = torch.cat([pitches.pitch(part, rate, pitches.NOTES).of_sounds for part in waves.split(64)])
    found = []
    for heard, note in zip(hertz.tolist(), asked.tolist(), strict=True):
        if math.isnan(heard):
            found.append("none")
            continue
        off = 69 + 12 * math.log2(heard / 440) - note
        octaves = 12 * round(off / 12)
        found.append("wrong" if abs(off - octaves) > RIGHT else "octave" if octaves else "right")
    return found


def shares(found: list[str]) -> dict[str, float]:
    return {kind: found.count(kind) / len(found) for kind in KINDS}


def judge(run: Path, data: str, count: int, seed: int) -> dict[str, dict[str, float]]:
    """The shares of KINDS among drawn notes, and among held-out ones by the same finder.

    Raises:
        UserError: the model or the data cannot be read.
    """
    model, real = load(run), last(DataConfig(data).loading())
    if not model.class_names or real.held_out.labels is None:
        raise UserError(f"{run} has no classes: pitches cannot be asked for.")
    asked = torch.tensor([number(name) for name in model.class_names])
    labels = torch.arange(count) % len(asked)
    drawn = verdicts(model.sample(count, labels.tolist(), seed), model.spec.rate, asked[labels])
    theirs = torch.tensor([number(name) for name in real.class_names])[real.held_out.labels]
    waves = real.held_out.samples[torch.arange(len(theirs))].float() / FULL
    return {"drawn": shares(drawn), "held-out": shares(verdicts(waves, real.spec.rate, theirs))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Notes with pitch labels: a data set, and a model's share of right ones."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="a zip archive of notes")
    making.add_argument("out", type=Path)
    making.add_argument("--font", help="a soundfont (.sf2)")
    judging = verbs.add_parser("judge", help="which share of drawn notes has the pitch that was asked for")
    judging.add_argument("run", type=Path)
    judging.add_argument("--data", required=True, help="the notes that it was trained on")
    judging.add_argument("--count", type=int, default=500)
    judging.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    if a.verb == "make":
        print(
            f"{make(a.out, a.font):,} notes of {len(PROGRAMS)} instruments, {name(LOWEST)} to {name(HIGHEST)}: {a.out}"
        )
        return
    for side, found in judge(a.run, a.data, a.count, a.seed).items():
        print(f"{side}: " + ", ".join(f"{kind} {share:.1%}" for kind, share in found.items()))
        print(json.dumps({"side": side, "count": a.count, "seed": a.seed, **found}))


if __name__ == "__main__":
    main()
