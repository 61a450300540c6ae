"""What a folder of sounds contains, file by file; nothing is changed."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ganvas.core.errors import first_line
from ganvas.core.text import one_line
from ganvas.sounds import alike, decode, fit
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing
from ganvas.sources.survey import Surveyed, looked_at

MOST_LOOKED = 10_000  # sounds, spread over all, that are decoded: each is compared with each
RUN = 3  # samples in a row at the same extreme: there a wave was cut off
SLOW = 1e-4  # seconds that low tones stay at their peak by themselves
FULL = 1 - 2 / 32_768  # from here on a sample is at full scale
QUIET = 0.25  # of full scale: waves whose peak is below are not looked at for clipping


class Entry(NamedTuple):
    """One file; `why`: the reason if it cannot be read, or if it is silent."""

    number: int
    why: str = ""
    silent: bool = False
    form: str = ""  # 'WAV, 16 bits'
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0  # of the file
    kept: float = 0.0  # seconds without the silence around
    peak: float = 0.0  # of full scale
    loudness: float = 0.0  # dB of full scale: root mean square without the silence around
    offset: float = 0.0  # mean, of full scale
    clipped: float = 0.0  # share of the samples
    ends: float = 0.0  # dB below the loudest moment, of the louder end; see `fit.ends`
    digest: bytes = b""
    picture: np.ndarray = np.empty(0)


@dataclass
class Survey(Surveyed):
    """What was found; `looked` of `total` files were decoded, and all below `broken` is of these.

    Names are fit to be shown. `entries` are those that can be learned from.
    """

    silent: list[str] = field(default_factory=list)
    forms: dict[str, int] = field(default_factory=dict)
    rates: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)  # of the files: the least, the middle and the most
    kept: list[float] = field(default_factory=list)  # likewise, without the silence around
    loudness: list[float] = field(default_factory=list)  # dB of full scale: that of 5%, 50% and 95%
    clipped: dict[str, float] = field(default_factory=dict)  # share of samples, by name
    offsets: dict[str, float] = field(default_factory=dict)  # of full scale, by name
    duplicates: list[list[str]] = field(default_factory=list)  # the same samples
    near: list[list[str]] = field(default_factory=list)  # copies at another rate, loudness, or in another format
    entries: list[Entry] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the entries."""
        kept = {key: value for key, value in vars(self).items() if key != "entries"}
        return {**kept, "broken": [list(pair) for pair in self.broken]}


def survey(listing: Listing, clipping: float, offset: float) -> Generator[Packing, None, Survey]:
    """Examine the sounds, at most MOST_LOOKED of them.

    Args:
        clipping: share of clipped samples from which a file is listed.
        offset: mean, of full scale, from which a file is listed.
    """
    shown = [one_line(name) for name in listing.names]
    entries = yield from looked_at(listing, MOST_LOOKED, _examined, "Examining the sounds")
    result = Survey.of(listing, len(entries))
    good = result.entries = [entry for entry in entries if not entry.why]
    result.broken = [(shown[e.number], e.why) for e in entries if e.why and not e.silent]
    result.silent = [shown[e.number] for e in entries if e.silent]
    result.forms = dict(Counter(e.form for e in good).most_common())
    result.rates = {str(rate): n for rate, n in Counter(e.rate for e in good).most_common()}
    result.channels = {str(number): n for number, n in Counter(e.channels for e in good).most_common()}
    result.clipped = {shown[e.number]: round(e.clipped, 5) for e in good if e.clipped >= clipping}
    result.offsets = {shown[e.number]: round(e.offset, 4) for e in good if abs(e.offset) >= offset}
    if good:
        result.seconds = _quantiles([e.seconds for e in good], (0, 0.5, 1))
        result.kept = _quantiles([e.kept for e in good], (0, 0.5, 1))
        result.loudness = _quantiles([e.loudness for e in good], (0.05, 0.5, 0.95))
        _find_copies(result, shown)
    return result


def _quantiles(values: list[float], shares: tuple[float, ...]) -> list[float]:
    return np.quantile(values, shares).round(3).tolist()


def _find_copies(result: Survey, shown: list[str]) -> None:
    """List equal files, and copies at another rate, of another loudness or in another format."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for i, entry in enumerate(result.entries):
        groups[entry.digest].append(i)
    names = [shown[entry.number] for entry in result.entries]
    result.duplicates = [[names[i] for i in group] for group in groups.values() if len(group) > 1]
    firsts = [group[0] for group in groups.values()]
    pairs = alike.copies(np.stack([result.entries[i].picture for i in firsts]))
    result.near = [[names[firsts[a]], names[firsts[b]]] for a, b, _ in pairs]


class _Clipping:
    """Counts samples of a file that are in runs at its extreme, channel by channel."""

    def __init__(self) -> None:
        self.samples, self.runs = 0, Counter[int]()  # by length

    def __call__(self, block: np.ndarray) -> None:
        """Count a block, float32 [n, channels]."""
        self.samples += block.size
        sizes = np.abs(block)
        for channel in sizes.T:
            peak = float(channel.max(initial=0))
            if peak >= QUIET:
                at = np.flatnonzero(channel >= min(peak * (1 - 1e-6), FULL))
                ends = np.flatnonzero(np.diff(at, append=len(channel) + 2) > 1)  # of runs, in `at`
                lengths, times = np.unique(np.diff(ends, prepend=-1), return_counts=True)
                self.runs.update(dict(zip(lengths.tolist(), times.tolist(), strict=True)))

    def share(self, rate: int, coding: str) -> float:
        """The share of clipped samples; 0 of 8 bits, whose steps are so large that tones stay at their peak."""
        least = max(RUN, 1 + math.ceil(SLOW * rate))
        clipped = sum(length * times for length, times in self.runs.items() if length >= least)
        return clipped / self.samples if self.samples and coding != "8 bits" else 0.0


def _examined(numbers: range, contents: Collection[bytes | np.ndarray | Exception]) -> list[Entry]:
    entries = []
    for number, data in zip(numbers, contents, strict=True):
        try:
            if isinstance(data, Exception):
                raise data
            entries.append(_entry(number, bytes(data)))
        except fit.Silent as error:
            entries.append(Entry(number, str(error), True))
        except Exception as error:  # MemoryError too
            entries.append(Entry(number, first_line(error).removesuffix(".")))
    return entries


def _entry(number: int, data: bytes) -> Entry:
    """The facts of one file. Raises Unreadable or Silent."""
    clipping = _Clipping()
    sound = decode.read(data, clipping)
    wave = fit.trimmed(sound.wave, sound.rate)
    return Entry(
        number,
        form=f"{sound.format}, {sound.coding}" if sound.coding else sound.format,
        rate=sound.rate,
        channels=sound.channels,
        seconds=sound.seconds,
        kept=len(wave) / sound.rate,
        peak=float(np.abs(sound.wave).max()),
        loudness=10 * float(np.log10(max(np.square(wave, dtype=np.float64).mean(), 1e-12))),
        offset=float(sound.wave.mean(dtype=np.float64)),
        clipped=clipping.share(sound.rate, sound.coding),
        ends=fit.ends(wave, sound.rate),
        digest=hashlib.blake2b(b"%d " % sound.rate + sound.wave.tobytes(), digest_size=16).digest(),
        picture=alike.picture(wave, sound.rate),
    )
