"""What the worker does with a model's expert: judge a picture, deal a game."""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.errors import UserError
from ganvas.images import sheets
from ganvas.images import tensors as im
from ganvas.images.classifier import Classifier
from ganvas.images.data import ImageData
from ganvas.metrics import two_sample
from ganvas.studio import games, places
from ganvas.studio.models_cache import as_png, cut, drawer
from ganvas.tasks.generate.detect import detector as detection
from ganvas.tasks.generate.evaluate import source as sources
from ganvas.tasks.generate.model import Model

NEAREST = 4  # training images that are shown beside a judged picture
PORTION = 1_000  # of them at once
LOOKED = 20_000  # training images among which they are looked for
EXPERT = 2_000  # pictures of each kind from which the fresh expert of the game learns


def judge(path: str, content: bytes, data: str) -> dict[str, Any]:
    """What the detector thinks of a picture, the nearest training images, and where it looked.

    Args:
        data: the folder whose pictures may be read.
    """
    model = drawer(path)
    detector = model.detector_for(0.05)
    picture = torch.from_numpy(cut(content, model.spec).copy())
    verdict = model.detect(picture[None])[0]
    near, why = _nearest(model, picture, data)
    return {
        "probability": verdict.probability,
        "verdict": verdict.kind,
        "thresholds": detector.thresholds(0.05),
        "picture": as_png(picture),
        "heat": _heat(model, detector, picture),
        "nearest": near,
        "missing": why,
    }


def _heat(model: Model, detector: detection.Detector, picture: Tensor) -> bytes:
    """Where a small change would move the verdict most: the gradient's size, over the picture in grey."""
    device = next(model.discriminator.parameters()).device
    x = im.to_float(picture[None].to(device)).requires_grad_(True)
    with torch.enable_grad():
        logit = detector(detection.summary(model.discriminator.features(x))).sum()  # pyright: ignore[reportCallIssue]
        (gradient,) = torch.autograd.grad(logit, x)
    heat = gradient.abs().sum(1, keepdim=True)
    heat = F.avg_pool2d(F.pad(heat, (1, 1, 1, 1), mode="replicate"), 3, 1)[0, 0].cpu()
    heat = (heat / heat.quantile(0.99).clamp_min(1e-12)).clamp(0, 1).numpy()
    grey = picture.float().mean(0).numpy()
    warm = np.stack([np.full_like(grey, 255), 255 * (1 - heat) * 0.8, np.zeros_like(grey)], 2)
    mixed = (1 - heat[:, :, None]) * grey[:, :, None] * 0.7 + heat[:, :, None] * warm
    return sheets.png(mixed.clip(0, 255).astype(np.uint8))


def _nearest(model: Model, picture: Tensor, data: str) -> tuple[list[bytes], str]:
    """The training images that are nearest by pixels; where they cannot be had, none, and why."""
    try:
        pool = _pool(str(model.path), model.path.stat().st_mtime_ns, data)
    except UserError as error:
        return [], str(error)
    flat = picture.float().flatten()
    parts = [(part.float().flatten(1) - flat).square().sum(1) for part in pool.split(PORTION)]
    distance = torch.cat(parts)
    return [as_png(pool[i]) for i in distance.topk(min(NEAREST, len(pool)), largest=False).indices], ""


def _real(model: Model, data: str) -> ImageData:
    """The images that a model was trained on, where they lie below the folder that may be read."""
    return sources.trained_on(model, model.path, allowed=functools.partial(places.check_card, Path(data)))


@functools.lru_cache(maxsize=2)
def _pool(path: str, changed: int, data: str) -> Tensor:
    real = _real(drawer(path), data)
    most = min(len(real.train.images), LOOKED, 400_000_000 // real.train.images[:1].numel())
    return real.train.images[:most]


def game(path: str, seed: int, data: str) -> dict[str, Any]:
    """Twenty pictures, ten of each kind in a chance order, and what a fresh expert says of them.

    Args:
        data: the folder whose pictures may be read.
    """
    model = drawer(path)
    real = _real(model, data)
    held_out, labels = real.held_out.images, real.held_out.labels
    if len(held_out) < 40:
        raise UserError(f"{len(held_out)} held-out pictures are too few for a game; 40 are needed.")
    chance = random.Random(seed)
    network, mean, spread, kept_back = _expert(path, model.path.stat().st_mtime_ns, data)
    chosen = chance.sample(kept_back, games.PICTURES // 2)
    numbers = [chance.randrange(1_000_000, 2_000_000) for _ in chosen]  # seeds that the expert has not learned from
    kinds = None if labels is None or not model.class_names else [int(labels[i]) for i in chosen]
    fakes = model.pictures(numbers, kinds)
    mixed = torch.cat([held_out[chosen], fakes])
    order = list(range(len(mixed)))
    chance.shuffle(order)
    with torch.inference_mode():
        logits = network(((mixed[order].float() - mean) / spread).contiguous(memory_format=torch.channels_last))
    return {
        "pictures": [as_png(mixed[i]) for i in order],
        "real": [i < len(chosen) for i in order],
        "expert": [bool(logit > 0) for logit in logits],
    }


@functools.lru_cache(maxsize=1)
def _expert(path: str, changed: int, data: str) -> tuple[Any, Tensor, Tensor, list[int]]:
    """A network that was trained just now to tell this model's pictures from held-out ones, and those it never saw."""
    model = drawer(path)
    real = _real(model, data)
    held_out, labels = real.held_out.images, real.held_out.labels
    order = torch.randperm(len(held_out), generator=seeds.generator(0, "game"))
    count = min(EXPERT, len(held_out) * 2 // 3)
    learned, kept_back = order[:count], order[count:].tolist()
    kinds = None if labels is None or not model.class_names else labels[learned].tolist()
    fakes = model.pictures(range(count), kinds)
    both, is_real = torch.cat([held_out[learned], fakes]), torch.arange(2 * count) < count
    mean, spread = both.float().mean(), both.float().std().clamp_min(1e-6)
    with torch.random.fork_rng():
        torch.manual_seed(seeds.key(0, "expert of the game"))
        network = Classifier(model.spec.channels, model.spec.size)
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        rounds = max(1, 2 * count // two_sample.BATCH)
        epochs = max(4, -(-two_sample.STEPS // rounds))

        def batches() -> Any:
            for _ in range(epochs):
                for index in torch.randperm(2 * count).split(two_sample.BATCH)[:rounds]:
                    yield (both[index].float() - mean) / spread, is_real[index]

        for _ in two_sample.teach(network, batches(), epochs * rounds):
            pass
    return network, mean, spread, kept_back
