"""The command itself, and what its parts share. Nothing here imports torch: the help answers at once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts import App

from ganvas import __version__
from ganvas.errors import UserError

app = App(
    name="ganvas",
    version=__version__,
    help="Train generative adversarial networks on your images, and use both networks afterwards.",
    help_epilogue="Start with `ganvas train mnist`. Every command takes --debug for tracebacks.",
)

bench = App(name="bench", help="Measure what a model, or what the losses, are worth.")
app.command(bench)


def as_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """`('images=2M', 'seed=1')` -> a dictionary.

    Raises:
        UserError: a text without '='.
    """
    for text in texts:
        if "=" not in text:
            raise UserError(f"'{text}' is no setting: settings are written key=value, such as images=2M.")
    return dict(text.split("=", 1) for text in texts)


def show_settings(card: dict[str, Any]) -> None:
    for section in ("data", "network", "task", "training"):
        for key, value in card[section].items():
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            print(f"  {section + '.' + key.rstrip('_'):<24} {shown}")


def passed_over(broken: Sequence[str], good: int) -> int:
    """Name the files that could not be read; the exit code: 1 where there are some."""
    for sentence in broken:
        print(f"ganvas: {sentence}", file=sys.stderr)
    if broken:
        print(f"ganvas: {len(broken)} of {len(broken) + good} files were passed over.", file=sys.stderr)
    return 1 if broken else 0


def is_first() -> bool:
    """Is this the process that speaks, of all that torchrun started?"""
    return "WORLD_SIZE" not in os.environ or os.environ.get("RANK", "0") == "0"


def me() -> str:
    """How to call this program from where the user is, for the commands that are printed."""
    called = Path(sys.argv[0])
    if shutil.which("ganvas") or called.name != "ganvas":
        return "ganvas" if shutil.which("ganvas") else f"{Path(sys.executable).name} -m ganvas"
    return os.path.relpath(called)


def main() -> None:
    """Run the command line: exit code 0, or 2 for the user's mistakes, 130 after Ctrl-C."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        sys.exit(app(arguments, result_action="return_value"))
    except UserError as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of many processes, one a machine says it
            print(f"ganvas: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever reads our output has read enough: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nganvas: stopped at once; what was saved before is kept.", file=sys.stderr)
        sys.exit(130)
