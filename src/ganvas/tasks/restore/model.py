"""A trained restorer, for pictures of any size."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.later import later_method
from ganvas.core.model import Loaded, TrainedModel, networks_of
from ganvas.core.progress import last
from ganvas.images.handed import Given, floats
from ganvas.images.originals import Original
from ganvas.images.shown import Pictures
from ganvas.images.spec import ImageSpec
from ganvas.images.tiling import Tiled
from ganvas.tasks.restore import degrade, signs, unet
from ganvas.tasks.restore.damages import plan_of

NUDGE = 2.0  # levels of the noise added to the input to see which details depend on it
DETAIL = 4.0  # levels of contrast that count as a detail
PATCHES = 64  # number of patches of a picture that are compared with the training


class Difference(NamedTuple):
    """A sign of `signs.SIGNS` that is outside of its range in the training."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Restorer(TrainedModel):
    """A trained restorer and its card."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    plan: degrade.Plan
    card: dict[str, Any]

    optional = {"signs": dict, "restoration": dict}  # noqa: RUF012
    abilities = ("apply",)
    hub_tags = ("image-generation",)

    @classmethod
    def from_parts(cls, parts: Loaded) -> Restorer:
        plan, networks = plan_of(parts.card["task"]["degrade"]), parts.parts
        return cls(parts.path, networks["generator"], networks["discriminator"], parts.spec, plan, parts.card)

    facts = later_method("ganvas.tasks.restore.card:facts")
    figures = later_method("ganvas.tasks.restore.card:figures")
    usage = later_method("ganvas.tasks.restore.card:usage")
    exports = later_method("ganvas.tasks.restore.export:exports")

    def restore(self, images: Given, masks: Tensor | np.ndarray | None = None) -> Pictures:
        """Restore pictures of any size.

        Args:
            images: float [B, C, H, W] in [-1, 1]; or a NumPy array, Pillow images or paths, with 8 bits a channel and
                without transparency (`restore_picture` keeps both): see `images.handed.tensor`.
            masks: bool [B, 1, H, W], or [1, 1, H, W] for all, True where a pixel is missing; for a model that fills
                holes.

        Returns:
            float [B, C, scale * H, scale * W] in [-1, 1] on the CPU, which a notebook shows; see `Pictures` for Pillow,
            NumPy and files.

        Raises:
            UserError: another number of channels, a mask that is missing, not expected, or of another size.
        """
        images = floats(images, self.spec, sized=False)
        if images.shape[1] != self.spec.channels:
            raise UserError(f"The pictures have {images.shape[1]} channels; {self.spec.channels} are needed.")
        self._check_mask(None if masks is None else tuple(masks.shape[2:]), tuple(images.shape[2:]))
        if masks is not None:
            masks = _masks(masks, len(images))
        restored = last(Tiled(self.network, self.spec).on_tensors(images, masks))
        return Pictures.around(restored.clone(), columns=0)  # a copy, because autograd takes no inference tensors

    def restore_picture(self, original: Original, mask: np.ndarray | None = None) -> Generator[float, None, Original]:
        """Restore a picture from a file; yields the share that is done.

        Its colours, depth and transparency are those of the original, see `Planes`.

        Args:
            mask: bool [H, W], True where a pixel is missing.

        Raises:
            UserError: as `restore`.
        """
        self._check_mask(None if mask is None else mask.shape, original.pixels.shape[:2])
        return (yield from Tiled(self.network, self.spec).on_original(original, mask))

    @property
    def network(self) -> nn.Module:
        """What restores: the generator, on four mirrored versions where that helps; one for holes does that itself."""
        mirrored = self.spec.turned and not self.spec.masked
        return unet.Mirrored(self.generator) if mirrored else self.generator

    def mend(self, original: Original, mask: np.ndarray | None = None) -> Generator[float, None, Original]:
        """The name of `restore_picture` in earlier versions."""
        warnings.warn("Restorer.mend is now Restorer.restore_picture.", FutureWarning, stacklevel=2)
        return self.restore_picture(original, mask)

    def invented(self, original: Original, made: Original, mask: np.ndarray | None = None) -> np.ndarray:
        """A map of invented detail, uint8 [scale * H, scale * W]: white where detail hardly changes when a little noise
        is added to the input; missing pixels count as invented.
        """
        noise = np.random.default_rng(0).normal(0, NUDGE * original.top / 255, original.pixels.shape)
        nudged = (original.pixels + noise).clip(0, original.top).round().astype(original.pixels.dtype)
        other = last(self.restore_picture(replace(original, pixels=nudged), mask))
        moved = _energy(_levels(other.pixels, made.top) - _levels(made.pixels, made.top))
        nudge = _levels(nudged, original.top) - _levels(original.pixels, original.top)
        given = _energy(nn.functional.interpolate(nudge, scale_factor=float(self.spec.scale), mode="nearest"))
        shown = _levels(made.pixels, made.top)
        fine = _energy(shown - nn.functional.avg_pool2d(shown, 7, 1, 3, count_include_pad=False)).sqrt()
        invented = (1 - (moved / given.clamp_min(1e-3)).sqrt().clamp(0, 1)) * fine / (fine + DETAIL)
        levels = (255 * invented[0, 0]).round().to(torch.uint8).numpy()
        if mask is not None:
            levels[mask] = 255
        return levels

    def unlike(self, original: Original) -> list[str]:
        """How the picture's degradation differs from that of the training, a clause each; usually none."""
        return [
            f"{name} is {value:.3g}; in the training it was {low:.3g} to {high:.3g}"
            for name, value, low, high in self.differences(original)
        ]

    def differences(self, original: Original) -> list[Difference]:
        """The signs of the picture's degradation that are outside of their range in the training; usually none.

        Also none where the ranges come from too few pictures, or from an unknown number.
        """
        known = self.card.get("signs", {})
        if not isinstance(known, dict) or not signs.is_enough(self.card):
            return []
        size = self.spec.size // self.spec.scale
        height, width, _ = original.pixels.shape
        if not known or min(height, width) < max(size, signs.LEAST):
            return []
        random = seeds.generator(0, "signs")
        tops, lefts = (torch.randint(0, n - size + 1, (PATCHES,), generator=random).tolist() for n in (height, width))
        patches = [original.pixels[y : y + size, x : x + size] for y, x in zip(tops, lefts, strict=True)]
        measured = signs.signs(torch.cat([_levels(patch, original.top) for patch in patches])).median(0).values
        differences = []
        for name, value in zip(signs.SIGNS, measured.tolist(), strict=True):
            pair = known.get(name)
            if not isinstance(pair, list) or [type(end) for end in pair] != [float, float]:
                continue
            low, high = pair
            if not low <= value <= high:
                differences.append(Difference(name, value, low, high))
        return differences

    def _check_mask(self, mask: tuple[int, ...] | None, size: tuple[int, ...]) -> None:
        if self.spec.masked and mask is None:
            raise UserError(f"{self.path} fills holes: say which pixels are missing (a mask, or a transparent part).")
        if mask is not None and not self.spec.masked:
            raise UserError(f"{self.path} was not trained to fill holes and uses no mask.")
        if mask is not None and mask != size:
            raise UserError(f"The mask has {mask[1]}x{mask[0]} pixels, the picture {size[1]}x{size[0]}.")


