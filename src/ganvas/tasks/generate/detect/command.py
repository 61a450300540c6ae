"""`ganvas detect`. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.asked import unused
from ganvas.core.console import Force, skipped, verb
from ganvas.core.errors import UserError
from ganvas.core.files import check_free
from ganvas.core.terminal import say


@verb("generate")
def detect(
    model: Path,
    *images: Path,
    alarm: float = 0.05,
    json: Annotated[bool, Parameter(negative=())] = False,
    report: Annotated[bool, Parameter(negative=())] = False,
    against: tuple[Path, ...] = (),
    data: str | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Ask the discriminator whether images are like those that it was trained on.

    Files that are not images are named and skipped; the exit code is then 1, or 2 if no file could be read.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Image files, or folders of them; they are converted to the model's size and colours.
    alarm
        The share of real images that may be rejected (a verdict of 'no').
    json
        Print one JSON object per line.
    report
        Instead, measure how good the detector is: on held-out images, its own pictures and unfamiliar ones.
    against
        With --report: other models, folders of pictures or .npz files to test it on.
    data
        With --report: the images that the model was trained on, if they have moved.
    out
        A PNG with all images, the least likely first.
    force
        Overwrite existing files.
    """
    from ganvas.tasks.generate import detect_files
    from ganvas.tasks.generate.evaluate import source as sources
    from ganvas.tasks.generate.model import load
    from ganvas.tasks.generate.show import show_report, show_verdicts

    if report:
        unused("with --report", images=images, json=json, out=out)
    else:
        unused("without --report", against=None if not against else [*against], data=data)
    if out is not None:
        check_free(out, force=force)
    loaded = load(model)
    if report:
        if message := sources.reading(model, data):
            say(message, error=True)
        show_report(detect_files.report(model, loaded, alarm, against, data), str(model))
        return 0
    if not images:
        raise UserError("Name at least one image, or a folder: ganvas detect MODEL FILES... (or use --report).")
    detected, broken = detect_files.detect(loaded, images, alarm)
    show_verdicts(detected, loaded.detector, alarm, json)
    if out is not None:
        detect_files.save_sheet(out, detected)
        say(f"The least likely first: {out}", error=True)
    return skipped(broken, len(detected))
