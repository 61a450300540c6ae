"""`ganvas restore` and `translate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ganvas.core.console import Force, app, passed_over
from ganvas.core.errors import UserError
from ganvas.core.terminal import Console
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.core.progress import Doing, Written
    from ganvas.tasks.restore.files import Failed, Mended


@app.command
def restore(
    model: Path,
    *images: Path,
    out: Path,
    mask: Path | None = None,
    colour: str | None = None,
    invented: Annotated[bool, Parameter(negative=())] = False,
    sheet: Path | None = None,
    mask_hole: str | None = None,
    force: Force = False,
) -> int:
    """Mend pictures of any size with a model that was trained to: denoise, derain, superres, inpaint.

    Depth (8 or 16 bits), transparency, colour profile and EXIF data come back as they were. Files that cannot be mended
    are named and passed over; the exit code is then 1, and 2 where none was mended.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Picture files, or folders of them.
    out
        A folder for the mended pictures, under their own names; what is there already is not overwritten.
    mask
        For a model that fills holes: a picture that is white where something is missing, or a folder with one of each
        name. Without it the transparent part is filled.
    colour
        Instead: the colour that marks what is missing, such as '#ff00ff'.
    invented
        Write beside each picture FILE.invented.png, white where the details are the model's own invention.
    sheet
        A PNG that shows each picture before and after.
    mask_hole
        What is missing in the mask: white, black or transparent. Without it white; a mask that leaves that in doubt
        (greys, one colour, more than half of the picture) is refused.
    force
        Overwrite what is there; never the pictures themselves.
    """
    from ganvas.tasks.restore import files as restore_files

    named = _named("restore", images)
    return _watch(restore_files.restore(model, named, out, mask, colour, invented, sheet, mask_hole, force))


@app.command
def translate(
    model: Path, *images: Path, out: Path, to: str = "B", sheet: Path | None = None, force: Force = False
) -> int:
    """Turn pictures into another kind with a model that was trained to: photos into avatars, faces into emoji.

    A model of whole pictures takes the middle square of each, in the size that it was trained on; one that learned from
    pieces (fit=pieces) takes pictures of any size.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Picture files, or folders of them.
    out
        A folder for the pictures, under their own names; what is there already is not overwritten.
    to
        The wanted kind: B (--to of the training), A (--data, the other way), or the name of its pictures.
    sheet
        A PNG that shows each picture before and after.
    force
        Overwrite what is there; never the pictures themselves.
    """
    from ganvas.tasks.restore import files as restore_files

    return _watch(restore_files.translate(model, _named("translate", images), out, to, sheet, force))


def _named(command: str, images: tuple[Path, ...]) -> tuple[Path, ...]:
    if not images:
        raise UserError(f"Name one picture or more, or a folder: ganvas {command} MODEL FILES... --out DIR.")
    return images


def _watch(events: Iterator[Doing | Mended | Failed | Written]) -> int:
    """Show what is done to picture files; the exit code."""
    from ganvas.core.bars import Progressing
    from ganvas.core.progress import Doing
    from ganvas.tasks.restore.files import Failed, Mended

    broken, good = [], 0
    with Progressing(Console()) as progress:
        for event in events:
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, Failed):
                broken.append(event.why)
            elif isinstance(event, Mended):
                good += 1
                hole = f"; filled: {event.hole}" if event.hole else ""
                progress.print(one_line(f"{event.path}  ({event.seconds:.1f} s{hole})"))
                for text in event.warnings:
                    progress.print(one_line(f"Warning: {text}"))
            else:
                progress.print(f"Before and after: {event.path}")
    return passed_over(broken, good)
