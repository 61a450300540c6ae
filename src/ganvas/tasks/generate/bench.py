"""`ganvas bench modes`: how many modes a generator covers, and what the losses are worth on toys."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.console import bench


@bench.command
def modes(model: Path | None = None, *, count: int = 26_000, seed: int = 0) -> int:
    """Count the kinds of pictures that a generator draws, and say how even their shares are.

    With a model of stacked-mnist: its score, that of real pictures by the same code, and the floors (some minutes).
    Without a model: trains two plane toys with every loss, three seeds each (about a minute).

    Parameters
    ----------
    model
        A run's folder or a model file of stacked-mnist.
    count
        Pictures to draw; published figures have 26,000.
    seed
        Of the first picture.
    """
    from ganvas.tasks.generate.evaluate import modes as md
    from ganvas.tasks.generate.evaluate.show_modes import show_scores, show_toys
    from ganvas.tasks.generate.model import load

    if model is None:
        show_toys()
        return 0

    show_scores(md.score_model(load(model), count, seed), str(model), seed)
    return 0
