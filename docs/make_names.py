"""Write src/ganvas/cli/names.json, by which the command line refuses wrong names and values before it imports torch.

`--check` only says whether it is up to date.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from ganvas.api import RECIPES
from ganvas.cli import names
from ganvas.core import config as cf
from ganvas.core.registry import TASKS
from ganvas.images.data import DATASETS
from ganvas.images.data.config import DataConfig
from ganvas.tasks.generate import choice
from ganvas.training.experiment import SECTIONS

TYPE_NAMES = {kind: name for name, kind in names.TYPES.items()}


def settings_of(section: Any) -> dict[str, Any]:
    """The settings of a section by name: the type, `low`, `high` and the choices."""
    types = {name: TYPE_NAMES[kind] for name, kind in cf.types_of(section).items()}
    limits = {field.name: field.metadata for field in dataclasses.fields(section)}
    return {name: [kind, *(limits[name].get(key) for key in names.LIMITS)] for name, kind in types.items()}


def table() -> dict[str, Any]:
    """Tasks, settings by the class that has them, and recipes: which classes hold their settings."""
    sections: dict[str, Any] = {}
    recipes: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        experiment = recipe()
        parts = [getattr(experiment, part) for part in SECTIONS]
        if name in choice.RECIPES:  # the data chooses the network
            parts.append(RECIPES["photos"]().network)
        called = [f"{type(part).__module__.removeprefix('ganvas.')}.{type(part).__qualname__}" for part in parts]
        sections |= {key: settings_of(part) for key, part in zip(called, parts, strict=True)}
        recipes[name] = {
            "sections": called,
            "families": sorted({family for part in parts for family in getattr(part, "families", {})}),
            "named": sorted(DATASETS) if type(experiment.data) is DataConfig else [],
        }
    return {"tasks": dict(TASKS), "sections": sections, "recipes": recipes}


def text() -> str:
    """The file: a line for each setting and each recipe."""
    parts = []
    for name, entries in table().items():
        lines = [f"  {json.dumps(key)}: {_indented(value)}" for key, value in entries.items()]
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _indented(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"   {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()) + "\n  }"


if __name__ == "__main__":
    if "--check" in sys.argv:
        if not names.NAMES.is_file() or names.NAMES.read_text() != text():
            sys.exit("src/ganvas/cli/names.json is not up to date: run make generated")
    else:
        names.NAMES.write_text(text())
