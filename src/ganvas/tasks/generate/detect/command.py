"""`ganvas detect`. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganvas.core.console import Force, passed_over, verb
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
    """Ask the discriminator whether images are of the kind that it was trained on.

    Files that are no images are named and passed over; the exit code is then 1, and 2 where no file could be read.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Image files, or folders of them; they are converted to the model's size and colours.
    alarm
        The share of images of this kind that may be called 'no'.
    json
        One JSON object a line.
    report
        Say instead what the detector is worth: on held-out images against its own pictures and against strangers.
    against
        With --report: other models, folders of pictures or .npz files to ask it about.
    data
        With --report: the images that the model was trained on, where they lie elsewhere now.
    out
        A PNG with all images, those first that look least like the kind.
    force
        Overwrite what is there.
    """
    from ganvas.tasks.generate import detect_files
    from ganvas.tasks.generate.evaluate import source as sources
    from ganvas.tasks.generate.model import load
    from ganvas.tasks.generate.show import show_report, show_verdicts

    if out is not None:
        check_free(out, force=force)
    loaded = load(model)
    if report:
        if message := sources.reading(model, data):
            say(message, error=True)
        show_report(detect_files.report(model, loaded, alarm, against, data), str(model))
        return 0
    if not images:
        raise UserError("Name one image or more, or a folder: ganvas detect MODEL FILES... (or take --report).")
    detected, broken = detect_files.detect(loaded, images, alarm)
    show_verdicts(detected, loaded.detector, alarm, json)
    if out is not None:
        detect_files.save_sheet(out, detected)
        say(f"Those first that look least like the kind: {out}", error=True)
    return passed_over(broken, len(detected))
