"""Which files are sounds, and finding them in a folder or an archive."""

from __future__ import annotations

from ganvas.core import files
from ganvas.core.errors import UserError, cannot
from ganvas.sounds import decode
from ganvas.sources import listing
from ganvas.sources.kind import Kind
from ganvas.sources.listing import Listing

SOUNDS = Kind(
    noun="sounds",
    singular="sound",
    tests="test sounds",
    trained="training sounds",
    suffixes=frozenset(decode.SUFFIXES),
    most_bytes=decode.BYTES,
    examples=".wav or .flac",
    others={
        "convert them to WAV or FLAC: ffmpeg -i SOUND sound.wav": (
            *(".m4a", ".m4b", ".aac", ".wma", ".amr", ".3ga", ".ape", ".wv", ".caf", ".mka", ".ac3", ".dts", ".ra"),
            *(".tta", ".mpc", ".spx", ".dsf", ".dff", ".snd", ".voc", ".w64", ".rf64", ".gsm"),
        ),
        "extract the sound from them: ffmpeg -i VIDEO sound.wav": (
            *(
                ".3gp",
                ".avi",
                ".flv",
                ".m2ts",
                ".m4v",
                ".mkv",
                ".mov",
                ".mp4",
                ".mpeg",
                ".mpg",
                ".mts",
                ".ogv",
                ".webm",
            ),
            ".wmv",
        ),
        "render them to WAV, for instance with fluidsynth": (".mid", ".midi", ".mod", ".xm", ".it", ".s3m"),
        "save the sounds in them as WAV": (".npy", ".npz", ".parquet", ".tfrecord"),
        "unpack them": (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"),
    },
    columns=("audio", "audio_file", "audio_path", "sound", "wav", "wav_file", "clip", "recording", "fname", "path"),
    numbers=("audio_id", "clip_id", "sound_id", "id"),
)
PLACES = f"a folder or an archive ({', '.join(listing.ARCHIVES)}) of sounds"


def find(source: str, labelled: bool = True) -> Listing:
    """The sounds of a folder or an archive; nothing is written to disk.

    Raises:
        UserError: there is no such place, it holds no sounds or only one, or labels do not fit the files.
    """
    if not source:
        raise UserError(f"Name the sounds to learn from: --data PLACE, {PLACES}.")
    path = files.place(source)
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        raise cannot("read", path, error) from error
    except ValueError as error:  # not a path at all
        raise UserError(f"Cannot read {source}: {error}.") from error
    if not exists:
        raise UserError(f"There is no file or folder {source}.")
    if not is_folder and not listing.is_archive(path):
        single = " is a single sound" if SOUNDS.has(path.name) else " is a file"
        raise UserError(f"{source}{single}; --data needs {PLACES}.")
    found = listing.find(path, SOUNDS, labelled)
    if len(found.names) < 2:
        raise UserError(f"{source} holds a single sound. Training needs more: at least a hundred to be useful.")
    return found


def looks_like(source: str) -> bool:
    """Is this a place that holds sounds, as far as a look at some of its names tells, or a single one?"""
    try:
        path = files.place(source)
        if SOUNDS.has(path.name) and path.is_file():
            return True
        return bool(source) and (path.is_dir() or listing.is_archive(path)) and listing.seems(path, SOUNDS)
    except (UserError, OSError, ValueError):
        return False
