"""`ganvas restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.applied import at_least_one, watch
from ganvas.core.console import Force, verb


def is_picture(word: str) -> bool:
    """Does this word name a picture, or a folder with some?"""
    from ganvas.images import decode

    path = Path(word)
    named = [path] if not path.is_dir() else path.iterdir()
    return any(file.suffix.lower() in decode.SUFFIXES for file in named)


@verb(
    "restore",
    ready=("restore", is_picture),
    instead={"--best": "the same picture is always restored alike, leave it out"},
)
def restore(
    model: Path,
    *images: Path,
    out: Path | None = None,
    mask: Path | None = None,
    colour: str | None = None,
    invented: Annotated[bool, Parameter(negative=())] = False,
    sheet: Path | None = None,
    mask_hole: str | None = None,
    force: Force = False,
) -> int:
    """Restore pictures of any size: noise, scratches, spots, blur and traces of JPEG, or what a model was trained on.

    `ganvas restore old.jpg` uses the model that comes with Ganvas; `ganvas restore RUN old.jpg` one that you trained.
    Depth (8 or 16 bits), transparency, colour profile and EXIF data come back as they were. Files that cannot be
    restored are named and skipped; the exit code is then 1, and 2 where none was restored.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Picture files, or folders of them.
    out
        A folder for the restored pictures, under their own names; what is there already is not overwritten. Without it
        they are written next to the pictures: old.jpg as old-restored.jpg.
    mask
        For a model that fills holes: a picture that is white where something is missing, or a folder with one of each
        name. Without it the transparent part is filled.
    colour
        Instead: the colour that marks what is missing, such as '#ff00ff'.
    invented
        Also write FILE.invented.png for each picture: white where the model has invented the details.
    sheet
        A PNG that shows each picture before and after.
    mask_hole
        What is missing in the mask: white, black or transparent. Without it white; a mask that leaves that in doubt
        (greys, one colour, more than half of the picture) is refused.
    force
        Overwrite what is there; never the pictures themselves.
    """
    from ganvas.tasks.restore import files as restore_files

    named = at_least_one("restore", images, "picture")
    return watch(restore_files.restore(model, named, out, mask, colour, invented, sheet, mask_hole, force))
