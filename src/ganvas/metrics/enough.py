"""Is there enough to measure? What keeps a set of samples from having figures, in words for the one who reads them.

A sample that comes a hundred times, or a hundred samples that are all but the same, give numbers that mean nothing,
and some of them look good: what is nowhere near a training sample is no copy either.
"""

from __future__ import annotations

import hashlib

from torch import Tensor

SPREAD = 0.01  # of the variance of real samples: such ones differ a tenth as much from each other, or less


def too_few(samples: Tensor, least: int, what: str) -> str:
    """Why there are not enough samples that differ from each other; empty where there are.

    Args:
        samples: [N, ...].
        least: so many must differ in a value at least.
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
    """For how many samples [N, D] an extractor gives no finite numbers; empty where there is none (or no values)."""
    if values is None:
        return ""
    bad = int((~values.isfinite()).flatten(1).any(1).sum())
    return f"the extractor gives no finite numbers for {bad:,} of the {len(values):,} {what}" if bad else ""


def variance(values: Tensor) -> float:
    """Summed over the columns of [N, D]; NaN for one row, or where a value is not finite."""
    return float(values.double().var(0).sum()) if len(values) > 1 else float("nan")


def too_alike(own: float, real: float, what: str) -> str:
    """Why samples of this `variance` have no figure beside real ones of that `variance`; empty where they have."""
    if not real > 0:
        return "the real images are all the same to the extractor"
    if own >= SPREAD * real:
        return ""
    return (
        f"the {what} are nearly all the same: they vary {own / real:.2%} as much as real images, and {SPREAD:.0%} is "
        "the least"
    )


def lacking(
    samples: Tensor, features: Tensor, real: Tensor, least: int, what: str = "pictures", opinions: Tensor | None = None
) -> str:
    """All of these in turn: the first reason why samples have no figures on their features; empty where they have.

    Args:
        samples: [N, ...]; features: [N, D] of theirs; real: [M, D] of real samples.
        opinions: [N, K], where these are to be finite too.
    """
    return (
        too_few(samples, least, what)
        or not_finite(features, what)
        or not_finite(opinions, what)
        or too_alike(variance(features), variance(real), what)
    )


def nothing_to_see(samples: Tensor, least: int, what: str) -> str:
    """Why there is too little in samples uint8 [N, ...] that could be kept or lost; empty where there is enough."""
    if lack := too_few(samples, least, what):
        return lack
    busy = samples.float().std(tuple(range(1, samples.dim()))) >= 1  # levels
    return too_few(samples[busy], least, f"{what} with something to see in them")
