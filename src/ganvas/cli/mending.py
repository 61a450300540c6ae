"""`ganvas restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.cli.app import app, passed_over
from ganvas.errors import UserError


@app.command
def restore(
    model: Path,
    *images: Path,
    out: Path,
    mask: Path | None = None,
    colour: str | None = None,
    invented: Annotated[bool, Parameter(negative=())] = False,
    sheet: Path | None = None,
) -> int:
    """Mend pictures of any size with a model that was trained to: denoise, derain, superres, inpaint.

    Depth (8 or 16 bits), transparency, colour profile and EXIF data come back as they were.

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
    """
    from rich.console import Console

    from ganvas import mending
    from ganvas.evaluation import Doing
    from ganvas.tables import Progressing

    if not images:
        raise UserError("Name one picture or more, or a folder: ganvas restore MODEL FILES... --out DIR.")
    broken, good = [], 0
    with Progressing(Console()) as progress:
        for event in mending.restore(model, images, out, mask, colour, invented, sheet):
            if isinstance(event, Doing):
                progress.doing(event)
            elif isinstance(event, mending.Failed):
                broken.append(event.why)
            elif isinstance(event, mending.Mended):
                good += 1
                progress.print(f"{event.path}  ({event.seconds:.1f} s)")
                for text in event.warnings:
                    progress.print(f"Warning: {text}")
            else:
                progress.print(f"Before and after: {event.path}")
    return passed_over(broken, good)
