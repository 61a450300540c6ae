"""The generator on the command line: `ganvas sample` and `write`; the modules named below add the other commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.core.asked import Class, classes_of, numbers_of
from ganvas.core.console import Force, is_first, verb
from ganvas.core.errors import UserError
from ganvas.core.files import check_free, free
from ganvas.core.terminal import say
from ganvas.tasks.generate import bench, expand_command  # noqa: F401  # they add `ganvas bench modes` and `expand`
from ganvas.tasks.generate.detect import command  # noqa: F401  # adds `ganvas detect`
from ganvas.tasks.generate.latent import commands  # noqa: F401  # adds `ganvas walk` and `invert`
from ganvas.tasks.generate.options import FORMS, picture_at

if TYPE_CHECKING:
    from ganvas.tasks.generate.model import Model

SHEET = 4_096  # pictures on a sheet at most


@verb(
    "generate",
    instead={"--where": "say --class NAME", "--seed": "say --seeds NUMBER --count NUMBER"},
)
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
        Limit of the latent numbers (1 to 2 is usual): more typical pictures, less variety.
    out
        NAME.png, .jpg or .webp: one sheet. NAME.npz, NAME.zip, train-images-idx3-ubyte.gz (with a file of labels). Any
        other name: a new folder with a PNG for each picture, in a sub-folder for each class. Without it samples.png, or
        samples-2.png and so on.
    force
        Overwrite what is there.
    """
    from ganvas.core import distributed
    from ganvas.tasks.generate.model import load

    numbers = numbers_of(seeds, count, "picture")
    out = out or free(Path("samples.png"))
    sheet = out.suffix.lower() in FORMS
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
            if is_first() and (sentence := outputs.renamed(out, loaded.spec, loaded.class_names)):
                say(sentence)
        if is_first():
            _save_pictures(loaded, numbers, classes, class_ is None, truncation, out, force)
            say(f"Drew {len(numbers):,} pictures of {model}: {out}")
        else:
            loaded.pictures(numbers, classes, truncation)
    return 0


def _save_pictures(
    loaded: Model,
    numbers: Sequence[int],
    classes: Any,
    in_turn: bool,
    truncation: float | None,
    out: Path,
    force: bool,
) -> None:
    """Generate pictures and save them to a file or folder; `in_turn`: all classes in turn."""
    from ganvas.core.files import make_folder
    from ganvas.images import sheets

    if out.suffix.lower() in FORMS:
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


def is_number(word: str) -> bool:
    """Is this a number, a date or a time to be written, and not a run of that name?"""
    return bool(re.fullmatch(r"[0-9][0-9 .:,+/-]*", word)) and not Path(word).exists()


@verb("generate", ready=("mnist", is_number))
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
        A run's folder or a model file. Without one, for a number, the digits that come with Ganvas are used.
    text
        Names of the model's classes one after the other; spaces and the marks - . : / , + may stand between them.
    seed
        Another seed, another handwriting.
    truncation
        Limit of the latent numbers (1 to 2 is usual): more typical characters.
    out
        The picture to write: .png, .jpg or .webp. Without it written.png, or written-2.png and so on.
    force
        Overwrite what is there.
    """
    from ganvas.core.files import make_folder
    from ganvas.images import sheets
    from ganvas.tasks.generate.latent.write import write
    from ganvas.tasks.generate.model import load

    out = picture_at(out, "written.png", force)
    picture = write(load(model), text, seed, truncation)
    make_folder(out.parent)
    sheets.save_grid(out, picture, 1, scale=max(1, 112 // picture.shape[2]))
    say(f"Wrote '{text}' with {model}: {out}")
    return 0
