"""Tensors and a JSON card in one safetensors file, protected by a digest. No pickle is ever read or written."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ganvas.core.errors import UserError, first_line
from ganvas.core.files import write_whole
from ganvas.core.head import Damaged, opened, parsed, stated_in
from ganvas.core.head import head as head
from ganvas.core.optimizers import Adam

FORMAT = 1
PLACE = Path("a snapshot")  # in messages on tensors that were not read from a file


def digest(tensors: dict[str, Tensor], card: str) -> str:
    """A digest of the card and of every tensor's name, type, shape and bytes, 32 hexadecimal digits."""
    state = hashlib.blake2b(card.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()


def save(path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write tensors and card as one safetensors file, atomically.

    Raises:
        UserError: the file cannot be written.
    """
    text = json.dumps({"format": FORMAT, **card})
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}  # no two share memory
    write_whole(path, safetensors.torch.save(tensors, {"ganvas": f"{digest(tensors, text)} {text}"}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote.

    Returns:
        The tensors by name, on the CPU, and the card.

    Raises:
        Damaged: the file is cut short, was changed, or is not a file of Ganvas.
        UserError: the file cannot be read, or was written by a newer version.
    """
    stated, text, tensors = _read(path)
    if stated != digest(tensors, text):
        raise Damaged(f"{path} is damaged: its content does not match its own digest.")
    card = parsed(path, text)
    version = card.pop("format", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Damaged(f"{path} is damaged: its card names no format.")
    if version > FORMAT:
        raise UserError(f"{path} has format {version}; this Ganvas reads up to {FORMAT}. Install a newer Ganvas.")
    return tensors, card


def annotate(path: Path, **more: Any) -> None:
    """Add entries to the card of a file; its tensors stay the same.

    Raises:
        Damaged, UserError: as `load` and `save`.
    """
    tensors, card = load(path)
    save(path, tensors, {**card, **more})


def _read(path: Path) -> tuple[str, str, dict[str, Tensor]]:
    """The digest, the card's text and the tensors in a file, unchecked."""
    with opened(path, "pt") as file:
        stated, text = stated_in(path, file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if os.name == "nt":  # they are parts of the file, which Windows neither replaces nor removes then
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    return stated, text, tensors


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `name.`, without that prefix."""
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}


def module_tensors(name: str, module: nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers under `name.`."""
    return {f"{name}.{key}": value for key, value in module.state_dict().items()}


def load_module(name: str, module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load the tensors under `name.` into a network; floats of another precision are converted.

    Raises:
        Damaged: they do not fit this network.
        UserError: one of them is not finite.
    """
    saved, current = part(tensors, name), module.state_dict()
    for key in saved.keys() & current.keys():
        if saved[key].dtype != current[key].dtype:
            if not (saved[key].is_floating_point() and current[key].is_floating_point()):
                raise Damaged(
                    f"{path}: {name}.{key} holds {_kind(saved[key])} where {_kind(current[key])} are expected."
                )
            saved[key] = saved[key].to(current[key].dtype)
    check_finite(path, {f"{name}.{key}": value for key, value in saved.items()})
    unlike = [key for key in current if key not in saved or saved[key].shape != current[key].shape]
    if unlike or saved.keys() != current.keys():
        names = ", ".join(key[:60] for key in [*unlike, *sorted(saved.keys() - current.keys())][:3])
        raise Damaged(f"{path}: its {name} does not fit the network that its settings describe ({names} ...).")
    try:
        module.load_state_dict(saved, assign=any(weight.is_meta for weight in current.values()))
    except RuntimeError as error:
        raise Damaged(
            f"{path}: its {name} does not fit the network that its settings describe ({first_line(error)})."
        ) from error


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} numbers"


def check_finite(path: Path, tensors: dict[str, Tensor]) -> None:
    """
    Raises:
        UserError: a value is infinite or not a number; it names the first tensor and says how many there are.
    """
    bad = {name: n for name, x in tensors.items() if x.is_floating_point() and (n := _not_finite(x))}
    if bad:
        name, count = next(iter(bad.items()))
        more = f", and so do {len(bad) - 1} other tensors" if len(bad) > 1 else ""
        raise UserError(
            f"{path} cannot be used: {name} holds {count:,} of {tensors[name].numel():,} values that are infinite or "
            f"not numbers (NaN){more}. Use an earlier model or snapshot of this run, or train again."
        )


def _not_finite(x: Tensor) -> int:
    return int((~torch.isfinite(x.float() if x.element_size() == 1 else x)).sum())


def optimizer_tensors(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser as tensors under `name.INDEX.KEY`."""
    state = optimizer.state_dict()["state"]
    return {f"{name}.{i}.{key}": torch.as_tensor(v) for i, values in state.items() for key, v in values.items()}


def load_optimizer(name: str, optimizer: Adam, tensors: dict[str, Tensor], path: Path = PLACE) -> None:
    """Load the tensors of `optimizer_tensors` into an optimiser of the same parameters.

    Raises:
        Damaged: they do not fit this optimiser, or hold values that are not numbers.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in part(tensors, name).items():
        index, _, entry = key.partition(".")
        number = int(index) if re.fullmatch(r"\d{1,9}", index, re.ASCII) else len(weights)
        weight = weights[number] if number < len(weights) else None
        wanted = None if weight is None else torch.Size() if entry == "step" else weight.shape
        if weight is None or entry not in optimizer.keeps(weight):
            raise Damaged(f"{path}: {name}.{key[:60]} is not a part of the state of this training's optimiser.")
        if value.shape != wanted or not value.is_floating_point():
            raise Damaged(f"{path}: {name}.{key[:60]} does not fit the optimiser of this training.")
        if bool(value.isnan().any()):  # an infinite mean square does no harm: that weight stays as it is
            raise Damaged(f"{path} cannot be used: {name}.{key} holds values that are not numbers (NaN).")
        # fused steps need the memory layout of the weight
        value = torch.empty_like(weight, dtype=value.dtype, device="cpu").copy_(value) if value.dim() else value
        state.setdefault(number, {})[entry] = value
    for number, entries in state.items():
        if entries.keys() != optimizer.keeps(weights[number]):
            raise Damaged(f"{path}: {name}.{number} lacks a part of the optimiser's state.")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
