"""The data doctor: what a folder of pictures contains, and what in it would harm a training. It changes nothing."""

from __future__ import annotations

import functools
import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.core import optimizers
from ganvas.core.errors import first_line
from ganvas.core.text import one_line
from ganvas.images import decode
from ganvas.images.data.pack_format import CONVERTING
from ganvas.images.decode import Depth, Shape
from ganvas.sources.checks import Packing
from ganvas.sources.listing import Listing
from ganvas.sources.survey import Surveyed, looked_at

MOST_DECODED = 20_000  # pictures, spread over all, that are decoded
THUMB = 32  # pixels a side of the thumbnails
NEAR = 3.0  # levels (of 255, root mean square over 8 x 8 places) below which two pictures are near duplicates
DARK, BRIGHT = 24, 231  # levels of 255: a picture with all values below, or above, is nearly black or white
USUAL = {".png", ".jpg", ".jpeg", ".webp"}
ROTATION = 0x0112  # the EXIF tag that says how a camera was held


class Entry(NamedTuple):
    """One picture: facts from its file, and a thumbnail; `why`: the reason if it cannot be read."""

    number: int
    why: str = ""
    format: str = ""
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    rotated: bool = False
    transparent: bool = False
    grey: bool = False
    dark: bool = False
    bright: bool = False
    digest: bytes = b""
    thumb: np.ndarray = np.empty(0)


