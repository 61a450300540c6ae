"""Settings that are written as options: `--images 1000` for `images=1000`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from cyclopts import App

from ganvas.cli.names import complete, names, settings_of
from ganvas.core import config as cf
from ganvas.core.console import app
from ganvas.core.errors import UserError, unknown

TRUTHS = ("true", "false", "yes", "no", "1", "0")


def path_of(words: Sequence[str]) -> str:
    """The command that the words name: 'train', 'data check'."""
    here, path = app, []
    for word in words:
        if word.startswith("-") or word not in list(here):
            break
        here, path = here[word], [*path, word]
    return " ".join(path)


def spelled(words: list[str]) -> list[str]:
    """The words, with `key=value` for `--key value` and `--key=value` where the command takes settings.

    Raises:
        UserError: an option that there is not, and no setting of that name.
    """
    path = path_of(words).split()
    here: App = app
    for word in path:
        here = here[word]
    function = here.default_command
    parameter = inspect.signature(function).parameters.get("settings") if function else None
    if parameter is None or parameter.kind is not parameter.VAR_POSITIONAL:
        return words
    options = {name for argument in here.assemble_argument_collection() for name in argument.names} - {"--settings"}
    kinds = {cf.plain(key): entry[0] for section in names()["sections"].values() for key, entry in section.items()}
    strict = complete() and not any(".py:" in word for word in words)
    found, rest, settings = [*path], words[len(path) :], list[str]()  # settings come last: the recipe stays first
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*found, *settings, word, *rest]
        option, equals, value = word.partition("=")
        if not option.startswith("--") or option in options or option in ("--debug", "--version"):
            found.append(word)
            if (
                option in options
                and not equals
                and rest
                and not rest[0].startswith("--")
                and not _is_flag(here, option)
            ):
                found.append(rest.pop(0))
            continue
        key = option.removeprefix("--").replace("-", "_")
        off = key.removeprefix("no_")
        if kinds.get(off) == "bool" and off != key and not equals:
            settings.append(f"{off}=false")
            continue
        if strict and "." not in key and key not in kinds:
            entry = names()["recipes"].get(next(iter(words[len(path) :]), ""))
            keys = map(cf.plain, settings_of(entry)) if entry else kinds
            every = [*options, *("--" + key.replace("_", "-") for key in keys)]
            raise unknown("option or setting", option, every, "ganvas train RECIPE --dry-run explains all settings.")
        if not equals:
            takes = bool(rest) and not rest[0].startswith("--")
            takes = takes and (kinds.get(key) != "bool" or rest[0].lower() in TRUTHS)
            if not takes and kinds.get(key) != "bool":
                raise UserError(f"{option} is a setting and needs a value: {key}=VALUE.")
            value = rest.pop(0) if takes else "true"
        settings.append(f"{key}={value}")
    at = len(found) - (found[-1] in options and not _is_flag(here, found[-1]))  # before an option without its value
    return [*found[:at], *settings, *found[at:]]


def _is_flag(here: App, option: str) -> bool:
    """Is this an option without a value?"""
    arguments = (a for a in here.assemble_argument_collection() if option in a.names)
    return any(argument.hint is bool for argument in arguments)
