"""Tensors with a JSON card in one safetensors file, checked by a digest. No pickle is ever read or written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ganvas.errors import UserError
from ganvas.files import cannot, write_whole

FORMAT = 1


class Damaged(UserError):
    """A checkpoint that cannot be trusted: cut short, changed, or not a file of Ganvas."""


def digest(tensors: dict[str, Tensor], card: str) -> str:
    """A fingerprint of the card and of every tensor: name, type, shape and bytes."""
    state = hashlib.blake2b(card.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def save(path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write tensors and card as one safetensors file, whole.

    Raises:
        UserError: the file cannot be written.
    """
    text = json.dumps({"format": FORMAT, **card})
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}  # none share their memory
    write_whole(path, safetensors.torch.save(tensors, {"ganvas": f"{digest(tensors, text)} {text}"}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote.

    Returns:
        The tensors by name, on the CPU, and the card.

    Raises:
        Damaged: the file is cut short, was changed, or is not a file of Ganvas.
        UserError: the file cannot be read, or was written by a newer version.
    """
    said, text, tensors = _read(path, with_tensors=True)
    if said != digest(tensors, text):
        raise Damaged(f"{path} is damaged: its content does not match its own digest.")
    card = json.loads(text)
    version = card.pop("format")
    if version > FORMAT:
        raise UserError(f"{path} has format {version}; this Ganvas reads up to {FORMAT}. Install a newer Ganvas.")
    return tensors, card


def annotate(path: Path, **more: Any) -> None:
    """Put more into the card of a file, and leave its tensors as they are.

    Raises:
        Damaged, UserError: as `load` and `save`.
    """
    tensors, card = load(path)
    save(path, tensors, {**card, **more})


def head(path: Path) -> dict[str, Any]:
    """The card alone, quickly and unchecked.

    Raises:
        Damaged: the file is not one of Ganvas, or its card cannot be read.
        UserError: the file cannot be read.
    """
    try:
        return json.loads(_read(path, with_tensors=False)[1])
    except ValueError as error:
        raise Damaged(f"{path} is damaged: its card is not JSON ({error}).") from error


def _read(path: Path, with_tensors: bool) -> tuple[str, str, dict[str, Tensor]]:
    """Digest, card's text and tensors as they stand in the file."""
    try:
        with safetensors.safe_open(path, "pt") as file:  # pyright: ignore[reportPrivateImportUsage]
            said, _, text = (file.metadata() or {}).get("ganvas", "").partition(" ")
            tensors = {name: file.get_tensor(name) for name in file.keys()} if with_tensors else {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except OSError as error:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file.") from error
        raise cannot("read", path, error) from error
    except safetensors.SafetensorError as error:
        raise Damaged(f"{path} is damaged or is no safetensors file ({error}).") from error
    if not said:
        raise Damaged(f"{path} is a safetensors file, but not one that Ganvas wrote.")
    return said, text, tensors


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors below `name.`, with that prefix taken off."""
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}


def module_tensors(name: str, module: nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers under `name.`."""
    return {f"{name}.{key}": value for key, value in module.state_dict().items()}


def load_module(name: str, module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Put the tensors under `name.` into a network.

    Raises:
        Damaged: they are not those of this network.
    """
    try:
        module.load_state_dict(part(tensors, name), assign=next(module.parameters()).is_meta)
    except RuntimeError as error:
        raise Damaged(f"{path}: its {name} does not fit the network that its settings describe ({error}).") from error


def optimizer_tensors(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as tensors under `name.INDEX.KEY`."""
    state = optimizer.state_dict()["state"]
    return {f"{name}.{i}.{key}": torch.as_tensor(v) for i, values in state.items() for key, v in values.items()}


def load_optimizer(name: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the tensors that `optimizer_tensors` made back into an optimiser of the same parameters."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in part(tensors, name).items():
        index, _, entry = key.partition(".")
        weight = weights[int(index)]
        if value.shape == weight.shape:  # fused steps walk through memory: the layout must be the weight's
            value = torch.empty_like(weight, dtype=value.dtype, device="cpu").copy_(value)
        state.setdefault(int(index), {})[entry] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
