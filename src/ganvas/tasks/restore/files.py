"""Restore picture files: find what is missing in each, and the warnings for the user."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from ganvas.core import files
from ganvas.core.errors import UserError, unknown
from ganvas.core.progress import Doing, Written
from ganvas.images import files as image_files
from ganvas.images.apply import Applied, Failed, Result, each
from ganvas.images.originals import Original
from ganvas.tasks.restore import holes
from ganvas.tasks.restore import model as restore_model
from ganvas.tasks.restore.model import Restorer


def restore(
    model: str | os.PathLike[str],
    images: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    mask: str | os.PathLike[str] | None = None,
    colour: str | None = None,
    invented: bool = False,
    sheet: str | os.PathLike[str] | None = None,
    mask_hole: str | None = None,
    force: bool = False,
) -> Iterator[Doing | Applied | Failed | Written]:
    """Restore picture files into a folder, and yield progress and results; unreadable files are skipped.

    Args:
        model: a run's folder or a model file.
        images: files, or folders of them.
        out: the folder; files that are there are not overwritten. None: next to each picture, as NAME-restored.
        mask: what is missing, white: a file, or a folder with a file of each picture's name; None: what is transparent.
        colour: what is missing has this colour instead, such as '#ff00ff'.
        invented: write FILE.invented.png too.
        sheet: a PNG with each picture before and after.
        mask_hole: what is missing in the mask is 'white', 'black' or 'transparent'; None: white, where that is beyond
            doubt (see `holes.of_mask`).
        force: overwrite files in `out`, though never the pictures themselves.

    Raises:
        UserError: a model of another task, a file that would be overwritten, a mask or colour that cannot be used,
            or a single mask that does not fit all of the pictures.
    """
    restorer = restore_model.load(model)
    marker = _marker(restorer, mask, colour, mask_hole)
    paths = image_files.gather(images)
    common = None if mask is None or files.place(mask).is_dir() else holes.of_mask(files.place(mask), mask_hole)
    if common is not None and mask is not None:
        _check_size(common, files.place(mask), paths)

    def hole_in(path: Path, original: Original) -> holes.Hole:
        if common is not None:
            return common
        if mask is not None:
            return holes.of_mask(holes.beside(files.place(mask), path), mask_hole)
        if marker is not None and colour is not None:
            return holes.of_colour(original, marker, colour, path)
        return holes.of_alpha(original, path)

    def restore_one(path: Path, original: Original) -> Generator[float, None, Result]:
        hole = hole_in(path, original) if restorer.spec.masked else None
        missing = None if hole is None else hole.missing
        made = yield from restorer.restore_picture(original, missing)
        if missing is not None and made.alpha is not None and restorer.spec.channels < 4:
            made = replace(made, alpha=np.where(missing, made.alpha.dtype.type(original.top), made.alpha))
        warnings = [
            f"{path.name} is unlike what {restorer.path} was trained on: {t}." for t in restorer.unlike(original)
        ]
        warnings += [f"{path.name}: {original.assumption}."] if original.assumption else []
        detail = restorer.invented(original, made, missing) if invented else None
        return Result(original, made, tuple(warnings), detail, "" if hole is None else hole.description)

    yield from each(paths, out, restore_one, invented, sheet, force)


def _check_size(hole: holes.Hole, mask: Path, paths: Sequence[Path]) -> None:
    """Raise a UserError if the mask does not fit all pictures; unreadable ones are reported when they are restored."""
    height, width = hole.missing.shape
    for path in paths:
        try:
            with Image.open(path) as picture:
                size = picture.size[::-1] if picture.getexif().get(0x0112, 1) > 4 else picture.size
        except Exception:  # Pillow may raise anything
            continue
        if size != (width, height):
            raise UserError(
                f"The mask {mask} has {width}x{height} pixels, the picture {path} {size[0]}x{size[1]}. Give a mask of "
                "its size; for pictures of unlike sizes a folder with a mask of each name."
            )


def _marker(
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
            f"{restorer.path} was not trained to fill holes and uses no mask. Train one that was: ganvas train inpaint."
        )
    if mask is not None and not files.place(mask).exists():
        raise UserError(f"There is no file or folder {mask}.")
    if colour is None:
        return None
    try:
        return ImageColor.getrgb(colour)[:3]
    except ValueError as error:
        raise UserError(f"--colour '{colour}' is not a colour: write it as '#ff00ff', or by its name.") from error
