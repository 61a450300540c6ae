"""What is fuzzed: each kind of file that Ganvas reads, how it is read, and what is right of what comes back."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutations
import numpy as np
from conftest import write_idx
from PIL import Image

from ganvas.core.run import Run
from ganvas.export import model_card
from ganvas.images import data
from ganvas.images.data import ImageData
from ganvas.images.decode import Shape
from ganvas.report import diagnosis, page
from ganvas.sounds import files as sound_files
from ganvas.studio import contents, index, jobs
from ganvas.tasks.generate import model as generate_model
from ganvas.tasks.generate.task import GenerateTask
from ganvas.training.experiment import Experiment
from ganvas.training.trainer import Trainer

SIDE, COUNT = 12, 24  # pixels and number of the pictures in the data sets


@dataclass(frozen=True)
class Subject:
    """A kind of file.

    `make(folder, run)` fills a folder, given that of a finished run, and names the files that are damaged.
    `read(folder)` is what Ganvas makes of it. `right(before, after)`: is this right, given what was read before?
    """

    make: Callable[[Path, Path], list[str]]
    read: Callable[[Path], Any]
    right: Callable[[Any, Any], bool]
    damage: Callable[[bytes, random.Random], bytes] = mutations.of_bytes
    in_place: Callable[[Path, random.Random], None] | None = None  # instead of `damage`
    refused: bool = True  # may it be refused with a sentence?


def same(before: Any, after: Any) -> bool:
    return before == after


def anything(before: Any, after: Any) -> bool:
    return True  # what is forged with its digest is another file; it must only be read, or refused, in good order


# runs


def copied(*names: str) -> Callable[[Path, Path], list[str]]:
    """The files of a run that are needed; the first is damaged."""

    def make(folder: Path, run: Path) -> list[str]:
        for name in names:
            for path in sorted(run.glob(name))[-1:]:
                place = folder / path.relative_to(run)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)
        return [str(p.relative_to(folder)) for p in folder.glob(names[0])]

    return make


def drawn(folder: Path) -> Any:
    model = generate_model.load(folder / "model.safetensors")
    told = (model_card.facts(model), model_card.figures(model), model_card.sections(model))
    return model.pictures(range(3)).numpy().tobytes(), model.class_names, told


def same_drawing(before: Any, after: Any) -> bool:
    return before[:2] == after[:2]


def restored(folder: Path) -> str:
    """The state of a trainer that goes on from the snapshot."""
    trainer = _trainer(folder)
    path, tensors, card, _ = Run(folder).last_snapshot()
    assert path is not None
    trainer.restore(path, tensors, card)
    trainer.rate(), trainer.betas(trainer.images), trainer.means()
    return trainer.digest()


TRAINERS: dict[str, Trainer] = {}


def _trainer(folder: Path) -> Trainer:
    text = (folder / "experiment.json").read_text()
    if text not in TRAINERS:
        experiment = Experiment.load(folder)
        TRAINERS[text] = Trainer(experiment.build(experiment.load_data().spec), experiment.training)
    return TRAINERS[text]


def lines(folder: Path) -> tuple[Counter[str], set[bytes]]:
    """All rows of a run's log and metrics, and the lines of both files; whatever reads them must not complain."""
    run = Run(folder)
    rows, checks = run.rows(), run.rows(run.metrics)
    run.figures()
    diagnosis.remarks(rows, checks)
    contents.last_line(run.log), index.best_figure(run, GenerateTask.studio)
    whole = b"".join(path.read_bytes() for path in (run.log, run.metrics))
    return Counter(json.dumps(row) for row in (*rows, *checks)), set(whole.split(b"\n"))


def whole_lines_are_there(before: tuple[Counter[str], set[bytes]], after: tuple[Counter[str], set[bytes]]) -> bool:
    """Each line that was not touched is read as it stands."""
    kept = before[1] & after[1] - {b""}
    return all(json.dumps(json.loads(line)) in after[0] for line in kept)


def reported(folder: Path) -> str:
    run = Run(folder)
    page.write(run)
    text = run.report.read_text()
    assert "<script>alert" not in text
    return text


