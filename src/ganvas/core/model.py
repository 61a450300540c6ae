"""Trained models of any task: the networks in a model file, and what is known about them."""

from __future__ import annotations

import dataclasses
import os
import re
from abc import ABC
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ganvas.core import checkpoint, devices, distributed, meta, own, registry
from ganvas.core import config as cf
from ganvas.core.errors import UserError, first_line, unknown
from ganvas.core.exports import Exports
from ganvas.core.files import place
from ganvas.core.head import task_name, task_of
from ganvas.core.later import later_method
from ganvas.core.locate import exists, is_remote, locate
from ganvas.core.text import one_line

__all__ = ["Incomplete", "Loaded", "Section", "TrainedModel", "Usage", "load", "networks_of", "task_name", "task_of"]
NEEDED: dict[str, type] = {  # in a model's card
    "recipe": str,
    "images": int,
    "training": dict,
    "task": dict,
    "network": dict,
    "data": dict,
    "machine": dict,
    "data_name": str,
    "licence": str,
    "fingerprint": str,
    "classes": list,
}
MOST_NAMES = 12  # of classes, in a summary
OPTIONAL: dict[str, type] = {"log": dict, "metrics": list, "other_name": str}


@dataclass(frozen=True)
class Usage:
    """How others use a model: commands (the words after `ganvas`), and lines of Python after `import ganvas`.

    `extras`: of the package, that it needs besides that of the hub.
    """

    commands: tuple[tuple[str, ...], ...]
    python: str
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A further section on a model: its title on the terminal, its heading on a hub's page, a sentence per line."""

    title: str
    heading: str
    lines: list[str]


class TrainedModel(ABC):
    """A trained pair of networks and the card that explains them.

    A subclass with more fields is a frozen dataclass with these fields and its own.

    `optional`: entries of the card that this task may have written, each of its type.
    """

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: Any
    card: dict[str, Any]
    optional: ClassVar[dict[str, type]] = {}
    abilities: ClassVar[tuple[str, ...]] = ()  # what the studio can do with it
    hub_tags: ClassVar[tuple[str, ...]] = ()  # tags of such models on a hub

    def __init__(
        self, path: Path, generator: nn.Module, discriminator: nn.Module, spec: Any, card: dict[str, Any]
    ) -> None:
        self.path, self.generator, self.discriminator, self.spec, self.card = path, generator, discriminator, spec, card

    @classmethod
    def from_parts(cls, parts: Loaded) -> Self:
        """The model of these networks; subclasses with more fields say where those come from."""
        networks = parts.parts["generator"], parts.parts["discriminator"]
        return cls(parts.path, *networks, parts.spec, parts.card)

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str], device: str = "auto") -> Self:
        """`load` under the name that users of the Hugging Face hub know; `user/name` is looked for on the hub, too.

        Raises:
            UserError: as `load`; or it is a model of another task than this class.
        """
        name = os.fspath(path)
        if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not exists(place(name)):
            name = f"hf://{name}"
        model = load(name, device)
        if not isinstance(model, cls):
            raise UserError(f"{path} is a {type(model).__name__}, not a {cls.__name__}: load it with ganvas.load.")
        return model

    def save_pretrained(self, folder: str | os.PathLike[str], force: bool = True) -> str:
        """Write model.safetensors and its README into a folder: `ganvas.push`, under the name that hub users know.

        Args:
            force: overwrite what is there.

        Raises:
            UserError: see `export.hub.push`.
        """
        return self._push(place(folder).absolute(), force)

    def push_to_hub(self, name: str) -> str:
        """Upload to hf://user/name (or user/name), and return its address: `ganvas.push`.

        Raises:
            UserError: see `export.hub.push`.
        """
        return self._push(name if is_remote(name) else f"hf://{name}")

    _push = later_method("ganvas.export.hub:push")

    def __repr__(self) -> str:
        lines = summary(self)
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        """The card in a few lines and, where the model draws pictures, eight of them, for a notebook."""
        title, *lines = map(escape, summary(self))
        card = f"<strong>{title}</strong><br>" + "<br>".join(lines)
        return f"<div>{card}</div>{self._shown()}"

    def _shown(self) -> str:
        """HTML of what a notebook shows below the card; '' for nothing."""
        return ""

    def facts(self) -> dict[str, str]:
        """Facts that only this task states, one line each; they replace general lines of the same name."""
        return {}

    def figures(self) -> list[str]:
        """The results of evaluations that only this task has, one line each."""
        return []

    def sections(self) -> list[Section]:
        """Further sections for people who look at the model."""
        return []

    def usage(self, place: str) -> Usage:
        """How others use the model that they find at `place`; see `core.text.quoted` for its place in Python."""
        return Usage((), "")

    def exports(self) -> Exports:
        """What the model can be exported as: nothing, unless its task overrides this."""
        return Exports()


