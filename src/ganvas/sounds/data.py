"""The sounds to train on, and the settings that say which."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.core.samples import DataConfigBase
from ganvas.sounds import kind, pack, pitch, sheets
from ganvas.sounds.fit import FULL
from ganvas.sounds.pack import Pack, Shape
from ganvas.sounds.pitch import PROBED
from ganvas.sounds.spec import LONGEST, RATES, SoundSpec
from ganvas.sources import cached, listing
from ganvas.sources.checks import Packing


@dataclass(frozen=True)
class Split:
    """Waves int16 [N, samples], which stay on the disk, and labels int64 [N] (None: unlabelled)."""

    samples: Tensor
    labels: Tensor | None

    @classmethod
    def on_disk(cls, samples: Stored, labels: Tensor | None) -> Split:
        return cls(cast(Tensor, samples), labels)  # it can be indexed, sliced and split like a tensor


@dataclass(frozen=True)
class SoundData:
    """Sounds of one rate and length: to train on, and held-out ones."""

    name: str
    spec: SoundSpec
    train: Split
    held_out: Split
    class_names: tuple[str, ...]
    fingerprint: str  # SHA-256 of the waves and labels of both splits
    licence: str = "not stated"
    notes: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()  # how many sounds were mixed down, resampled, cut, left out
    other: None = None

    def decode(self, samples: Tensor) -> Tensor:
        """Waves int16 [B, samples] -> spectrograms float [B, 1, bands, frames] in [-1, 1]."""
        return self.spec.codec.encode(samples.float() / FULL)

    def facts(self) -> dict[str, Any]:
        """An entry for a model's card: how many sounds were changed."""
        return {"sounds": dict(self.counts)}

    def examples(self) -> sheets.Preview:
        """Real sounds: a row a class, or spread evenly."""
        wanted, labels = sheets.labels_of(self.spec.classes), self.train.labels
        total = len(self.train.samples)
        if labels is None:
            rows = torch.arange(len(wanted)) * total // len(wanted)
        else:
            found = [(labels == c).nonzero().flatten() for c in range(self.spec.classes)]
            rows = torch.stack([found[c][i % sheets.COLUMNS % len(found[c])] for i, c in enumerate(wanted)])
        waves = self.train.samples[rows]
        heard = waves[torch.tensor(sheets.heard(self.spec.classes))]
        return sheets.Preview(self.decode(waves), heard.float() / FULL, self.spec.rate)


@dataclass(frozen=True)
class DataConfig(DataConfigBase):
    """Which sounds to train on, and how they become spectrograms."""

    source: str = knob(
        "", "a folder of sounds, with a sub-folder for each class if there are any, or an archive of one"
    )
    labels: bool = knob(True, "use the labels if the data has them")
    rate: int = knob(
        0,
        f"samples a second, {RATES[0]:,} to {RATES[1]:,} (0: as most files have, at most {pack.USUAL:,})",
        low=0,
        high=RATES[1],
    )
    seconds: float = knob(
        0.0,
        f"length of a sound: longer ones are cut (0: as long as {pack.WHOLE:.0%} of them, at most {LONGEST:g})",
        low=0,
        high=LONGEST,
    )
    window: int = knob(0, "samples of the window of a spectrum, a multiple of 8 (0: about 56 ms)", low=0, high=2**13)
    bands: int = knob(0, "frequency bands of a spectrum, evenly spaced in mel (0: by the rate)", low=0, high=256)

    @classmethod
    def takes(cls, source: str) -> bool:
        """Does this look like sounds?"""
        return kind.looks_like(source)

    def bare_name(self) -> str:
        return listing.bare_name(Path(self.source))

    def bare(self, data: Any) -> dict[str, str]:
        return {"source": data.name}

    def shape(self) -> Shape:
        """The shape that is asked for.

        Raises:
            UserError: a setting is out of range.
        """
        if 0 < self.rate < RATES[0]:
            raise UserError(
                f"rate={self.rate}: at least {RATES[0]:,} samples a second are needed; 0 means as the files."
            )
        if self.window and (self.window < 64 or self.window % 8):
            raise UserError(f"window={self.window}: use a multiple of 8 from 64 to 8192, or 0: about 56 ms.")
        if 0 < self.bands < 16:
            raise UserError(f"bands={self.bands}: at least 16 are needed; 0: by the rate.")
        return Shape(self.rate, self.seconds, self.window)

    def loading(self) -> Generator[Packing, None, SoundData]:
        """Read the sounds, and yield how far their conversion is; they are converted once, into the user's cache.

        Raises:
            UserError: they cannot be found or read, soundfile or soxr is missing, or there are too few.
        """
        shape = self.shape()
        found = kind.find(self.source, self.labels)
        place = cached.place_of(found.name, "-" + pack.key(found, shape)[:20])
        packed, notes = yield from cached.cached(
            place,
            0,
            lambda: pack.write(found, shape, place),
            lambda: pack.read(place, found.notes),
            kind.SOUNDS.noun,
            pack.ANEW,
        )
        return self._of(packed, notes)

    def _of(self, packed: Pack, notes: list[str]) -> SoundData:
        seen = packed.train[0][slice(0, None, -(-len(packed.train[0]) // PROBED))]
        voiced = pitch.moves(seen.float() / FULL, packed.rate)
        spec = SoundSpec.of(packed.rate, packed.samples, len(packed.class_names), self.window, self.bands, voiced)
        return SoundData(
            packed.name,
            spec,
            Split.on_disk(*packed.train),
            Split.on_disk(*packed.held_out),
            packed.class_names,
            packed.fingerprint,
            packed.licence,
            (*packed.notes, *notes),
            tuple(packed.counts.items()),
        )
