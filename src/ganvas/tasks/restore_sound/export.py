"""What a trained restorer is exported as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganvas.core import seeds
from ganvas.core.exports import Exports, OnnxNetwork
from ganvas.tasks.restore_sound import network

if TYPE_CHECKING:
    from ganvas.tasks.restore_sound.model import SoundRestorer

ENTRIES = ("recipe", "images", "data_name", "fingerprint", "licence", "network", "task")  # of the model's card
CLOSE = 1e-3  # of full scale: a sample is a sum over four windows, whose order differs
LONGEST = 100_000  # hops of an input


def exports(model: SoundRestorer) -> Exports:
    """`generator.onnx`: noisy waves float [B, n] -> clean ones [B, n], n a multiple of the hop."""
    hop, rate = model.spec.hop, model.spec.rate
    network.tables(model.spec.window, torch.device("cpu"))  # before the network is traced: what is traced is not kept

    def inputs(n: int) -> tuple[Tensor]:
        return (torch.rand(min(n, 3), hop * (20 + n % 5), generator=seeds.generator(n, "export")) * 2 - 1,)

    known = {**{name: model.card[name] for name in ENTRIES if name in model.card}, "rate": rate, "hop": hop}
    axes = {0: torch.export.Dim("batch", min=1), 1: hop * torch.export.Dim("hops", min=8, max=LONGEST)}
    whole = OnnxNetwork("generator.onnx", model.generator, inputs, ("waves",), "mended", known, axes, close=CLOSE)
    return Exports((whole,))
