"""Applying a function to picture files: where the results go, a sheet of before and after, unreadable files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ganvas.core import files, naming
from ganvas.core.applied import Applied, Failed, check_places, places
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.progress import Doing, Written
from ganvas.images import files as image_files
from ganvas.images import originals
from ganvas.images.originals import Original
from ganvas.images.sheets import png

RESTORED = "-restored"  # at the end of a result's name that is written next to its picture
SHOWN, SIDE = 20, 384  # pictures on a sheet, and pixels of their longer side there


class Result(NamedTuple):
    """The result for a picture: before and after, what the user should know, and perhaps a map, uint8 [H, W]."""

    before: Original
    after: Original
    warnings: tuple[str, ...] = ()
    map: np.ndarray | None = None
    hole: str = ""


Work = Callable[[Path, Original], Generator[float, None, Result]]  # yields the share that is done


def each(
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None,
    work: Work,
    mapped: bool = False,
    sheet: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> Iterator[Doing | Applied | Failed | Written]:
    """Apply `work` to picture files, write the results into a folder, and yield events; unreadable files are skipped.

    Args:
        images: files, or folders of them.
        out: the folder; existing files are not overwritten. None: next to each picture, with RESTORED in its
            name; pictures with such names are then ignored.
        mapped: does the work give a map, which is written next to each picture?
        sheet: a PNG with each picture before and after.
        force: overwrite files in `out`, though never the pictures themselves.

    Raises:
        UserError: a file that would be overwritten, or there are no pictures.
    """
    paths = image_files.gather(images)
    if out is None:
        paths = [path for path in paths if not path.stem.endswith(RESTORED)] or paths
        targets = _next_to(paths)
    else:
        targets = _in_folder(paths, files.place(out), mapped)
    written = [file for target, _ in targets.values() for file in ((target, _map_of(target)) if mapped else (target,))]
    check_places(paths, written, force, "pictures")
    if sheet is not None:
        if files.place(sheet).absolute() in {file.absolute() for file in [*written, *paths]}:
            raise UserError(f"--sheet {sheet} is the name of one of the pictures. Choose another name.")
        check_free(files.place(sheet), force=force)
    if out is not None:
        make_folder(files.place(out))
    shown: list[tuple[Original, Original]] = []
    for i, (path, (target, note)) in enumerate(targets.items()):
        yield Doing(path.name, i / len(targets))
        started = time.monotonic()
        try:
            original = originals.read(path)
            done = yield from _steps(work(path, original), path.name, i, len(targets))
            originals.write(target, original, done.after.pixels, done.after.alpha, force)
            if done.map is not None:
                write_whole(_map_of(target), png(done.map[:, :, None]))
        except UserError as error:
            yield Failed(str(error))
            continue
        warnings = (note, *done.warnings) if note else done.warnings
        yield Applied(target, time.monotonic() - started, warnings, done.hole)
        if len(shown) < SHOWN:
            shown.append((_small(done.before), _small(done.after)))
    if sheet is not None and shown:
        place = files.place(sheet)
        make_folder(place.parent)
        write_whole(place, png(_sheet(shown)))
        yield Written(place, "before and after")


def _in_folder(paths: Sequence[Path], folder: Path, mapped: bool) -> dict[Path, tuple[Path, str]]:
    """Where each picture's result is written in a folder, and a note where its name is not the expected one."""
    return places(
        paths,
        folder,
        lambda path: originals.place(folder, path).name,
        lambda _: ".png",
        "picture",
        (lambda name: _map_of(folder / name).name) if mapped else None,
    )


def _next_to(paths: Sequence[Path]) -> dict[Path, tuple[Path, str]]:
    """Where each picture's result is written next to it: old.jpg and old.png do not share a name."""
    targets: dict[Path, tuple[Path, str]] = {}
    used: dict[Path, set[str]] = {}
    for path in paths:
        there = used.setdefault(path.parent, set())
        target = originals.place(path.parent, path)
        name = f"{target.stem}{RESTORED}{target.suffix}"
        if naming.key(name) in there:
            name = naming.unused(f"{path.name}{RESTORED}{target.suffix}", there)
        there.add(naming.key(name))
        targets[path] = (path.parent / name, "")
    return targets


def _map_of(target: Path) -> Path:
    """The path of the map that shows what was invented."""
    return target.with_name(f"{target.name}.invented.png")


def _steps(work: Generator[float, None, Result], name: str, number: int, count: int) -> Generator[Doing, None, Result]:
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            return end.value
        yield Doing(name, (number + share) / count)


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
