"""A trained restorer, for sounds of any length."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.core.progress import last
from ganvas.tasks.restore_sound import network
from ganvas.tasks.restore_sound.data import WaveSpec

PART = 20.0  # seconds of a recording that are restored at a time


@dataclass(frozen=True, repr=False)
class SoundRestorer(TrainedModel):
    """A trained restorer and its card."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: WaveSpec
    card: dict[str, Any]

    optional = {"restoration": dict}  # noqa: RUF012
    hub_tags = ("audio-to-audio",)

    @classmethod
    def from_parts(cls, parts: Loaded) -> SoundRestorer:
        return cls(parts.path, parts.parts["generator"], parts.parts["discriminator"], parts.spec, parts.card)

    facts = later_method("ganvas.tasks.restore_sound.card:facts")
    figures = later_method("ganvas.tasks.restore_sound.card:figures")
    usage = later_method("ganvas.tasks.restore_sound.card:usage")
    exports = later_method("ganvas.tasks.restore_sound.export:exports")

    def restore(self, waves: Tensor) -> Tensor:
        """Restore waves of any length and loudness.

        Args:
            waves: float [B, n], `spec.rate` samples a second. Each is one recording; its channels are recordings.

        Returns:
            float [B, n] on the CPU, as loud as the clean part of the input.

        Raises:
            UserError: they are not [B, n], or not all are numbers.
        """
        if waves.ndim != 2:
            raise UserError(f"Waves [B, n] are needed, but these are {[*waves.shape]}.")
        return last(self.restoring(waves, False))

    @torch.inference_mode()
    def restoring(self, waves: Tensor, channels: bool) -> Generator[float, None, Tensor]:
        """As `restore`; yields the share that is done.

        Long waves are restored in parts. Each part is given as much before and after it as its samples depend on: there
        are no seams.

        Args:
            channels: are these the channels of one recording? They are then held to one loudness.
        """
        if not torch.isfinite(waves).all():
            raise UserError("The waves hold values that are not numbers.")
        size, device = self.spec.window, next(self.generator.parameters()).device
        if not waves.numel():
            return waves.float().cpu()
        assert isinstance(self.generator, network.Generator)
        reach, count = self.generator.reach, waves.shape[1]
        step = max(1, round(PART * self.spec.rate) // self.spec.hop) * self.spec.hop
        waves = waves.float()
        loud = network.loudest(waves, size)
        loud = (loud.amax(0, keepdim=True).expand(len(waves), 1) if channels else loud).to(device)
        parts = []
        for start in range(0, count, step):
            first = max(0, start - reach)
            part = waves[:, first : start + step + reach].to(device)
            mended = self.generator(part, loud)[:, start - first :][:, :step]
            parts.append(mended.float().cpu())
            yield min(1.0, (start + step) / count)
        return torch.cat(parts, 1)


def load(path: str | os.PathLike[str], device: str = "auto") -> SoundRestorer:
    """Load a trained restorer from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`; or it is a model of another task.
    """
    return SoundRestorer.from_parts(networks_of(path, "restore-sound", device))
