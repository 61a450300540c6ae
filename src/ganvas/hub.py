"""Models on the Hugging Face hub: `hf://user/name` wherever a model is named, and `ganvas push`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ganvas import cards
from ganvas.errors import UserError, first_line
from ganvas.files import make_folder, write_whole
from ganvas.run import is_remote, remote_name
from ganvas.sample import Trained


def push(model: Trained, target: str) -> str:
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


def _fill(model: Trained, folder: Path, place: str) -> None:
    write_whole(folder / "model.safetensors", model.path.read_bytes())
    write_whole(folder / "README.md", cards.markdown(model, place))
