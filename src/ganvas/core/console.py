"""The command `ganvas`, to which `cli` and the tasks add their commands. Nothing here imports torch."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Parameter

from ganvas.core.errors import UserError
from ganvas.core.terminal import Console, say
from ganvas.core.text import command as as_command
from ganvas.core.text import one_line

Force = Annotated[bool, Parameter(negative=())]  # for every command that writes to a place the user names
Function = TypeVar("Function", bound=Callable[..., Any])
VERBS: dict[str, App] = {}  # the commands of which each task has its own: `verb` fills it
READY: dict[tuple[str, str], tuple[str, Callable[[str], bool]]] = {}  # by command and task: what `verb` was told
INSTEAD: dict[tuple[str, str], dict[str, str]] = {}  # by command and task: what `verb` was told
HELP = ("--help", "-h")


class Program(App):
    """The command. What tasks registered by `verb` is found by the task of the model that is named."""

    def __call__(self, tokens: Any = None, **options: Any) -> Any:
        words = [*sys.argv[1:]] if tokens is None else [*tokens]
        name = words[0] if words else ""
        if name not in VERBS:
            return super().__call__(words, **options)
        rest, tasks, asks = words[1:], tasks_with(name), bool(set(words) & {*HELP})
        task = task_among(rest) if len(tasks) > 1 else tasks[0]
        if task not in tasks and not asks and (ready := ready_for(name, rest)):
            task, model = ready
            rest = [model, *rest]
        if task in tasks and not asks:
            check_options(name, task, rest)
        if task in tasks or not asks:
            return super().__call__([name, task if task in tasks else nearest(name, rest), *rest], **options)
        for task in tasks:
            self.help_print([name, task])
        return 0


def tasks_with(name: str) -> list[str]:
    """The tasks that have a command of this name."""
    return [task for task in VERBS[name] if not task.startswith("-")]


def task_among(words: Sequence[str]) -> str:
    """The task of the first word which is a run or a model; '' where there is none."""
    from ganvas.core.head import task_of

    return next((found for word in words if not word.startswith("-") and (found := task_of(word))), "")


def ready_for(name: str, words: Sequence[str]) -> tuple[str, str] | None:
    """The task and the model that comes with Ganvas, for a command that names none, if its first word allows that."""
    first = next((word for word in words if not word.startswith("-")), "")
    for task in tasks_with(name):
        model, asks = READY.get((name, task), ("", bool))
        if model and asks(first):
            return task, model
    return None


def nearest(name: str, words: Sequence[str]) -> str:
    """The first task whose command of this name has all the options that are given, else the first of all.

    It is called where no model of a task with this command is named, and its error says so.
    """
    given, tasks = options_among(words), tasks_with(name)
    return next((task for task in tasks if given <= options_of(name, task)), tasks[0])


def options_among(words: Sequence[str]) -> set[str]:
    """The options that are given, without their values."""
    before = words[: words.index("--")] if "--" in words else words
    return {word.partition("=")[0] for word in before if word.startswith("--")}


def options_of(name: str, task: str) -> set[str]:
    """The options of a task's command of this name."""
    return {option for argument in VERBS[name][task].assemble_argument_collection() for option in argument.names}


def check_options(name: str, task: str, words: Sequence[str]) -> None:
    """Raise a UserError if only other tasks' commands of this name have one of the options, and say what to do."""
    for option in sorted(options_among(words) - options_of(name, task)):
        others = [other for other in tasks_with(name) if option in options_of(name, other)]
        if others:
            way = INSTEAD.get((name, task), {}).get(option, "leave it out")
            raise UserError(
                f"ganvas {name} {option} is for models of the task {' and '.join(others)}, and this one is of the task "
                f"{task}: {way}."
            )


def verb(
    task: str,
    help: str = "",
    instead: Mapping[str, str] | None = None,
    ready: tuple[str, Callable[[str], bool]] | None = None,
) -> Callable[[Function], Function]:
    """Make a function the command of its name for models of this task; other tasks may have one of the same name.

    The function has its own options; its first parameter is the model. `ganvas NAME MODEL ...` calls that of the
    model's task, and `ganvas NAME --help` shows all.

    Args:
        help: the line in the list of commands, said by one of the tasks; '': the first line of the first docstring.
        ready: a model that comes with Ganvas, for where none is named, and whether the first word asks for it.
        instead: what to do in place of options that other tasks' commands of this name have, by option.
    """

    def add(function: Function) -> Function:
        name = function.__name__
        if name not in VERBS:
            VERBS[name] = App(name=name, help=(function.__doc__ or "").strip().split("\n")[0], version_flags=[])
            app.command(VERBS[name])
        if help:
            VERBS[name].help = help
        INSTEAD[name, task] = dict(instead or {})
        if ready is not None:
            READY[name, task] = ready
        VERBS[name].command(
            function, name=task, usage=f"Usage: ganvas {name} MODEL [ARGS]    (models of the task {task})"
        )
        return function

    return add


app = Program(
    name="ganvas",
    help="Train generative adversarial networks on your images, sounds or tables, and use both networks afterwards.",
    help_epilogue="Start with `ganvas train mnist`. Every command accepts --debug for tracebacks, "
    "and --code FILE.py for a model whose network is your own. Exit codes: 0; 1 if "
    "some of several files were skipped; 2 for a mistake, or if no file could be used; 130 after Ctrl-C.",
    error_console=Console(stderr=True, markup=True),
)

bench = App(name="bench", help="Measure how good a model or a loss is.")
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
            raise UserError(f"'{text}' is not a setting: settings are written key=value, such as images=2M.")
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
            say(f"  {one_line(f'{section}.{key}').rstrip('_'):<24} {'-' if shown == '' else one_line(shown)}")


def skipped(broken: Sequence[str], good: int) -> int:
    """Name the files that could not be read; the exit code: 1 if there are some, 2 if no file could be used."""
    for sentence in broken:
        say(f"ganvas: {sentence}", error=True)
    if broken:
        were = "was" if len(broken) == 1 else "were"
        say(f"ganvas: {len(broken)} of {len(broken) + good} files {were} skipped.", error=True)
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
