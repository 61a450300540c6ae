"""What `ganvas evaluate` measures of sounds: a model, or sounds in files, and the real ones to compare them with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.core import files, seeds
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.core.run import Run, run_of
from ganvas.core.samples import Dataset
from ganvas.sounds import decode, fit
from ganvas.sounds import files as sound_files
from ganvas.sounds.decode import Unreadable
from ganvas.sounds.kind import SOUNDS
from ganvas.sounds.spec import SoundSpec
from ganvas.sources import given, listing
from ganvas.tasks.sound.model import SoundModel, load
from ganvas.training.evaluate import trained_on

MOST, BYTES = 25_000, 800_000_000  # sounds of a split that are used at most, and bytes of them


@dataclass(frozen=True)
class Sampler:
    """A model whose sounds are compared with `real`."""

    model: SoundModel
    real: Dataset
    order = "as often as in the data"

    @property
    def has_classes(self) -> bool:
        """Are its classes those of the data?"""
        return bool(self.real.class_names) and tuple(self.model.class_names) == tuple(self.real.class_names)

    @property
    def most(self) -> int | None:
        return None

    def some(self, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
        """The sounds of a repeat's seeds, int16 [count, samples], and their classes, as frequent as in the data.

        Raises:
            UserError: the generator draws values that are not numbers.
        """
        first, labels = seed + repeat * count, None
        if self.has_classes:
            all_ = self.real.train.labels
            assert all_ is not None
            labels = all_[torch.randint(len(all_), (count,), generator=seeds.generator(seed, "classes", repeat))]
        waves = self.model.draw_waves(range(first, first + count), None if labels is None else labels.tolist())
        return stored(waves), labels


@dataclass(frozen=True)
class Files:
    """Sounds in files: waves int16 [N, samples], and their classes, where tables or folders say them of all."""

    waves: Tensor
    labels: Tensor | None
    notes: tuple[str, ...] = ()
    order = "as in the files"

    @property
    def has_classes(self) -> bool:
        return self.labels is not None

    @property
    def most(self) -> int | None:
        return len(self.waves)

    def some(self, count: int, seed: int, repeat: int) -> tuple[Tensor, Tensor | None]:
        """`count` of them, chosen by the seed."""
        chosen = torch.randperm(len(self.waves), generator=seeds.generator(seed, "files", repeat))[:count]
        return self.waves[chosen], None if self.labels is None else self.labels[chosen]


def stored(waves: Tensor) -> Tensor:
    """Waves float [N, samples] as files of 16 bits have them, int16."""
    return torch.from_numpy(sound_files.to_int16(waves.numpy()))


def is_files(place: str | os.PathLike[str]) -> bool:
    """Is this a folder of files and not a run, an archive, or a sound?"""
    path = files.place(place)
    if not path.is_dir():
        return path.is_file() and (listing.is_archive(path) or SOUNDS.has(path.name))
    return not any((path / name).exists() for name in ("model.safetensors", "experiment.json"))


def find(source: str | os.PathLike[str], data: str | None) -> tuple[Sampler | Files, Run | None, Any]:
    """What is measured, the run that it belongs to, and the real sounds.

    Args:
        data: the real sounds, where they are not those that the model was trained on; needed for files.

    Raises:
        UserError: there is no such source, the real sounds are not known, or they are of another rate or length.
    """
    if is_files(source):
        if data is None:
            raise UserError(f"{source} holds sounds. Name the real ones to compare them with: --data FOLDER.")
        from ganvas.sounds.data import DataConfig

        real = last(DataConfig(source=data).loading())
        return read(files.place(source), real.spec, real.class_names), None, real
    model = load(source)
    real = suiting(model, source, data)
    return Sampler(model, real), run_of(model.path), real


def suiting(model: SoundModel, source: str | os.PathLike[str], data: str | None) -> Dataset:
    """The sounds that a model was trained on, or those that the user names.

    Raises:
        UserError: they do not exist, are other ones now, or are of another rate or length.
    """
    real = trained_on(model, source, data)
    ours, theirs = ((s.rate, s.samples) for s in (model.spec, real.spec))
    if ours != theirs:
        raise UserError(
            f"{source} draws sounds of {model.spec.words()}; those of {real.name} have {real.spec.words()}. "
            "Name the right --data."
        )
    return real


def read(place: Path, spec: SoundSpec, class_names: Sequence[str]) -> Files:
    """All sounds of a folder or archive, as they are where they have the rate and length of `spec`, else by the rule.

    Raises:
        UserError: there are none that can be read.
    """
    waves: list[Tensor] = []
    labels: list[str | None] = []
    broken, changed, bare, classes = [], 0, "", given.Classes(class_names)
    found = given.look([place], SOUNDS, labelled=bool(class_names))
    for one in found.read():
        try:
            if isinstance(one.content, UserError):
                raise one.content
            sound = decode.read(one.content)
            fits = (sound.rate, len(sound.wave)) == (spec.rate, spec.samples)
            wave = sound_files.to_int16(sound.wave) if fits else fit.fitted(*_of(sound, spec))
        except (UserError, Unreadable, fit.Silent) as error:
            broken.append(f"{one.path} is left out: {str(error).removesuffix('.')}.")
            continue
        changed += not fits
        waves.append(torch.from_numpy(wave))
        labels.append(classes.of(one.names))
        bare = bare or (str(one.path) if labels[-1] is None else "")
    if not waves:
        raise UserError(f"{place} has no sounds that can be read. {broken[0] if broken else ''}".strip())
    notes = [*found.notes, *broken[:5]] + [f"{len(broken):,} files are left out in all."] * (len(broken) > 5)
    notes += [f"{changed:,} files were resampled, trimmed, cut or padded to {spec.words()}."] * bool(changed)
    by_name = {name: number for number, name in enumerate(class_names)}
    known = [by_name[name] for name in labels if name is not None]
    if known and bare:
        notes.append(
            f"No metrics of classes: of {SOUNDS.many(labels.count(None))} no table of labels and no folder's name says "
            f"the class (the first: {bare})."
        )
    return Files(torch.stack(waves), torch.tensor(known) if class_names and not bare else None, tuple(notes))


def _of(sound: Any, spec: SoundSpec) -> tuple[Any, int, int, int]:
    return sound.wave, sound.rate, spec.rate, spec.samples


@dataclass(frozen=True)
class Split:
    """Sounds of a data set, in random order: waves int16 [N, samples], labels int64 [N]."""

    waves: Tensor
    labels: Tensor | None


def shuffled(split: Any, seed: int, name: str, samples: int) -> Split:
    """At most MOST sounds and BYTES of a split of a data set, in an order that follows from the seed."""
    most = min(MOST, BYTES // (2 * samples))
    index = torch.randperm(len(split.samples), generator=seeds.generator(seed, "real sounds", name))[:most]
    return Split(split.samples[index], None if split.labels is None else split.labels[index])
