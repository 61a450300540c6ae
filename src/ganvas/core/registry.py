"""The available tasks: Ganvas's own, which `ganvas/__init__.py` lists, and those of other packages.

A package adds a task by an entry point of the group `ganvas.tasks`, a script by `ganvas.TASKS["name"] = ...`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ganvas.core.errors import UserError, first_line, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ganvas.training.task import Task

GROUP = "ganvas.tasks"
TASKS: dict[str, str | type[Task]] = {}
"""A task's name, and its class or where that is: 'package.module:Class'. It is imported when it is needed."""


@functools.cache
def _outside() -> dict[str, EntryPoint]:
    """The tasks of installed packages."""
    if not any(map(_names_the_group, filter(os.path.isdir, sys.path))):
        return {}
    from importlib.metadata import entry_points  # 30 ms, which `ganvas --help` need not wait for

    return {point.name: point for point in entry_points(group=GROUP)}


def _names_the_group(folder: str) -> bool:
    """Does a package that is installed in this folder have tasks?"""
    for path in Path(folder).glob("*-info/entry_points.txt"):
        with contextlib.suppress(OSError):
            if f"[{GROUP}]".encode() in path.read_bytes():
                return True
    return False


def names() -> list[str]:
    """The names of all tasks, Ganvas's own first."""
    return [*TASKS, *(name for name in _outside() if name not in TASKS)]


def find(name: str) -> type[Task]:
    """The task of this name.

    Raises:
        UserError: there is none, or the package that it comes from cannot be imported.
    """
    place = TASKS[name] if name in TASKS else _outside().get(name)
    if place is None:
        raise unknown("task", name, names())
    if isinstance(place, type):
        return place
    text = place if isinstance(place, str) else place.value
    module, _, attribute = text.partition(":")
    try:
        return cast("type[Task]", getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise UserError(f"The task {name} cannot be imported from {text}: {first_line(error)}.") from error


def importable() -> Iterator[type[Task]]:
    """All tasks except those whose packages cannot be imported; `find` raises an error for these."""
    for name in names():
        with contextlib.suppress(UserError):
            yield find(name)


def first() -> type[Task]:
    """The task of experiments that name none."""
    return find(next(iter(TASKS)))


def command_modules() -> list[str]:
    """Where the tasks' commands may be: a module `commands` next to each task's own, which must not import torch."""
    places = [place for place in TASKS.values() if isinstance(place, str)]
    places += [point.value for name, point in _outside().items() if name not in TASKS]
    packages = [place.partition(":")[0].rpartition(".")[0] for place in places]
    return [f"{package}.commands" for package in packages if package]