def settings(folder: Path) -> Any:
    found = Experiment.load(folder)
    again = Experiment.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_dict() == found.to_dict()
    contents.settings(Run(folder)), index.Runs(folder.parent).summary(folder.name)
    return None


# data sets


def pixels(found: ImageData) -> Counter[tuple[str, str]]:
    """Each picture's digest with its class."""
    seen: Counter[tuple[str, str]] = Counter()
    for split in (found.train, found.held_out):
        for i in range(len(split.images)):
            label = "" if split.labels is None else found.class_names[int(split.labels[i])]
            seen[hashlib.blake2b(split.images[i : i + 1].numpy().tobytes()).hexdigest(), label] += 1
    return seen


def loaded(name: str, labelled: bool = True) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        found = data.load(str(folder / name), labelled=labelled)
        return pixels(found), found.fingerprint, found.notes

    return read


def same_data(before: Any, after: Any) -> bool:
    return before[:2] == after[:2]


def some_left_out(before: Any, after: Any) -> bool:
    """What is there is right, bit for bit; what is not there, or has lost its class, is told."""
    old = before[0] if any(label for _, label in after[0]) else unlabelled(before)
    return not after[0] - old and (after[0] == before[0] or bool(after[2]))


def unlabelled(found: Any) -> Counter[tuple[str, str]]:
    return Counter((digest, "") for digest, _ in found[0].elements())


def one_other(before: Any, after: Any) -> bool:
    """As `some_left_out`, but the damaged picture may be another: its kind of file has no checksum."""
    lost, new = before[0] - after[0], after[0] - before[0]
    return sum(lost.values()) <= 1 and sum(new.values()) <= 1


def picture(i: int) -> Image.Image:
    random_ = np.random.default_rng(i)
    array = random_.integers(0, 60, (SIDE, SIDE, 3)) + np.array([i * 7, 180 - i * 5, 90])
    return Image.fromarray(array.clip(0, 255).astype(np.uint8))


def encoded(i: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture(i).save(out, kind)
    return out.getvalue()


def classes(i: int) -> str:
    return "odd" if i % 2 else "even"


def make_folder(folder: Path, run: Path) -> list[str]:
    kinds = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "bmp": "BMP"}
    names = []
    for i in range(COUNT):
        suffix, kind = list(kinds.items())[i % len(kinds)]
        place = folder / "set" / classes(i) / f"{i:02}.{suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encoded(i, kind))
        names.append(str(place.relative_to(folder)))
    return names


def make_zip(folder: Path, run: Path) -> list[str]:
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for i in range(COUNT):
            file.writestr(f"{classes(i)}/{i:02}.png", encoded(i))
    return ["set.zip"]


def make_tar(suffix: str) -> Callable[[Path, Path], list[str]]:
    def make(folder: Path, run: Path) -> list[str]:
        with tarfile.open(folder / f"set.tar{suffix}", "w:gz" if suffix else "w") as file:
            for i in range(COUNT):
                info = tarfile.TarInfo(f"{classes(i)}/{i:02}.png")
                info.size = len(encoded(i))
                file.addfile(info, io.BytesIO(encoded(i)))
        return [f"set.tar{suffix}"]

    return make


def stack() -> tuple[np.ndarray, np.ndarray]:
    grey = np.stack([np.asarray(picture(i).convert("L")) for i in range(COUNT)])
    return grey, (np.arange(COUNT) % 2).astype(np.uint8)


def make_idx(folder: Path, run: Path) -> list[str]:
    images, labels = stack()
    (folder / "set").mkdir()
    names = ["set/train-images-idx3-ubyte.gz", "set/train-labels-idx1-ubyte.gz"]
    write_idx(folder / names[0], images)
    write_idx(folder / names[1], labels)
    return names


def make_plain_idx(folder: Path, run: Path) -> list[str]:
    names = make_idx(folder, run)
    for name in names:
        (folder / name[:-3]).write_bytes(gzip.decompress((folder / name).read_bytes()))
        (folder / name).unlink()
    return [name[:-3] for name in names]


