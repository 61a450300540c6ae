"""Models of sounds on the command line: `ganvas sample`; the module named below adds what walks, inverts and writes.

Importing this does not import torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganvas.core.asked import Class, classes_of, numbers_of
from ganvas.core.console import Force, is_first, verb
from ganvas.core.errors import UserError
from ganvas.core.files import free
from ganvas.core.terminal import say
from ganvas.tasks.sound import detect_command, expand_command  # noqa: F401  # they add `ganvas detect` and `expand`
from ganvas.tasks.sound.latent import commands  # noqa: F401  # adds `ganvas walk`, `invert` and `write`

STRIP = 1_000  # sounds in one file at most


@verb(
    "sound",
    instead={
        "--where": "say --class NAME",
        "--seed": "say --seeds NUMBER --count NUMBER",
    },
)
def sample(
    model: Path,
    *,
    seeds: str | None = None,
    count: int | None = None,
    class_: Class = None,
    truncation: float | None = None,
    out: Path | None = None,
    form: Literal["wav", "flac", "ogg"] = "wav",
    force: Force = False,
) -> int:
    """Draw sounds with a trained generator.

    Parameters
    ----------
    model
        A run's folder or a model file.
    seeds
        Which sounds: 7, 0-63, 0,5,10-19. A seed and a class always give the same sound. Default: 0-63.
    count
        How many sounds, instead of a list of seeds: from seed 0, or from the one that --seeds names.
    class_
        The class; comma-separated ones are used in turn. Default: all classes in turn.
    truncation
        Limit of the latent numbers (1 to 2 is usual): lower is more typical but less varied.
    out
        NAME.wav, NAME.flac or NAME.ogg: all sounds one after the other. NAME.zip or any other name, for a new folder:
        one file per sound, one sub-folder per class. Default: the folder sounds, or sounds-2 and so on.
    form
        The format of the files in a folder or zip.
    force
        Overwrite existing files.
    """
    from ganvas.core import distributed, saving
    from ganvas.core.bars import counted
    from ganvas.tasks.sound import save
    from ganvas.tasks.sound.model import load

    numbers = numbers_of(seeds, count, "sound")
    out = out or free(Path("sounds"))
    if save.is_strip(out) and len(numbers) > STRIP:
        raise UserError(
            f"{len(numbers):,} sounds are too many for one file ({STRIP:,} at most). Choose a folder, --out NAME."
        )
    with distributed.joined():
        loaded = load(model)
        classes = classes_of(loaded, class_, len(numbers))
        save.check(out, force)
        portions = saving.portions(loaded, numbers, classes, truncation)
        if not is_first():
            for _ in portions:
                pass
            return 0
        counted(save.save(out, portions, loaded.spec.rate, loaded.class_names, form, force), len(numbers), "drawing")
        say(f"Drew {len(numbers):,} sounds of {model}: {out}")
    return 0
