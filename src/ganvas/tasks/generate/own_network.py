"""Networks of the user's own that draw pictures from noise: plain torch modules, in the form that Ganvas needs.

`Net(spec, **settings)` gives a generator and a discriminator, as a pair or as attributes of these names. `spec` has
`channels`, `size` and `classes` (0: none). The generator maps z [B, latent_dim] to pictures [B, channels, size, size]
in [-1, 1], the discriminator maps such pictures to logits [B] or [B, 1], without a sigmoid. Either may take labels,
int64 [B], as a second argument; they are None where the data have no classes. Parameters of Net with a default that is
a number, a truth value or a text are settings.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import own
from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec

LATENT_DIM = 100
SHOWN = (bool, int, float, str)  # types of parameters that are settings
BEYOND = 1.01  # the largest value of a pixel, with some room for rounding


class OwnNetwork:
    """The architecture that a reference names, in the place of a module of `ganvas.networks`.

    Where the code was not given, its settings can be read, and no networks made.
    """

    def __init__(self, reference: str, values: dict[str, Any] | None = None) -> None:
        """
        Args:
            values: the settings that a run or a model has; None: new ones.

        Raises:
            UserError: the code was not given and there are no values, or its parameters cannot be settings.
        """
        self.reference, self.called = reference, own.bare(reference)
        try:
            make: Callable[..., Any] | None = own.find(reference).value
        except own.NotGiven:
            if values is None:
                raise
            make = None
        defaults = _stated(values or {}) if make is None else _defaults(self.called, make)
        self.passed = {name for name in defaults if make is None or name in inspect.signature(make).parameters}
        if type(defaults["latent_dim"]) is not int:
            raise UserError(f"{self.called}: latent_dim={defaults['latent_dim']!r} is not a whole number.")
        fields: list[tuple[str, Any, Any]] = [
            (name, type(value), _knob(name, value, self.called)) for name, value in defaults.items()
        ]
        self.Config = dataclasses.make_dataclass("Config", fields, frozen=True, namespace={"architecture": self})

    def pair(self, spec: ImageSpec, config: Any, new: bool = True) -> tuple[nn.Module, nn.Module]:
        """A generator and a discriminator, which were tried on two samples.

        Args:
            new: are the weights the ones to begin with? Then the range of the pictures is looked at, too.

        Raises:
            NotGiven: the code was not given to this process.
            UserError: it fails, or gives something else.
        """
        make = own.find(self.reference).value
        settings = {name: getattr(config, name) for name in self.passed}
        with self._said("fails"):
            made = make(spec, **settings)
        networks: tuple[Any, Any] = getattr(made, "generator", None), getattr(made, "discriminator", None)
        if isinstance(made, tuple | list) and len(made) == 2:
            networks = made[0], made[1]
        for network, name in zip(networks, ("generator", "discriminator"), strict=True):
            if not isinstance(network, nn.Module):
                raise UserError(
                    f"{self.called}(spec) gives no {name} that is a torch module ({type(network).__name__}): return "
                    "(generator, discriminator), or an object with attributes of these names."
                )
        pair = Generator(networks[0]), Discriminator(networks[1], spec)
        self._try(*pair, spec, config.latent_dim, new)
        return pair

    @torch.no_grad()
    def _try(self, generator: nn.Module, discriminator: Discriminator, spec: ImageSpec, dim: int, new: bool) -> None:
        labels = torch.zeros(2, dtype=torch.int64) if spec.classes else None
        wanted = (2, spec.channels, spec.size, spec.size)
        modes = [(module, module.training) for module in (generator, discriminator)]
        generator.eval(), discriminator.eval()
        with torch.random.fork_rng(devices=[]):
            with self._said(f"has a generator that fails on z [2, {dim}]"):
                images = generator(torch.randn(2, dim), labels)
            if tuple(images.shape) != wanted:
                raise UserError(f"{self.called} draws pictures of the shape {[*images.shape]}; {[*wanted]} is needed.")
            if new:
                self._check_range(float(images.min()), float(images.max()))
            with self._said(f"has a discriminator that fails on pictures {[*wanted]}"):
                logits = discriminator.net_logits(images, labels)
            if tuple(logits.shape) not in ((2,), (2, 1), (2, 1, 1, 1)):
                raise UserError(
                    f"{self.called} gives logits of the shape {[*logits.shape]} for 2 pictures; [2] is needed."
                )
            with self._said("has a discriminator whose features cannot be used"):
                discriminator.features(images)
        for module, mode in modes:
            module.train(mode)

    def _check_range(self, low: float, high: float) -> None:
        """Raise a UserError if these are certainly not values of pictures in [-1, 1]."""
        if -BEYOND <= low < 0 and high <= BEYOND:
            return
        if low >= 0 and high <= BEYOND:
            fault = "are black at -1: end the generator with nn.Tanh(), not with a sigmoid"
        else:
            fault = "are in -1 to 1: end the generator with nn.Tanh()"
        raise UserError(f"{self.called} draws values from {low:.3g} to {high:.3g}, and pictures {fault}.")

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """A context in which errors of the user's code become ones that name it."""
        try:
            yield
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise UserError(f"{self.called} {what}: {own.message(error)} (--debug shows where).") from error