def plain_idx(folder: Path) -> Any:
    """IDX files have no checksum: what they say is compared with another reader of the same bytes."""
    found = loaded("set")(folder)
    raw = (folder / "set/train-images-idx3-ubyte").read_bytes()
    images = np.frombuffer(raw, np.uint8, offset=16)
    count = int.from_bytes(raw[4:8], "big")
    digests = Counter(hashlib.blake2b(x.tobytes()).hexdigest() for x in images.reshape(count, -1))
    seen: Counter[str] = Counter()
    for (digest, _), times in found[0].items():
        seen[digest] += times
    assert seen == digests
    return found


def make_npz(folder: Path, run: Path) -> list[str]:
    images, labels = stack()
    np.savez_compressed(folder / "set.npz", images=images, labels=labels)
    return ["set.npz"]


def make_pack(folder: Path, run: Path) -> list[str]:
    make_zip(folder, run)
    for _ in data.pack_into(str(folder / "set.zip"), folder / "pack", Shape(SIDE, 3)):
        pass
    return sorted(str(p.relative_to(folder)) for p in (folder / "pack").iterdir() if p.is_file() and p.name[0] != ".")


def make_cache(folder: Path, run: Path) -> list[str]:
    """The pack that a folder of pictures got in the cache."""
    make_folder(folder, run)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    data.load(str(folder / "set"))
    return sorted(str(p.relative_to(folder)) for p in (folder / "cache").rglob("*") if p.is_file() and p.name[0] != ".")


def from_cache(folder: Path) -> Any:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return loaded("set")(folder)


def make_table(name: str) -> Callable[[Path, Path], list[str]]:
    def make(folder: Path, run: Path) -> list[str]:
        (folder / "set").mkdir()
        for i in range(COUNT):
            (folder / "set" / f"{i:02}.png").write_bytes(encoded(i))
        rows = [{"file_name": f"{i:02}.png", "label": classes(i)} for i in range(COUNT)]
        out = io.StringIO()
        if name.endswith(".csv"):
            writer = csv.DictWriter(out, ["file_name", "label"])
            writer.writeheader()
            writer.writerows(rows)
        elif name.endswith(".jsonl"):
            out.write("".join(json.dumps(row) + "\n" for row in rows))
        else:
            out.write(json.dumps({"labels": [[r["file_name"], i % 2] for i, r in enumerate(rows)]}))
        (folder / "set" / name).write_text(out.getvalue())
        return [f"set/{name}"]

    return make


def same_pictures(before: Any, after: Any) -> bool:
    """A table has no checksum: a class may get another name. The pictures are the same."""
    return unlabelled(before) == unlabelled(after)


def make_sounds(folder: Path, run: Path) -> list[str]:
    """A sound in each kind of file."""
    import soundfile

    kinds = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "opus": "OPUS", "mp3": "MPEG_LAYER_III"}
    kinds |= {"aiff": "PCM_16", "au": "PCM_16", "sph": "PCM_16", "wave": "FLOAT"}
    names = {"opus": "OGG", "sph": "NIST", "wave": "WAV"}
    tone = 0.5 * np.sin(np.arange(8_000) * 0.2) * np.hanning(8_000)
    for suffix, coding in kinds.items():
        place = folder / "set" / f"tone.{suffix}"
        place.parent.mkdir(exist_ok=True)
        soundfile.write(place, tone, 8_000, format=names.get(suffix, suffix.upper()), subtype=coding)
    return [f"set/tone.{suffix}" for suffix in kinds]


def recorded(folder: Path) -> dict[str, bytes]:
    """Each sound that can be read, by the rule for all; of others a sentence that names the file."""
    fitted, broken, _ = sound_files.recordings([folder / "set"], 8_000, 8_192)
    assert all(str(folder) in sentence for sentence in broken)
    assert len(fitted) + len(broken) == 9
    for sound in fitted:
        assert abs(float(np.abs(sound.wave).max()) - 0.9) < 1e-3
    return {sound.path.name: sound.wave.tobytes() for sound in fitted}


