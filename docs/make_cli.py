"""Write docs/cli.md from the help texts of the command line; `--check` only says whether it is up to date."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from cyclopts import App
from rich.console import Console

from ganvas.cli import app

PAGE = Path(__file__).parent / "cli.md"
HEAD = "# The command line\n\nThis page is written by `make docs` from the program's own help.\n"


def commands(group: App, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of a group's commands and of the commands below those."""
    names = [name for name in group if not name.startswith("-")]
    return [path for name in names for path in [(*words, name), *commands(group[name], (*words, name))]]


def page() -> str:
    """The help of `ganvas` and of each of its commands as one page."""
    parts = [HEAD]
    for words in [(), *commands(app)]:
        console = Console(file=io.StringIO(), width=100, force_terminal=False, color_system=None)
        app.help_print(words, console=console)
        text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"## {' '.join(['ganvas', *words])}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        if not PAGE.is_file() or PAGE.read_text() != page():
            sys.exit("docs/cli.md is not up to date: run make docs")
    else:
        PAGE.write_text(page())
