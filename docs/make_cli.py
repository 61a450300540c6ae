"""Write docs/cli.md from the help texts of the command line; `--check` only says whether it is up to date."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from cyclopts import App
from rich.console import Console

from ganvas.cli import app
from ganvas.core.console import VERBS, tasks_with

PAGE = Path(__file__).parent / "cli.md"
HEAD = "# The command line\n\nThis page is written by `make generated` from the program's own help.\n"


def commands(group: App, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of a group's commands and of the commands below those."""
    names = [name for name in group if not name.startswith("-")]
    return [path for name in names for path in [(*words, name), *commands(group[name], (*words, name))]]


def page() -> str:
    """The help of `ganvas` and of each of its commands as one page."""
    parts = [HEAD]
    for words in [(), *commands(app)]:
        if len(words) == 1 and words[0] in VERBS:
            continue  # a command of several tasks: each has its own section
        console = Console(file=io.StringIO(), width=100, force_terminal=False, color_system=None)
        app.help_print(words, console=console)
        text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
        lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
        title = " ".join(["ganvas", *words])
        if words and words[0] in VERBS:
            title = f"ganvas {words[0]}" + (
                f" (models of the task {words[1]})" if len(tasks_with(words[0])) > 1 else ""
            )
        parts.append(f"## {title}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        if not PAGE.is_file() or PAGE.read_text() != page():
            sys.exit("docs/cli.md is not up to date: run make generated")
    else:
        PAGE.write_text(page())
