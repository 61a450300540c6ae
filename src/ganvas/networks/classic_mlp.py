"""The fully connected GAN of the tutorials: three hidden layers on either side.

Source: Goodfellow et al. 2014 for the idea; widths, slopes and dropout as the well-known MNIST tutorials have them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganvas.core.config import knob
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import Dropout, activations

LABELLED = False  # the class is not told to these networks


@dataclass(frozen=True)
class Config:
    """Settings of the fully connected pair."""

    latent_dim: int = knob(100, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(
        256, "units of the narrowest hidden layer; the others have twice and four times as many", low=1, high=2**14
    )
    dropout: float = knob(0.3, "share of the discriminator's units dropped at a time", low=0, high=0.9)


class Generator(nn.Module):
    """latent_dim -> width -> 2 width -> 4 width -> pixels."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.size, spec.size)
        w = config.width
        self.layers = nn.Sequential(
            nn.Linear(config.latent_dim, w),
            nn.LeakyReLU(0.2),
            nn.Linear(w, 2 * w),
            nn.LeakyReLU(0.2),
            nn.Linear(2 * w, 4 * w),
            nn.LeakyReLU(0.2),
            nn.Linear(4 * w, spec.channels * spec.size**2),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim] -> images [B, C, H, W] in [-1, 1]; labels are not used."""
        return self.layers(z).view(-1, *self.shape)


class Discriminator(nn.Module):
    """pixels -> 4 width -> 2 width -> width -> one logit."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        w = config.width
        self.layers = nn.Sequential(
            nn.Linear(spec.channels * spec.size**2, 4 * w),
            nn.LeakyReLU(0.2),
            Dropout(config.dropout),
            nn.Linear(4 * w, 2 * w),
            nn.LeakyReLU(0.2),
            Dropout(config.dropout),
            nn.Linear(2 * w, w),
            nn.LeakyReLU(0.2),
            Dropout(config.dropout),
            nn.Linear(w, 1),
        )

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each hidden layer, [B, c]."""
        return activations(self.layers, torch.flatten(images, 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W] -> logits [B]; labels are not used."""
        return self.layers(torch.flatten(images, 1)).squeeze(1)
