"""Which samples are held out, and the order of all: both follow from their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.sources.kind import Kind
from ganvas.sources.layout import some
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
        return UserError(f"{where}all {count:,} {noun} are the same, so none can be held out. Add different ones.")
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


def with_all_classes(
    listing: Listing,
    digests: np.ndarray,
    parts: dict[str, np.ndarray],
    labels: np.ndarray,
    class_names: list[str],
    kind: Kind,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Splits in which each class has sounds to train on, and notes on classes that none can be held out of.

    Where the content decides, it may hold out all of a small class: the last of them, and its copies, go back.

    Raises:
        UserError: a class has nothing to train on, or none can be held out then.
    """
    train, held_out = parts["train"].tolist(), parts["held_out"].tolist()
    notes = []
    missing = [c for c in range(len(class_names)) if c not in {*labels[train].tolist()}]
    for c in missing:
        own = [i for i in held_out if labels[i] == c]
        if not own or (listing.tests and any(listing.tests[i] for i in own)):
            raise UserError(
                f"{listing.place}: no {kind.singular} of the class '{one_line(class_names[c])}' can be used for "
                f"training. Fix or add some, remove the class, or train with labels=false."
            )
        last = bytes(digests[own[-1]])
        back = [i for i in own if bytes(digests[i]) == last]
        train, held_out = train + back, [i for i in held_out if i not in back]
    counts = Counter(labels[train].tolist()) + Counter(labels[held_out].tolist())
    if not held_out:
        held_out = _one_of(train, digests, labels)
        if not held_out:
            raise UserError(
                f"{listing.place}: no class has two different {kind.noun}, so none can be held out. Add "
                f"{kind.noun}, or train with labels=false."
            )
        train = [i for i in train if i not in held_out]
    single = [class_names[c] for c, count in sorted(counts.items()) if count == 1]
    if single and not listing.tests:
        notes.append(f"Classes with a single {kind.singular}, of which none is held out: {some(single)}.")

    def ordered(numbers: list[int]) -> np.ndarray:
        side = np.array(numbers, np.int64)
        return side[np.lexsort((labels[side], *digests[side].T[::-1]))]

    return {"train": ordered(train), "held_out": ordered(held_out)}, notes


def _one_of(train: list[int], digests: np.ndarray, labels: np.ndarray) -> list[int]:
    """The first sample of a class that has different ones, and its copies; none if there is no such class."""
    for i in train:
        own = [j for j in train if labels[j] == labels[i]]
        copies = [j for j in own if (digests[j] == digests[i]).all()]
        if len(copies) < len(own):
            return copies
    return []