class Generator(nn.Module):
    """A generator of the user's own: z [B, latent_dim] and labels -> pictures [B, C, H, W] in [-1, 1]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.labelled = net, _takes_labels(net)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if not self.labelled:
            return self.net(z).float()
        return self.net(z, _whole(labels)).float()


class Discriminator(nn.Module):
    """A discriminator of the user's own: pictures [B, C, H, W] and labels -> logits [B]."""

    def __init__(self, net: nn.Module, spec: ImageSpec) -> None:
        super().__init__()
        self.net, self.labelled, self.classes = net, _takes_labels(net), spec.classes

    def net_logits(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The logits as the user's network gives them."""
        if not self.labelled:
            return self.net(images)
        if labels is None and self.classes:  # who asks for features has no labels
            labels = torch.zeros_like(images[:, 0, 0, 0], dtype=torch.int64)
        return self.net(images, _whole(labels))

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> what each layer with weights but the first gets, [B, c, h, w] or [B, units]; of a
        network with one such layer, its logits."""
        found: list[Tensor] = []

        def see(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
                found.append(inputs[0] if inputs[0].dim() in (2, 4) else inputs[0].flatten(1))

        hooks = [module.register_forward_pre_hook(see) for module in self.net.modules() if _is_layer(module)]
        try:
            logits = self.net_logits(images, None)
        finally:
            for hook in hooks:
                hook.remove()
        return found[1:] or [logits.reshape(len(images), -1)]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.net_logits(images, labels).flatten().float()


def _is_layer(module: nn.Module) -> bool:
    """Is this a convolution or a linear layer?"""
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.dim() >= 2 and not isinstance(module, nn.Embedding)


def _whole(labels: Tensor | None) -> Tensor | None:
    """Labels as numbers int64 [B]; of weights [B, classes], the class with the most."""
    return labels.argmax(1) if labels is not None and labels.dim() == 2 else labels


def _takes_labels(net: nn.Module) -> bool:
    """Does a network take a second argument?"""
    kinds = [p.kind for p in inspect.signature(net.forward).parameters.values()]
    usual = [k for k in kinds if k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    return len(usual) > 1 or inspect.Parameter.VAR_POSITIONAL in kinds


def _defaults(called: str, make: Callable[..., Any]) -> dict[str, Any]:
    """The settings of a class or function, by name, with their defaults; `latent_dim` is always among them."""
    try:
        parameters = [*inspect.signature(make).parameters.values()]
    except (TypeError, ValueError) as error:
        raise UserError(f"{called} is not a class or function with parameters that can be read.") from error
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise UserError(
            f"{called} has no parameter for the shape of the pictures: def {called.partition(':')[2]}(spec)."
        )
    found: dict[str, Any] = {"latent_dim": LATENT_DIM}
    for parameter in parameters[1:]:
        if parameter.kind in several:
            continue
        if parameter.default is parameter.empty:
            raise UserError(f"{called} needs {parameter.name}, which nobody gives: give it a default, such as 64.")
        if not _is_setting(parameter.name):
            raise UserError(
                f"{called} has a parameter called {parameter.name}, which a setting cannot be: call it otherwise."
            )
        if type(parameter.default) in SHOWN:
            found[parameter.name] = parameter.default
    return found


def _is_setting(name: str) -> bool:
    """Can a setting have this name, whoever gave it?"""
    taken = ("name", "architecture", "families")
    return name.isidentifier() and not keyword.iskeyword(name) and name[0] != "_" and name not in taken


def _knob(name: str, value: Any, called: str) -> Any:
    if name == "latent_dim":
        return knob(value, "numbers that the generator draws from", low=1, high=2**16)
    return knob(value, f"a setting of {called}")


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    """The settings that a card states, as defaults."""
    usable = {name: value for name, value in values.items() if _is_setting(name) and type(value) in SHOWN}
    return {"latent_dim": LATENT_DIM, **usable}
