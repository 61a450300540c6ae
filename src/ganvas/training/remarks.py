"""What is said at the beginning of a training about settings that change nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core import own

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment


def without_discriminator(experiment: Experiment) -> list[str]:
    """For a task whose discriminator has a part only with `lively`: settings that are about this part."""
    task, freeze = experiment.task, experiment.training.freeze
    loss = own.bare(task.loss) if own.is_reference(task.loss) else task.loss
    given = [f"loss={loss}"] if task.loss != type(task)().loss else []
    given += [f"freeze={freeze}"] if freeze else []
    if task.lively or not given:
        return []
    change = "change" if given[1:] else "changes"
    return [
        f"{' and '.join(given)} {change} nothing: with lively=0 no discriminator is trained; lively=0.1 trains one."
    ]
