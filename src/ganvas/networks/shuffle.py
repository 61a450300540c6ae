"""placeholder of the flagship architecture (research in progress)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, one_hot, pixel_shuffle

from ganvas.config import knob
from ganvas.errors import UserError
from ganvas.spec import ImageSpec


@dataclass(frozen=True)
class Config:
    """Knobs."""

    latent_dim: int = knob(64, "numbers that the generator draws from", low=1)
    g_width: int = knob(64, "channels of the generator", low=1)
    d_width: int = knob(96, "channels of the discriminator", low=4)


class Generator(nn.Module):
    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        if spec.size % 4:
            raise UserError(f"shuffle draws sizes divisible by 4; the images have {spec.size} pixels.")
        w, self.start, self.classes = config.g_width, spec.size // 4, spec.classes
        self.foot = nn.Linear(config.latent_dim + spec.classes, w * self.start**2)
        self.norm0 = nn.BatchNorm2d(w)
        self.conv1 = nn.Conv2d(w, 2 * w, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(w // 2)
        self.conv2 = nn.Conv2d(w // 2, w, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(w // 4)
        self.head = nn.Conv2d(w // 4, spec.channels, 5, padding=2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None and self.classes:
            z = torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], 1)
        x = self.foot(z).view(len(z), -1, self.start, self.start).contiguous(memory_format=torch.channels_last)
        x = leaky_relu(self.norm0(x), 0.2)
        x = leaky_relu(self.norm1(pixel_shuffle(self.conv1(x), 2)), 0.2)
        x = leaky_relu(self.norm2(pixel_shuffle(self.conv2(x), 2)), 0.2)
        return torch.tanh(self.head(x))


class Discriminator(nn.Module):
    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        w = config.d_width
        self.conv1 = nn.Conv2d(spec.channels, w // 4, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(w // 4, w, 4, stride=2, padding=1)
        self.conv3 = nn.Conv2d(w, w, 3, padding=1)
        self.foot = nn.Linear(w * (spec.size // 4) ** 2, w)
        self.head = nn.Linear(w + 1, 1)
        self.classes = nn.Embedding(spec.classes, w + 1) if spec.classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        x = leaky_relu(self.conv1(images), 0.2)
        x = leaky_relu(self.conv2(x), 0.2)
        x = leaky_relu(self.conv3(x), 0.2)
        x = leaky_relu(self.foot(x.flatten(1)), 0.2)
        spread = (x - x.mean(0)).square().mean(0).add(1e-8).sqrt().mean()
        x = torch.cat([x, spread.expand(len(x), 1)], 1)
        logits = self.head(x).squeeze(1)
        if labels is not None and self.classes is not None:
            logits = logits + (self.classes(labels) * x).sum(1)
        return logits
