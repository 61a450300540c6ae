"""Your own recipe, without a fork: ganvas train examples/my_recipes.py:hinge"""

import dataclasses

from ganvas import Experiment
from ganvas.api import find


def hinge() -> Experiment:
    """The flagship with the hinge loss, for half of its length."""
    base = find("mnist")
    return dataclasses.replace(
        base,
        recipe="mnist-hinge",
        task=dataclasses.replace(base.task, loss="hinge"),
        training=dataclasses.replace(base.training, images=base.training.images // 2),
    )
