"""The latent space on the command line: `ganvas walk` and `invert`. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ganvas.core.asked import Class, classes_of, parse_classes, seed_list, unused
from ganvas.core.console import Force, skipped, verb
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.terminal import say
from ganvas.core.text import one_line
from ganvas.tasks.generate.options import picture_at

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.tasks.generate.latent.invert import Inverted
    from ganvas.tasks.generate.model import Model


@verb("generate", instead={"--steps": "say --frames NUMBER", "--every": "say --rate NUMBER"})
def walk(
    model: Path,
    *images: Path,
    seeds: str | None = None,
    class_: Class = None,
    frames: int | None = None,
    rate: float | None = None,
    loop: bool = True,
    truncation: float | None = None,
    time_lapse: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Walk smoothly from picture to picture, between seeds, classes or your own images; or show how a training went.

    Parameters
    ----------
    model
        A run's folder or a model file.
    images
        At least two images to walk between; each is first inverted, as `ganvas invert` does it.
    seeds
        The seeds to pass through, such as 7,1,12. Default: 0-7.
    class_
        The classes to pass through, with commas between them. Without it each class gets its own tile.
    frames
        Frames between two stops. Default: 24.
    rate
        Frames a second. Default: 24; of a time-lapse 6.
    loop
        Loop back to the start.
    truncation
        Limit of the latent numbers (1 to 2 is usual): more typical pictures, less variety.
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
    if time_lapse:
        unused("with --time-lapse", images=images, seeds=seeds, class_=class_, frames=frames, truncation=truncation)
    elif images:
        unused("between images", seeds=seeds, truncation=truncation)
    frames = 24 if frames is None else frames
    rate = (6 if time_lapse else 24) if rate is None else rate
    walks.check(out, rate, force)
    broken: Sequence[str] = ()
    if time_lapse:
        pictures, total = _time_lapse(model)
    elif images:
        pictures, total, broken = _between_images(load(model), images, class_, frames, loop)
    else:
        pictures, total = _between_seeds(load(model), seed_list(seeds or "0-7"), class_, frames, loop, truncation)
    count = counted(walks.save(out, pictures, rate, force=force), total, "drawing")
    say(f"Drew {count:,} frames of {model}: {out}")
    return skipped(broken, len(images) - len(broken))


def _time_lapse(model: Path) -> tuple[Iterator[Tensor], int]:
    """The frames of a time-lapse, and how many there are."""
    from ganvas.core.run import Run
    from ganvas.tasks.generate.latent import walk as walks

    if not model.is_dir():
        raise UserError(f"{model} is not a run's folder; --time-lapse shows the sheets of a training.")
    return walks.training_sheets(Run(model)), len(Run(model).previews()) + walks.HOLD - 1


def _between_seeds(
    model: Model, numbers: Sequence[int], class_: str | None, frames: int, loop: bool, truncation: float | None
) -> tuple[Iterator[Tensor], int]:
    """The frames of a walk between seeds or classes, and how many there are."""
    from ganvas.tasks.generate.latent import walk as walks

    classes = None if class_ is None else parse_classes(model, class_)
    pictures = walks.walk(model, numbers, classes, frames, loop, truncation)
    return pictures, len(walks.positions(max(len(numbers), len(classes or ())), frames, loop))


def _between_images(
    model: Model, images: Sequence[Path], class_: str | None, frames: int, loop: bool
) -> tuple[Iterator[Tensor], int, Sequence[str]]:
    """The frames of a walk between the user's images, their number, and a sentence for each unreadable file."""
    from ganvas.tasks.generate.latent import walk as walks

    inverted, _, broken = _invert_files(model, images, class_)
    pictures = walks.between(
        model, inverted.latents, walks.shares_of(inverted.labels, len(model.class_names)), frames, loop
    )
    return pictures, len(walks.positions(len(inverted.latents), frames, loop)), broken


@verb("generate")
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
        A picture (.png, .jpg or .webp): each image with the found picture to its right. Without it inverted.png, or
        inverted-2.png and so on.
    force
        Overwrite what is there.
    """
    import torch

    from ganvas.core.files import make_folder
    from ganvas.images import sheets
    from ganvas.images import tensors as im
    from ganvas.tasks.generate.model import load

    if not images:
        raise UserError("Name at least one image to invert: ganvas invert MODEL IMAGE...")
    out = picture_at(out, "inverted.png", force)
    loaded = load(model)
    inverted, originals, broken = _invert_files(loaded, images, class_)
    make_folder(out.parent)
    pairs = torch.stack([originals, im.to_uint8(inverted.pictures)], 1).flatten(0, 1)
    columns = 2 * max(1, min(8, round(len(originals) ** 0.5)))
    sheets.save_grid(out, pairs, columns, scale=max(1, 112 // loaded.spec.size))
    for i, distance in enumerate(inverted.distance.tolist()):
        label = "" if inverted.labels is None else one_line(loaded.class_names[int(inverted.labels[i])])
        as_class = "" if inverted.labels is None else f", as class {label}"
        say(f"Image {i + 1}: a pixel is off by {distance * 127.5:.1f} of 255 (root mean square){as_class}")
    say(f"Each image with the found picture to its right: {out}")
    return skipped(broken, len(originals))


def _invert_files(model: Model, places: Sequence[Path], class_: str | None) -> tuple[Inverted, Tensor, Sequence[str]]:
    """The user's images inverted, the images converted for the model, and a sentence for each unreadable file."""
    import torch

    from ganvas.images import decode
    from ganvas.images import files as pic
    from ganvas.images import tensors as im
    from ganvas.tasks.generate.latent.invert import invert

    fitted, broken = pic.fit_all(places, model.spec, decode.depth_of(model.card.get("depth")))
    for picture in fitted:
        if picture.changes:
            say(f"{one_line(picture.path)}: {picture.changes}")
    originals = torch.stack([picture.image for picture in fitted])
    return invert(model, im.to_float(originals), classes_of(model, class_, len(originals))), originals, broken
