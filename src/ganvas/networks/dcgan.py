"""The DCGAN of Radford et al. 2016, as PyTorch's well-known example has it at 64 pixels.

Transposed 4x4 convolutions with batch norm in the generator, 4x4 convolutions of stride 2 with batch norm in the
discriminator, no linear layers; weights begin normal with a standard deviation of 0.02.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ganvas.core.config import knob
from ganvas.images.spec import ImageSpec
from ganvas.networks.layers import activations

LABELLED = False  # the class is not told to these networks


@dataclass(frozen=True)
class Config:
    """Settings of the pair."""

    latent_dim: int = knob(100, "numbers that the generator draws from", low=1, high=2**16)
    width: int = knob(64, "channels at half of the image's size; each halving doubles them", low=1, high=2**12)


def widths(spec: ImageSpec, config: Config) -> list[int]:
    """Channels of the smallest map, of the next ... up to that of half of the image's size."""
    return [config.width << i for i in reversed(range(len(spec.ladder()) - 1))]


class Generator(nn.Module):
    """z as a 1x1 map, then transposed convolutions up to the image."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        inside, layers = config.latent_dim, nn.Sequential()
        for number, outside in enumerate(widths(spec, config)):
            kernel, stride, padding = (4, 2, 1) if number else (spec.ladder()[0], 1, 0)
            layers.append(nn.ConvTranspose2d(inside, outside, kernel, stride, padding, bias=False))
            layers += nn.Sequential(nn.BatchNorm2d(outside), nn.ReLU())
            inside = outside
        layers += nn.Sequential(nn.ConvTranspose2d(inside, spec.channels, 4, 2, 1, bias=False), nn.Tanh())
        self.layers = layers.apply(_initialise)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [B, latent_dim] -> images [B, C, H, W] in [-1, 1]; labels are not used."""
        return self.layers(z[:, :, None, None]).float()


class Discriminator(nn.Module):
    """Convolutions of stride 2 down to the smallest map, then one logit."""

    def __init__(self, spec: ImageSpec, config: Config) -> None:
        super().__init__()
        inside, layers = spec.channels, nn.Sequential()
        for number, outside in enumerate(reversed(widths(spec, config))):
            layers.append(nn.Conv2d(inside, outside, 4, 2, 1, bias=False))
            if number:
                layers.append(nn.BatchNorm2d(outside))
            layers.append(nn.LeakyReLU(0.2))
            inside = outside
        self.layers = layers.append(nn.Conv2d(inside, 1, spec.ladder()[0], bias=False)).apply(_initialise)

    def features(self, images: Tensor) -> list[Tensor]:
        """images [B, C, H, W] -> the activations of each hidden layer, [B, c, h, w]."""
        return activations(self.layers, images)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """images [B, C, H, W] -> logits [B]; labels are not used."""
        return self.layers(images).flatten().float()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