@dataclass
class Survey(Surveyed):
    """What was found; `looked` of `total` pictures were decoded, and all counts below `broken` are of these.

    Names are fit to be shown.
    """

    formats: dict[str, int] = field(default_factory=dict)
    suffixes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    sides: dict[str, list[int]] = field(default_factory=dict)  # least, middle and most of widths, heights, short sides
    square: int = 0
    tiny: int = 0
    upper_case: int = 0
    rotated: int = 0
    transparent: int = 0
    grey: int = 0
    dark: list[str] = field(default_factory=list)  # nearly black: no value is above DARK
    bright: list[str] = field(default_factory=list)  # nearly white: none is below BRIGHT
    duplicates: list[list[str]] = field(default_factory=list)
    near: list[list[str]] = field(default_factory=list)
    oblong: list[int] = field(default_factory=list)  # numbers of pictures that are not square
    sizes: list[tuple[int, int]] = field(default_factory=list)  # width and height of each that can be read
    thumbs: Tensor = field(default_factory=lambda: torch.empty(0, 3, THUMB, THUMB, dtype=torch.uint8))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the pictures themselves."""
        kept = {k: v for k, v in vars(self).items() if k not in ("thumbs", "oblong", "sizes")}
        return {**kept, "not_square": len(self.oblong)}


def survey(listing: Listing, tiny: int, depth: Depth | None = None) -> Generator[Packing, None, Survey]:
    """Examine the pictures, at most MOST_DECODED of them.

    Args:
        tiny: pixels of the shorter side below which a picture is counted as tiny.
        depth: how greys of more than 8 bits become 8.
    """
    shown = [one_line(name) for name in listing.names]
    entries = yield from looked_at(listing, MOST_DECODED, functools.partial(_examine, depth=depth), CONVERTING)
    result = Survey.of(listing, len(entries))
    good = [entry for entry in entries if not entry.why]
    result.broken = [(shown[entry.number], entry.why) for entry in entries if entry.why]
    result.formats = dict(Counter(entry.format for entry in good).most_common())
    result.modes = dict(Counter(entry.mode for entry in good).most_common())
    suffixes = [PurePosixPath(listing.names[entry.number]).suffix for entry in entries]
    result.suffixes = dict(Counter(s.lower() for s in suffixes).most_common())
    result.upper_case = sum(s != s.lower() for s in suffixes)
    if good:
        width, height = zip(*(entry.size for entry in good), strict=True)
        sides = {"width": width, "height": height, "short": [min(entry.size) for entry in good]}
        result.sides = {k: [min(v), int(statistics.median(v)), max(v)] for k, v in sides.items()}
    result.sizes = [entry.size for entry in good]
    result.oblong = [entry.number for entry in good if entry.size[0] != entry.size[1]]
    result.square = len(good) - len(result.oblong)
    result.tiny = sum(min(entry.size) < tiny for entry in good)
    result.rotated = sum(entry.rotated for entry in good)
    result.transparent = sum(entry.transparent for entry in good)
    result.grey = sum(entry.grey for entry in good)
    result.dark = [shown[entry.number] for entry in good if entry.dark]
    result.bright = [shown[entry.number] for entry in good if entry.bright]
    groups: dict[bytes, list[str]] = defaultdict(list)
    for entry in good:
        groups[entry.digest].append(shown[entry.number])
    result.duplicates = [names for names in groups.values() if len(names) > 1]
    if good:
        result.thumbs = torch.from_numpy(np.stack([entry.thumb for entry in good]))
        names, digests = [shown[entry.number] for entry in good], [entry.digest for entry in good]
        result.near = [[names[a], names[b]] for a, b in near(result.thumbs) if digests[a] != digests[b]]
    return result


def _examine(
    numbers: range, contents: Collection[bytes | np.ndarray | Exception], depth: Depth | None = None
) -> list[Entry]:
    entries = []
    for number, data in zip(numbers, contents, strict=True):
        try:
            picture = decode.opened(data)
            rotated = picture.getexif().get(ROTATION, 1) not in (1, None)
            kind, size, mode = picture.format or "array", picture.size, picture.mode
            picture = decode.plain(picture, THUMB, depth)
            if (size[0] < size[1]) != (picture.width < picture.height) and rotated:
                size = (size[1], size[0])
            transparent = picture.mode == "RGBA" and picture.getextrema()[3][0] < 255  # pyright: ignore[reportIndexIssue, reportGeneralTypeIssues]
            thumb = decode.fitted(picture, Shape(THUMB, 3)).copy()
            least, most = decode.extremes(picture)
        except Exception as error:  # Pillow passes on any error of its codecs, at any access
            entries.append(Entry(number, first_line(error)))
            continue
        grey = bool((thumb == thumb[:1]).all())
        raw = data.tobytes() if isinstance(data, np.ndarray) else data
        digest = hashlib.blake2b(raw, digest_size=16).digest()  # pyright: ignore[reportArgumentType]
        dark, bright = most <= DARK, least >= BRIGHT
        entries.append(Entry(number, "", kind, size, mode, rotated, transparent, grey, dark, bright, digest, thumb))
    return entries


def near(thumbs: Tensor, portion: int = 2_000) -> list[tuple[int, int]]:
    """Pairs of near duplicates: each picture with the nearest of those before it, where that is below NEAR.

    thumbs: uint8 [n, 3, 32, 32].
    """
    x = torch.nn.functional.adaptive_avg_pool2d(thumbs.float(), 8).flatten(1)
    x = x - x.mean(0)
    squares, pairs = x.square().sum(1), []
    for start in range(0, len(x), portion):
        rows = x[start : start + portion]
        before = x[: start + len(rows)]
        distance = squares[start : start + len(rows), None] + squares[: len(before)] - 2 * rows @ before.T
        later = torch.arange(len(before)) >= torch.arange(start, start + len(rows))[:, None]
        value, index = distance.masked_fill(later, torch.inf).min(1)
        close = (value < NEAR**2 * x.shape[1]).nonzero().flatten().tolist()
        pairs += [(start + i, int(index[i])) for i in close]
    return pairs


class Mirror(NamedTuple):
    """How often a classifier tells held-out pictures from their mirror images, with its standard error."""

    accuracy: float
    error: float
    pictures: int

    @property
    def verdict(self) -> str:
        """'safe', 'wrong' if mirrored pictures look different, or 'unknown' if there are too few pictures."""
        if self.pictures < 50:
            return "unknown"
        return "wrong" if self.accuracy - 2 * self.error > 0.55 else "safe"


def mirror(thumbs: Tensor, most: int = 3_000, steps: int = 200, batch: int = 64) -> Mirror:
    """Teach a tiny network to give a picture a higher score than its mirror image, and try it on others.

    Args:
        thumbs: uint8 [n, 3, 32, 32].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        thumbs = thumbs[torch.randperm(len(thumbs))[:most]].float().div(127.5).sub(1)
        cut = len(thumbs) * 2 // 3
        learn, held_out = thumbs[:cut], thumbs[cut:]
        if not len(learn):
            return Mirror(0.5, 0.5, 0)
        layers: list[torch.nn.Module] = []
        for inside, outside in (3, 16), (16, 32), (32, 32):
            layers += [torch.nn.Conv2d(inside, outside, 3, 2, 1), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Dropout(0.3), torch.nn.Linear(512, 1))
        optimizer = optimizers.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
        for _ in range(steps):
            x = learn[torch.randint(len(learn), (batch,))]
            higher = network(x) - network(x.flip(3))
            loss = torch.nn.functional.softplus(-higher).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            higher = torch.cat([network(x) - network(x.flip(3)) for x in held_out.split(500)])
    right = float((higher > 0).double().mean() + 0.5 * (higher == 0).double().mean())  # symmetric ones count a half
    return Mirror(right, max(right * (1 - right), 1e-4) ** 0.5 / len(held_out) ** 0.5, len(held_out))
