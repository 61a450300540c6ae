"""Tasks: what the two networks of a GAN are trained to do. A task is one file and one line here."""

from __future__ import annotations

from ganvas.tasks import generate
from ganvas.tasks.base import Task

TASKS = {
    "generate": generate.GenerateTask,
}

__all__ = ["TASKS", "Task"]
