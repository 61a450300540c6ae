"""`ganvas bench modes`: how many modes a generator covers, and how good the losses are on toy data."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.console import bench


@bench.command
def modes(model: Path | None = None, *, count: int = 26_000, seed: int = 0) -> int:
    """Count the classes of pictures that a generator draws, and measure how even their shares are.

    With a model of stacked-mnist: its score, that of real pictures by the same code, and the floors (a few minutes).
    Without a model: trains on two toy data sets with every loss, three seeds each (about a minute).

    Parameters
    ----------
    model
        A run's folder or a model file of stacked-mnist.
    count
        Pictures to draw; published results use 26,000.
    seed
        Seed of the first picture.
    """
    from ganvas.tasks.generate.evaluate import modes as md
    from ganvas.tasks.generate.evaluate.show_modes import show_scores, show_toys
    from ganvas.tasks.generate.model import load

    if model is None:
        show_toys()
        return 0

    show_scores(md.score_model(load(model), count, seed), str(model), seed)
    return 0
