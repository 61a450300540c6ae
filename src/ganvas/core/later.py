"""Class attributes that are imported when they are first asked for."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A class attribute that stands in another module: 'package.module', or 'package.module:name' in it.

    A task's folder so names all its rooms in one place, without importing them, and they may import the task.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        module, _, name = self.place.partition(":")
        found = importlib.import_module(module)
        return getattr(found, name) if name else found
