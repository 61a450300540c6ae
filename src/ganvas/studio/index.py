"""The runs' folder as the studio sees it: which runs exist, and how far each one is."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganvas.core import registry
from ganvas.core.errors import UserError
from ganvas.core.run import Run
from ganvas.core.text import one_line
from ganvas.report import diagnosis
from ganvas.studio.contents import (
    classes,
    fingerprint,
    last_line,
    pictures,
    progress,
    section,
    settings,
    size,
    text,
    versioned,
)
from ganvas.training.studio import Part

LOG = logging.getLogger("ganvas.studio")
FOLDER = r"^[\w-][\w.-]{0,119}$"  # the name of a run's folder
NAME = re.compile(r"^[\w-][\w.-]{0,119}(~[\w-][\w.-]{0,119})?$(?!\n)")  # of a run that can be requested
PART = "~"  # between the name of a training in several parts and that of a part, which is a run in its folder
PARTS = 1_000  # of a training that are shown


class RunNotFound(Exception):
    """No such run, or it has been removed."""


class Unfit(RunNotFound):
    """The run exists but cannot be shown; the text says why."""


class Runs:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.summaries: dict[str, tuple[Any, dict[str, Any]]] = {}  # by name, with the files' fingerprint
        self.reported: set[str] = set()  # runs that cannot be shown and were logged already

    def run(self, name: str) -> Run:
        """The run with a name; NAME~PART is a part of a training in several.

        Raises:
            RunNotFound: there is none, or it cannot be shown because a part of it is a link, a pipe or a device.
        """
        training, _, part = name.partition(PART)
        if not re.fullmatch(FOLDER, training) or (PART in name and not re.fullmatch(FOLDER, part)):
            raise RunNotFound(name)
        above = self.run(training).folder if part else self.root
        run = Run(above / (part or name))
        try:
            if run.folder.resolve().parent != above.resolve():
                raise Unfit(f"{name} is a link to another place.")
            for path in (run.experiment, run.log, run.metrics, run.model, run.report):
                _check(path, stat.S_ISREG, "file")
            _check(run.samples, stat.S_ISDIR, "folder")
            if not run.experiment.exists():
                raise RunNotFound(name)
        except PermissionError as error:
            raise Unfit("There is no permission to read it.") from error
        except (OSError, RuntimeError) as error:  # RuntimeError: circular links
            raise RunNotFound(name) from error
        return run

    def all(self) -> list[dict[str, Any]]:
        """The summaries of all runs, the newest first; one that cannot be shown has only its name and `error`."""
        summaries = []
        for name in self.names():
            try:
                summaries.append(self.summary(name))
            except Unfit as error:
                summaries.append(_unshown(name, str(error)))
            except RunNotFound:
                if not re.fullmatch(FOLDER, name):
                    summaries.append(
                        _unshown(name, "Rename it: at most 120 letters, digits, dots, hyphens and underscores.")
                    )
            except Exception as error:  # one broken run must not hide all others
                if name not in self.reported:
                    LOG.warning("The run %s cannot be shown", one_line(name), exc_info=True)
                self.reported.add(name)
                summaries.append(_unshown(name, f"It cannot be read ({type(error).__name__}: {error})."))
        return summaries

    def names(self) -> list[str]:
        """All runs, the newest first, also those that cannot be shown."""
        dated: list[tuple[float, str]] = []
        with contextlib.suppress(OSError):
            for folder in os.scandir(self.root):
                with contextlib.suppress(OSError):  # not a run's folder, or just removed
                    if not folder.name.startswith("."):
                        dated.append((os.lstat(os.path.join(folder.path, "experiment.json")).st_mtime, folder.name))
        names = [name for _, name in sorted(dated, reverse=True)]
        self.summaries = {name: self.summaries[name] for name in names if name in self.summaries}
        return names

    def summary(self, name: str) -> dict[str, Any]:
        """A run in short: recipe, progress, newest picture, best figure.

        Raises:
            RunNotFound: there is no such run.
        """
        run = self.run(name)
        card = {} if run.log.exists() else settings(run)
        if isinstance(card.get("parts"), list):
            return self._several(run, card)
        now = fingerprint(run)
        if self.summaries.get(name, (None,))[0] != now:
            self.summaries[name] = now, self._summary(run, name)
        summary = self.summaries[name][1]
        moment = progress(run) if summary["state"] == "running" else {}
        if (seen := diagnosis.number(moment, "images")) is None or seen < summary["images"]:
            return summary
        speed = {"images_per_second": diagnosis.number(moment, "images_per_second")}
        return {**summary, "images": seen, "seconds": diagnosis.number(moment, "seconds") or 0, **speed}

    def _several(self, run: Run, card: dict[str, Any]) -> dict[str, Any]:
        """A training in several parts, in short, with those that have begun under `parts`."""
        names, parts = [text(part) for part in card["parts"][:PARTS]], []
        for part in names:
            with contextlib.suppress(RunNotFound):
                parts.append(self.summary(f"{run.folder.name}{PART}{part}"))
        length = section(card, "training").get("images")
        rest = (len(names) - len(parts)) * (length if isinstance(length, int) else 0)
        done = len(parts) == len(names) and all(part["state"] == "finished" for part in parts)
        return {
            **nothing(run.folder.name),
            "recipe": text(card.get("recipe")),
            "task": task_of(card),
            "data": text(str(section(card, "data").get("source", "")).rpartition("/")[2]),
            "images": sum(part["images"] for part in parts),
            "total": sum(part["total"] for part in parts) + rest,
            "seconds": sum(part["seconds"] for part in parts),
            "samples": part_of(task_of(card)).samples,
            "state": "running" if run.holder() is not None else "finished" if done else "stopped",
            "parts": parts,
            "measured": size(run.metrics),  # another number: something new
            "waiting": [part for part in names if part not in {p["name"].partition(PART)[2] for p in parts}],
        }

    def _summary(self, run: Run, name: str) -> dict[str, Any]:
        card = settings(run)
        task = task_of(card)
        part = part_of(task)
        row = last_line(run.log)
        sheets = pictures(run, part.suffix)
        total = section(card, "training").get("images")
        return {
            "name": name,
            "recipe": text(card.get("recipe")),
            "task": task,
            "abilities": abilities(task),
            "data": text(card.get("data_name")),
            "classes": classes(card),
            "size": diagnosis.number(section(card, "spec"), "size"),
            "images": diagnosis.number(row, "images") or 0,
            "total": total if isinstance(total, int) else 0,
            "seconds": diagnosis.number(row, "seconds") or 0,
            "images_per_second": diagnosis.number(row, "images_per_second"),
            "picture": versioned(sheets[-1][1]) if sheets else None,
            "film": part.address(part.film),
            "samples": part.samples,
            "figure": best_figure(run, part),
            "state": state(run, row, total),
            "model": run.model.is_file(),
            "error": None,
        }


def _check(path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    """Raises Unfit where this exists but is not of this kind."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise Unfit(f"{path.name} is a link, which the studio does not follow. Put a real {kind} there, or remove it.")
    if not is_kind(mode):
        raise Unfit(f"{path.name} is not a {kind}. Remove it, or put a real one there.")


