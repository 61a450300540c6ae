"""Mistakes that are found before torch is imported, which takes seconds: wrong names, settings, values and paths.

`names.json` holds Ganvas's own recipes and their settings; `docs/make_names.py` writes it. It can only refuse: what
passes here is still judged by the recipe itself. Recipes in the user's own files, and tasks of other packages, are not
judged here at all.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cyclopts.exceptions import CycloptsError, MissingArgumentError

from ganvas.cli.names import LIMITS, TYPES, complete, names, settings_of
from ganvas.cli.spelled import path_of, spelled
from ganvas.core import config as cf
from ganvas.core import own, registry, shipped
from ganvas.core.console import HELP, VERBS, app, as_settings, command, nearest, ready_for, task_among, tasks_with
from ganvas.core.errors import UserError, unknown
from ganvas.core.files import parse_json, place, read_bytes
from ganvas.core.locate import exists, is_remote, locate

FILES = (".png", ".jpg", ".jpeg", ".webp", ".wav", ".flac", ".csv", ".zip")  # that are certainly not models
SAME = {  # what other programs call a command
    "generate": "sample",
    "gen": "sample",
    "draw": "sample",
    "mend": "restore",
    "repair": "restore",
    "fix": "restore",
    "continue": "resume",
    "measure": "evaluate",
    "upload": "push",
    "show": "info",
    "list": "recipes",
    "web": "studio",
}


def checked(words: Sequence[str]) -> list[str]:
    """The words of the command line, with settings as options (`--images 1000`) in the form `images=1000`.

    Raises:
        UserError: something in them cannot be right.
    """
    words = [*words]
    name, known = words[0] if words else "", list(app)
    if name in SAME and name not in known:
        raise UserError(f"There is no command '{name}'. Did you mean '{SAME[name]}'? {command(SAME[name], *words[1:])}")
    if name not in known or set(words) & {*HELP}:
        return words
    if name in VERBS:
        tasks, rest = tasks_with(name), words[1:]
        task = task_among(rest) if len(tasks) > 1 else tasks[0]
        if task not in tasks and (ready := ready_for(name, rest)):
            task, rest = ready[0], [ready[1], *rest]
        arguments = parsed([name, task if task in tasks else nearest(name, rest), *rest])
        if task not in tasks and rest and Path(rest[0]).suffix.lower() in FILES:
            raise UserError(f"{rest[0]} is not a model. Name a model first, such as:  {_example([name, '', *rest])}")
    else:
        words = spelled(words)
        arguments = parsed(words)
    if arguments is None:
        return words
    for title, value in arguments.items():
        JUDGED.get(title, _any)(value)
    CHECKS.get(path_of(words), _any)(arguments)
    return words


def without_code(words: Sequence[str]) -> list[str]:
    """The words without `--code FILE`, which may stand anywhere; these files may then be run.

    Raises:
        UserError: there is no such file, or none is named.
    """
    left, rest = list[str](), [*words]
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*left, word, *rest]
        if word == "--code" and not rest:
            raise UserError("--code needs the file of a network or a loss of your own: --code FILE.py.")
        if word == "--code" or word.startswith("--code="):
            own.trust(word.partition("=")[2] or rest.pop(0))
        else:
            left.append(word)
    return left


def parsed(words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments by the names of the command's parameters; None where the command itself will refuse them.

    Raises:
        UserError: no model is named, or no place to write to.
    """
    try:
        _, bound, _ = app.parse_args([*words], print_error=False, exit_on_error=False)
    except MissingArgumentError as error:
        if error.argument is not None and error.keyword is None:
            _missing(error.argument.name, words)
        return None
    except CycloptsError:
        return None
    return dict(bound.arguments)


def _missing(option: str, words: Sequence[str]) -> None:
    """Raise a UserError where the model or --out is missing, with an example."""
    if option == "--model":
        raise UserError(f"Which model? Name a run, such as:  {_example(words)}")
    if option == "--out" and words[0] in VERBS:
        raise UserError("Say where to write: add --out PLACE.")
    if option == "--text":
        word = next((word for word in words[2:] if not word.startswith("-")), "")
        raise UserError(
            f"'{word}' needs a model whose classes have these names, or a text: {_example([*words[:2], '2026'])}. "
            f"Without a model Ganvas writes numbers: {command(words[0], '2026')}"
        )


def _example(words: Sequence[str]) -> str:
    """The command with a model that it is for: the newest in runs/, or one that comes with Ganvas."""
    name, tasks = words[0], tasks_with(words[0]) if words[0] in VERBS else registry.names()
    newest = sorted(Path("runs").glob("*/model.safetensors"), key=lambda path: -path.stat().st_mtime)[:20]
    places = [*(path.parent for path in newest), *shipped.names()]
    run = next((place for place in places if task_among([str(place)]) in tasks), "runs/NAME")
    return command(name, run, *(words[2:] if name in VERBS else words[1:]))


