"""The generator and the discriminator of sounds, used on their own."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.asked import whole
from ganvas.core.classes import Classed, check_truncation
from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.sounds.codec import levelled
from ganvas.sounds.players import Waves
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound.detect import STATISTICS, Detector, Verdict, describe, smallest_alarm, why_none_in
from ganvas.tasks.sound.detect_report import Report

SHOWN = 4  # sounds that a notebook plays with the model's card
BATCH = 64  # sounds that are drawn at a time


@dataclass(frozen=True, repr=False)
class SoundModel(Classed, TrainedModel):
    """A trained pair of networks for sounds, and the card that describes them."""

    optional = {"detector": dict}  # noqa: RUF012
    hub_tags = ("audio-generation",)
    abilities = ("sounds", "between", "at", "pairs", "judge")

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: SoundSpec
    latent_dim: int
    class_names: tuple[str, ...]
    card: dict[str, Any]
    detector: Detector | None = None

    @classmethod
    def from_parts(cls, parts: Loaded) -> SoundModel:
        networks = parts.parts["generator"], parts.parts["discriminator"]
        names = tuple(parts.card["classes"])
        detector, width = parts.parts.get("detector"), STATISTICS + parts.config.features
        assert detector is None or isinstance(detector, Detector)
        if detector is not None and detector.centres.shape != (max(1, len(names)), width):
            raise UserError(f"{parts.path} is damaged: its detector does not match its networks.")
        return cls(parts.path, *networks, parts.spec, parts.config.latent_dim, names, parts.card, detector)

    facts = later_method("ganvas.tasks.sound.card:facts")
    usage = later_method("ganvas.tasks.sound.card:usage")
    exports = later_method("ganvas.tasks.sound.export:exports")
    walk = later_method("ganvas.tasks.sound.latent.walk:walk")
    invert = later_method("ganvas.tasks.sound.latent.invert:invert")
    write = later_method("ganvas.tasks.sound.latent.write:write")
    sections = later_method("ganvas.tasks.sound.card:sections")

    def sample(
        self,
        n: int = 16,
        classes: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float | None = None,
    ) -> Waves:
        """Draw n sounds: the seeds `seed`, `seed` + 1, ...

        Args:
            n: how many.
            classes: a class (its number or name) for all of them, or a list of n; None takes the classes in turn.
            seed: of the first sound; a seed and a class always give the same sound, however many are drawn.
            truncation: limit of the latent numbers (1 to 2 is usual): lower is more typical but less varied.

        Returns:
            Waves float [n, samples] in [-1, 1] on the CPU, `spec.rate` samples a second. A notebook shows them as
            players.

        Raises:
            UserError: an n or a seed that is not a whole number, a class that the model does not have, a list
                whose length is not n, or a truncation of 0.
        """
        n, seed = whole("n", n, 0), whole("seed", seed)
        drawn = self.draw(range(seed, seed + n), classes, truncation)
        waves, labels = torch.cat([torch.empty(0, self.spec.samples), *drawn]), self.labels(classes, n)
        kinds = [""] * n if labels is None else [f"{self.class_names[label]}, " for label in labels.tolist()]
        return Waves.of(waves, self.spec.rate, [f"{kind}seed {seed + i}" for i, kind in enumerate(kinds)])

    def _shown(self) -> str:
        try:
            return self.sample(SHOWN)._repr_html_() or ""
        except UserError as error:
            return escape(str(error))

    def heard(self, waves: Tensor) -> Waves:
        """The same waves, float [n, samples] or [samples], which a notebook shows as players."""
        return Waves.of(waves, self.spec.rate)

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
        check_truncation(truncation)
        labels = self.labels(classes, len(numbers))

        def portion(i: int) -> Tensor:
            z = seeds.latents(numbers[i : i + BATCH], self.latent_dim, truncation=truncation)
            return self.waves(z, None if labels is None else labels[i : i + BATCH])

        yield from self.in_portions(numbers, BATCH, portion)

    @torch.inference_mode()
    def pictures(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Latents [n, latent_dim] and labels int64 [n] or class weights [n, classes] -> spectrograms on the device."""
        device = next(self.generator.parameters()).device
        return self.generator(z.to(device), None if labels is None else labels.to(device)).float()

    @torch.inference_mode()
    def waves(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """As `pictures`, as waves float [n, samples] on the CPU, each with its peak at `codec.PEAK`."""
        return self.spec.codec.sounds(self.pictures(z, labels)).cpu()

    def detect(
        self, waves: Tensor, classes: int | str | Sequence[int | str | None] | None = None, alarm: float = 0.05
    ) -> list[Verdict]:
        """Which sounds are unlike those that the model was trained on, and which have a wrong label.

        Args:
            waves: float [n, samples] in [-1, 1], as `sounds.files.recordings` prepares them.
            classes: a class (its number or name) that all of them are said to be of, or a list of n, None in it where
                it is not known; None: labels are not checked.
            alarm: the share of sounds of this kind that may be called 'no' (0 to 0.5), and of right labels that may be
                called wrong.

        Raises:
            UserError: waves of another shape or with values that are not numbers, an unknown class, an alarm rate out
                of range, or a model without a detector.
        """
        detector = self.detector_for(alarm)
        if waves.dim() != 2 or waves.shape[1] != self.spec.samples:
            raise UserError(f"The sounds have the shape {tuple(waves.shape)}; (n, {self.spec.samples}) is needed.")
        if not waves.isfinite().all():
            raise UserError("The sounds hold values that are not numbers.")
        labels = self._said(classes, len(waves))
        verdicts: list[Verdict] = []
        for i in range(0, len(waves), BATCH):
            pictures = self.spec.codec.encode(levelled(waves[i : i + BATCH].float()))
            numbers = describe(self.discriminator, pictures).to(detector.mean.device)
            part = None if labels is None else labels[i : i + BATCH].to(numbers.device)
            verdicts += detector.judge(numbers, part, self.class_names, alarm)
        return verdicts

    def _said(self, classes: int | str | Sequence[int | str | None] | None, n: int) -> Tensor | None:
        """Class numbers int64 [n], -1 where no class is said; None: for none."""
        if classes is None or isinstance(classes, int | str):
            return None if classes is None else self.labels(classes, n)
        known = [c for c in classes if c is not None]
        self.labels([known[0] if c is None else c for c in classes] if known else None, n)  # raises what is wrong
        if len(classes) != n:
            raise UserError(f"{len(classes)} classes were given for {n} {self.spec.noun}; give one class, or {n}.")
        return torch.tensor([-1 if c is None else self.class_number(c) for c in classes], dtype=torch.int64)

    def detector_for(self, alarm: float) -> Detector:
        """The detector, if it can be used with this share of false alarms.

        Raises:
            UserError: the model has none, or the share is out of range.
        """
        if self.detector is None:
            raise UserError(f"{self.path} has no detector: {self.no_detector}.")
        if not 0 < alarm <= 0.5:
            raise UserError(f"The false-alarm rate is {alarm:g}; it must be above 0 and at most 0.5.")
        if alarm < (least := smallest_alarm(self.detector.count)):
            raise UserError(
                f"The false-alarm rate is {alarm:g}; the detector of {self.path} knows {self.detector.count:,} "
                f"held-out sounds and can promise {math.ceil(1e4 * least) / 1e4:g} at best. Use that or a larger one."
            )
        return self.detector

    @property
    def no_detector(self) -> str:
        """Why there is no detector, without a full stop; empty if there is one."""
        return "" if self.detector is not None else why_none_in(self.card)

    def detector_report(self) -> Report | None:
        """How good the detector is, as measured when the training ended; None: the card does not say.

        Raises:
            UserError: the card is damaged.
        """
        try:
            return Report.of(self.card)
        except UserError as error:
            raise UserError(f"{self.path} is damaged: {error}") from error


def load(path: str | os.PathLike[str], device: str = "auto") -> SoundModel:
    """Load a trained model of sounds from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `core.model.load`, or the model is of another task.
    """
    return SoundModel.from_parts(networks_of(path, "sound", device))
