"""The discriminator in the studio: verdicts on pictures, and a game against a fresh classifier."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.images import sheets, uploads
from ganvas.images import tensors as im
from ganvas.images.classifier import Classifier
from ganvas.images.data import ImageData
from ganvas.metrics import two_sample
from ganvas.tasks.generate.detect import detector as detection
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model

NEAREST = 4  # training images that are shown beside the user's picture
PORTION = 1_000  # of them at once
SEARCHED = 20_000  # training images among which the nearest are searched
LEARNED = 2_000  # real and generated pictures, each, from which the game's fresh classifier learns

Allowed = Callable[[object], None]  # raises a UserError if data that a card names must not be read


@dataclass(frozen=True)
class _Source:
    """A model, and which data may be read; equal for the same file with the same modification time."""

    path: str
    changed: int
    allowed: Allowed
    model: Model = field(compare=False)

    @classmethod
    def of(cls, model: Model, allowed: Allowed) -> _Source:
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
    near, why = _nearest(_Source.of(model, allowed), picture)
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
    """Where a small change would affect the verdict most: the size of the gradient, over the picture in grey."""
    device = next(model.discriminator.parameters()).device
    x = im.to_float(picture[None].to(device)).requires_grad_(True)
    with torch.enable_grad():
        logit = detector(detection.summary(model.discriminator.features(x))).sum()  # pyright: ignore[reportCallIssue]
        (gradient,) = torch.autograd.grad(logit, x)
    heat = gradient.abs().sum(1, keepdim=True)
    heat = F.avg_pool2d(F.pad(heat, (1, 1, 1, 1), mode="replicate"), 3, 1)[0, 0].cpu()
    heat = (heat / heat.quantile(0.99).clamp_min(1e-12)).clamp(0, 1).numpy()
    grey = picture.float().mean(0).numpy()
    colours = np.stack([np.full_like(grey, 255), 255 * (1 - heat) * 0.8, np.zeros_like(grey)], 2)
    mixed = (1 - heat[:, :, None]) * grey[:, :, None] * 0.7 + heat[:, :, None] * colours
    return sheets.png(mixed.clip(0, 255).astype(np.uint8))


def _nearest(source: _Source, picture: Tensor) -> tuple[list[bytes], str]:
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
def _train_images(source: _Source) -> Tensor:
    real = source.data()
    most = min(len(real.train.images), SEARCHED, 400_000_000 // real.train.images[:1].numel())
    return real.train.images[:most]


def game(model: Model, seed: int, count: int, allowed: Allowed) -> dict[str, Any]:
    """`count` pictures, half real and half generated, in random order, and a fresh classifier's answers.

    Args:
        allowed: as for `judge`.
    """
    source = _Source.of(model, allowed)
    real = source.data()
    held_out, labels = real.held_out.images, real.held_out.labels
    if len(held_out) < 40:
        raise UserError(f"{len(held_out)} held-out pictures are too few for a game; 40 are needed.")
    rng = random.Random(seed)
    network, mean, spread, kept_back = _classifier(source)
    chosen = rng.sample(kept_back, count // 2)
    numbers = [rng.randrange(1_000_000, 2_000_000) for _ in chosen]  # seeds that the classifier has not learned from
    classes = None if labels is None or not model.class_names else [int(labels[i]) for i in chosen]
    fakes = model.pictures(numbers, classes)
    mixed = torch.cat([held_out[chosen], fakes])
    order = list(range(len(mixed)))
    rng.shuffle(order)
    with torch.inference_mode():
        logits = network(((mixed[order].float() - mean) / spread).contiguous(memory_format=torch.channels_last))
    return {
        "pictures": [uploads.tensor_png(mixed[i]) for i in order],
        "real": [i < len(chosen) for i in order],
        "expert": [bool(logit > 0) for logit in logits],
    }


@functools.lru_cache(maxsize=1)
def _classifier(source: _Source) -> tuple[nn.Module, Tensor, Tensor, list[int]]:
    """A network trained to tell this model's pictures from held-out ones.

    Returns:
        The network; mean and spread by which pictures are standardised; held-out images that it has not learned from.
    """
    model, real = source.model, source.data()
    held_out, labels = real.held_out.images, real.held_out.labels
    order = torch.randperm(len(held_out), generator=seeds.generator(0, "game"))
    count = min(LEARNED, len(held_out) * 2 // 3)
    learned, kept_back = order[:count], order[count:].tolist()
    classes = None if labels is None or not model.class_names else labels[learned].tolist()
    fakes = model.pictures(range(count), classes)
    both, is_real = torch.cat([held_out[learned], fakes]), torch.arange(2 * count) < count
    mean, spread = both.float().mean(), both.float().std().clamp_min(1e-6)
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(0, "expert of the game"))
        network = Classifier(model.spec.channels, model.spec.size)
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        rounds = max(1, 2 * count // two_sample.BATCH)
        epochs = max(4, -(-two_sample.STEPS // rounds))

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(epochs):
                for index in torch.randperm(2 * count).split(two_sample.BATCH)[:rounds]:
                    yield (both[index].float() - mean) / spread, is_real[index]

        for _ in two_sample.teach(network, batches(), epochs * rounds):
            pass
    return network, mean, spread, kept_back