def _masks(masks: Tensor | np.ndarray, count: int) -> Tensor:
    """Masks as bool [count, 1, H, W]; one is for all.

    Raises:
        UserError: they hold numbers, or have another shape.
    """
    masks = torch.as_tensor(masks)
    if masks.dtype != torch.bool:
        raise UserError(f"The masks hold {str(masks.dtype)[6:]}; they are bool, True where a pixel is missing.")
    if masks.dim() != 4 or masks.shape[1] != 1 or masks.shape[0] not in (1, count):
        raise UserError(f"The masks have the shape {[*masks.shape]}; [{count}, 1, H, W] is needed.")
    return masks.expand(count, -1, -1, -1)


def load(path: str | os.PathLike[str], device: str = "auto") -> Restorer:
    """Load a trained restorer from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `sample.load`; or it is a model of another task.
    """
    return Restorer.from_parts(networks_of(path, "restore", device))


def _levels(pixels: np.ndarray, top: float) -> Tensor:
    """[H, W, C] -> float [1, C, H, W] with levels 0..255."""
    return torch.from_numpy(pixels.astype(np.float32) * (255 / top)).permute(2, 0, 1)[None]


def _energy(x: Tensor) -> Tensor:
    """Mean square over channels and over 7x7 pixels."""
    return nn.functional.avg_pool2d(x.square().mean(1, keepdim=True), 7, 1, 3, count_include_pad=False)
