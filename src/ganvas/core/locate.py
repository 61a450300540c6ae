"""Finding a model: in a run's folder, at a path, among those that come with Ganvas, or on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ganvas.core.errors import UserError, first_line
from ganvas.core.files import cache_folder, cannot, parse_json, place, read_bytes
from ganvas.core.shipped import names, shipped


def remote_name(path: str | os.PathLike[str]) -> str:
    """'user/name' of hf://user/name (of which a Path makes hf:/user/name).

    Raises:
        UserError: it is not of this form.
    """
    match = re.fullmatch(r"hf:/+([\w.-]+/[\w.-]+)", str(path))
    if match is None:
        raise UserError(f"{path}: a place on the hub is written hf://user/name.")
    return match[1]


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Is this the name of a model on the hub, hf://user/name?"""
    return re.match(r"hf:/", str(path)) is not None


def locate(path: str | os.PathLike[str]) -> Path:
    """The model file that is meant by a run's folder, a model's path, a shipped model's name or a name on the hub.

    A file or folder of that name comes before a shipped model.

    Raises:
        UserError: there is none.
    """
    if is_remote(path):
        return _download(str(path))
    target = place(path)
    if not exists(target):
        if (file := shipped(path)) is not None:
            return file
        raise UserError(f"There is no run or model {target}. Models that come with Ganvas: {', '.join(names())}.")
    if not target.is_dir():
        return target
    if exists(target / "model.safetensors"):
        return target / "model.safetensors"
    if parts := parts_of(target):
        raise UserError(
            f"{target} holds several trainings, one per folder ({', '.join(parts)[:200]}): name one of them, such as "
            f"{target / parts[0]}."
        )
    if exists(target / "experiment.json"):
        raise UserError(f"The run {target} has no model yet. It gets one with the first snapshot.")
    raise UserError(f"{target} is not a run's folder: it has no model.safetensors.")


def parts_of(path: str | os.PathLike[str]) -> list[str]:
    """The names of the parts of a training in parts in this folder; empty if it is not one."""
    return [str(name)[:200] for name in _card(path).get("parts", [])]


def task_of_parts(path: str | os.PathLike[str]) -> str:
    """The task of a training in parts in this folder; '' if it is not one."""
    card = _card(path)
    task = card.get("task")
    return str(task.get("name", ""))[:60] if card.get("parts") and isinstance(task, dict) else ""


def _card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The experiment.json of a folder without a model; nothing where there is none that can be read."""
    if is_remote(path):
        return {}
    folder = place(path)
    try:
        if exists(folder / "model.safetensors") or not exists(folder / "experiment.json"):
            return {}
        card = parse_json(read_bytes(folder / "experiment.json", 10_000_000))
    except (UserError, ValueError, OSError):
        return {}
    return card if isinstance(card, dict) and isinstance(card.get("parts"), list) else {}


def exists(path: Path) -> bool:
    """Does this path exist?

    Raises:
        UserError: the system does not say, for lack of permission.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # the second: a zero byte in the name
        raise cannot("read", path, error if isinstance(error, OSError) else OSError(str(error))) from error
    return True


def _download(name: str) -> Path:
    """The model file of hf://user/name, from the hub or from the hub's cache."""
    repository = remote_name(name)
    try:
        import huggingface_hub
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise UserError(f"{name} is on the hub, which needs its library: pip install 'ganvas[hub]'.") from error
    try:
        at_home = os.path.isabs(os.path.expanduser("~")) or "HF_HOME" in os.environ or "HF_HUB_CACHE" in os.environ
        cache = None if at_home else cache_folder() / "hub"  # the library would make a folder named ~
        return Path(
            huggingface_hub.hf_hub_download(repository, "model.safetensors", library_name="ganvas", cache_dir=cache)
        )
    except (HfHubHTTPError, HFValidationError, EntryNotFoundError, OSError, ValueError) as error:
        raise UserError(f"hf://{repository} cannot be downloaded from the hub: {first_line(error)}") from error
