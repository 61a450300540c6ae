"""`ganvas translate`."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.applied import at_least_one, watch
from ganvas.core.console import Force, app


@app.command
def translate(
    model: Path, *images: Path, out: Path, to: str = "B", sheet: Path | None = None, force: Force = False
) -> int:
    """Turn pictures of one kind into another with a trained model: photos into avatars, faces into emoji.

    A model of whole pictures uses the centre square of each, in the size that it was trained on; one that learned from
    pieces (fit=pieces) accepts pictures of any size.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Picture files, or folders of them.
    out
        A folder for the pictures, under their own names; existing files are not overwritten.
    to
        The wanted kind: B (--to of the training), A (--data, the other way), or the name of its pictures.
    sheet
        A PNG that shows each picture before and after.
    force
        Overwrite existing files, but never the pictures themselves.
    """
    from ganvas.tasks.translate import files as translate_files

    return watch(translate_files.translate(model, at_least_one("translate", images, "picture"), out, to, sheet, force))
