"""The card in the head of a model file, and the task that it names; read without torch."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors

from ganvas.core import registry
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import cannot, parse_json
from ganvas.core.locate import locate, task_of_parts


class Damaged(UserError):
    """A checkpoint that is cut short, was changed, or is not a file of Ganvas."""


def head(path: Path) -> dict[str, Any]:
    """The card alone: quick, but not checked against the digest.

    Raises:
        Damaged: the file is not one of Ganvas, or its card cannot be read.
        UserError: the file cannot be read.
    """
    with opened(path, "np") as file:
        return parsed(path, stated_in(path, file)[1])


def task_of(path: str | os.PathLike[str]) -> str:
    """The task of a run or a model; '' where it cannot be read: loading the model then raises the error."""
    try:
        return task_of_parts(path) or task_name(head(locate(path)))
    except (UserError, KeyError, TypeError, AttributeError):
        return ""


def task_name(card: dict[str, Any]) -> str:
    """The name of the task that a model with this card was trained for."""
    return str(card["task"].get("name", next(iter(registry.TASKS))))  # old cards name none: there was only one


def parsed(path: Path, text: str) -> dict[str, Any]:
    """The card of this text.

    Raises:
        Damaged: it is not one.
    """
    try:
        card = parse_json(text)
    except ValueError as error:
        raise Damaged(f"{path} is damaged: its card is not JSON ({error}).") from error
    if not isinstance(card, dict):
        raise Damaged(f"{path} is damaged: its card is not a group of entries.")
    return card


def stated_in(path: Path, file: Any) -> tuple[str, str]:
    """The digest that an open file states, and its card's text.

    Raises:
        Damaged: it has none.
    """
    stated, _, text = (file.metadata() or {}).get("ganvas", "").partition(" ")
    if not stated:
        raise Damaged(f"{path} is a safetensors file, but not one that Ganvas wrote.")
    return stated, text


@contextmanager
def opened(path: Path, library: str) -> Iterator[Any]:
    """A safetensors file, opened for 'pt' (torch) or 'np' (NumPy).

    Raises:
        Damaged: it is not one.
        UserError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir():
            raise UserError(f"Cannot read {path}: it is a pipe or a device, not a file.")
        with open(path, "rb"):  # safetensors reports any file that it cannot open as missing
            pass
        with safetensors.safe_open(path, library) as file:  # pyright: ignore[reportPrivateImportUsage]
            yield file
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a file.") from error
    except OSError as error:
        raise cannot("read", path, error) from error
    except MemoryError as error:
        raise UserError(f"{path} is too large for this machine's memory.") from error
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        # also for a path with a zero byte, and for types that torch does not have
        raise Damaged(f"{path} is damaged or not a safetensors file ({first_line(error)}).") from error
