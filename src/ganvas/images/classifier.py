"""A small classifier of real and generated images, for the two-sample test and for games."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Pairs of 3x3 convolutions, from full size down to 7 pixels or so, and two linear layers."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside, width = channels, 24
        while True:
            for stride in (2 if layers else 1, 1):
                layers += [nn.Conv2d(inside, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                inside, size = width, -(-size // stride)
            if size <= 8:
                break
            width = min(2 * width, 96)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Sequential(nn.Linear(inside * size**2, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, images: Tensor) -> Tensor:
        """float [B, C, H, W] -> logits [B], positive for real."""
        return self.head(self.body(images)).squeeze(1)


class ChannelsLast(nn.Module):
    """Images in the memory format that convolutions are quickest with."""

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> the same."""
        return images.contiguous(memory_format=torch.channels_last)


def fresh(images: Tensor) -> nn.Module:
    """A classifier with fresh weights for images [N, C, H, H]: float [B, C, H, H] -> logits [B], positive for real."""
    classifier = Classifier(images.shape[1], images.shape[2])
    return nn.Sequential(ChannelsLast(), classifier).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
