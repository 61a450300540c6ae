"""The copy check: how near samples come to training samples, beside how near held-out real ones come to them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ganvas.metrics import neighbours

NEAR = 0.01  # share of the held-out samples that lie so near to a training sample: nearer than that is a near copy


@dataclass(frozen=True)
class Nearest:
    """Distance [N] of each sample to its nearest training sample, and that sample's number [N]."""

    distance: Tensor
    index: Tensor

    def share_below(self, limit: float) -> float:
        return float((self.distance <= limit).double().mean())


def nearest(vectors: Tensor, seen: Tensor) -> Nearest:
    """The nearest row of `seen` [M, D], of training samples, for each row of `vectors` [N, D]: Euclidean distances."""
    return Nearest(*neighbours.nearest(vectors, seen))


def limit(held_out: Nearest) -> float:
    """The distance below which a sample is a near copy."""
    return float(held_out.distance.quantile(NEAR))
