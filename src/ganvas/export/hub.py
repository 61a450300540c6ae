"""Models on the Hugging Face hub: `hf://user/name` wherever a model is named, and `ganvas push`."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from ganvas.core import files
from ganvas.core.errors import UserError, first_line
from ganvas.core.files import check_free, make_folder, write_whole
from ganvas.core.locate import is_remote, remote_name
from ganvas.core.model import TrainedModel
from ganvas.export import model_card

FILES = ("model.safetensors", "README.md")


def check(model: TrainedModel, target: str | os.PathLike[str], force: bool = False) -> None:
    """Raise a UserError if the model cannot be pushed there, before any work; see `push`."""
    if is_remote(target):
        remote_name(target)
        return
    folder = files.place(target)
    like_hub_name = isinstance(target, str) and re.fullmatch(r"(?!\.\.?/)[\w.-]+/[\w.-]+", target)
    if like_hub_name and not folder.exists():
        raise UserError(f"Did you mean hf://{target}? For a folder write ./{target}.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} exists already and is not a folder. Choose another name.")
    for name in FILES:
        if (folder / name).exists() and (folder / name).resolve() == model.path.resolve():
            raise UserError(f"{folder} is where the model itself is. Choose another folder.")
    check_free(*(folder / name for name in FILES), force=force, way="Choose a new folder, or --force to overwrite it")


def push(model: TrainedModel, target: str | os.PathLike[str], force: bool = False) -> str:
    """Upload a model with its card as README; returns its address.

    Args:
        target: `hf://user/name`, or a folder (which then holds what would be uploaded). `user/name` counts as a folder
            only if there is one, or if it is written `./user/name`.
        force: overwrite files in that folder.

    Raises:
        UserError: no such form of a name, files that are there, the extra `hub` is missing, the hub refused, or the
            folder cannot be written.
    """
    check(model, target, force)
    if not is_remote(target):
        folder = files.place(target)
        make_folder(folder)
        _fill(model, folder, str(target))
        return str(folder)
    name = remote_name(target)
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError as error:
        raise UserError("Uploading needs the hub's library: pip install 'ganvas[hub]'.") from error
    with tempfile.TemporaryDirectory() as folder:
        _fill(model, Path(folder), f"hf://{name}")
        try:
            api = huggingface_hub.HfApi(library_name="ganvas")
            api.create_repo(name, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=folder, commit_message="Upload by ganvas push")
        except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
            raise UserError(f"The hub refused {target}: {first_line(error)} (Log in with: hf auth login.)") from error
    return f"hf://{name}"


def _fill(model: TrainedModel, folder: Path, place: str) -> None:
    readme = model_card.markdown(model, place)
    for name, content in zip(FILES, (model.path.read_bytes(), readme), strict=True):
        write_whole(folder / name, content)
