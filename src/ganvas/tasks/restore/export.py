"""What a trained restorer is exported as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.exports import Exports
from ganvas.export.image_to_image import image_to_image

if TYPE_CHECKING:
    from ganvas.tasks.restore.model import Restorer


def exports(model: Restorer) -> Exports:
    """`generator.onnx`: see `image_to_image`."""
    network, spec = model.generator, model.spec
    stride = int(network.stride)  # pyright: ignore[reportArgumentType]
    return Exports((image_to_image("generator.onnx", network, stride, spec.channels, spec.masked, model.card),))
