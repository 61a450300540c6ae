"""The copy check: distances of samples to training samples, compared with those of held-out real ones."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ganvas.metrics import neighbours

NEAR = 0.01  # quantile of the held-out samples' distances to training samples; a smaller distance is a near copy


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


def nearest_by_features(features: Tensor, seen: Tensor) -> tuple[Nearest, float]:
    """As `nearest`, and the mean over the rows of the cosine distance to the row of `seen` that is nearest by angle."""
    distance, index, cosine = neighbours.nearest_both(features, seen)
    return Nearest(distance, index), float(cosine.double().mean())


def limit(held_out: Nearest) -> float:
    """The distance below which a sample is a near copy."""
    return float(held_out.distance.quantile(NEAR))
