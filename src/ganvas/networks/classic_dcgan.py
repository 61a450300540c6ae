"""The small convolutional GAN of the tutorials for 28-pixel digits; any size divisible by 4.

Source: Radford et al. 2016 for the idea; layers as the well-known MNIST tutorials have them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganvas.core.config import knob
from ganvas.core.errors import UserError
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import ConvTranspose2d, Dropout, WideConv2d, activations

LABELLED = False  # the class is not told to these networks


@dataclass(frozen=True)
class Config:
    """Settings of the small convolutional pair."""

    latent_dim: int = knob(100, "numbers that the generator draws from", low=1, high=2**16)
    g_width: int = knob(128, "channels of the generator", low=1, high=2**14)
    d_width: int = knob(64, "channels of the discriminator", low=1, high=2**14)
    dropout: float = knob(0.4, "share of the discriminator's units dropped at a time", low=0, high=0.9)


class Generator(nn.Module):
    """latent_dim -> size/4 x size/4 x g_width, two 4x4 transposed convolutions of stride 2, a 7x7 convolution."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        if spec.size % 4:
            raise UserError(f"classic-dcgan draws sizes divisible by 4; the images have {spec.size} pixels.")
        w, self.start = config.g_width, spec.size // 4
        self.foot = nn.Linear(config.latent_dim, w * self.start**2)
        self.layers = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),
            ConvTranspose2d(w, w, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            ConvTranspose2d(w, w, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            WideConv2d(w, spec.channels, 7, padding=3),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim] -> images [B, C, H, W] in [-1, 1]; labels are not used."""
        x = self.foot(z).view(z.shape[0], -1, self.start, self.start).contiguous(memory_format=torch.channels_last)
        return 2 * torch.sigmoid(self.layers(x)) - 1  # the tutorials draw in [0, 1] with a sigmoid


class Discriminator(nn.Module):
    """Two 3x3 convolutions of stride 2 with dropout, then one logit."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        w = config.d_width
        self.layers = nn.Sequential(
            nn.Conv2d(spec.channels, w, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            Dropout(config.dropout),
            nn.Conv2d(w, w, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            Dropout(config.dropout),
            nn.Flatten(),
            nn.Linear(w * (spec.size // 4) ** 2, 1),
        )

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each hidden layer, [B, c, h, w]."""
        return activations(self.layers, images)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W] -> logits [B]; labels are not used."""
        return self.layers(images).squeeze(1)
