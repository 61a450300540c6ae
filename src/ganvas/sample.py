"""The generator and the discriminator of a trained model, used on their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas import checkpoint, networks, seeds
from ganvas.errors import UserError, unknown
from ganvas.run import locate
from ganvas.selection import Selector, pick
from ganvas.spec import ImageSpec

BATCH = 256  # pictures that are drawn at a time


@dataclass(frozen=True)
class Model:
    """A trained pair of networks and the card that explains them."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    latent_dim: int
    class_names: tuple[str, ...]
    card: dict[str, Any]
    selector: Selector | None = None

    @torch.inference_mode()
    def sample(self, n: int = 16, classes: int | str | Sequence[int | str] | None = None, seed: int = 0) -> Tensor:
        """Draw n pictures: the seeds `seed`, `seed` + 1, ...

        Args:
            n: how many.
            classes: a class (its number or name) for all of them, or a list of n; None takes the classes in turn.
            seed: of the first picture; a seed and a class are one picture, however many are drawn with it.

        Returns:
            float [n, C, H, W] in [-1, 1] on the CPU.

        Raises:
            UserError: a class that the model does not have, or a list of another length than n.
        """
        return torch.cat(
            [
                torch.empty(0, self.spec.channels, self.spec.size, self.spec.size),
                *self.draw(range(seed, seed + n), classes),
            ]
        )

    def draw(self, numbers: Sequence[int], classes: int | str | Sequence[int | str] | None = None) -> Iterator[Tensor]:
        """As `sample`, for any list of seeds, in portions of up to 256 pictures."""
        device = next(self.generator.parameters()).device
        labels = self.labels(classes, len(numbers))
        for i in range(0, len(numbers), BATCH):
            portion = numbers[i : i + BATCH]
            y = None if labels is None else labels[i : i + BATCH].to(device)
            with torch.inference_mode():
                if self.selector is not None:
                    yield pick(self.generator, self.selector, portion, self.latent_dim, y).cpu()
                else:
                    yield self.generator(seeds.latents(portion, self.latent_dim).to(device), y).float().cpu()

    def labels(self, classes: int | str | Sequence[int | str] | None, n: int) -> Tensor | None:
        """Class numbers int64 [n] for `classes` as `sample` takes them; None for a model without classes.

        Raises:
            UserError: a class that the model does not have, or a list of another length than n.
        """
        if not self.class_names:
            if classes is not None:
                raise UserError(f"{self.path} was trained without labels: it draws whatever it likes, no class.")
            return None
        if classes is None:
            return torch.arange(n) % len(self.class_names)
        if isinstance(classes, int | str):
            return torch.full((n,), self.class_number(classes))
        numbers = [self.class_number(c) for c in classes]
        if len(numbers) != n:
            raise UserError(f"{len(numbers)} classes were given for {n} pictures; give one class, or {n}.")
        return torch.tensor(numbers)

    def class_number(self, name: int | str) -> int:
        """The number of a class given by number or name.

        Raises:
            UserError: the model has no such class.
        """
        if str(name) in self.class_names:
            return self.class_names.index(str(name))
        if isinstance(name, int) and 0 <= name < len(self.class_names):
            return name
        raise unknown(f"class in {self.path.name}", str(name), self.class_names)


def load(path: str | os.PathLike[str], device: str = "cpu") -> Model:
    """Load a trained model from a run's folder or a model file; nothing else is needed.

    Raises:
        UserError: there is no such file, it is damaged, or it was written by a newer version.
    """
    file = locate(path)
    tensors, card = checkpoint.load(file)
    try:
        spec, knobs = ImageSpec(**card["spec"]), dict(card["network"])
        module = networks.NETWORKS[knobs.pop("name")]
        config = module.Config(**knobs)
    except (KeyError, TypeError) as error:
        raise UserError(f"{file} describes no network that this version of Ganvas knows ({error}).") from error
    generator, discriminator = networks.build(config, spec)
    selector = Selector(spec.channels, spec.size) if any(name.startswith("selector.") for name in tensors) else None
    parts = {"generator": generator, "discriminator": discriminator, "selector": selector}
    for name, network in ((n, m) for n, m in parts.items() if m is not None):
        checkpoint.load_module(name, network, tensors, file)
        network.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Model(file, generator, discriminator, spec, config.latent_dim, tuple(card["classes"]), card, selector)
