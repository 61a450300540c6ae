"""Restore and translate picture files: what is missing, where the results go, before and after on one sheet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor

from ganvas.core import files, naming
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.progress import Doing, Written
from ganvas.images import decode, originals
from ganvas.images import files as image_files
from ganvas.images.originals import Original
from ganvas.images.sheets import png
from ganvas.tasks.restore import holes
from ganvas.tasks.restore import model as restore_model
from ganvas.tasks.restore.model import Restorer
from ganvas.tasks.translate import model as translate_model

SHOWN, SIDE = 20, 384  # pictures on a sheet, and pixels of their longer side there


@dataclass(frozen=True)
class Mended:
    """A picture was written; `warnings`: what the user should know of it."""

    path: Path
    seconds: float
    warnings: tuple[str, ...]
    hole: str = ""  # what was taken for the hole, and its share of the pixels


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
    hole: str = ""


Work = Callable[[Path, Original], Generator[float, None, Done]]  # yields the share that is done


def restore(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    colour: str | None = None,
    invented: bool = False,
    sheet: str | os.PathLike[str] | None = None,
    mask_hole: str | None = None,
    force: bool = False,
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
        mask_hole: what is missing in the mask is 'white', 'black' or 'transparent'; None: white, where that is beyond
            doubt (see `holes.of_mask`).
        force: overwrite files in `out`, though never the pictures themselves.

    Raises:
        UserError: a model of another task, a file that would be overwritten, a mask or colour that means nothing here,
            one mask that does not fit all of the pictures.
    """
    restorer = restore_model.load(model)
    marked = _marked(restorer, mask, colour, mask_hole)
    paths = image_files.gather(images)
    one = None if mask is None or files.place(mask).is_dir() else holes.of_mask(files.place(mask), mask_hole)
    if one is not None and mask is not None:
        _check_size(one, files.place(mask), paths)

    def hole_in(path: Path, original: Original) -> holes.Hole:
        if one is not None:
            return one
        if mask is not None:
            return holes.of_mask(holes.beside(files.place(mask), path), mask_hole)
        if marked is not None and colour is not None:
            return holes.of_colour(original, marked, colour, path)
        return holes.of_alpha(original, path)

    def mended(path: Path, original: Original) -> Generator[float, None, Done]:
        hole = hole_in(path, original) if restorer.spec.masked else None
        missing = None if hole is None else hole.missing
        made = yield from restorer.mend(original, missing)
        if missing is not None and made.alpha is not None and restorer.spec.channels < 4:
            made = replace(made, alpha=np.where(missing, made.alpha.dtype.type(original.top), made.alpha))
        warnings = [
            f"{path.name} is unlike what {restorer.path} was trained on: {t}." for t in restorer.unlike(original)
        ]
        warnings += [f"{path.name}: {original.told}."] if original.told else []
        found = restorer.invented(original, made, missing) if invented else None
        return Done(original, made, tuple(warnings), found, "" if hole is None else hole.told)

    yield from each(paths, out, mended, invented, sheet, force)


