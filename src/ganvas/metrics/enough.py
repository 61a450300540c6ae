"""Checks that a set of samples can be measured; each returns the reason why not, for the user to read.

Samples that are all the same, or nearly, give meaningless numbers, some of which seem good: samples that are far from
all training samples have no near copies either.
"""

from __future__ import annotations

import hashlib

from torch import Tensor

SPREAD = 0.01  # least variance, relative to that of real samples: a tenth of their standard deviation


def too_few(samples: Tensor, least: int, what: str) -> str:
    """Why there are too few samples that differ from each other; empty where there are enough.

    Args:
        samples: [N, ...].
        least: the number of different samples that is needed.
        what: 'pictures', 'real images'.
    """
    digests: set[bytes] = set()
    for sample in samples:
        digests.add(hashlib.blake2b(sample.contiguous().numpy().tobytes(), digest_size=16).digest())
        if len(digests) >= least:
            return ""
    if len(samples) < least:
        return f"it needs {least:,} {what}, and there are {len(samples):,}"
    if len(digests) == 1:
        return f"all {len(samples):,} {what} are the same"
    return f"only {len(digests):,} of the {len(samples):,} {what} differ from each other, and it needs {least:,}"


def not_finite(values: Tensor | None, what: str) -> str:
    """How many rows of [N, D] are not finite, as a reason; empty where all are finite (or there are no values)."""
    if values is None:
        return ""
    bad = int((~values.isfinite()).flatten(1).any(1).sum())
    return f"the extractor gives no finite numbers for {bad:,} of the {len(values):,} {what}" if bad else ""


def variance(values: Tensor) -> float:
    """The variance summed over the columns of [N, D]; NaN for one row, or where a value is not finite."""
    return float(values.double().var(0).sum()) if len(values) > 1 else float("nan")


def too_alike(value: float, real: float, what: str) -> str:
    """Why samples of the variance `value` differ too little, compared with real ones; empty where they do not."""
    if not real > 0:
        return "the real images are all the same to the extractor"
    if value >= SPREAD * real:
        return ""
    return (
        f"the {what} are nearly all the same: they vary {value / real:.2%} as much as real images, and {SPREAD:.0%} is "
        "the least"
    )


def lacking(
    samples: Tensor, features: Tensor, real: Tensor, least: int, what: str = "pictures", logits: Tensor | None = None
) -> str:
    """All these checks in turn: the first reason why features cannot be measured; empty where they can.

    Args:
        samples: [N, ...]; features: their features [N, D]; real: features [M, D] of real samples.
        logits: [N, K], if these must be finite too.
    """
    return (
        too_few(samples, least, what)
        or not_finite(features, what)
        or not_finite(logits, what)
        or too_alike(variance(features), variance(real), what)
    )


def nothing_to_see(samples: Tensor, least: int, what: str) -> str:
    """Why too few samples uint8 [N, ...] have any contrast; empty where enough have."""
    if lack := too_few(samples, least, what):
        return lack
    textured = samples.float().std(tuple(range(1, samples.dim()))) >= 1  # levels
    return too_few(samples[textured], least, f"{what} with something to see in them")
