"""The digit classifier whose features and logits the metrics of 28x28 grey pictures use.

benchmarks/train_digits.py made its weights, from MNIST's training images alone; nothing is downloaded.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

FEATURES = 128


class DigitClassifier(nn.Module):
    """Six 3x3 convolutions down to 4x4, a linear layer to 128 features, a linear layer to ten logits."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside, stride in (1, 32, 1), (32, 48, 2), (48, 64, 1), (64, 96, 2), (96, 96, 1), (96, 96, 2):
            layers += [nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten())
        self.foot = nn.Sequential(nn.Linear(4 * 96, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, 10)

    def fused(self) -> DigitClassifier:
        """The same for use alone: each batch norm is part of the convolution or linear layer before it."""
        for block, fuse in ((self.body, fuse_conv_bn_eval), (self.foot, fuse_linear_bn_eval)):
            for i, layer in enumerate(block):
                if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                    block[i - 1], block[i] = fuse(block[i - 1], layer), nn.Identity()  # pyright: ignore[reportArgumentType]
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """images [B, 1, 28, 28] in [-1, 1] -> features [B, 128] (0 and above) and logits [B, 10]."""
        features = self.foot(self.body(images))
        return features, self.head(features)