# What is wrong with arguments, whichever command has them


def _any(_: Any) -> None:
    return


def _model(path: Path) -> None:
    locate(path) if not is_remote(path) and not exists(place(path)) else None


def _models(paths: Iterable[Path]) -> None:
    for path in paths:
        _model(path)


def _inputs(paths: Iterable[str | Path]) -> None:
    """Raise a UserError if one of the files to be used does not exist."""
    for path in paths:
        there(str(path))


JUDGED: dict[str, Callable[[Any], None]] = {
    "model": _model,
    "images": _inputs,
    "recordings": _inputs,
    "sounds": _inputs,
    "sources": _models,
    "source": _model,
}


def there(source: str, named: Sequence[str] = ()) -> None:
    """Raise a UserError if a source of data is neither a name, nor the address of a database, nor a place that exists.

    Args:
        named: the names of data sets that are known.
    """
    if source in named or "://" in source:
        return
    path = place(source)
    try:
        if path.exists():
            return
        others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        if any("idx" in name and name.startswith(path.name) for name in others):  # IDX files, named by how they begin
            return
    except (OSError, ValueError, NotImplementedError):  # whoever reads it says what is wrong
        return
    if near := difflib.get_close_matches(path.name, others, n=1, cutoff=0.7):
        raise UserError(f"There is no file or folder {source}. Did you mean {path.with_name(near[0])}?")
    if named and "/" not in source and not path.suffix:
        raise unknown("data set or folder", source, named)
    raise UserError(f"There is no file or folder {source}.")


# What is wrong with the arguments of one command


def _train(given: dict[str, Any]) -> None:
    recipe, settings = given["recipe"], as_settings(tuple(given.get("settings", ())))
    if own.is_spoken(recipe):
        own.check_spoken(recipe)
        return
    recipe_exists(recipe)
    if recipe in names()["recipes"]:
        settings |= {"table": given["table"]} if given.get("table") is not None else {}
        check_settings(recipe, settings)
        _places(recipe, given)
        if "from" in settings:
            _model(Path(settings["from"]))


def _resume(given: dict[str, Any]) -> None:
    folder: Path = given["folder"]
    file = place(folder) / "experiment.json"
    if not exists(file):
        raise UserError(f"{place(folder)} is not a run's folder: it has no experiment.json.")
    settings = as_settings(tuple(given.get("settings", ())))
    try:
        card = parse_json(read_bytes(file, 10_000_000))
        recipe = card.get("recipe")
    except (UserError, ValueError, AttributeError):  # said by what reads it
        return
    sections = [part if isinstance(part := card.get(name), dict) else {} for name in ("network", "task")]
    own.check_given((sections[0].get("name"), sections[1].get("loss")), place(folder))
    if complete() and recipe in names()["recipes"]:
        check_settings(recipe, settings)
        _places(recipe, given)


def _places(recipe: str, given: dict[str, Any]) -> None:
    for option in ("data", "to"):
        if given.get(option) is not None:
            there(given[option], names()["recipes"][recipe]["named"])


def _recipes(given: dict[str, Any]) -> None:
    if given.get("name") is not None:
        recipe_exists(given["name"])


def _data(given: dict[str, Any]) -> None:
    as_settings(tuple(given.get("settings", ())))
    there(given["path"], names()["recipes"]["images"]["named"])


def recipe_exists(name: str) -> None:
    """Raise a UserError if there is certainly no such recipe."""
    if complete() and name not in names()["recipes"]:
        raise unknown("recipe", name, names()["recipes"])


def check_settings(recipe: str, settings: dict[str, str]) -> None:
    """Raise a UserError if a recipe of names.json has no such setting, or a value is none for it."""
    for key, text in settings.items():
        if own.is_spoken(text):
            own.check_spoken(text)
        elif key in ("network", "loss") and text.endswith((".py", ".py:")):
            raise UserError(f"{key}={text}: say what is meant in that file: {key}={text.rstrip(':')}:NAME.")
    if "network" in settings:  # its settings are not among those of the recipe
        return
    entry = names()["recipes"][recipe]
    known = settings_of(entry)
    for key, text in settings.items():
        key = f"{key}_" if f"{key}_" in known else key
        if key.partition(".")[0] in entry["families"]:
            continue
        if key not in known:
            raise cf.unknown_setting(key, known)
        kind, *limits = known[key]
        if own.is_spoken(text):
            continue
        value = cf.parse(text, TYPES[kind], cf.plain(key))
        cf.check_value(key, value, TYPES[kind], dict(zip(LIMITS, limits, strict=True)))


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "train": _train,
    "resume": _resume,
    "recipes": _recipes,
    "data check": _data,
    "data pack": _data,
}
