"""MNIST cut down to 500 + 400 digits, so that what trains on it and measures it ends soon."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import ganvas
from ganvas.images.data import DATASETS, ImageData, mnist
from ganvas.images.data.dataset import Split

TRAIN, HELD_OUT = 500, 400


@functools.cache
def small() -> ImageData:
    """The first digits of both parts, under a fingerprint of their own."""
    whole = mnist()

    def first(split: Split, count: int) -> Split:
        assert split.labels is not None
        return Split(split.images[:count], split.labels[:count])

    digest = hashlib.sha256(f"{whole.fingerprint} {TRAIN} {HELD_OUT}".encode()).hexdigest()
    train, held_out = first(whole.train, TRAIN), first(whole.held_out, HELD_OUT)
    return dataclasses.replace(whole, train=train, held_out=held_out, fingerprint=digest)


def use() -> None:
    """Let "mnist" be the small set for the rest of this process (that of a notebook), and inversion soon over."""
    DATASETS["mnist"] = small
    ganvas.invert = functools.partial(ganvas.invert, steps=20)
