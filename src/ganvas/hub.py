"""Models on the Hugging Face hub: `hf://user/name` wherever a model is named, and `ganvas push`."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from ganvas import cards
from ganvas.errors import UserError
from ganvas.files import cannot, make_folder, write_whole
from ganvas.run import is_remote
from ganvas.sample import Model

NAME = re.compile(r"hf:/+([\w.-]+/[\w.-]+)")  # a Path makes one slash of two


def push(model: Model, target: str) -> str:
    """Upload a model with its card as README; returns where it is now.

    Args:
        target: `hf://user/name`, or a folder (which then holds what would be uploaded).

    Raises:
        UserError: no such form of a name, the extra `hub` is missing, the hub refused, or the folder cannot be written.
    """
    if not is_remote(target):
        folder = Path(target).expanduser()
        make_folder(folder)
        _fill(model, folder, str(target))
        return str(folder)
    found = NAME.fullmatch(target)
    if found is None:
        raise UserError(f"{target}: a place on the hub is written hf://user/name.")
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError as error:
        raise UserError("Uploading needs the hub's library: pip install 'ganvas[hub]'.") from error
    with tempfile.TemporaryDirectory() as folder:
        _fill(model, Path(folder), f"hf://{found[1]}")
        try:
            api = huggingface_hub.HfApi(library_name="ganvas")
            api.create_repo(found[1], exist_ok=True)
            api.upload_folder(repo_id=found[1], folder_path=folder, commit_message="Upload by ganvas push")
        except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"The hub refused {target}: {reason} (Log in with: hf auth login.)") from error
    return f"hf://{found[1]}"


def _fill(model: Model, folder: Path, place: str) -> None:
    target = folder / "model.safetensors"
    if not (target.exists() and os.path.samefile(model.path, target)):
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(model.path, part)
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise cannot("write", target, error) from error
    write_whole(folder / "README.md", cards.markdown(model, place))