def translate(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    to: str = "b",
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
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
        force: overwrite files in `out`, though never the pictures themselves.

    Raises:
        UserError: a model of another task, a kind that it does not know, or a file that would be overwritten.
    """
    translator = translate_model.load(model)
    network = translator.one_way(to)

    def done(path: Path, original: Original) -> Generator[float, None, Done]:
        if translator.any_size:
            return Done(original, (yield from network.mend(original)))
        fitted = (
            image_files.fit(path, translator.spec, decode.depth_of(translator.card.get("depth")))[0]
            .permute(1, 2, 0)
            .numpy()
        )
        square = Original(fitted[:, :, :3], fitted[:, :, 3] if fitted.shape[2] == 4 else None)
        return Done(square, (yield from network.mend(square)))

    yield from each(images, out, done, sheet=sheet, force=force)


def each(
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    work: Work,
    mapped: bool = False,
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Iterator[Doing | Mended | Failed | Written]:
    """Do some work to picture files, into a folder; see `restore` for the arguments and the errors.

    Args:
        mapped: does the work give a map, which is written beside each picture?
    """
    paths, folder = image_files.gather(images), files.place(out)
    places = _places(paths, folder, mapped)
    written = [file for target, _ in places.values() for file in ((target, _map_of(target)) if mapped else (target,))]
    _check_places(paths, written, force)
    if sheet is not None:
        if files.place(sheet).absolute() in {file.absolute() for file in [*written, *paths]}:
            raise UserError(f"--sheet {sheet} is the name of one of the pictures. Choose another name.")
        check_free(files.place(sheet), force=force)
    make_folder(folder)
    shown: list[tuple[Original, Original]] = []
    for i, (path, (target, note)) in enumerate(places.items()):
        yield Doing(path.name, i / len(places))
        started = time.monotonic()
        try:
            original = originals.read(path)
            done = yield from _steps(work(path, original), path.name, i, len(places))
            originals.write(target, original, done.after.pixels, done.after.alpha, force)
            if done.map is not None:
                write_whole(_map_of(target), png(done.map[:, :, None]))
        except UserError as error:
            yield Failed(str(error))
            continue
        warnings = (note, *done.warnings) if note else done.warnings
        yield Mended(target, time.monotonic() - started, warnings, done.hole)
        if len(shown) < SHOWN:
            shown.append((_small(done.before), _small(done.after)))
    if sheet is not None and shown:
        place = files.place(sheet)
        make_folder(place.parent)
        write_whole(place, png(_sheet(shown)))
        yield Written(place, "before and after")


def _places(paths: Sequence[Path], folder: Path, mapped: bool) -> dict[Path, tuple[Path, str]]:
    """Where each picture is written, and a sentence where that is another name than one would look for.

    Those that keep their names come first; x.tif, which would become x.png too, is then x.tif.png.
    """
    wanted = {path: originals.place(folder, path).name for path in paths}
    used: set[str] = set()
    found: dict[Path, tuple[Path, str]] = {}
    for path in sorted(paths, key=lambda path: wanted[path] != path.name):
        name = wanted[path]
        if naming.key(name) in used:
            name = naming.unused(name if name == path.name else f"{path.name}.png", used)
        note = "" if name == wanted[path] else f"{path} is written as {name}: {wanted[path]} is another picture's name."
        found[path] = (folder / name, note)
        used |= {naming.key(name)} | ({naming.key(_map_of(folder / name).name)} if mapped else set())
    return {path: found[path] for path in paths}


def _check_places(paths: Sequence[Path], written: Sequence[Path], force: bool) -> None:
    """Nothing is overwritten unasked, and never a picture that is to be read."""
    own = {path.resolve() for path in paths} if force else set()
    for file in written:
        if file.resolve() in own:
            raise UserError(f"{file} is one of the pictures themselves. Choose another --out.")
        check_free(file, force=force, way="Choose another --out, or --force to overwrite it")


def _check_size(hole: holes.Hole, mask: Path, paths: Sequence[Path]) -> None:
    """Does one mask fit all the pictures? Of those that cannot be read it is said when they are."""
    height, width = hole.missing.shape
    for path in paths:
        try:
            with Image.open(path) as picture:
                size = picture.size[::-1] if picture.getexif().get(0x0112, 1) > 4 else picture.size
        except Exception:  # Pillow raises what its parts raise
            continue
        if size != (width, height):
            raise UserError(
                f"The mask {mask} has {width}x{height} pixels, the picture {path} {size[0]}x{size[1]}. Give a mask of "
                "its size; for pictures of unlike sizes a folder with a mask of each name."
            )


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


def _marked(
    restorer: Restorer, mask: str | os.PathLike[str] | None, colour: str | None, hole: str | None
) -> tuple[int, ...] | None:
    """The colour that marks holes, as three levels."""
    if mask is not None and colour is not None:
        raise UserError("Say either --mask or --colour, not both.")
    if hole is not None and hole not in holes.KINDS:
        raise unknown("kind of hole", hole, holes.KINDS)
    if hole is not None and mask is None:
        raise UserError(f"--mask-hole {hole} says what is missing in a mask: name that with --mask.")
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
