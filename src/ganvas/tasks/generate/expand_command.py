"""`ganvas expand`. Importing this does not import torch."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.console import Force, verb


@verb("generate", instead=dict.fromkeys(("--target", "--rare"), "all classes are enlarged equally, leave it out"))
def expand(
    model: Path,
    *,
    out: Path,
    count: int = 1_000,
    data: str | None = None,
    seed: int = 0,
    repeats: int = 5,
    force: Force = False,
) -> int:
    """Enlarge a labelled data set with generated pictures, and find out whether that helps a classifier.

    Near copies of training images and pictures that the detector rejects are dropped.

    Parameters
    ----------
    model
        A run's folder or a model file, trained on a labelled data set.
    out
        NAME.npz, NAME.zip, or a folder for IDX files like those of the data set.
    count
        Pictures per class.
    data
        The images that the model was trained on, if they have moved.
    seed
        Another number gives other pictures, and other real images in the trials.
    repeats
        Trials of each classifier, each with other real images: at least 5 for a verdict, 0 for none.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.metrics.show import show_expanded
    from ganvas.tasks.generate import expand as ex

    show_expanded(ex.expand(model, out, count, data, seed, repeats, force), "pictures", "images")
    return 0
