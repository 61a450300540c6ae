"""Is there enough to measure? What keeps a set of images from having figures, in words for the one who reads them.

A picture that comes a hundred times, or a hundred pictures that are all but the same, give numbers that mean nothing,
and some of them look good: what is nowhere near a training image is no copy either.
"""

from __future__ import annotations

import hashlib

from torch import Tensor

SPREAD = 0.01  # of the variance of real images: such pictures differ a tenth as much from each other, or less


def too_few(images: Tensor, least: int, what: str) -> str:
    """Why there are not enough images that differ from each other; empty where there are.

    Args:
        images: uint8 [N, C, H, W].
        least: so many must differ in a pixel at least.
        what: 'pictures', 'real images'.
    """
    found: set[bytes] = set()
    for image in images:
        found.add(hashlib.blake2b(image.contiguous().numpy().tobytes(), digest_size=16).digest())
        if len(found) >= least:
            return ""
    if len(images) < least:
        return f"it needs {least:,} {what}, and there are {len(images):,}"
    if len(found) == 1:
        return f"all {len(images):,} {what} are the same"
    return f"only {len(found):,} of the {len(images):,} {what} differ from each other, and it needs {least:,}"


def not_finite(values: Tensor | None, what: str) -> str:
    """For how many images [N, D] an extractor gives no finite numbers; empty where there is none (or no values)."""
    if values is None:
        return ""
    bad = int((~values.isfinite()).flatten(1).any(1).sum())
    return f"the extractor gives no finite numbers for {bad:,} of the {len(values):,} {what}" if bad else ""


def variance(values: Tensor) -> float:
    """Summed over the columns of [N, D]; NaN for one row, or where a value is not finite."""
    return float(values.double().var(0).sum()) if len(values) > 1 else float("nan")


def too_alike(own: float, real: float, what: str) -> str:
    """Why images of this `variance` have no figure beside real ones of that `variance`; empty where they have."""
    if not real > 0:
        return "the real images are all the same to the extractor"
    if own >= SPREAD * real:
        return ""
    return (
        f"the {what} are nearly all the same: they vary {own / real:.2%} as much as real images, and {SPREAD:.0%} is "
        "the least"
    )


def lacking(
    images: Tensor, features: Tensor, real: Tensor, least: int, what: str = "pictures", opinions: Tensor | None = None
) -> str:
    """All of these in turn: the first reason why images have no figures on their features; empty where they have.

    Args:
        images: uint8 [N, C, H, W]; features: [N, D] of theirs; real: [M, D] of real images.
        opinions: [N, K], where these are to be finite too.
    """
    return (
        too_few(images, least, what)
        or not_finite(features, what)
        or not_finite(opinions, what)
        or too_alike(variance(features), variance(real), what)
    )


def nothing_to_see(images: Tensor, least: int, what: str) -> str:
    """Why there is too little in images uint8 [N, C, H, W] that could be kept or lost; empty where there is enough."""
    if lack := too_few(images, least, what):
        return lack
    busy = images.float().std((1, 2, 3)) >= 1  # levels
    return too_few(images[busy], least, f"{what} with something to see in them")
