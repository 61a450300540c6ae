"""The latent space on the command line: `ganvas walk` and `invert`. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ganvas.core.console import Force, app, passed_over
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.terminal import say
from ganvas.core.text import one_line
from ganvas.tasks.generate.options import Class, classes_of, named, png_at, seed_list

if TYPE_CHECKING:
    from ganvas.tasks.generate.model import Model


@app.command
def walk(
    model: Path,
    *images: Path,
    seeds: str = "0-7",
    class_: Class = None,
    frames: int = 24,
    rate: float = 24,
    loop: bool = True,
    truncation: float | None = None,
    time_lapse: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Walk smoothly from picture to picture, between seeds, classes or images of your own; or show a training grow.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Two images or more to walk between; each is first inverted, as `ganvas invert` does it.
    seeds
        The seeds to pass through: 7,1,12 or 0-7.
    class_
        The classes to pass through, with commas between them. Without it each class walks in a tile of its own.
    frames
        Pictures from one station to the next.
    rate
        Frames a second.
    loop
        Come back to the start, so that it can be played for ever.
    truncation
        Limit of the latent numbers (1 to 2 is usual): fewer odd pictures, less variety.
    time_lapse
        Show the sheets of the run's training instead, from noise to the last picture.
    out
        NAME.webp or NAME.gif, or NAME.mp4 with the extra `video`. Without it walk.webp, or walk-2.webp and so on.
    force
        Overwrite what is there.
    """
    from ganvas.core.bars import counted
    from ganvas.tasks.generate.latent import walk as walks
    from ganvas.tasks.generate.model import load

    out = out or free(Path("walk.webp"))
    walks.check(out, min(rate, 6) if time_lapse else rate, force)
    broken: Sequence[str] = ()
    if time_lapse:
        from ganvas.core.run import Run

        if not model.is_dir():
            raise UserError(f"{model} is no run's folder; --time-lapse shows the sheets of a training.")
        shown, rate = walks.growth(Run(model)), min(rate, 6)
        total = len(Run(model).previews()) + walks.HOLD - 1
    elif images:
        loaded = load(model)
        found, _, broken = inverted(loaded, images, class_)
        shown = walks.between(loaded, found.latents, walks.shares_of(loaded, found.labels), frames, loop)
        total = len(walks.moments(len(found.latents), frames, loop))
    else:
        loaded, numbers = load(model), seed_list(seeds)
        classes = None if class_ is None else named(loaded, class_)
        shown = walks.walk(loaded, numbers, classes, frames, loop, truncation)
        total = len(walks.moments(max(len(numbers), len(classes or ())), frames, loop))
    count = counted(walks.save(out, shown, rate, force=force), total, "drawing")
    say(f"Drew {count:,} frames of {model}: {out}")
    return passed_over(broken, len(images) - len(broken))


@app.command
def invert(model: Path, *images: Path, class_: Class = None, out: Path | None = None, force: Force = False) -> int:
    """Find the pictures that the generator can draw which are nearest to images of yours.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        Image files, or folders of them; they are converted to the model's size and colours.
    class_
        What they show. Without it all classes are tried.
    out
        A PNG: each image with the found picture to its right. Without it inverted.png, or inverted-2.png and so on.
    force
        Overwrite what is there.
    """
    import torch

    from ganvas.core.files import make_folder
    from ganvas.images import sheets
    from ganvas.images import tensors as im
    from ganvas.tasks.generate.model import load

    if not images:
        raise UserError("Name one image or more to invert: ganvas invert MODEL IMAGE...")
    out = png_at(out, "inverted.png", force)
    loaded = load(model)
    found, wanted, broken = inverted(loaded, images, class_)
    make_folder(out.parent)
    pairs = torch.stack([wanted, im.to_uint8(found.pictures)], 1).flatten(0, 1)
    columns = 2 * max(1, min(8, round(len(wanted) ** 0.5)))
    sheets.save_grid(out, pairs, columns, scale=max(1, 112 // loaded.spec.size))
    for i, distance in enumerate(found.distance.tolist()):
        kind = "" if found.labels is None else f", as class {one_line(loaded.class_names[int(found.labels[i])])}"
        say(f"Image {i + 1}: a pixel is off by {distance * 127.5:.1f} of 255 (root mean square){kind}")
    say(f"Each image with the found picture to its right: {out}")
    return passed_over(broken, len(wanted))


def inverted(model: Model, places: Sequence[Path], class_: str | None) -> Any:
    """The user's images inverted, as the model takes them, and a sentence for each file that is no image."""
    import torch

    from ganvas.images import decode
    from ganvas.images import files as pic
    from ganvas.images import tensors as im
    from ganvas.tasks.generate.latent.invert import invert

    fitted, broken = pic.fit_all(places, model.spec, decode.depth_of(model.card.get("depth")))
    for picture in fitted:
        if picture.changes:
            say(f"{one_line(picture.path)}: {picture.changes}")
    wanted = torch.stack([picture.image for picture in fitted])
    return invert(model, im.to_float(wanted), classes_of(model, class_, len(wanted))), wanted, broken
