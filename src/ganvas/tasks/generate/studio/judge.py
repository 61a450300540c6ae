"""The discriminator in the studio: verdicts on pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core.errors import UserError
from ganvas.images import sheets, uploads
from ganvas.images import tensors as im
from ganvas.images.data import ImageData
from ganvas.tasks.generate.detect import detector as detection
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model

NEAREST = 4  # training images that are shown next to the user's picture
PORTION = 1_000  # of them at once
SEARCHED = 20_000  # training images among which the nearest are searched

SMOOTH = 20  # the map is smoothed over this part of the picture's width
RED, OPAQUE = (230, 30, 40), 0.85  # of the map, and how much of the picture its strongest places cover
GREY = 60.0  # the level of black under the map: red is seen on it

Allowed = Callable[[object], None]  # raises a UserError if data that a card names must not be read


@dataclass(frozen=True)
class Source:
    """A model, and which data may be read; equal for the same file with the same modification time."""

    path: str
    changed: int
    allowed: Allowed
    model: Model = field(compare=False)

    @classmethod
    def of(cls, model: Model, allowed: Allowed) -> Source:
        return cls(str(model.path), model.path.stat().st_mtime_ns, allowed, model)

    def data(self) -> ImageData:
        """The images that the model was trained on.

        Raises:
            UserError: they are missing, or must not be read.
        """
        return sources.trained_on(self.model, self.model.path, allowed=self.allowed)


def judge(model: Model, content: bytes, allowed: Allowed) -> dict[str, Any]:
    """The detector's verdict on a picture, the nearest training images, and a map of the pixels that matter.

    Args:
        allowed: which data may be read; see `source.trained_on`.
    """
    detector = model.detector_for(0.05)
    picture = torch.from_numpy(uploads.fitted(content, model.spec).copy())
    verdict = model.detect(picture[None])[0]
    near, why = _nearest(Source.of(model, allowed), picture)
    return {
        "probability": verdict.probability,
        "verdict": verdict.kind,
        "thresholds": detector.thresholds(0.05),
        "picture": uploads.tensor_png(picture),
        "heat": _heat(model, detector, picture),
        "nearest": near,
        "missing": why,
    }


def _heat(model: Model, detector: detection.Detector, picture: Tensor) -> bytes:
    """What influenced the verdict most: the size of the gradient as red, transparent over the picture in grey."""
    device = next(model.discriminator.parameters()).device
    x = im.to_float(picture[None].to(device)).requires_grad_(True)
    with torch.enable_grad():
        logit = detector(detection.summary(model.discriminator.features(x))).sum()  # pyright: ignore[reportCallIssue]
        (gradient,) = torch.autograd.grad(logit, x)
    heat = gradient.abs().sum(1, keepdim=True)
    reach = max(1, picture.shape[-1] // SMOOTH)
    for _ in range(2):  # twice a mean of neighbours: single pixels are noise
        heat = F.avg_pool2d(F.pad(heat, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    low, high = heat.quantile(0.5), heat.quantile(0.995)  # half of the picture stays grey
    share = ((heat - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)[0, 0, :, :, None].cpu().numpy()
    grey = GREY + picture.float().mean(0).numpy()[:, :, None] * (1 - GREY / 255)
    mixed = (1 - OPAQUE * share) * grey + OPAQUE * share * np.array(RED, np.float32)
    return sheets.png(mixed.clip(0, 255).astype(np.uint8))


def _nearest(source: Source, picture: Tensor) -> tuple[list[bytes], str]:
    """The training images that are nearest by pixels; if they cannot be read, none and the reason."""
    try:
        candidates = _train_images(source)
    except UserError as error:
        return [], str(error)
    flat = picture.float().flatten()
    parts = [(part.float().flatten(1) - flat).square().sum(1) for part in candidates.split(PORTION)]
    distance = torch.cat(parts)
    nearest = distance.topk(min(NEAREST, len(candidates)), largest=False).indices
    return [uploads.tensor_png(candidates[i]) for i in nearest], ""


@functools.lru_cache(maxsize=2)
def _train_images(source: Source) -> Tensor:
    real = source.data()
    most = min(len(real.train.images), SEARCHED, 400_000_000 // real.train.images[:1].numel())
    return real.train.images[:most]
