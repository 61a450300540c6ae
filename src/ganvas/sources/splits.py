"""Which samples are held out, and the order of all: both follow from their content."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ganvas.core.errors import UserError
from ganvas.sources.kind import Kind
from ganvas.sources.listing import Listing

HELD_OUT = 0.1  # share of the samples that is held out if none are for testing


def class_names(listing: Listing, kind: Kind) -> list[str]:
    """The classes, sorted by name; numbers first, by value.

    Raises:
        UserError: only files for testing have some class.
    """
    if listing.labels is None:
        return []
    tests = listing.tests or [False] * len(listing.names)
    names = {label for label, test in zip(listing.labels, tests, strict=True) if not test}
    unknown = sorted(set(listing.labels) - names)
    if unknown:
        raise UserError(
            f"{listing.place}: the {kind.tests} have the class '{unknown[0]}', which the {kind.trained} do not have. "
            f"Add such {kind.noun}, remove these, or train with labels=false."
        )
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def too_few(count: int, different: int, noun: str, place: str = "") -> UserError:
    """The error if no sample can be held out; which ones are is decided by their content."""
    where = f"{place}: " if place else ""
    if count > 1 and different == 1:
        return UserError(f"{where}all {count:,} {noun} are the same, so that none can be held out. Add other ones.")
    return UserError(f"{where}{different:,} different {noun} are too few to hold some out. Add {noun}.")


def split(
    listing: Listing, digests: np.ndarray, broken: Collection[int], labels: np.ndarray, noun: str
) -> dict[str, np.ndarray]:
    """The numbers of the samples of both splits, 'train' and 'held_out', in an order that follows from their content.

    Held out is what the listing marks as for testing; without such marks, and of few samples, the digests decide.

    Args:
        digests: uint8 [N, 16].
        broken: samples that are left out.
        labels: [N].

    Raises:
        UserError: there are too few different ones.
    """
    good = np.ones(len(digests), bool)
    good[list(broken)] = False
    heads = digests[:, :4].copy().view(np.uint32)[:, 0]
    out = np.array(listing.tests or [False] * len(digests))
    if not (good & out).any():
        out = heads < max(HELD_OUT * 2**32, int(heads[good].min()) + 1)  # one at least
    if not (good & ~out).any():
        out = heads < int(heads[good].max())
    if not (good & out).any():
        raise too_few(int(good.sum()), len(np.unique(digests[good], axis=0)), noun, listing.place)
    order = np.lexsort((labels, *digests.T[::-1]))
    return {"train": order[(good & ~out)[order]], "held_out": order[(good & out)[order]]}
