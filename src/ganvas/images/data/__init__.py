"""Images to train on: the data sets that come with Ganvas, and the user's own."""

from ganvas.images.data.dataset import ImageData, Split
from ganvas.images.data.readers import (
    DATASETS,
    STACKED,
    has_own_shape,
    listed,
    load,
    loading,
    mnist,
    pack_into,
    stacked_mnist,
)
from ganvas.sources.checks import Packing

__all__ = [
    "DATASETS",
    "STACKED",
    "ImageData",
    "Packing",
    "Split",
    "has_own_shape",
    "listed",
    "load",
    "loading",
    "mnist",
    "pack_into",
    "stacked_mnist",
]
