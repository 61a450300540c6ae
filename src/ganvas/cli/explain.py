"""The settings of an experiment, their values and what they mean: `--dry-run` and `ganvas recipes NAME --settings`."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ganvas.core import config as cf
from ganvas.core.terminal import say
from ganvas.core.text import one_line

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

OFTEN = (
    "source", "to", "images", "batch", "size", "width", "degrade", "lively", "seed", "labels", "mirror", "lr_g", "lr_d",
    "from",
)  # fmt: skip
TITLES = {"data": "Data", "network": "Networks", "task": "Losses and what is learned", "training": "Training"}
OPTIONS = {"source": "--data", "to": "--to"}  # the settings for which `ganvas train` has an option
VALUES = 14  # characters: the explanation of a longer value begins below it
WIDEST, NARROWEST = 120, 60


def settings(experiment: Experiment) -> None:
    """Print all settings, those first that are changed most often."""
    groups = {name: {cf.plain(row[0]): row for row in _rows(getattr(experiment, name))} for name in TITLES}
    every = {key: row for rows in groups.values() for key, row in rows.items()}
    often = {key: every[key] for key in OFTEN if key in every and (key != "to" or experiment.data.to)}
    width = max(map(len, every))
    columns = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((100, 24)).columns))
    shown = {"Often changed": often}
    shown |= {TITLES[name]: {k: row for k, row in rows.items() if k not in often} for name, rows in groups.items()}
    for title, rows in shown.items():
        if rows:
            say(f"\n{title}")
        for key, (_, value, help) in rows.items():
            option = f"{OPTIONS[key]}: " if key in OPTIONS else ""
            head, indent = f"  {key:<{width}}  {value:<{VALUES}}  ", " " * (width + VALUES + 6)
            if len(value) > VALUES:
                say(head.rstrip())
                head = indent
            say(textwrap.fill(option + help, columns, initial_indent=head, subsequent_indent=indent))


def _rows(section: Any) -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of each setting."""
    for field in dataclasses.fields(section):
        yield field.name, _shown(getattr(section, field.name)), field.metadata.get("help", "")


def _shown(value: Any) -> str:
    """A value as it is written in a setting; '-' for none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    return one_line(",".join(map(str, value)) if isinstance(value, tuple) else value) or "-"
