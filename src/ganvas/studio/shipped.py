"""The models that come with Ganvas, as the studio offers them.

Each is requested like a run, by a name that no run's folder can have: @mnist. So a run that is called mnist is another
one. What is done to runs (resume, rename, delete, ...) has no such names: `Runs.run` has no such run.
"""

from __future__ import annotations

import functools
import json
import logging
import secrets
from pathlib import Path
from typing import Any

from ganvas.core import shipped
from ganvas.core.errors import UserError
from ganvas.core.head import head, task_name
from ganvas.studio.contents import classes, section, text
from ganvas.studio.index import RunNotFound, abilities, nothing, part_of

LOG = logging.getLogger("ganvas.studio")
MARK = "@"  # before the name of a model


def is_shipped(name: str) -> bool:
    """Is this the name of a model that comes with Ganvas, not of a run?"""
    return name.startswith(MARK)


def file_of(name: str) -> Path:
    """The file of the model `@name`.

    Raises:
        RunNotFound: there is none.
    """
    file = shipped.shipped(name.removeprefix(MARK)) if is_shipped(name) else None
    if file is None:
        raise RunNotFound(name)
    return file


def models() -> list[dict[str, Any]]:
    """The summaries of all; one whose file is damaged is left out."""
    found = []
    for name in shipped.names():
        try:
            found.append(summary(MARK + name))
        except (UserError, KeyError, TypeError, AttributeError) as error:  # the others must not be hidden
            LOG.warning("The model %s cannot be read: %s", name, error)
    return found


def summary(name: str) -> dict[str, Any]:
    """The model `@name` in short, as `Runs.summary` describes a run.

    Raises:
        RunNotFound: there is none.
    """
    return _summary(name, file_of(name))


@functools.lru_cache(maxsize=16)
def _summary(name: str, file: Path) -> dict[str, Any]:
    card, own = head(file), name.removeprefix(MARK)
    part = part_of(task_name(card))
    return {
        **nothing(name),
        "shipped": True,
        "title": shipped.title(own),
        "about": shipped.ABOUT.get(own, ("", ""))[1],
        "recipe": text(card.get("recipe")),
        "task": task_name(card),
        "abilities": abilities(task_name(card)),
        "data": text(card.get("data_name")),
        "licence": text(card.get("licence")),
        "classes": classes(card),
        "size": section(card, "spec").get("size"),
        "images": card.get("images", 0),
        "total": card.get("images", 0),
        "state": "finished",
        "samples": part.samples,
        "model": True,
        "begun": True,
        "part": part.shown(section(card, "task")),
    }


def dealt(name: str) -> dict[str, Any] | None:
    """One of the games that came dealt with the model `@name`, as the ability `play.deal` returns one, with its `seed`.

    None: there are none.
    """
    games = _games(shipped.games(name.removeprefix(MARK))) if is_shipped(name) else []
    return secrets.choice(games) if games else None


@functools.lru_cache(maxsize=4)
def _games(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_bytes())["games"] if file.is_file() else []
