"""Tasks: what the two networks of a GAN are trained to do. A task is one file and one line here."""

from __future__ import annotations

from typing import Any

from ganvas.tasks import generate, restore, translate
from ganvas.tasks.base import CHECK, Task
from ganvas.tasks.restore import PAIRS

TASKS: dict[str, type[Task]] = {
    "generate": generate.GenerateTask,
    "restore": restore.RestoreTask,
    "translate": translate.TranslateTask,
}


def name_of(config: Any) -> str:
    """The name in `TASKS` of the task that a config's knobs belong to."""
    return next(name for name, task in TASKS.items() if isinstance(config, task.Config))


__all__ = ["CHECK", "PAIRS", "TASKS", "Task", "name_of"]