def _unshown(name: str, why: str) -> dict[str, Any]:
    """The summary of a run that cannot be shown."""
    return {**nothing(one_line(name)), "error": one_line(why)[:500]}


def nothing(name: str) -> dict[str, Any]:
    """A summary that says nothing yet."""
    empty = {
        "recipe": "",
        "task": "",
        "abilities": [],
        "data": "",
        "classes": [],
        "size": None,
        "images": 0,
        "total": 0,
        "seconds": 0,
    }
    rest = {"images_per_second": None, "picture": None, "figure": None, "state": "stopped", "model": False}
    rest |= {"film": None, "samples": "", "error": None}
    return {"name": name, **empty, **rest}


def part_of(task: str) -> Part:
    """What the studio shows of a task's runs; the common part where the task is not installed."""
    try:
        part = registry.find(task).studio
    except UserError:
        return Part()
    return part if isinstance(part, Part) else Part()


def abilities(task: str) -> list[str]:
    """What the models of a task can do; nothing where the task is not installed."""
    try:
        return list(registry.find(task).Model.abilities)
    except UserError:
        return []


def task_of(card: dict[str, Any]) -> str:
    """The task that a run's settings name."""
    return text(section(card, "task").get("name", registry.first().name))


def best_figure(run: Run, part: Part) -> dict[str, Any] | None:
    """The most telling figure of a run: its name, its value with its unit, and whether lower is better.

    Where nothing else was measured, it is how often the discriminator is right, as `diagnosis.right` has it.
    """
    best = None if part.best is None else part.best.of(run.rows(run.metrics))
    if best is not None:
        return best
    right = diagnosis.right(run.rows())
    if right is None:
        return None
    value = float(diagnosis.percent(right.both).removesuffix("%"))  # with the digits that the remarks have
    return {"title": "expert right", "value": value, "unit": "%", "lower": True}


def state(run: Run, row: dict[str, Any], total: Any) -> str:
    """'running', 'finished' or 'stopped'."""
    if run.holder() is not None:
        return "running"
    done = isinstance(total, int) and row.get("images", 0) >= total > 0
    return "finished" if done and run.is_finished() else "stopped"
