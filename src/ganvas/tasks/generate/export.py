"""The exports of a trained generator: its networks as ONNX files, and a page that generates in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.exports import Exports, OnnxNetwork, Page
from ganvas.export.onnx import page_files
from ganvas.images import tensors as im
from ganvas.tasks.generate.detect.detector import Detector, summary

if TYPE_CHECKING:
    from ganvas.tasks.generate.model import Model

WEB = Path(__file__).parent / "web"
ENTRIES = ("recipe", "images", "data_name", "fingerprint", "licence", "network", "detector")  # of the model's card
ALARMS = (0.01, 0.05, 0.1)  # false-alarm rates whose thresholds are in a detector's file


class _CalibratedDetector(nn.Module):
    """images [B, C, H, W] in [-1, 1] -> the probability [B] that each is like the training images."""

    def __init__(self, discriminator: nn.Module, detector: Detector) -> None:
        super().__init__()
        self.discriminator, self.detector = discriminator, detector

    def forward(self, images: Tensor) -> Tensor:
        pixels = im.levels(images) / 127.5 - 1
        return torch.sigmoid(self.detector(summary(self.discriminator.features(pixels))))  # pyright: ignore[reportCallIssue]


def exports(model: Model) -> Exports:
    """`generator.onnx`, `detector.onnx` if the model has a detector, and a page with the generator.

    The generator's inputs: z float [B, latent_dim] and, for a model with classes, labels int64 [B]; its output: images
    float [B, C, H, W] in [-1, 1]. The detector's input: such images; its output: probability float [B].
    """
    generator = _generator(model)
    networks = (generator,) if model.detector is None else (generator, _detector(model, model.detector))
    note = "Without the selector: the pictures come from the generator alone." if model.selector is not None else ""
    return Exports(networks, Page((generator,), lambda: _page_files(model)), note)


def _generator(model: Model) -> OnnxNetwork:
    count = len(model.class_names)

    def inputs(n: int) -> tuple[Tensor, ...]:
        z = seeds.latents(range(n), model.latent_dim)
        return (z, torch.arange(n) % count) if count else (z,)

    names = ("z", "labels") if count else ("z",)
    return OnnxNetwork("generator.onnx", model.generator, inputs, names, "images", card_of(model))


def _detector(model: Model, detector: Detector) -> OnnxNetwork:
    shape = (model.spec.channels, model.spec.size, model.spec.size)

    def inputs(n: int) -> tuple[Tensor]:
        images = model.sample(n).clone()
        images[n // 2 :] = torch.rand(n - n // 2, *shape, generator=seeds.generator(n, "export")) * 2 - 1
        return (images,)

    alarms = [alarm for alarm in ALARMS if alarm >= model.smallest_alarm]
    card = {**card_of(model), "thresholds": {f"{alarm:g}": detector.thresholds(alarm) for alarm in alarms}}
    network = _CalibratedDetector(model.discriminator, detector)
    return OnnxNetwork("detector.onnx", network, inputs, ("images",), "probability", card)


def card_of(model: Model) -> dict[str, Any]:
    """What another program must know about a model."""
    spec = model.spec
    return {
        **{name: model.card[name] for name in ENTRIES if name in model.card},
        "classes": list(model.class_names),
        "latent_dim": model.latent_dim,
        "channels": spec.channels,
        "size": spec.size,
        "range": [-1, 1],
        "selector": "not part of this file" if model.selector is not None else "none",
    }


def _page_files(model: Model) -> dict[str, bytes]:
    """The files of the page, except its generator."""
    spec, card = model.spec, model.card
    description = (
        f"{spec.size}x{spec.size} pictures by a network that saw {card['images']:,} images of {card['data_name']} "
        f"(licence: {card['licence']}). It runs on your own machine; nothing is sent anywhere."
    )
    settings = {
        "title": f"{card['recipe']}: a generator in your browser",
        "about": description,
        "classes": list(model.class_names),
        "size": spec.size,
        "channels": spec.channels,
    }
    return page_files(WEB, settings, model.latent_dim)