def one_sound_other(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Most kinds of sound files have no checksum: the damaged one may sound otherwise, the others may not."""
    return sum(after.get(name) != wave for name, wave in before.items()) <= 1


# the studio's queue


def make_jobs(folder: Path, run: Path) -> list[str]:
    """The queue of the runs in the folder that this one is copied to."""
    root = folder.with_name("place") / "runs"
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    (folder / "runs").mkdir()
    file = jobs.home_of(root) / "jobs.json"
    file.parent.mkdir(parents=True)
    train = ["train", "mnist", "--run", str(root / "00000-mnist"), "images=2M"]
    done = {"kind": "resume", "run": "00001-few", "arguments": ["resume", str(root / "00001-few")], "state": "done"}
    rows = [{"number": 1, "kind": "train", "run": "00000-mnist", "arguments": train}, {"number": 2, **done}]
    file.write_text(json.dumps(rows))
    return [str(file.relative_to(folder))]


def queued(folder: Path) -> Any:
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    queue = jobs.Jobs(folder / "runs")
    json.dumps(queue.rows(), ensure_ascii=False).encode()
    return folder / "runs", [job.arguments for job in queue.jobs if job.state == "waiting"]


def no_other_command(before: Any, after: Any) -> bool:
    """Nothing waits to be started that the page cannot have asked for."""
    root = after[0]
    assert before[1]
    for words in after[1]:
        run = Path(words[3] if words[0] == "train" else words[1])
        if words[0] not in ("train", "resume") or run.parent != root or (words[0] == "train" and ":" in words[1]):
            return False
    return True


EXPERIMENT = ("experiment.json", "log.jsonl", "metrics.jsonl", "model.safetensors", "samples/*.png")
SUBJECTS: dict[str, Subject] = {
    "model": Subject(copied("model.safetensors"), drawn, same_drawing),
    "forged model": Subject(copied("model.safetensors"), drawn, anything, in_place=mutations.of_checkpoint),
    "snapshot": Subject(copied("checkpoints/snapshot_*", "experiment.json"), restored, same),
    "forged snapshot": Subject(
        copied("checkpoints/snapshot_*", "experiment.json"), restored, anything, in_place=mutations.of_checkpoint
    ),
    "log": Subject(copied("log.jsonl", *EXPERIMENT), lines, whole_lines_are_there, mutations.of_json, refused=False),
    "metrics": Subject(
        copied("metrics.jsonl", *EXPERIMENT), lines, whole_lines_are_there, mutations.of_json, refused=False
    ),
    "report": Subject(copied("*.json*", *EXPERIMENT), reported, anything, mutations.of_json),
    "experiment": Subject(copied("experiment.json", *EXPERIMENT), settings, anything, mutations.of_json),
    "pack": Subject(make_pack, loaded("pack"), same_data),
    "pack's card": Subject(make_pack, loaded("pack"), same_data, mutations.of_json),
    "cache": Subject(make_cache, from_cache, same_data, refused=False),
    "IDX": Subject(make_idx, loaded("set"), same_data),
    "IDX, not packed": Subject(make_plain_idx, plain_idx, anything),
    "npz": Subject(make_npz, loaded("set.npz"), same_data),
    "csv": Subject(make_table("labels.csv"), loaded("set"), same_pictures),
    "jsonl": Subject(make_table("metadata.jsonl"), loaded("set"), same_pictures, mutations.of_json),
    "dataset.json": Subject(make_table("dataset.json"), loaded("set"), same_pictures, mutations.of_json),
    "zip": Subject(make_zip, loaded("set.zip"), some_left_out),
    "tar": Subject(make_tar(""), loaded("set.tar"), some_left_out),
    "tar.gz": Subject(make_tar(".gz"), loaded("set.tar.gz"), some_left_out),
    "pictures": Subject(make_folder, loaded("set"), one_other),
    "sounds": Subject(make_sounds, recorded, one_sound_other),
    "jobs": Subject(make_jobs, queued, no_other_command, mutations.of_json, refused=False),
}
