"""`ganvas data check` of sounds: what they are, what would spoil a training, how they would be heard by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.core import config as cf
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import place as file_place
from ganvas.core.files import write_whole
from ganvas.core.progress import Counted
from ganvas.core.text import one_line
from ganvas.sounds import alike, decode, fit, kind, pack, sheets
from ganvas.sounds.data import DataConfig
from ganvas.sounds.spec import LONGEST, RATES, SoundSpec
from ganvas.sounds.survey import MOST_LOOKED, Survey, survey
from ganvas.sources.findings import Finding, listed, of_classes, of_copies, some, told
from ganvas.sources.listing import Listing

LEAST = 50  # sounds below which a training only memorises them
FEW = 1_000  # sounds below which the recipe for few is the better one
RARE = 10  # sounds of a class below which it is not learned
CLIPPED = 0.001  # share of samples at the extreme from which a sound is said to be clipped
OFFSET = 0.01  # of full scale: a mean beyond is reported
LOUDNESS = 20.0  # dB between the quiet and the loud ones, from which it is reported
LENGTHS = 5.0  # times that the longest may be longer than the shortest (95% and 5%) before it is reported
NOISY, NOISY_SHARE = (
    -18.0,
    0.25,
)  # dB at both ends below which they are noise; share of the sounds from which it is reported


@dataclass(frozen=True)
class Checked:
    """The results of a check: what a training with these settings would make of the sounds."""

    survey: Survey
    findings: list[Finding]
    rate: int
    samples: int
    recipe: str
    changed: dict[str, int]  # how many would be mixed down, resampled, cut, padded
    sheet: Path | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **self.survey.to_dict(),
            "findings": [dataclasses.asdict(f) for f in self.findings],
            "shape": {"rate": self.rate, "samples": self.samples, "seconds": round(self.samples / self.rate, 3)},
            "changed": self.changed,
            "recipe": self.recipe,
            "sheet": None if self.sheet is None else str(self.sheet),
        }


def look(source: str, settings: dict[str, str], file: Path | None = None) -> Generator[Counted, None, Checked]:
    """Look at sounds and change nothing.

    Args:
        source: a folder or an archive.
        settings: of `DataConfig`, as texts.
        file: where a sheet of spectrograms is to be written, a PNG; None: nowhere.

    Raises:
        UserError: there are no sounds, a setting is invalid, or the sheet cannot be written there.
    """
    config = configured(source, settings)
    shape, place = config.shape(), file_place(source)
    for library in ("soundfile", "soxr"):
        decode.library(library)
    if file is not None and file.suffix.lower() != ".png":
        raise UserError(f"{file}: the sheet of sounds is a picture. Choose NAME.png.")
    if file is not None and place.is_dir() and file.resolve().is_relative_to(place.resolve()):
        raise UserError(f"{file} is in {source}, where nothing may be changed. Choose another place.")
    listing, findings = listed(lambda labelled: kind.find(source, labelled and config.labels))
    shape = yield from pack.resolve(listing, shape)
    found = yield from survey(listing, CLIPPED, OFFSET)
    most = shape.samples / shape.rate
    good = found.entries
    changed = {
        "mixed_down": sum(e.channels > 1 for e in good),
        "resampled": sum(e.rate != shape.rate for e in good),
        "cut": sum(e.kept > most for e in good),
        "padded": sum(e.kept < most for e in good),
    }
    findings += [*_of_files(found), *_of_copies(found), *_of_levels(found), *_of_classes(found, listing)]
    findings += _of_shape(found, changed, shape.rate, most)
    recipe = "sound-few" if found.total - len(found.broken) - len(found.silent) < FEW else "sound"
    if file is not None and good:
        write_whole(file, sheet(listing, found, shape.rate, shape.samples))
    written = file if file is not None and good else None
    ordered = sorted(findings, key=lambda f: f.level)
    return Checked(found, ordered, shape.rate, shape.samples, recipe, changed, written)


def configured(source: str, settings: dict[str, str]) -> DataConfig:
    """The settings of the data.

    Raises:
        UserError: one is none, or has a value that it cannot have.
    """
    config, kinds = DataConfig(source), cf.types_of(DataConfig)
    for key, text in settings.items():
        if key not in kinds or key == "source":
            raise unknown("setting", key, [k for k in kinds if k != "source"])
        config = dataclasses.replace(config, **{key: cf.parse(text, kinds[key], key)})
    cf.check(config)
    return config


def sheet(listing: Listing, found: Survey, rate: int, samples: int) -> bytes:
    """The bytes of a PNG with spectrograms of some sounds: a row a class, or spread evenly over all."""
    numbers = [entry.number for entry in found.entries]
    labels = listing.labels
    if labels is None:
        count = min(len(numbers), len(sheets.labels_of(0)))
        chosen = [numbers[i * len(numbers) // count] for i in range(count)]
    else:
        by_class = {name: [i for i in numbers if labels[i] == name] for name in sorted({labels[i] for i in numbers})}
        rows = list(by_class.values())[: sheets.ROWS]
        chosen = [row[i * len(row) // sheets.COLUMNS] for row in rows for i in range(sheets.COLUMNS)]
    spec = SoundSpec.of(rate, samples)
    pictures = -torch.ones(len(chosen), 1, spec.bands, spec.frames)
    for i, content in enumerate(listing.read(chosen)):
        try:
            sound = decode.read(content if isinstance(content, bytes) else b"")
            wave = fit.fitted(sound.wave, sound.rate, rate, spec.samples)
        except UserError:  # it has changed since
            continue
        pictures[i] = spec.codec.encode(torch.from_numpy(wave.astype(np.float32) / fit.FULL)[None])[0]
    return sheets.png(pictures)


def _of_files(found: Survey) -> list[Finding]:
    """Files that cannot be read, silent ones, and too few that are left."""
    good, rows = len(found.entries), []
    if found.broken:
        named = some([f"{name} ({why})" for name, why in found.broken])
        text = f"{len(found.broken):,} of {found.looked:,} files cannot be read: {named}."
        rows.append(Finding(0, text, "They are left out."))
    if found.silent:
        text = f"{len(found.silent):,} sounds are silent (no peak above {fit.SILENT:g} dB): {some(found.silent)}."
        rows.append(Finding(1, text, "They are left out."))
    if not good:
        rows.append(Finding(0, "There is nothing to learn from.", "Add sounds."))
    elif good < LEAST and found.total == found.looked:
        text = f"{'1 sound is' if good == 1 else f'{good:,} sounds are'} too few: the network would memorise them."
        rows.append(Finding(0, text, f"Use at least {LEAST}, ideally {FEW:,}."))
    if found.others:
        kinds = ", ".join(f"{n:,} {s}" for s, n in sorted(found.others.items(), key=lambda item: -item[1])[:5])
        rows.append(Finding(2, f"Files that are not sounds are skipped: {kinds}."))
    if found.looked < found.total:
        text = f"{found.looked:,} of {found.total:,} sounds, evenly spread, were examined ({MOST_LOOKED:,} at most)."
        rows.append(Finding(2, text))
    return rows


def _of_copies(found: Survey) -> list[Finding]:
    """Sounds that occur more than once, exactly or nearly."""
    rows = of_copies(len(found.entries), found.duplicates, SoundSpec.noun)
    if found.near:
        pairs = some([" ~ ".join(names) for names in found.near])
        text = f"{len(found.near):,} sounds are copies of others in a different rate, loudness or format: {pairs}."
        todo = f"Their bands differ by less than {alike.NEAR:g} dB: remove the copies."
        rows.append(Finding(1, text, todo))
    return rows


def _of_levels(found: Survey) -> list[Finding]:
    """Clipping, an offset, very different loudness."""
    good, rows = len(found.entries), []
    if found.clipped:
        worst = sorted(found.clipped, key=lambda name: -found.clipped[name])
        named = some([f"{name} ({found.clipped[name]:.1%} of its samples)" for name in worst])
        text = f"{len(found.clipped):,} of {good:,} sounds are clipped: {named}."
        todo = "Clipped sounds crackle, and the crackle is learned too: replace them with softer recordings."
        rows.append(Finding(1, text, todo))
    if found.offsets:
        worst = sorted(found.offsets, key=lambda name: -abs(found.offsets[name]))
        named = some([f"{name} ({found.offsets[name]:+.2f})" for name in worst])
        text = f"{len(found.offsets):,} of {good:,} sounds have a constant offset: {named}."
        rows.append(Finding(2, text, "It is removed."))
    if (noisy := [entry.ends for entry in found.entries if entry.ends < NOISY]) and len(noisy) > NOISY_SHARE * good:
        text = (
            f"{len(noisy):,} of {good:,} sounds begin and end in noise, about {-np.median(noisy):.0f} dB below their "
        )
        text += f"loudest moment: only what is below {fit.TRIM:g} dB is cut off."
        todo = "Cut the noise off before training: otherwise it is learned too, and sounds start anywhere in it."
        rows.append(Finding(1, text, todo))
    if good and (spread := found.loudness[2] - found.loudness[0]) > LOUDNESS:
        text = f"Quiet and loud sounds (5% and 95%) are {spread:.0f} dB apart."
        todo = f"All are normalised to a peak of {fit.PEAK:g}: this amplifies the noise of quiet ones."
        rows.append(Finding(2, text, todo))
    return rows


def _of_classes(found: Survey, listing: Listing) -> list[Finding]:
    """Classes of no use, rare ones, and too many."""
    rows, labels = list[Finding](), listing.labels or []
    usable = {one_line(labels[entry.number]) for entry in found.entries} if labels else set()
    useless = [name for name in found.classes if name not in usable] if found.looked == found.total else []
    if useless and found.entries:
        text = f"Classes without a usable sound: {some(useless)}. Training refuses them."
        rows.append(Finding(0, text, "Fix or add some, remove the classes, or use labels=false."))
    counts = {name: n for name, n in found.classes.items() if name not in useless}
    return rows + of_classes(counts, RARE, SoundSpec.noun)


def _of_shape(found: Survey, changed: dict[str, int], rate: int, most: float) -> list[Finding]:
    """What the rule changes."""
    good, rows = len(found.entries), []
    if not good:
        return rows
    longest = found.kept[2]
    if changed["cut"]:
        many = changed["cut"] > 0.05 * good
        text = f"{changed['cut']:,} of {good:,} sounds are cut at {most:.2f} s: the longest has {longest:.2f} s."
        todo = f"Use seconds=N to keep more, up to {LONGEST:g} s." if most < LONGEST else f"{LONGEST:g} s are the most."
        if longest > LONGEST:
            todo += " Only the beginning of long recordings is learned: cut them into separate sounds."
        rows.append(Finding(1 if many else 2, text, todo))
    low, high = np.quantile([entry.kept for entry in found.entries], (0.05, 0.95))
    if high > LENGTHS * low:
        text = f"The sounds differ in length: without silence {low:.2f} to {high:.2f} s (5% and 95%)."
        rows.append(Finding(2, text, "Short ones are padded with silence."))
    if changed["mixed_down"]:
        rows.append(Finding(2, f"{changed['mixed_down']:,} of {good:,} sounds are mixed down to one channel."))
    if changed["resampled"]:
        text = f"{changed['resampled']:,} of {good:,} sounds are resampled to {rate:,} samples a second."
        rows.append(Finding(2, text, "Use rate=N for another rate."))
    if lower := sum(n for stated, n in found.rates.items() if int(stated) < rate):
        text = f"{lower:,} of {good:,} sounds have a lower rate: their highest tones are missing."
        rows.append(Finding(1, text, f"Remove them, or train with rate={max(RATES[0], min(map(int, found.rates)))}."))
    return rows


def lines(checked: Checked, source: str) -> list[str]:
    """What was found, for people: an overview, the findings with advice, and the shape of a training."""
    s = checked.survey
    out = [f"{s.total:,} sounds in {one_line(source)}" + (f", {s.tests:,} of them test sounds" if s.tests else "")]
    if s.entries:
        rates = ", ".join(f"{n:,} at {int(rate) / 1000:g} kHz" for rate, n in list(s.rates.items())[:5])
        out.append(f"Files     {', '.join(f'{n:,} {form}' for form, n in list(s.forms.items())[:5])}; {rates}")
        least, middle, most = s.kept
        out.append(
            f"Lengths   {least:.2f} to {most:.2f} s without the silence around them, half of them up to {middle:.2f} s"
        )
        out.append(f"Loudness  {s.loudness[0]:.0f} to {s.loudness[2]:.0f} dB of full scale (5% and 95%)")
    out += told(checked.findings, s.classes)
    if checked.sheet is not None:
        out.append(f"   Sheet {checked.sheet}: spectrograms, time to the right, high tones at the top.")
    seconds = checked.samples / checked.rate
    size = 2 * checked.samples * len(s.entries) * s.total / max(1, s.looked)
    out += ["", fit.RULE, ""]
    out.append(f"Forecast  recipe {checked.recipe}, {seconds:.2f} s at {checked.rate / 1000:g} kHz; ")
    out[-1] += f"the converted sounds take {size / 1e6:,.0f} MB of disk"
    return out
