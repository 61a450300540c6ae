"""Class attributes and methods that are imported when they are first asked for."""

from __future__ import annotations

import importlib
from types import MethodType
from typing import Any


class Later:
    """A class attribute that is a module, 'package.module', or something in a module, 'package.module:name'.

    So a task can name all modules of its folder in one place without importing them, while they can import the task.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        module, _, name = self.place.partition(":")
        imported = importlib.import_module(module)
        return getattr(imported, name) if name else imported


class _Method(Later):
    """See `later_method`."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        function = super().__get__(instance, owner)
        return function if instance is None else MethodType(function, instance)


def later_method(place: str) -> Any:
    """A method that is a function in a module, 'package.module:name', whose first argument is the object."""
    return _Method(place)
