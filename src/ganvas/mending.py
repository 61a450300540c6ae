"""Restore and translate picture files: what is missing, where the results go, before and after on one sheet."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor

from ganvas import files, fitting, originals, pictures, restoring, translating
from ganvas.errors import UserError
from ganvas.evaluation import Doing, Written
from ganvas.files import make_folder, write_whole
from ganvas.images import png
from ganvas.originals import Original
from ganvas.restoring import Restorer

SHOWN, SIDE = 20, 384  # pictures on a sheet, and pixels of their longer side there
NEAR = 24  # levels that a pixel may be away from the colour that marks holes: JPEG blurs it


@dataclass(frozen=True)
class Mended:
    """A picture was written; `warnings`: what the user should know of it."""

    path: Path
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """A picture was passed over."""

    why: str


class Done(NamedTuple):
    """What came of a picture: before and after, what the user should know, and perhaps a map, uint8 [H, W]."""

    before: Original
    after: Original
    warnings: tuple[str, ...] = ()
    map: np.ndarray | None = None


Work = Callable[[Path, Original], Generator[float, None, Done]]  # yields the share that is done


def restore(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    colour: str | None = None,
    invented: bool = False,
    sheet: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Mended | Failed | Written]:
    """Restore picture files into a folder, and yield what is done; what cannot be read is passed over.

    Args:
        model: a run's folder or a model file.
        images: files, or folders of them.
        out: the folder; files that are there are not overwritten.
        mask: what is missing, white: a file, or a folder with a file of each picture's name; None: what is transparent.
        colour: what is missing has this colour instead, such as '#ff00ff'.
        invented: write FILE.invented.png too.
        sheet: a PNG with each picture before and after.

    Raises:
        UserError: a model of another task, a file that would be overwritten, a mask or colour that means nothing here.
    """
    restorer = restoring.load(model)
    marked = _marked(restorer, mask, colour)

    def mended(path: Path, original: Original) -> Generator[float, None, Done]:
        missing = _missing(original, path, mask, marked) if restorer.spec.masked else None
        made = yield from restorer.mend(original, missing)
        if missing is not None and made.alpha is not None and restorer.spec.channels < 4:
            made = replace(made, alpha=np.where(missing, made.alpha.dtype.type(original.top), made.alpha))
        warnings = [
            f"{path.name} is unlike what {restorer.path} was trained on: {t}." for t in restorer.unlike(original)
        ]
        warnings += [f"{path.name}: {original.told}."] if original.told else []
        return Done(original, made, tuple(warnings), restorer.invented(original, made, missing) if invented else None)

    yield from each(images, out, mended, invented, sheet)


def translate(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    to: str = "b",
    sheet: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Mended | Failed | Written]:
    """Turn picture files into the other kind, into a folder, and yield what is done; the unreadable is passed over.

    A model of whole pictures is given the middle square of each, in the size that it was trained on; a model that
    learned from pieces works on pictures of any size; depth, transparency and colour profile come back as they were.

    Args:
        model: a run's folder or a model file.
        images: files, or folders of them.
        out: the folder; files that are there are not overwritten.
        to: the wanted kind: 'a', 'b', or the name of its pictures.
        sheet: a PNG with each picture before and after.

    Raises:
        UserError: a model of another task, a kind that it does not know, or a file that would be overwritten.
    """
    translator = translating.load(model)
    network = translator.one_way(to)

    def done(path: Path, original: Original) -> Generator[float, None, Done]:
        if translator.any_size:
            return Done(original, (yield from network.mend(original)))
        fitted = (
            pictures.fit(path, translator.spec, fitting.depth_of(translator.card.get("depth")))[0]
            .permute(1, 2, 0)
            .numpy()
        )
        square = Original(fitted[:, :, :3], fitted[:, :, 3] if fitted.shape[2] == 4 else None)
        return Done(square, (yield from network.mend(square)))

    yield from each(images, out, done, sheet=sheet)


def each(
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    work: Work,
    mapped: bool = False,
    sheet: str | os.PathLike[str] | None = None,
) -> Iterator[Doing | Mended | Failed | Written]:
    """Do some work to picture files, into a folder; see `restore` for the arguments and the errors.

    Args:
        mapped: does the work give a map, which is written beside each picture?
    """
    paths, folder = pictures.gather(images), files.place(out)
    places = _places(paths, folder, mapped)
    if sheet is not None and files.place(sheet).exists():
        raise UserError(f"{sheet} is there already. Choose another name.")
    make_folder(folder)
    shown: list[tuple[Original, Original]] = []
    for i, (path, target) in enumerate(places.items()):
        yield Doing(path.name, i / len(places))
        started = time.monotonic()
        try:
            original = originals.read(path)
            done = yield from _steps(work(path, original), path.name, i, len(places))
            originals.write(target, original, done.after.pixels, done.after.alpha)
            if done.map is not None:
                write_whole(_map_of(target), png(done.map[:, :, None]))
        except UserError as error:
            yield Failed(str(error))
            continue
        yield Mended(target, time.monotonic() - started, done.warnings)
        if len(shown) < SHOWN:
            shown.append((_small(done.before), _small(done.after)))
    if sheet is not None and shown:
        place = files.place(sheet)
        make_folder(place.parent)
        write_whole(place, png(_sheet(shown)))
        yield Written(place, "before and after")


def _places(paths: Sequence[Path], folder: Path, invented: bool) -> dict[Path, Path]:
    """Where each picture is written; nothing is there yet, and no two have one place."""
    places = {path: originals.place(folder, path) for path in paths}
    times = Counter(places.values())
    for path, target in places.items():
        if times[target] > 1:
            raise UserError(f"Two pictures would be written to {target}. Do {path.parent} into a folder of its own.")
        for file in (target, _map_of(target)) if invented else (target,):
            if file.exists():
                raise UserError(f"{file} is there already. Choose another --out, or remove it.")
    return places


def _map_of(target: Path) -> Path:
    """Where the map of what was invented lies."""
    return target.with_name(f"{target.name}.invented.png")


def _steps(work: Generator[float, None, Done], name: str, number: int, count: int) -> Generator[Doing, None, Done]:
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            return end.value
        yield Doing(name, (number + share) / count)


def _marked(restorer: Restorer, mask: str | os.PathLike[str] | None, colour: str | None) -> tuple[int, ...] | None:
    """The colour that marks holes, as three levels."""
    if mask is not None and colour is not None:
        raise UserError("Say either --mask or --colour, not both.")
    if (mask is not None or colour is not None) and not restorer.spec.masked:
        raise UserError(
            f"{restorer.path} was not trained to fill holes: it takes no mask. Train one: ganvas train inpaint."
        )
    if mask is not None and not files.place(mask).exists():
        raise UserError(f"There is no file or folder {mask}.")
    if colour is None:
        return None
    try:
        return ImageColor.getrgb(colour)[:3]
    except ValueError as error:
        raise UserError(f"--colour '{colour}' is no colour: write it as '#ff00ff', or by its name.") from error


def _missing(
    original: Original, path: Path, mask: str | os.PathLike[str] | None, marked: tuple[int, ...] | None
) -> np.ndarray:
    """Which pixels are missing, bool [H, W]."""
    if mask is not None:
        place = files.place(mask)
        if place.is_dir():
            found = [p for p in place.iterdir() if p.stem == path.stem and p.suffix.lower() in fitting.SUFFIXES]
            if len(found) != 1:
                count = f"{len(found)} masks" if found else "no mask"
                raise UserError(f"{path}: there {'are' if found else 'is'} {count} of its name in {place}.")
            place = found[0]
        drawn = originals.as_8_bits(originals.read(place))
        missing = drawn.pixels.mean(2) > 127.5
        if drawn.alpha is not None:
            missing &= drawn.alpha > 127
    elif marked is not None:
        levels = original.pixels.astype(np.float32) * (255 / original.top)
        missing = (np.abs(levels - np.array(marked, np.float32)) <= NEAR).all(2)
    elif original.alpha is not None:
        missing = original.alpha < original.top / 2
    else:
        raise UserError(
            f"{path}: say which pixels are missing: --mask FILE, --colour '#ff00ff', or a transparent part."
        )
    if not missing.any():
        raise UserError(f"{path}: nothing is missing in it, by the mask or colour that was named.")
    return np.asarray(missing)


def _small(original: Original) -> Original:
    """For the sheet: 8 bits, and no larger than it is shown."""
    eight = originals.as_8_bits(original)
    pixels = eight.pixels if eight.pixels.shape[2] == 3 else eight.pixels.repeat(3, 2)
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return Original(np.asarray(picture), None)


def _sheet(shown: Sequence[tuple[Original, Original]]) -> np.ndarray:
    """Before on the left, after on the right, a row a picture, at equal sizes."""
    rows = []
    for before, after in shown:
        height, width = after.pixels.shape[:2]
        left = np.asarray(Image.fromarray(before.pixels).resize((width, height), Image.Resampling.BICUBIC))
        row = np.zeros((height, 2 * SIDE, 3), np.uint8)
        row[:, :width], row[:, SIDE : SIDE + width] = left, after.pixels
        rows.append(row)
    return np.concatenate(rows)
