"""ONNX files of networks that turn pictures of any size into pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.exports import OnnxNetwork

KNOWN = ("recipe", "images", "data_name", "other_name", "fingerprint", "licence", "network", "task", "spec")


def image_to_image(
    file: str, network: nn.Module, stride: int, channels: int, masked: bool, card: dict[str, Any]
) -> OnnxNetwork:
    """A network as an ONNX file: images float [B, C (+ 1: mask), H, W] -> restored [B, C, scale * H, scale * W].

    Args:
        file: the file's name.
        stride: height and width are multiples of it, 2 to 4096 times.
        channels: of the images, without the mask.
        masked: is the last channel a mask, 1 where a pixel is missing and 0 elsewhere?
        card: of the model; the entries that other programs need are written into the file.
    """

    def inputs(n: int) -> tuple[Tensor]:
        height, width = stride * (3 + n % 4), stride * (2 + n % 5)
        x = torch.rand(min(n, 3), channels + masked, height, width, generator=seeds.generator(n, "export"))
        if masked:
            x[:, -1] = (x[:, -1] > 0.5).float() * 0.5 + 0.5
        return (x * 2 - 1,)

    known = {**{name: card[name] for name in KNOWN if name in card}, "stride": stride, "range": [-1, 1]}
    height, width = (stride * torch.export.Dim(name, min=2, max=4096) for name in ("rows", "columns"))
    axes = {0: torch.export.Dim("batch", min=1), 2: height, 3: width}
    return OnnxNetwork(file, network, inputs, ("images",), "restored", known, axes)
