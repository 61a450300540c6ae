"""What a trained translator is exported as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.core.exports import Exports
from ganvas.export.image_to_image import image_to_image
from ganvas.tasks.translate.task import KINDS

if TYPE_CHECKING:
    from ganvas.tasks.translate.model import Translator


def exports(model: Translator) -> Exports:
    """`to_a.onnx` and `to_b.onnx`, a network a direction: see `image_to_image`."""
    networks = {kind: getattr(model.generator, f"to_{kind}") for kind in KINDS}
    return Exports(
        tuple(
            image_to_image(f"to_{kind}.onnx", network, int(network.stride), model.spec.channels, False, model.card)
            for kind, network in networks.items()
        )
    )