def summary(model: TrainedModel) -> list[str]:
    """A model in a few lines: what it is and of what data, how long it learned, the sizes of its networks, its file."""
    card, spec = model.card, model.spec
    names = [str(name) for name in card.get("classes") or []]
    shown = ", ".join(names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    )
    sizes = [sum(p.numel() for p in network.parameters()) for network in (model.generator, model.discriminator)]
    lines = [
        f"{type(model).__name__}: {spec.words()}, learned from {card.get('data_name')} (recipe {card.get('recipe')})",
        f"trained on {card.get('images', 0):,} {spec.noun}" + (f"; classes: {shown}" if names else ""),
        f"generator {sizes[0]:,} weights, discriminator {sizes[1]:,} weights",
        str(model.path),
    ]
    return [one_line(line) for line in lines]


@dataclass(frozen=True)
class Loaded:
    """A model file's networks with their weights, before anything is made of them."""

    path: Path
    parts: dict[str, nn.Module]
    spec: Any
    config: Any  # of the networks
    card: dict[str, Any]


def load(path: str | os.PathLike[str], device: str = "auto") -> Any:
    """A model of any task, from a run's folder, a model file or hf://user/name; nothing else is needed.

    Args:
        device: where to compute; auto: a CUDA device where there is one, else the CPU.

    Returns:
        A TrainedModel: of which class is up to the task (`Model` of pictures from noise, `TableModel` of a table).

    Raises:
        UserError: there is no such file, it is damaged, it was written by a newer version, or it is not a model.
    """
    loaded = networks_of(path, None, device)
    return registry.find(task_name(loaded.card)).Model.from_parts(loaded)


