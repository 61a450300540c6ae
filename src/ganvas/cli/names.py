"""Ganvas's own recipes and their settings, from names.json, which `docs/make_names.py` writes."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from ganvas.core import registry

NAMES = Path(__file__).with_name("names.json")
TYPES = {"int": int, "float": float, "bool": bool, "str": str, "ints": tuple[int, ...]}  # as names.json calls them
LIMITS = ("low", "high", "choices", "check")  # of a setting in names.json, after its type


@functools.cache
def names() -> dict[str, Any]:
    """The content of names.json."""
    return json.loads(NAMES.read_text(encoding="utf-8"))


def complete() -> bool:
    """Are there no tasks but those of names.json?"""
    return names()["tasks"] == registry.TASKS and registry.names() == [*names()["tasks"]]


def settings_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe of names.json."""
    return {key: limits for section in entry["sections"] for key, limits in names()["sections"][section].items()}
