"""The command `ganvas`, to which `cli` and the tasks add their commands. Nothing here imports torch."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say
from ganvas.core.text import command as as_command
from ganvas.core.text import one_line

Force = Annotated[bool, Parameter(negative=())]  # for every command that writes to a place the user names
app = App(
    name="ganvas",
    help="Train generative adversarial networks on your images, and use both networks afterwards.",
    help_epilogue="Start with `ganvas train mnist`. Every command takes --debug for tracebacks. Exit codes: 0; 1 where "
    "some of several files were passed over; 2 for a mistake, or where no file was good; 130 after Ctrl-C.",
    error_console=Console(stderr=True, markup=True),
)

bench = App(name="bench", help="Measure what a model, or what the losses, are worth.")
app.command(bench)


def as_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """`('images=2M', 'seed=1')` -> a dictionary.

    Raises:
        UserError: a text without '=', or a setting that is given twice.
    """
    settings: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"'{text}' is no setting: settings are written key=value, such as images=2M.")
        key = key if "." in key else key.removesuffix("_")  # `from_` is the same setting as `from`
        if key in settings:
            raise UserError(f"{key} is set twice: {key}={settings[key]} and {key}={value}. Keep one of them.")
        settings[key] = value
    return settings


def show_settings(card: dict[str, Any]) -> None:
    for section in ("data", "network", "task", "training"):
        values = card.get(section)
        for key, value in values.items() if isinstance(values, dict) else ():
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            say(f"  {one_line(f'{section}.{key}').rstrip('_'):<24} {one_line(shown)}")


def passed_over(broken: Sequence[str], good: int) -> int:
    """Name the files that could not be read; the exit code: 1 where there are some, 2 where no file was good."""
    for sentence in broken:
        say(f"ganvas: {sentence}", error=True)
    if broken:
        say(f"ganvas: {len(broken)} of {len(broken) + good} files were passed over.", error=True)
    return (1 if good else 2) if broken else 0


def is_first() -> bool:
    """Is this the one process that prints, of all that torchrun started?"""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def command(*args: object) -> str:
    """A command of this program, to be printed in a form that the user can paste."""
    called = Path(sys.argv[0])
    if shutil.which("ganvas"):
        program = ["ganvas"]
    elif called.name != "ganvas":
        program = [Path(sys.executable).name, "-m", "ganvas"]
    else:
        program = [os.path.relpath(called)]
    return as_command(*program, *args)
