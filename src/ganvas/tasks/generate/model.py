"""The generator and the discriminator of a trained model, used on their own."""

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

from ganvas.core.asked import whole
from ganvas.core.classes import Classed, check_truncation
from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.core.shown import image
from ganvas.images import tensors as im
from ganvas.images.decode import depth_of
from ganvas.images.handed import Given, tensor
from ganvas.images.shown import Pictures
from ganvas.images.spec import ImageSpec
from ganvas.tasks.generate.detect.detector import Detector, probabilities, smallest_alarm, why_none_in
from ganvas.tasks.generate.rejection import Selector, generate

BATCH = 256  # pictures that are drawn at a time
SHOWN = 8  # pictures that a notebook shows with the model's card
IN_A_ROW = 12  # classes at most that a sheet shows side by side


@dataclass(frozen=True)
class Verdict:
    """The probability (0..1) that an image is like the training images, and 'yes', 'no' or 'not sure'.

    The probability assumes that such images and others are equally frequent.
    """

    probability: float
    kind: str


@dataclass(frozen=True, repr=False)
class Model(Classed, TrainedModel):
    """A trained pair of networks and the card that describes them."""

    optional = {"detector": dict}  # noqa: RUF012
    abilities = ("draw", "walk", "write", "export", "judge", "play")
    hub_tags = ("image-generation",)

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    latent_dim: int
    class_names: tuple[str, ...]
    card: dict[str, Any]
    selector: Selector | None = None
    detector: Detector | None = None

    @classmethod
    def from_parts(cls, parts: Loaded) -> Model:
        modules, names = parts.parts, tuple(parts.card["classes"])
        selector, detector = modules.get("selector"), modules.get("detector")
        assert selector is None or isinstance(selector, Selector)
        assert detector is None or isinstance(detector, Detector)
        latent_dim = parts.config.latent_dim
        return cls(
            parts.path,
            modules["generator"],
            modules["discriminator"],
            parts.spec,
            latent_dim,
            names,
            parts.card,
            selector,
            detector,
        )

    facts = later_method("ganvas.tasks.generate.card:facts")
    sections = later_method("ganvas.tasks.generate.card:sections")
    usage = later_method("ganvas.tasks.generate.card:usage")
    exports = later_method("ganvas.tasks.generate.export:exports")

    def sample(
        self,
        n: int = 16,
        classes: int | str | Sequence[int | str] | None = None,
        seed: int = 0,
        truncation: float | None = None,
    ) -> Pictures:
        """Draw n pictures: the seeds `seed`, `seed` + 1, ...

        Args:
            n: how many.
            classes: a class (its number or name) for all of them, or a list of n; None: the classes in turn.
            seed: of the first picture; a seed and a class always give the same picture, however many are drawn.
            truncation: limit of the latent numbers (1 to 2 is usual): more typical pictures, less variety.

        Returns:
            float [n, C, H, W] in [-1, 1] on the CPU, shown by a notebook; see `Pictures` for Pillow, NumPy and files.

        Raises:
            UserError: an n or a seed that is not a whole number, a class that the model does not have, a list
                whose length is not n, or a truncation of 0.
        """
        n, seed = whole("n", n, 0), whole("seed", seed)
        none = torch.empty(0, self.spec.channels, self.spec.size, self.spec.size)
        drawn = torch.cat([none, *self.draw(range(seed, seed + n), classes, truncation)])
        in_turn = classes is None and len(self.class_names) <= IN_A_ROW
        return Pictures.around(drawn, columns=len(self.class_names) if in_turn else 0)

    def _shown(self) -> str:
        try:
            sheet = self.sample(SHOWN)._repr_png_()
        except UserError as error:
            return escape(str(error))
        return image(sheet, f"{SHOWN} pictures that this model draws") if sheet else ""

    def draw(
        self,
        numbers: Sequence[int],
        classes: int | str | Sequence[int | str] | None = None,
        truncation: float | None = None,
    ) -> Iterator[Tensor]:
        """As `sample`, for any list of seeds, in portions of up to 256 pictures.

        Processes that run together (`distributed.joined`) share the portions, and the first process gets them all.

        Raises:
            UserError: an unknown class, an impossible truncation, or the generator returns values that are not numbers.
        """
        check_truncation(truncation)
        device = next(self.generator.parameters()).device
        labels = self.labels(classes, len(numbers))

        @torch.inference_mode()
        def portion(i: int) -> Tensor:
            y = None if labels is None else labels[i : i + BATCH].to(device)
            return generate(self.generator, self.selector, numbers[i : i + BATCH], self.latent_dim, y, truncation).cpu()

        yield from self.in_portions(numbers, BATCH, portion)

    def pictures(
        self,
        numbers: Sequence[int],
        classes: int | str | Sequence[int | str] | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """As `draw`, all at once, in 8 bits: uint8 [n, C, H, W]."""
        return im.join(map(im.to_uint8, self.draw(numbers, classes, truncation)), self.spec.channels, self.spec.size)

    def detect(self, images: Given, alarm: float = 0.05) -> list[Verdict]:
        """Check whether images are like those that the discriminator was trained on.

        Args:
            images: a tensor uint8 [n, C, H, W], or float in [-1, 1] (rounded to 8 bits first); a NumPy array, Pillow
                images or paths of files: see `images.handed.tensor`.
            alarm: the share of such images that may be rejected (0 to 0.5).

        Raises:
            UserError: images of another shape, an alarm rate out of range, or a model without a detector.
        """
        detector = self.detector_for(alarm)
        shape = (self.spec.channels, self.spec.size, self.spec.size)
        given = tensor(images, self.spec, sized=True, depth=depth_of(self.card.get("depth")))
        if tuple(given.shape[1:]) != shape:
            raise UserError(f"The images have the shape {tuple(given.shape[1:])}; {shape} is needed.")
        pixels = given if given.dtype == torch.uint8 else im.to_uint8(given)
        if not len(pixels):
            return []
        no, yes = detector.thresholds(alarm)
        chances = probabilities(self.discriminator, detector, pixels).tolist()
        return [Verdict(p, "no" if p < no else "yes" if p >= yes else "not sure") for p in chances]

    def detector_for(self, alarm: float) -> Detector:
        """The detector, if it can be used with this false-alarm rate.

        Raises:
            UserError: the model has none, or the rate is out of range.
        """
        if self.detector is None:
            raise UserError(f"{self.path} has no detector: {self.no_detector}.")
        if not 0 < alarm <= 0.5:
            raise UserError(f"The false-alarm rate is {alarm:g}; it must be above 0 and at most 0.5.")
        if alarm < self.smallest_alarm:
            raise UserError(
                f"The false-alarm rate is {alarm:g}; the detector of {self.path} was calibrated on few real images and "
                f"can promise {math.ceil(1e4 * self.smallest_alarm) / 1e4:g} at best. Use that or a larger one."
            )
        return self.detector

    @property
    def no_detector(self) -> str:
        """Why there is no detector, without a full stop; empty if there is one."""
        return "" if self.detector is not None else why_none_in(self.card)

    @property
    def smallest_alarm(self) -> float:
        """The smallest false-alarm rate that the detector can promise; 0 if the card does not say."""
        report = self.card.get("detector")
        # older cards have only "real", which was the same number
        counts = [report.get(key) for key in ("calibrated", "real")] if isinstance(report, dict) else []
        count = next((n for n in counts if type(n) is int and n > 0), None)
        return smallest_alarm(count) if count else 0.0


def load(path: str | os.PathLike[str], device: str = "auto") -> Model:
    """Load a trained model from a run's folder, a model file or hf://user/name; nothing else is needed.

    Args:
        device: where the networks run; auto: a CUDA device if there is one, else the CPU.

    Raises:
        UserError: the file is missing, damaged, from a newer version, or not of a model that draws from noise.
    """
    return Model.from_parts(networks_of(path, "generate", device))
