"""The generator and the discriminator of sounds, used on their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import distributed, seeds
from ganvas.core.classes import Classed
from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.sounds.codec import levelled
from ganvas.sounds.spec import SoundSpec

BATCH = 64  # sounds that are drawn at a time


@dataclass(frozen=True)
class SoundModel(Classed, TrainedModel):
    """A trained pair of networks for sounds, and the card that describes them."""

    hub_tags = ("audio-generation",)

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: SoundSpec
    latent_dim: int
    class_names: tuple[str, ...]
    card: dict[str, Any]

    @classmethod
    def from_parts(cls, parts: Loaded) -> SoundModel:
        networks = parts.parts["generator"], parts.parts["discriminator"]
        names = tuple(parts.card["classes"])
        return cls(parts.path, *networks, parts.spec, parts.config.latent_dim, names, parts.card)

    facts = later_method("ganvas.tasks.sound.card:facts")
    usage = later_method("ganvas.tasks.sound.card:usage")
    exports = later_method("ganvas.tasks.sound.export:exports")
    walk = later_method("ganvas.tasks.sound.latent.walk:walk")
    invert = later_method("ganvas.tasks.sound.latent.invert:invert")
    write = later_method("ganvas.tasks.sound.latent.write:write")

    def sample(
        self,
        n: int = 16,
        classes: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float | None = None,
    ) -> Tensor:
        """Draw n sounds: the seeds `seed`, `seed` + 1, ...

        Args:
            n: how many.
            classes: a class (its number or name) for all of them, or a list of n; None takes the classes in turn.
            seed: of the first sound; a seed and a class always give the same sound, however many are drawn.
            truncation: limit of the latent numbers (1 to 2 is usual): fewer odd sounds, less variety.

        Returns:
            Waves float [n, samples] in [-1, 1] on the CPU, `spec.rate` samples a second.

        Raises:
            UserError: a class that the model does not have, a list whose length is not n, or a truncation of 0.
        """
        drawn = self.draw(range(seed, seed + n), classes, truncation)
        return torch.cat([torch.empty(0, self.spec.samples), *drawn])

    def draw_waves(self, numbers: Sequence[int], classes: int | str | Sequence[int | str] | None = None) -> Tensor:
        """As `draw`, all at once: waves float [n, samples]."""
        return torch.cat([torch.empty(0, self.spec.samples), *self.draw(numbers, classes)])

    def draw(
        self,
        numbers: Sequence[int],
        classes: int | str | Sequence[int | str] | None = None,
        truncation: float | None = None,
    ) -> Iterator[Tensor]:
        """As `sample`, for any list of seeds, in portions of up to 64 sounds.

        Processes that work together (`distributed.joined`) share the portions, and the first process gets them all.

        Raises:
            UserError: an unknown class, an impossible truncation, or the generator returns values that are not numbers.
        """
        if truncation is not None and not truncation > 0:
            raise UserError(f"truncation is {truncation:g}; it must be above 0 (1 to 2 is usual; none: leave it out).")
        labels = self.labels(classes, len(numbers))

        def portion(i: int) -> Tensor:
            z = seeds.latents(numbers[i : i + BATCH], self.latent_dim, truncation=truncation)
            return self.waves(z, None if labels is None else labels[i : i + BATCH])

        done = 0
        for waves in distributed.spread(range(0, len(numbers), BATCH), portion):
            if bad := (~waves.isfinite()).any(1).nonzero()[:, 0].tolist():
                number = numbers[done + bad[0]]
                raise UserError(
                    f"{self.path} draws values that are not numbers (seed {number}): its training went wrong."
                )
            done += len(waves)
            yield waves

    @torch.inference_mode()
    def pictures(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Latents [n, latent_dim] and labels int64 [n] or class weights [n, classes] -> spectrograms on the device."""
        device = next(self.generator.parameters()).device
        return self.generator(z.to(device), None if labels is None else labels.to(device)).float()

    @torch.inference_mode()
    def waves(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """As `pictures`, as waves float [n, samples] on the CPU, each with its peak at `codec.PEAK`."""
        return levelled(self.spec.codec.decode(self.pictures(z, labels))).cpu()


def load(path: str | os.PathLike[str], device: str = "auto") -> SoundModel:
    """Load a trained model of sounds from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`, or the model is of another task.
    """
    return SoundModel.from_parts(networks_of(path, "sound", device))
