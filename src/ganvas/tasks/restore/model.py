"""A trained restorer at work on pictures of any size, tile by tile."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.core.exports import Exports
from ganvas.core.model import Loaded, TrainedModel, Usage, networks_of
from ganvas.core.progress import last
from ganvas.images.originals import Original
from ganvas.images.spec import ImageSpec
from ganvas.tasks.restore import degrade, signs
from ganvas.tasks.restore.task import plan_of

TILE = 512  # pixels a side of a tile of the input
MARGIN, RAMP = 16, 48  # pixels of a tile that its neighbour draws alone, and then that they draw together
NUDGE = 2.0  # levels of the change by which it is found out what follows the input
DETAIL = 4.0  # levels of contrast that count as a detail
PIECES = 64  # of a picture whose damage is compared with that of the training


def tiles(length: int, stride: int, tile: int = TILE) -> list[tuple[slice, Tensor]]:
    """Tiles along one axis: where each lies, and its pixels' weights; the weights of all tiles add up to 1 everywhere.

    Tiles begin at multiples of `stride`, so that the network sees what it would see of the whole picture.
    """
    if length <= tile:
        return [(slice(0, length), torch.ones(length))]
    step = (tile - 2 * MARGIN - RAMP) // stride * stride
    starts = [*range(0, length - tile, step), -(-(length - tile) // stride) * stride]
    weights = []
    for start in starts:
        size = min(tile, length - start)
        there = torch.arange(size)
        ramp = torch.ones(size)
        if start > 0:
            ramp = torch.minimum(ramp, ((there - MARGIN + 0.5) / RAMP).clamp(0, 1))
        if start + size < length:
            ramp = torch.minimum(ramp, ((size - 1 - there - MARGIN + 0.5) / RAMP).clamp(0, 1))
        weights.append(ramp)
    total = torch.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [(slice(s, s + len(w)), w / total[s : s + len(w)]) for s, w in zip(starts, weights, strict=True)]


@dataclass(frozen=True)
class Restorer(TrainedModel):
    """A trained restorer and the card that explains it."""

    path: Path
    generator: nn.Module
    discriminator: nn.Module
    spec: ImageSpec
    plan: degrade.Plan
    card: dict[str, Any]

    optional = {"signs": dict, "restoration": dict}  # noqa: RUF012
    hub_tags = ("image-generation",)

    @classmethod
    def from_parts(cls, parts: Loaded) -> Restorer:
        plan, networks = plan_of(parts.card["task"]["degrade"]), parts.parts
        return cls(parts.path, networks["generator"], networks["discriminator"], parts.spec, plan, parts.card)

    def facts(self) -> dict[str, str]:
        from ganvas.tasks.restore import card

        return card.facts(self)

    def figures(self) -> list[str]:
        from ganvas.tasks.restore import card

        return card.figures(self)

    def usage(self, place: str) -> Usage:
        from ganvas.tasks.restore import card

        return card.usage(self, place)

    def exports(self) -> Exports:
        from ganvas.tasks.restore import export

        return export.exports(self)

    def restore(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Restore pictures of any size.

        Args:
            images: float [B, C, H, W] in [-1, 1].
            masks: bool [B, 1, H, W], True where a pixel is missing; for a model that fills holes.

        Returns:
            float [B, C, scale * H, scale * W] in [-1, 1] on the CPU.

        Raises:
            UserError: another number of channels, a mask that is missing, not wanted or of another size.
        """
        if images.shape[1] != self.spec.channels:
            raise UserError(f"The pictures have {images.shape[1]} channels; {self.spec.channels} are needed.")
        self._check_mask(None if masks is None else tuple(masks.shape[2:]), tuple(images.shape[2:]))

        def cut(rows: slice, columns: slice) -> Tensor:
            part = images[:, :, rows, columns]
            return part if masks is None else _with_mask(part, masks[:, :, rows, columns])

        steps = self._tiled(cut, len(images), images.shape[2], images.shape[3])
        return last(steps)

    def mend(self, original: Original, mask: np.ndarray | None = None) -> Generator[float, None, Original]:
        """Restore a picture from a file; yields the share that is done.

        A grey picture stays grey, and its depth stays as it is; a model of grey pictures mends each colour by itself;
        transparency is kept (and enlarged), or mended too by a model of four channels.

        Args:
            mask: bool [H, W], True where a pixel is missing.

        Raises:
            UserError: as `restore`.
        """
        height, width, colours = original.pixels.shape
        self._check_mask(None if mask is None else mask.shape, (height, width))
        top, want = original.top, self.spec.channels
        apart = want == 1 and colours == 3  # each colour as a grey picture

        def cut(rows: slice, columns: slice) -> Tensor:
            x = torch.from_numpy(original.pixels[rows, columns].astype(np.float32)).permute(2, 0, 1)[None]
            if want >= 3:
                x = x.expand(1, 3, -1, -1)
            if want == 4:
                alpha = original.alpha[rows, columns].astype(np.float32) if original.alpha is not None else None
                last = torch.full_like(x[:, :1], top) if alpha is None else torch.from_numpy(alpha)[None, None]
                x = torch.cat([x, last], 1)
            x = x / (top / 2) - 1
            x = x.transpose(0, 1) if apart else x
            if mask is None:
                return x
            return _with_mask(x, torch.from_numpy(mask[rows, columns].copy())[None, None].expand(len(x), -1, -1, -1))

        made = yield from self._tiled(cut, colours if apart else 1, height, width)
        made = made.transpose(0, 1) if apart else made
        kind = original.pixels.dtype
        shown = made[:, :3].mean(1, keepdim=True) if colours == 1 and want >= 3 else made[:, : max(3, colours)]
        pixels = _whole(shown, top).permute(1, 2, 0).numpy().astype(kind)
        alpha = original.alpha
        if alpha is not None and want == 4:
            alpha = _whole(made[:, 3:], top)[0].numpy().astype(kind)
        elif alpha is not None and self.spec.scale > 1:
            large = torch.from_numpy(alpha.astype(np.float32))[None, None]
            large = nn.functional.interpolate(large, scale_factor=float(self.spec.scale), mode="bicubic")
            alpha = large[0, 0].round().clamp(0, top).numpy().astype(kind)
        return replace(original, pixels=pixels, alpha=alpha)

    def invented(self, original: Original, made: Original, mask: np.ndarray | None = None) -> np.ndarray:
        """A map of what was invented, uint8 [scale * H, scale * W]: white where there is detail that the input hardly
        moves, found by changing the input a little at random; missing pixels are invented throughout.
        """
        noise = np.random.default_rng(0).normal(0, NUDGE * original.top / 255, original.pixels.shape)
        nudged = (original.pixels + noise).clip(0, original.top).round().astype(original.pixels.dtype)
        other = last(self.mend(replace(original, pixels=nudged), mask))
        moved = _energy(_levels(other.pixels, made.top) - _levels(made.pixels, made.top))
        nudge = _levels(nudged, original.top) - _levels(original.pixels, original.top)
        given = _energy(nn.functional.interpolate(nudge, scale_factor=float(self.spec.scale), mode="nearest"))
        shown = _levels(made.pixels, made.top)
        fine = _energy(shown - nn.functional.avg_pool2d(shown, 7, 1, 3, count_include_pad=False)).sqrt()
        found = (1 - (moved / given.clamp_min(1e-3)).sqrt().clamp(0, 1)) * fine / (fine + DETAIL)
        found = (255 * found[0, 0]).round().to(torch.uint8).numpy()
        if mask is not None:
            found[mask] = 255
        return found

    def unlike(self, original: Original) -> list[str]:
        """In what the picture's damage is unlike that which was trained on, a sentence each; mostly nothing.

        Nothing too where the range in the training rests on too few pictures, or nobody knows on how many.
        """
        known = self.card.get("signs", {})
        if not isinstance(known, dict) or not signs.is_enough(self.card):
            return []
        size = self.spec.size // self.spec.scale
        height, width, _ = original.pixels.shape
        if not known or min(height, width) < max(size, signs.LEAST):
            return []
        random = seeds.generator(0, "signs")
        tops, lefts = (torch.randint(0, n - size + 1, (PIECES,), generator=random).tolist() for n in (height, width))
        pieces = [original.pixels[y : y + size, x : x + size] for y, x in zip(tops, lefts, strict=True)]
        found = signs.signs(torch.cat([_levels(piece, original.top) for piece in pieces])).median(0).values
        told = []
        for name, value in zip(signs.SIGNS, found.tolist(), strict=True):
            pair = known.get(name)
            if not isinstance(pair, list) or [type(end) for end in pair] != [float, float]:
                continue
            low, high = pair
            if not low <= value <= high:
                told.append(f"{name} is {value:.3g}; in the training it was {low:.3g} to {high:.3g}")
        return told

    def _check_mask(self, mask: tuple[int, ...] | None, size: tuple[int, ...]) -> None:
        if self.spec.masked and mask is None:
            raise UserError(f"{self.path} fills holes: say which pixels are missing (a mask, or a transparent part).")
        if mask is not None and not self.spec.masked:
            raise UserError(f"{self.path} was not trained to fill holes: it takes no mask.")
        if mask is not None and mask != size:
            raise UserError(f"The mask has {mask[1]}x{mask[0]} pixels, the picture {size[1]}x{size[0]}.")

    @torch.inference_mode()
    def _tiled(self, cut: Any, count: int, height: int, width: int) -> Generator[float, None, Tensor]:
        """The restored picture [count, C, scale * H, scale * W], of tiles that `cut` gives; yields the share done."""
        device, scale = next(self.generator.parameters()).device, self.spec.scale
        stride = int(self.generator.stride)  # pyright: ignore[reportArgumentType]
        made = torch.zeros(count, self.spec.channels, scale * height, scale * width)
        down, across = tiles(height, stride), tiles(width, stride)
        for i, (rows, rise) in enumerate(down):
            for columns, run in across:
                given = cut(rows, columns)
                if self.spec.masked and not given[:, -1].any():  # nothing is missing here
                    tile = given[:, :-1]
                else:
                    tile = self.generator(given.to(device)).float().cpu()
                weight = torch.outer(rise.repeat_interleave(scale), run.repeat_interleave(scale))
                into = made[:, :, scale * rows.start : scale * rows.stop, scale * columns.start : scale * columns.stop]
                into += tile * weight
            yield (i + 1) / len(down)
        return made


def load(path: str | os.PathLike[str], device: str = "auto") -> Restorer:
    """Load a trained restorer from a run's folder, a model file or hf://user/name.

    Raises:
        UserError: as `sample.load`; or it is a model of another task.
    """
    return Restorer.from_parts(networks_of(path, "restore", device))


def _with_mask(images: Tensor, mask: Tensor) -> Tensor:
    """What the network is given: missing pixels are grey, and the mask is the last channel."""
    return torch.cat([images * ~mask, mask.to(images.dtype)], 1)


def _whole(made: Tensor, top: float) -> Tensor:
    """float [1, C, H, W] in [-1, 1] -> whole numbers 0..top, [C, H, W]."""
    return made[0].clamp(-1, 1).add(1).mul(top / 2).round()


def _levels(pixels: np.ndarray, top: float) -> Tensor:
    """[H, W, C] -> float [1, C, H, W] with levels 0..255."""
    return torch.from_numpy(pixels.astype(np.float32) * (255 / top)).permute(2, 0, 1)[None]


def _energy(x: Tensor) -> Tensor:
    """Mean square over channels and over 7x7 pixels."""
    return nn.functional.avg_pool2d(x.square().mean(1, keepdim=True), 7, 1, 3, count_include_pad=False)