def networks_of(path: str | os.PathLike[str], task: str | None, device: str = "auto") -> Loaded:
    """The networks of a model file that was trained for this task (None: for any).

    Raises:
        UserError: as `load`; or the model is of another task, or this machine has no such device.
    """
    where = _device(device)
    file = locate(path)
    tensors, card = checkpoint.load(file)
    _check(file, card)
    name = task_name(card)
    if task is not None and name != task and name in registry.names():
        raise UserError(f"{file} {registry.find(name).usage}.")
    try:
        kind = registry.find(name)
        _check_entries(card, kind.Model.optional)
        _fill_in(card, kind)
        kind.check_card(card)
        made = _of_code(card, kind, file.parent)
        with meta.sizes_only():  # no card can ask for more memory than its file has
            parts, spec, config = _build(card, tensors, kind, made)
        if len(card["classes"]) != spec.classes:
            raise UserError(f"it names {len(card['classes'])} classes and draws {spec.classes}.")
    except Incomplete as error:
        raise UserError(f"{file} is not a complete model: {error}") from error
    except own.NotGiven as error:
        raise own.NotGiven(f"{file}: {error}") from error
    except UserError as error:
        raise UserError(f"{file} describes a model that this Ganvas does not know: {str(error)[:400]}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        text = first_line(error)[:400]
        raise UserError(f"{file} describes a network that this version of Ganvas does not know ({text}).") from error
    strange = sorted({name.partition(".")[0] for name in tensors} - parts.keys())
    if strange:
        raise checkpoint.Damaged(
            f"{file} holds weights of a network that it does not describe ({strange[0][:40]} ...)."
        )
    for name, network in parts.items():
        checkpoint.load_module(name, network, tensors, file)
        network.requires_grad_(False).eval().to(where, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Loaded(file, parts, spec, config, card)


def _device(name: str) -> torch.device:
    """The device of this name; auto: a CUDA device where there is one, else the CPU.

    Raises:
        UserError: there is no such device, or PyTorch cannot use it.
    """
    if name == "auto":
        name = f"cuda:{distributed.local_rank()}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        devices.set_precision(device, "fp32")  # a seed gives the same picture everywhere
    except (RuntimeError, AssertionError, TypeError, ValueError, NotImplementedError) as error:
        raise UserError(
            f"device={str(name)[:40]!r} cannot be used here ({first_line(error)[:200]}). Choose device='auto' or 'cpu'."
        ) from error
    return device


class Incomplete(UserError):
    """A model's card lacks an entry, or has one of the wrong type; the message names it."""


def _check(file: Path, card: dict[str, Any]) -> None:
    """Check that a card has the entries that every model's card has, each of the right type.

    Raises:
        UserError: it has not; the message names the first problem.
    """
    try:
        _check_entries(card, OPTIONAL, NEEDED)
        if not all(isinstance(name, str) for name in card["classes"]):
            raise Incomplete("its card lacks the names of its classes.")
        if not all(isinstance(row, dict) and isinstance(row.get("metric"), str) for row in card.get("metrics") or []):
            raise Incomplete("the metrics in its card are not valid.")
        trained = card["training"]
        numbers = {"images": card["images"], "images of training": trained.get("images"), "seed": trained.get("seed")}
        for name, value in numbers.items():
            if type(value) is not int or not 0 <= value <= cf.LARGEST:
                raise Incomplete(f"the {name} in its card is {str(value)[:40]}.")
    except Incomplete as error:
        raise UserError(f"{file} is not a complete model: {error}") from error


def _check_entries(card: dict[str, Any], optional: dict[str, type], needed: dict[str, type] | None = None) -> None:
    """Raise an Incomplete where an entry that is needed is missing, or one is of another type."""
    needed = needed or {}
    for name, kind in (needed | optional).items():
        value = card.get(name)
        if value is None and name in optional:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            lacks = f"its card lacks {name}" if name not in card else f"{name} in its card is {str(value)[:40]}"
            raise Incomplete(f"{lacks}.")


def _fill_in(card: dict[str, Any], kind: Any) -> None:
    """Check the settings of the task and of the data, and add those that an older card lacks.

    Raises:
        UserError: a setting of another type or out of range.
    """
    known = {
        key: value for key, value in card["task"].items() if key in cf.types_of(kind.Config)
    }  # some no longer exist
    card["task"] = {**dataclasses.asdict(cf.from_dict(kind.Config, known, "task")), **card["task"]}
    for name, text in cf.types_of(kind.Data).items():
        value = card["data"].get(name)
        if text in (str, bool) and value is not None and not isinstance(value, text):
            raise Incomplete(f"{name} in its card is {str(value)[:40]}.")


def _of_code(card: dict[str, Any], kind: Any, near: Path) -> tuple[Any, dict[str, nn.Module]] | None:
    """Settings and networks that are code of the user's own (which need not work without numbers); None: they are not.

    Args:
        near: the model's folder.

    Raises:
        NotGiven: this process was not given the code.
    """
    values = dict(card["network"])
    name = values.pop("name", "")
    if not own.is_reference(name) or kind.own_network is None:
        return None
    own.find(name, near)
    architecture = kind.own_network(name, values)
    config = cf.from_dict(architecture.Config, values, "network")
    pair = architecture.pair(kind.Spec.from_dict(card.get("spec")), config, False)
    return config, dict(zip(("generator", "discriminator"), pair, strict=True))


def _build(
    card: dict[str, Any], tensors: dict[str, Tensor], kind: Any, made: tuple[Any, dict[str, nn.Module]] | None
) -> tuple[dict[str, nn.Module], Any, Any]:
    """The networks that a card describes, without their weights; the samples' shape; the networks' config.

    Args:
        made: what `_of_code` gave.
    """
    spec, values = kind.Spec.from_dict(card.get("spec")), dict(card["network"])
    name = str(values.pop("name", ""))
    if made is not None:
        return {**made[1], **kind.extras(spec, tensors)}, spec, made[0]
    if name not in kind.networks:
        raise unknown("network", one_line(name)[:60], kind.networks)
    architecture = kind.networks[name]
    config = cf.from_dict(architecture.Config, values, "network")
    parts: dict[str, nn.Module] = {
        "generator": architecture.Generator(spec, config),
        "discriminator": architecture.Discriminator(spec, config),
    }
    return {**parts, **kind.extras(spec, tensors)}, spec, config
