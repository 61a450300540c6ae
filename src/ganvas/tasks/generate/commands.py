"""The generator on the command line: `ganvas sample`, `write`, `walk` and `invert`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ganvas.core.console import Force, app, is_first, passed_over
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, free
from ganvas.core.terminal import say
from ganvas.core.text import one_line
from ganvas.tasks.generate import bench  # noqa: F401  # adds its command

if TYPE_CHECKING:
    from ganvas.tasks.generate.model import Model

Class = Annotated[str | None, Parameter(name="--class")]
SHEET = 4_096  # pictures of a sheet at most


@app.command
def sample(
    model: Path,
    *,
    seeds: str | None = None,
    count: int | None = None,
    class_: Class = None,
    truncation: float | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Draw pictures with a trained generator.

    Parameters
    ----------
    model
        A run's folder or a model file.
    seeds
        Which pictures: 7, 0-63, 0,5,10-19. A seed and a class are always the same picture. Without it 0-63.
    count
        How many pictures, instead of a list of seeds: from seed 0, or from the one that --seeds names.
    class_
        Of which class; several with commas between them are taken in turn. Without it all classes in turn.
    truncation
        Limit of the latent numbers (1 to 2 is usual): fewer odd pictures, less variety.
    out
        NAME.png: one sheet. NAME.npz, NAME.zip, train-images-idx3-ubyte.gz (labels beside it). Any other name: a new
        folder with a PNG a picture, a sub-folder a class. Without it samples.png, or samples-2.png and so on.
    force
        Overwrite what is there.
    """
    from ganvas.core import distributed
    from ganvas.tasks.generate.model import load

    numbers = numbers_of(seeds, count)
    out = out or free(Path("samples.png"))
    sheet = out.suffix.lower() == ".png"
    if sheet and len(numbers) > SHEET:
        raise UserError(
            f"{len(numbers):,} pictures are too many for one sheet ({SHEET:,} at most). Choose --out NAME.npz, "
            "NAME.zip or a folder."
        )
    with distributed.joined():
        loaded = load(model)
        classes = classes_of(loaded, class_, len(numbers))
        if sheet:
            check_free(out, force=force)
        else:
            from ganvas.tasks.generate import save as outputs

            outputs.check(out, loaded.spec, force)
            if is_first() and (told := outputs.renamed(out, loaded.spec, loaded.class_names)):
                say(told)
        if is_first():
            _draw(loaded, numbers, classes, class_ is None, truncation, out, force)
            say(f"Drew {len(numbers):,} pictures of {model}: {out}")
        else:
            loaded.pictures(numbers, classes, truncation)
    return 0


def _draw(
    loaded: Model,
    numbers: Sequence[int],
    classes: Any,
    in_turn: bool,
    truncation: float | None,
    out: Path,
    force: bool,
) -> None:
    """Draw pictures into a file or folder; `in_turn`: all classes in turn."""
    from ganvas.core.files import make_folder
    from ganvas.images import sheets

    if out.suffix.lower() == ".png":
        make_folder(out.parent)
        columns = len(loaded.class_names) if in_turn and loaded.class_names else round(len(numbers) ** 0.5)
        pictures = loaded.pictures(numbers, classes, truncation)
        sheets.save_grid(out, pictures, min(len(numbers), max(1, min(columns, 32))), scale=2)
    else:
        from ganvas.core.bars import counted
        from ganvas.tasks.generate import save as outputs

        portions = outputs.portions(loaded, numbers, classes, truncation)
        saving = outputs.save(out, portions, len(numbers), loaded.spec, loaded.class_names, force)
        counted(saving, len(numbers), "drawing")


@app.command
def write(
    model: Path,
    text: str,
    *,
    seed: int = 0,
    truncation: float | None = None,
    out: Path | None = None,
    force: Force = False,
) -> int:
    """Write a text, each character a new drawing of the class of that name: a number for a model of digits.

    Parameters
    ----------
    model
        A run's folder or a model file.
    text
        Names of the model's classes one after the other; spaces and the marks - . : / , + may stand between them.
    seed
        Another seed, other hands.
    truncation
        Limit of the latent numbers (1 to 2 is usual): tidier characters.
    out
        The PNG to write. Without it written.png, or written-2.png and so on.
    force
        Overwrite what is there.
    """
    from ganvas.core.files import make_folder
    from ganvas.images import sheets
    from ganvas.tasks.generate.latent.write import write
    from ganvas.tasks.generate.model import load

    out = png_at(out, "written.png", force)
    picture = write(load(model), text, seed, truncation)
    make_folder(out.parent)
    sheets.save_grid(out, picture, 1, scale=max(1, 112 // picture.shape[2]))
    say(f"Wrote '{text}' with {model}: {out}")
    return 0


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


def classes_of(model: Model, text: str | None, count: int) -> Any:
    """'3,8' -> these classes in turn, `count` of them; None stays None.

    Raises:
        UserError: the model has no such class, or none at all.
    """
    if text is None:
        return None
    chosen = named(model, text)
    return [chosen[i % len(chosen)] for i in range(count)]


def named(model: Model, text: str) -> list[int | str]:
    """'3,8' -> the numbers of these classes; a class whose own name has a comma in it may be named alone.

    Raises:
        UserError: the model has no such class.
    """
    if not model.class_names:
        return [text]  # the model itself says that it has none
    names = [text] if text in model.class_names else [name.strip() for name in text.split(",")]
    return [model.class_number(name) for name in names]


def png_at(out: Path | None, usual: str, force: bool) -> Path:
    """Where a PNG is to be written: what --out says, else the usual name with the first number that is free.

    Raises:
        UserError: --out is another form, or is there already.
    """
    if out is None:
        return free(Path(usual))
    if out.suffix.lower() not in ("", ".png"):
        raise UserError(f"{out}: this is written as a PNG. Choose --out NAME.png.")
    check_free(out, force=force)
    return out


def numbers_of(seeds: str | None, count: int | None) -> Sequence[int]:
    """The seeds that --seeds and --count mean together.

    Raises:
        UserError: they contradict each other, or are no numbers.
    """
    listed = seed_list(seeds or ("0" if count is not None else "0-63"))
    if count is None:
        return listed
    if count < 1:
        raise UserError(f"--count {count}: at least 1 picture is needed.")
    if len(listed) != 1:
        raise UserError(
            f"--seeds {seeds} and --count {count} contradict each other: give one, or one seed to start from."
        )
    return range(listed[0], listed[0] + count)


def seed_list(text: str) -> Sequence[int]:
    """'0,5,10-12' -> [0, 5, 10, 11, 12].

    Raises:
        UserError: the text is no list of seeds.
    """
    numbers: list[range] = []
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            start, end = int(first), int(last if dash else first)
            if end < start:
                raise ValueError(part)
            numbers.append(range(start, end + 1))
    except ValueError as error:
        raise UserError(f"--seeds {text}: write seeds as 7, 0-63 or 0,5,10-19 (whole numbers from 0).") from error
    return numbers[0] if len(numbers) == 1 else [number for part in numbers for number in part]
